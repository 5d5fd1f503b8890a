// Versions of guarded code: `if (i < n) body` is almost always true for a whole warp, and the body runs
// several times faster when the compiler knows it.
#pragma once

#include <llvm/IR/Function.h>

#include "compiler/spmd/lane_shape.h"

namespace guda::spmd {

/// Finds a branch outside loops that every lane reaches and that guards a region; makes a second copy
/// of the region behind a uniform test that all lanes agree: on the guard, and on the later guards and
/// the trip counts of loops that follow from lane numbers (`i < n`, `(n - i) / blockDim.x`). Control
/// flow in the copy is uniform as far as these decide it. Returns false when there is no such branch
/// (left). At most `instruction_limit` instructions are copied.
bool add_uniform_version(llvm::Function& function, const LaneShapes& shapes,
                         llvm::DominatorTree& dominators, llvm::PostDominatorTree& post_dominators,
                         const llvm::LoopInfo& loops, unsigned instruction_limit);

/// Finds an innermost loop that lanes leave in different iterations, entered by all lanes together,
/// and puts a copy in front of it that runs as long as all of them stay (a uniform test): the general
/// loop is left with the last iterations. Returns false when there is none (left).
bool add_full_loop(llvm::Function& function, const LaneShapes& shapes,
                   llvm::DominatorTree& dominators, llvm::PostDominatorTree& post_dominators,
                   const llvm::LoopInfo& loops, unsigned instruction_limit);

}  // namespace guda::spmd
