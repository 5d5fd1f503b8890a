// Partial linearisation (Moll and Hack, "Partial Control-Flow Linearization", PLDI 2018): an order of
// the blocks and, for each, where control goes next when divergent branches become straight-line
// code under masks while uniform branches stay branches.
#pragma once

#include <llvm/ADT/DenseMap.h>
#include <llvm/ADT/SmallVector.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/PostDominators.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/Function.h>

#include <vector>

#include "compiler/spmd/lane_shape.h"
#include "support/status.h"

namespace guda::spmd {

struct BlockPlan {
  llvm::BasicBlock* block = nullptr;
  /// Uniform terminator: where control goes for each successor (the successor itself, or a deferred
  /// block that comes first).
  llvm::SmallVector<llvm::BasicBlock*, 2> next;
  /// Divergent terminator: the one block that follows, whichever way lanes go.
  llvm::BasicBlock* linear_next = nullptr;
  /// Latch of a divergent loop: repeats the loop while any lane is left.
  llvm::BasicBlock* repeat = nullptr;
  /// Go there instead when no lane is active; null: the block runs whatever its mask.
  llvm::BasicBlock* skip = nullptr;
  /// A block that is executed by exactly the same lanes and dominates this one; null: the mask is
  /// gathered from the incoming edges.
  llvm::BasicBlock* same_mask = nullptr;
  /// At least one lane is active whenever the block is reached (after the test of `skip`).
  bool never_empty = false;
};

class LinearPlan {
 public:
  static Result<LinearPlan> make(llvm::Function& function, const LaneShapes& shapes,
                                 llvm::DominatorTree& dominators,
                                 llvm::PostDominatorTree& post_dominators, llvm::LoopInfo& loops);

  const std::vector<BlockPlan>& blocks() const { return blocks_; }
  const BlockPlan& of(const llvm::BasicBlock* block) const { return blocks_[index_.lookup(block)]; }
  bool is_divergent(const llvm::Loop* loop) const { return divergent_loops_.contains(loop); }
  bool is_loop_header(const llvm::BasicBlock* block) const { return loops_->isLoopHeader(block); }
  /// Lanes may follow the edge in different iterations of a loop.
  bool leaves_divergent_loop(const llvm::BasicBlock* from, const llvm::BasicBlock* to) const;

 private:
  const llvm::LoopInfo* loops_ = nullptr;
  std::vector<BlockPlan> blocks_;  // in execution order
  llvm::DenseMap<const llvm::BasicBlock*, unsigned> index_;
  llvm::SmallPtrSet<const llvm::Loop*, 8> divergent_loops_;
};

}  // namespace guda::spmd
