// Versions of guarded code: `if (i < n) body` is almost always true for a whole warp, and the body runs
// several times faster when the compiler knows it.
#pragma once

#include <llvm/IR/Function.h>

#include "compiler/spmd/lane_shape.h"

namespace guda::spmd {

/// Finds a branch outside loops that every lane reaches and that guards a region; makes a second copy
/// of the region behind a uniform test that the guard holds in all lanes. Returns false when there is
/// no such branch (left). At most `instruction_limit` instructions are copied.
bool add_full_version(llvm::Function& function, const LaneShapes& shapes,
                      llvm::DominatorTree& dominators, llvm::PostDominatorTree& post_dominators,
                      const llvm::LoopInfo& loops, unsigned instruction_limit);

/// Finds an innermost loop that lanes leave in different iterations, entered by all lanes together,
/// and puts a copy in front of it that runs as long as all of them stay (a uniform test): the general
/// loop is left with the last iterations. Returns false when there is none (left).
bool add_full_loop(llvm::Function& function, const LaneShapes& shapes,
                   llvm::DominatorTree& dominators, llvm::PostDominatorTree& post_dominators,
                   const llvm::LoopInfo& loops, unsigned instruction_limit);

}  // namespace guda::spmd
