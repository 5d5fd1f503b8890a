#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/PatternMatch.h>
#include <llvm/Transforms/Utils/Cloning.h>
#include <llvm/Transforms/Utils/SSAUpdater.h>

#include "compiler/spmd/device_calls.h"
#include "compiler/spmd/version_region.h"
#include "compiler/spmd/versions.h"

namespace guda::spmd {
namespace {

using llvm::BasicBlock;
using llvm::Instruction;
using llvm::Value;

constexpr unsigned kMaxAgreements = 6;  // tests in front of one version
constexpr unsigned kMaxRematerialised = 24;

llvm::BranchInst* divergent_branch(BasicBlock& block, const LaneShapes& shapes) {
  auto* branch = llvm::dyn_cast<llvm::BranchInst>(block.getTerminator());
  const bool divergent =
      branch != nullptr && branch->isConditional() && shapes.has_divergent_terminator(block);
  return divergent ? branch : nullptr;
}

/// Lanes differ whenever more than one is there: `threadIdx.x == 0`.
bool never_agrees(const Value* condition, const LaneShapes& shapes) {
  const auto* compare = llvm::dyn_cast<llvm::ICmpInst>(condition);
  if (compare == nullptr || !compare->isEquality()) return false;
  return (shapes.affine(compare->getOperand(0)) != nullptr &&
          shapes.is_uniform(compare->getOperand(1))) ||
         (shapes.affine(compare->getOperand(1)) != nullptr &&
          shapes.is_uniform(compare->getOperand(0)));
}

/// What happens between `entry` and `exit`, which post-dominates it.
struct Region {
  BasicBlock* entry = nullptr;
  BasicBlock* exit = nullptr;
  llvm::SmallVector<BasicBlock*, 16> blocks;  // without entry and exit
  size_t instructions = 0;

  bool contains(const BasicBlock* block) const { return llvm::is_contained(blocks, block); }
};

/// The blocks between `entry` and `exit`; nothing if `entry` does not dominate them all.
std::optional<Region> find_region(BasicBlock* entry, BasicBlock* exit,
                                  const llvm::DominatorTree& dominators, unsigned limit) {
  Region region{entry, exit, {}, 0};
  llvm::SmallPtrSet<BasicBlock*, 16> seen{entry, exit};
  llvm::SmallVector<BasicBlock*, 16> worklist(llvm::successors(entry));
  while (!worklist.empty()) {
    BasicBlock* block = worklist.pop_back_val();
    if (!seen.insert(block).second) continue;
    if (!dominators.dominates(entry, block)) return std::nullopt;
    region.instructions += block->size();
    if (region.instructions > limit) return std::nullopt;
    region.blocks.push_back(block);
    worklist.append(llvm::succ_begin(block), llvm::succ_end(block));
  }
  return region;
}

/// Values of a region that decide where lanes go, that are known at its entry, and that are the same
/// in all lanes most of the time: bounds checks and the trip counts of strided loops.
class Agreements {
 public:
  Agreements(const Region& region, const LaneShapes& shapes, const llvm::DominatorTree& dominators)
      : region_(region), shapes_(shapes), dominators_(dominators) {}

  void find(const llvm::LoopInfo& loops) {
    for (BasicBlock* block : region_.blocks) {
      if (llvm::BranchInst* branch = divergent_branch(*block, shapes_))
        consider(branch->getCondition());
      const llvm::Loop* loop = loops.getLoopFor(block);
      if (loop == nullptr || loop->getHeader() != block || loop->getLoopPreheader() == nullptr) {
        continue;
      }
      for (llvm::PHINode& phi : block->phis()) {
        if (controls_exit(phi, *loop)) {
          consider(phi.getIncomingValueForBlock(loop->getLoopPreheader()));
        }
      }
    }
  }

  /// Adds `value` if it follows from lane numbers.
  bool add(Value* value) {
    unsigned budget = kMaxRematerialised;
    return follows_lane_number(value, budget) && values_.insert(value);
  }
  llvm::ArrayRef<Value*> values() const { return values_.getArrayRef(); }

  /// Computes `value` at the end of the region's entry.
  Value* rematerialise(Value* value, llvm::IRBuilder<>& builder) {
    auto* instruction = llvm::dyn_cast<Instruction>(value);
    if (instruction == nullptr || !region_.contains(instruction->getParent())) return value;
    Value*& copy = copies_[instruction];
    if (copy == nullptr) {
      Instruction* clone = instruction->clone();
      clone->dropPoisonGeneratingFlags();  // lanes compute it that would not have come here
      for (llvm::Use& operand : clone->operands()) {
        if (llvm::isa<llvm::Function>(operand.get())) continue;
        Value* made = rematerialise(operand.get(), builder);
        operand.set(made);
      }
      builder.Insert(clone);
      copies_[instruction] = clone;  // `copy` may have moved
      return clone;
    }
    return copy;
  }

 private:
  /// A counter: every exit of the loop that lanes take at different times compares it.
  bool controls_exit(const llvm::PHINode& phi, const llvm::Loop& loop) const {
    if (!phi.getType()->isIntegerTy(32) && !phi.getType()->isIntegerTy(64)) return false;
    llvm::SmallVector<BasicBlock*, 4> exiting;
    loop.getExitingBlocks(exiting);
    for (BasicBlock* block : exiting) {
      if (!shapes_.has_divergent_terminator(*block)) continue;
      const auto* branch = llvm::dyn_cast<llvm::BranchInst>(block->getTerminator());
      if (branch == nullptr) return false;
      const auto* compare = llvm::dyn_cast<llvm::ICmpInst>(branch->getCondition());
      if (compare == nullptr) return false;
      for (const Value* operand : compare->operands()) {
        if (operand == &phi) return true;
        const auto* step = llvm::dyn_cast<llvm::BinaryOperator>(operand);
        if (step != nullptr && (step->getOperand(0) == &phi || step->getOperand(1) == &phi)) {
          return true;
        }
      }
    }
    return false;
  }

  void consider(Value* value) {
    if (values_.size() >= kMaxAgreements || shapes_.is_uniform(value) ||
        shapes_.affine(value) != nullptr || never_agrees(value, shapes_)) {
      return;
    }
    add(value);
  }

  /// Computed from uniform and affine values alone, in a way that can be repeated at the entry.
  bool follows_lane_number(Value* value, unsigned& budget) const {
    if (llvm::isa<llvm::Constant, llvm::Argument>(value)) return true;
    auto* instruction = llvm::cast<Instruction>(value);
    const bool known = !region_.contains(instruction->getParent()) &&
                       dominators_.dominates(instruction, region_.entry->getTerminator());
    if (known && (shapes_.is_uniform(value) || shapes_.affine(value) != nullptr)) return true;
    if (budget-- == 0 || llvm::isa<llvm::PHINode>(instruction) ||
        instruction->mayReadOrWriteMemory() ||
        !(llvm::isa<llvm::BinaryOperator, llvm::CastInst, llvm::ICmpInst, llvm::SelectInst>(
              instruction) ||
          (shapes_.is_uniform(instruction) && llvm::isa<llvm::CallInst>(instruction))) ||
        !llvm::isSafeToSpeculativelyExecute(instruction)) {
      return false;
    }
    return llvm::all_of(instruction->operands(), [&](llvm::Use& operand) {
      return llvm::isa<llvm::Function>(operand.get()) || follows_lane_number(operand.get(), budget);
    });
  }

  const Region& region_;
  const LaneShapes& shapes_;
  const llvm::DominatorTree& dominators_;
  llvm::SmallSetVector<Value*, 8> values_;
  llvm::DenseMap<Instruction*, Value*> copies_;
};

/// Which successor of `branch` is the body of `if (condition) body`, the other being where it ends.
std::optional<unsigned> guarded_side(const llvm::BranchInst& branch,
                                     const llvm::PostDominatorTree& post_dominators) {
  for (unsigned i = 0; i < 2; ++i) {
    if (post_dominators.dominates(branch.getSuccessor(1 - i), branch.getParent()) &&
        branch.getSuccessor(i)->getSinglePredecessor() == branch.getParent()) {
      return i;
    }
  }
  return std::nullopt;
}

/// The region of `entry`, and as much of what follows it as can gain from the same test.
std::optional<Region> choose_region(BasicBlock& entry, const LaneShapes& shapes,
                                    llvm::DominatorTree& dominators,
                                    llvm::PostDominatorTree& post_dominators,
                                    const llvm::LoopInfo& loops, unsigned limit) {
  std::optional<Region> best;
  size_t agreements = 0;
  auto* node = post_dominators.getNode(&entry);
  while (node != nullptr && node->getIDom() != nullptr && node->getIDom()->getBlock() != nullptr) {
    node = node->getIDom();
    BasicBlock* exit = node->getBlock();
    if (loops.getLoopFor(exit) != loops.getLoopFor(&entry)) break;
    std::optional<Region> region = find_region(&entry, exit, dominators, limit);
    if (!region || has_barrier(region->blocks)) break;
    Agreements found(*region, shapes, dominators);
    found.find(loops);
    if (!best || found.values().size() > agreements) {
      agreements = found.values().size();
      best = std::move(region);
    }
    if (!dominators.dominates(&entry, exit)) break;
  }
  return best;
}

/// A second copy of the region's blocks; edges to the exit are added to its phis.
void clone_region(const Region& region, llvm::ValueToValueMapTy& values) {
  llvm::Function& function = *region.entry->getParent();
  llvm::SmallVector<BasicBlock*, 16> copies;
  for (BasicBlock* block : region.blocks) {
    BasicBlock* copy = llvm::CloneBasicBlock(block, values, ".full", &function);
    values[block] = copy;
    copies.push_back(copy);
  }
  llvm::remapInstructionsInBlocks(copies, values);
  for (BasicBlock* block : region.blocks) {
    if (!llvm::is_contained(llvm::successors(block), region.exit)) continue;
    for (llvm::PHINode& phi : region.exit->phis()) {
      Value* incoming = phi.getIncomingValueForBlock(block);
      const auto mapped = values.find(incoming);
      phi.addIncoming(mapped != values.end() ? static_cast<Value*>(mapped->second) : incoming,
                      llvm::cast<BasicBlock>(values[block]));
    }
  }
}

/// Behind the region, values that were made in it come from either copy.
void join_values(const Region& region, llvm::ValueToValueMapTy& values) {
  for (BasicBlock* block : region.blocks) {
    for (Instruction& instruction : *block) {
      llvm::SmallVector<llvm::Use*, 4> outside;
      for (llvm::Use& use : instruction.uses()) {
        auto* user = llvm::cast<Instruction>(use.getUser());
        const auto* phi = llvm::dyn_cast<llvm::PHINode>(user);
        const BasicBlock* place = phi != nullptr ? phi->getIncomingBlock(use) : user->getParent();
        if (!region.contains(place)) outside.push_back(&use);
      }
      if (outside.empty()) continue;
      llvm::SSAUpdater updater;
      updater.Initialize(instruction.getType(), instruction.getName());
      updater.AddAvailableValue(block, &instruction);
      Value* copy = values[&instruction];
      updater.AddAvailableValue(llvm::cast<BasicBlock>(values[block]), copy);
      for (llvm::Use* use : outside) updater.RewriteUse(*use);
    }
  }
}

/// In front of `branch`: do all lanes go into its body (if it has one), and agree on the rest? `agreed`
/// receives what they agree on, as scalars.
Value* test_agreement(llvm::BranchInst& branch, std::optional<unsigned> body,
                      Agreements& agreements, llvm::SmallVectorImpl<Value*>& agreed) {
  llvm::Module& module = *branch.getModule();
  llvm::IRBuilder<> builder(&branch);
  const auto call = [&](const char* name, Value* value) {
    llvm::CallInst* result = call_device(builder, name, value->getType(), {value}, module);
    result->setConvergent();
    return result;
  };
  Value* equal = nullptr;
  if (body) {
    equal = branch.getCondition();
    if (*body == 1) equal = builder.CreateNot(equal);
  }
  for (Value* value : agreements.values()) {
    Value* here = agreements.rematerialise(value, builder);
    Value* same = nullptr;
    if (here->getType()->isIntegerTy(1)) {
      agreed.push_back(call("guda.all", here));
      same = builder.CreateNot(builder.CreateXor(here, agreed.back()));
    } else {
      const bool wide = here->getType()->isIntegerTy(64);
      agreed.push_back(call(wide ? "guda.first.b64" : "guda.first.b32", here));
      same = builder.CreateICmpEQ(here, agreed.back());
    }
    equal = equal == nullptr ? same : builder.CreateAnd(equal, same);
  }
  return call("guda.all", equal);
}

/// In the region's copy `by` stands for `value`, wherever that was computed.
void replace_in_copy(const Region& region, llvm::ValueToValueMapTy& values, Value* value,
                     Value* by) {
  const auto copy = values.find(value);
  Value* copied = copy != values.end() ? static_cast<Value*>(copy->second) : nullptr;
  for (BasicBlock* original : region.blocks) {
    for (Instruction& instruction : *llvm::cast<BasicBlock>(values[original])) {
      instruction.replaceUsesOfWith(value, by);
      if (copied != nullptr) instruction.replaceUsesOfWith(copied, by);
    }
  }
}

}  // namespace

bool add_uniform_version(llvm::Function& function, const LaneShapes& shapes,
                         llvm::DominatorTree& dominators, llvm::PostDominatorTree& post_dominators,
                         const llvm::LoopInfo& loops, unsigned instruction_limit) {
  for (BasicBlock& block : function) {
    llvm::BranchInst* branch = divergent_branch(block, shapes);
    if (branch == nullptr || loops.getLoopFor(&block) != nullptr ||
        branch->getMetadata(kVersioned) != nullptr ||
        never_agrees(branch->getCondition(), shapes) ||
        !on_uniform_path(block, shapes, dominators, post_dominators)) {
      continue;
    }
    const std::optional<Region> region =
        choose_region(block, shapes, dominators, post_dominators, loops, instruction_limit);
    if (!region || !accesses_memory(region->blocks)) continue;
    Agreements agreements(*region, shapes, dominators);
    const std::optional<unsigned> body = guarded_side(*branch, post_dominators);
    if (!body && !agreements.add(branch->getCondition())) continue;
    agreements.find(loops);

    llvm::SmallVector<Value*, 8> agreed;
    Value* all = test_agreement(*branch, body, agreements, agreed);
    llvm::ValueToValueMapTy values;
    clone_region(*region, values);
    const auto copy_of = [&](BasicBlock* target) {
      return target == region->exit ? target : llvm::cast<BasicBlock>(values[target]);
    };
    llvm::LLVMContext& context = function.getContext();
    BasicBlock* together = BasicBlock::Create(context, "together", &function, region->blocks[0]);
    BasicBlock* general = BasicBlock::Create(context, "general", &function, region->blocks[0]);
    branch->removeFromParent();
    branch->insertInto(general, general->end());
    branch->setMetadata(kVersioned, llvm::MDNode::get(context, {}));
    llvm::BranchInst::Create(together, general, all, &block);
    if (body) {
      llvm::BranchInst::Create(copy_of(branch->getSuccessor(*body)), together);
    } else {
      llvm::BranchInst::Create(copy_of(branch->getSuccessor(0)), copy_of(branch->getSuccessor(1)),
                               agreed[0], together);
    }
    for (BasicBlock* successor : llvm::successors(general)) {
      for (llvm::PHINode& phi : successor->phis()) {
        const int index = phi.getBasicBlockIndex(&block);
        if (index < 0) continue;
        phi.setIncomingBlock(static_cast<unsigned>(index), general);
        if (successor == region->exit && !body) {
          phi.addIncoming(phi.getIncomingValue(static_cast<unsigned>(index)), together);
        }
      }
      if (successor == region->exit) continue;
      if (body && successor != branch->getSuccessor(*body)) {
        copy_of(successor)->removePredecessor(&block);
      } else {
        copy_of(successor)->replacePhiUsesWith(&block, together);
      }
    }
    for (size_t i = 0; i < agreed.size(); ++i) {
      replace_in_copy(*region, values, agreements.values()[i], agreed[i]);
    }
    join_values(*region, values);
    return true;
  }
  return false;
}

}  // namespace guda::spmd
