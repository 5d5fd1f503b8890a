#include "compiler/spmd/block_plan.h"

#include <llvm/IR/CFG.h>
#include <llvm/IR/IntrinsicInst.h>

#include <set>

namespace guda::spmd {
namespace {

using llvm::BasicBlock;
using llvm::Loop;

/// Topological order of the acyclic part in which every loop, and everything that a block dominates
/// inside its loop, is contiguous.
std::vector<BasicBlock*> order_blocks(llvm::Function& function, const llvm::LoopInfo& loops) {
  llvm::DenseMap<BasicBlock*, unsigned> waiting;  // forward predecessors not yet placed
  for (BasicBlock& block : function) {
    const Loop* loop = loops.getLoopFor(&block);
    for (BasicBlock* predecessor : llvm::predecessors(&block)) {
      const bool back_edge =
          loop != nullptr && loop->getHeader() == &block && loop->contains(predecessor);
      if (!back_edge) ++waiting[&block];
    }
  }
  std::vector<BasicBlock*> order;
  std::vector<BasicBlock*> ready{&function.getEntryBlock()};
  llvm::DenseMap<const Loop*, unsigned> unplaced;
  for (const Loop* loop : loops.getLoopsInPreorder()) unplaced[loop] = loop->getNumBlocks();
  const Loop* current = nullptr;
  while (!ready.empty()) {
    while (current != nullptr && unplaced[current] == 0) current = current->getParentLoop();
    size_t pick = ready.size();
    for (size_t i = ready.size(); i-- > 0;) {
      if (current == nullptr || current->contains(ready[i])) {
        pick = i;
        break;
      }
    }
    if (pick == ready.size()) return {};  // irreducible
    BasicBlock* block = ready[pick];
    ready.erase(ready.begin() + static_cast<std::ptrdiff_t>(pick));
    order.push_back(block);
    for (const Loop* loop = loops.getLoopFor(block); loop != nullptr;
         loop = loop->getParentLoop()) {
      --unplaced[loop];
    }
    if (const Loop* loop = loops.getLoopFor(block); loop != nullptr && loop->getHeader() == block) {
      current = loop;
    }
    for (BasicBlock* successor : llvm::successors(block)) {
      const Loop* target = loops.getLoopFor(successor);
      const bool back_edge =
          target != nullptr && target->getHeader() == successor && target->contains(block);
      if (back_edge) continue;
      if (--waiting[successor] == 0) ready.push_back(successor);
    }
  }
  return order;
}

/// Executing the block without lanes costs time or is not safe.
bool wants_skip(const BasicBlock& block) {
  unsigned cheap = 0;
  for (const llvm::Instruction& instruction : block) {
    if (llvm::isa<llvm::PHINode>(instruction) || instruction.isTerminator()) continue;
    if (instruction.mayReadOrWriteMemory()) return true;
    if (llvm::isa<llvm::CallBase>(instruction) && !llvm::isa<llvm::IntrinsicInst>(instruction)) {
      return true;
    }
    if (++cheap > 6) return true;
  }
  return false;
}

}  // namespace

bool LinearPlan::leaves_divergent_loop(const BasicBlock* from, const BasicBlock* to) const {
  for (const Loop* loop = loops_->getLoopFor(from); loop != nullptr && !loop->contains(to);
       loop = loop->getParentLoop()) {
    if (is_divergent(loop)) return true;
  }
  return false;
}

Result<LinearPlan> LinearPlan::make(llvm::Function& function, const LaneShapes& shapes,
                                    llvm::DominatorTree& dominators,
                                    llvm::PostDominatorTree& post_dominators,
                                    llvm::LoopInfo& loops) {
  LinearPlan plan;
  plan.loops_ = &loops;
  const std::vector<BasicBlock*> order = order_blocks(function, loops);
  if (order.size() != function.size()) {
    return Status(StatusCode::not_supported, "irreducible control flow");
  }
  for (unsigned i = 0; i < order.size(); ++i) plan.index_[order[i]] = i;
  const auto index = [&](const BasicBlock* block) { return plan.index_.lookup(block); };
  const auto loop_of = [&](const BasicBlock* block) { return loops.getLoopFor(block); };

  // A loop is divergent if lanes may leave it in different iterations.
  for (Loop* loop : loops.getLoopsInPreorder()) {
    if (loop->getLoopLatch() == nullptr || loop->getLoopPreheader() == nullptr) {
      return Status(StatusCode::not_supported, "loop without a single latch");
    }
    llvm::SmallVector<BasicBlock*, 4> exiting;
    loop->getExitingBlocks(exiting);
    bool divergent = false;
    for (BasicBlock* block : exiting) {
      divergent |= shapes.has_divergent_terminator(*block);
      for (BasicBlock* other : loop->blocks()) {
        if (other != block && shapes.has_divergent_terminator(*other) &&
            index(other) < index(block) && !post_dominators.dominates(block, other)) {
          divergent = true;
        }
      }
    }
    if (divergent) plan.divergent_loops_.insert(loop);
  }
  // Leaving an outer loop from an inner one with divergence makes both divergent.
  for (Loop* loop : loops.getLoopsInPreorder()) {
    if (!plan.is_divergent(loop)) continue;
    llvm::SmallVector<BasicBlock*, 4> exits;
    loop->getExitBlocks(exits);
    for (Loop* parent = loop->getParentLoop(); parent != nullptr;
         parent = parent->getParentLoop()) {
      for (BasicBlock* exit : exits) {
        if (!parent->contains(exit)) plan.divergent_loops_.insert(parent);
      }
    }
  }

  using Targets = std::set<unsigned>;
  std::vector<Targets> pending(order.size());  // deferred blocks, to be visited after this one
  std::vector<bool> linear_entry(order.size());  // reached by an edge that lanes may not follow
  llvm::DenseMap<const Loop*, Targets> exits;  // deferred exits of divergent loops

  for (unsigned i = 0; i < order.size(); ++i) {
    BasicBlock* block = order[i];
    Loop* loop = loop_of(block);
    BlockPlan entry;
    entry.block = block;

    const auto* node = dominators.getNode(block);
    for (auto* up = node->getIDom(); up != nullptr; up = up->getIDom()) {
      BasicBlock* above = up->getBlock();
      Loop* above_loop = loop_of(above);
      bool same_level = above_loop == loop;
      if (!same_level && loop != nullptr && loop->getHeader() == block &&
          loop->getParentLoop() == above_loop && !plan.is_divergent(loop)) {
        same_level = true;  // all lanes enter and repeat a uniform loop together
      }
      if (same_level && post_dominators.dominates(block, above)) {
        entry.same_mask = above;
        break;
      }
    }
    const bool same_as_full = entry.same_mask != nullptr && plan.of(entry.same_mask).never_empty;
    entry.never_empty = i == 0 || same_as_full || !linear_entry[i];

    if (!entry.never_empty) {
      // Preheaders must not let an empty mask into a loop.
      bool required = false;
      for (Loop* inner : loops.getLoopsInPreorder()) required |= inner->getLoopPreheader() == block;
      const bool is_header = loop != nullptr && loop->getHeader() == block;
      if ((required || wants_skip(*block)) && !is_header && !pending[i].empty()) {
        BasicBlock* target = order[*pending[i].begin()];
        bool stays = true;
        for (Loop* outer = loop; outer != nullptr; outer = outer->getParentLoop()) {
          stays = stays && outer->contains(target);
        }
        if (stays) {
          entry.skip = target;
          entry.never_empty = true;
          const unsigned to = index(target);
          for (const unsigned other : pending[i]) {
            if (other != to) pending[to].insert(other);
          }
          linear_entry[to] = true;
        }
      }
      if (required && entry.skip == nullptr) {
        return Status(StatusCode::not_supported, "a loop might be entered without lanes");
      }
    }

    // Successors inside the divergent loops around this block; the others wait at their latches.
    llvm::Instruction* terminator = block->getTerminator();
    bool divergent = shapes.has_divergent_terminator(*block);
    Targets forward;
    bool back_edge = false;
    for (BasicBlock* successor : llvm::successors(block)) {
      if (loop != nullptr && successor == loop->getHeader()) {
        back_edge = true;
        continue;
      }
      Loop* leaves = nullptr;  // innermost divergent loop that this edge leaves
      for (Loop* outer = loop; outer != nullptr && !outer->contains(successor);
           outer = outer->getParentLoop()) {
        if (plan.is_divergent(outer)) {
          leaves = outer;
          break;
        }
      }
      if (leaves != nullptr) {
        exits[leaves].insert(index(successor));
        divergent = true;
      } else {
        forward.insert(index(successor));
      }
    }
    const auto advance = [&](Targets targets) -> BasicBlock* {
      if (targets.empty()) return nullptr;
      const unsigned to = *targets.begin();
      targets.erase(targets.begin());
      pending[to].insert(targets.begin(), targets.end());
      return order[to];
    };
    if (back_edge && plan.is_divergent(loop)) {
      entry.repeat = loop->getHeader();
      Targets targets = pending[i];
      targets.insert(forward.begin(), forward.end());
      for (const unsigned exit : exits[loop]) {
        // An exit of several loops waits at the latch of the outermost divergent one.
        Loop* waits = nullptr;
        for (Loop* outer = loop->getParentLoop(); outer != nullptr && !outer->contains(order[exit]);
             outer = outer->getParentLoop()) {
          if (plan.is_divergent(outer)) {
            waits = outer;
            break;
          }
        }
        if (waits != nullptr)
          exits[waits].insert(exit);
        else
          targets.insert(exit);
      }
      entry.linear_next = advance(targets);
      if (entry.linear_next == nullptr) {
        return Status(StatusCode::not_supported, "endless divergent loop");
      }
      linear_entry[index(entry.linear_next)] = true;
    } else if (divergent) {
      if (back_edge) return Status(StatusCode::not_supported, "divergent latch of a uniform loop");
      Targets targets = pending[i];
      targets.insert(forward.begin(), forward.end());
      entry.linear_next = advance(targets);
      if (entry.linear_next == nullptr) {
        return Status(StatusCode::not_supported, "divergent branch without a join");
      }
      linear_entry[index(entry.linear_next)] = true;
      for (const unsigned target : targets) linear_entry[target] = true;
    } else {
      for (BasicBlock* successor : llvm::successors(block)) {
        if (loop != nullptr && successor == loop->getHeader()) {
          entry.next.push_back(successor);
          continue;
        }
        Targets targets = pending[i];
        targets.insert(index(successor));
        BasicBlock* next = advance(targets);
        entry.next.push_back(next);
        const unsigned to = index(next);
        if (next != successor || pending[i].contains(to) || !entry.never_empty) {
          linear_entry[to] = true;
        }
        for (const unsigned target : pending[i]) linear_entry[target] = true;
      }
      if (terminator->getNumSuccessors() == 0 && !pending[i].empty()) {
        return Status(StatusCode::not_supported, "blocks are left at the return");
      }
    }
    plan.blocks_.push_back(std::move(entry));
  }
  return plan;
}

}  // namespace guda::spmd
