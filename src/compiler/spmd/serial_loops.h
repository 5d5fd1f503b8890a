// Irregular loops, lane by lane. Where every lane walks a list of its own (the edges of its node, the
// entries of its row) lockstep wins nothing: each access is a gather, and the lanes with short lists
// wait for the longest. A scalar loop for one lane after the other keeps more misses in flight.
#pragma once

#include <llvm/Analysis/LoopInfo.h>
#include <llvm/IR/Function.h>

#include "compiler/spmd/lane_shape.h"

namespace guda::spmd {

/// Finds an innermost loop that lanes leave in different iterations, whose addresses come from memory,
/// and that is estimated to be faster without SIMD; moves it into a
/// scalar function with the attribute kSerialLoop. Returns false
/// when there is none (left).
bool make_loop_serial(llvm::Function& kernel, const LaneShapes& shapes, const llvm::LoopInfo& loops,
                      unsigned lanes);

}  // namespace guda::spmd
