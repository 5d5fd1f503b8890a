// Decides whether a kernel may run as a SIMD program (tier A) at all.
#pragma once

#include <llvm/Analysis/LoopInfo.h>
#include <llvm/IR/Function.h>

#include "compiler/spmd/lane_shape.h"
#include "support/status.h"

namespace guda::spmd {

/// What the kernel does that decides the width of its warps and the form of its entry point.
struct Traits {
  bool barriers = false;
  bool warp_operations = false;
  bool collective_reads = false;  // activemask and the like: results depend on the warp's 32 lanes
  uint32_t wide_operations = 0;  // arithmetic on 64-bit floating point or integer values
  uint32_t narrow_operations = 0;  // arithmetic on 32-bit and smaller ones
};

/// Reads off the traits. Error not_supported, with the reason, when lanes have to be scheduled one by
/// one: calls that were not inlined, waiting for other threads, operations without SIMD form.
Result<Traits> examine(llvm::Function& function, const llvm::LoopInfo& loops);

/// Lanes of one warp may wait for each other at different instructions: a warp-wide operation stands on
/// either side of a divergent branch, so that neither is executed by all the lanes it names.
bool synchronizes_at_different_places(llvm::Function& function, const LaneShapes& shapes,
                                      llvm::DominatorTree& dominators);

}  // namespace guda::spmd
