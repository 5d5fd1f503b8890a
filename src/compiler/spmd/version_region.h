// What versions.h asks of a piece of the kernel before it copies it.
#pragma once

#include <llvm/IR/Function.h>

#include "compiler/spmd/lane_shape.h"

namespace guda::spmd {

/// Marks a branch that has its versions already.
inline constexpr const char* kVersioned = "guda.versioned";

/// A copy only pays for code whose cost depends on the mask.
bool accesses_memory(llvm::ArrayRef<llvm::BasicBlock*> region);

/// Reached by the lanes that are still in the kernel's main line, all together.
bool on_uniform_path(const llvm::BasicBlock& block, const LaneShapes& shapes,
                     const llvm::DominatorTree& dominators,
                     const llvm::PostDominatorTree& post_dominators);

/// A barrier in two copies would be two places for warps to wait at.
bool has_barrier(llvm::ArrayRef<llvm::BasicBlock*> region);

}  // namespace guda::spmd
