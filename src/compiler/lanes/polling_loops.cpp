#include "compiler/lanes/polling_loops.h"

#include <llvm/ADT/SmallPtrSet.h>
#include <llvm/Analysis/CycleAnalysis.h>
#include <llvm/IR/CFG.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>

namespace guda::lanes {
namespace {

using llvm::BasicBlock;
using llvm::Instruction;
using llvm::Value;

// Everything that decides whether a cycle goes round again.
class ExitSlice {
 public:
  ExitSlice(const llvm::Cycle& cycle, const llvm::DominatorTree& dominators)
      : cycle_(cycle), dominators_(dominators) {}

  bool depends_on_others() {
    for (BasicBlock* block : cycle_.blocks()) {
      has_fence_ |=
          llvm::any_of(*block, [](const Instruction& i) { return llvm::isa<llvm::FenceInst>(i); });
    }
    llvm::SmallVector<BasicBlock*, 4> exiting;
    cycle_.getExitingBlocks(exiting);
    for (const BasicBlock* block : exiting) add_conditions(block, cycle_.getHeader());
    while (!worklist_.empty()) {
      const auto* instruction = llvm::dyn_cast<Instruction>(worklist_.pop_back_val());
      if (instruction == nullptr || !cycle_.contains(instruction->getParent()) ||
          !seen_.insert(instruction).second) {
        continue;
      }
      if (is_changed_by_others(*instruction)) return true;
      for (const Value* operand : instruction->operands()) worklist_.push_back(operand);
      if (const auto* phi = llvm::dyn_cast<llvm::PHINode>(instruction)) add_phi_conditions(*phi);
    }
    return false;
  }

 private:
  bool is_invariant(const Value* value) const {
    const auto* instruction = llvm::dyn_cast<Instruction>(value);
    return instruction == nullptr || !cycle_.contains(instruction->getParent());
  }

  bool is_changed_by_others(const Instruction& instruction) const {
    if (const auto* load = llvm::dyn_cast<llvm::LoadInst>(&instruction)) {
      // A plain load next to a fence waits as well (`while (!*flag) __threadfence();`).
      return load->isVolatile() || load->isAtomic() ||
             (has_fence_ && is_invariant(load->getPointerOperand()));
    }
    if (const auto* exchange = llvm::dyn_cast<llvm::AtomicCmpXchgInst>(&instruction)) {
      return is_invariant(exchange->getCompareOperand());
    }
    if (const auto* update = llvm::dyn_cast<llvm::AtomicRMWInst>(&instruction)) {
      switch (update->getOperation()) {
        case llvm::AtomicRMWInst::Add:
        case llvm::AtomicRMWInst::Sub: {
          // Counting moves on by itself; adding zero is a load.
          const auto* constant = llvm::dyn_cast<llvm::ConstantInt>(update->getValOperand());
          return constant != nullptr && constant->isZero();
        }
        case llvm::AtomicRMWInst::FAdd:
        case llvm::AtomicRMWInst::FSub:
        case llvm::AtomicRMWInst::UIncWrap:
        case llvm::AtomicRMWInst::UDecWrap: return false;
        default: return true;
      }
    }
    if (const auto* call = llvm::dyn_cast<llvm::CallBase>(&instruction)) {
      // A function that was not inlined may read memory for us.
      const llvm::Function* callee = call->getCalledFunction();
      if (callee == nullptr) return true;
      return !callee->isDeclaration() && reads_shared_state(*callee);
    }
    return false;
  }

  static bool reads_shared_state(const llvm::Function& function) {
    return llvm::any_of(llvm::instructions(function), [](const Instruction& i) {
      return (llvm::isa<llvm::LoadInst>(i) && i.isVolatile()) || i.isAtomic();
    });
  }

  void add_condition(const BasicBlock* block) {
    const Instruction* terminator = block->getTerminator();
    if (const auto* branch = llvm::dyn_cast<llvm::BranchInst>(terminator)) {
      if (branch->isConditional()) worklist_.push_back(branch->getCondition());
    } else if (const auto* choice = llvm::dyn_cast<llvm::SwitchInst>(terminator)) {
      worklist_.push_back(choice->getCondition());
    }
  }

  // Conditions of the blocks from `block` up the dominator tree to `top`.
  void add_conditions(const BasicBlock* block, const BasicBlock* top) {
    const llvm::DomTreeNode* node = dominators_.getNode(block);
    while (node != nullptr && cycle_.contains(node->getBlock())) {
      add_condition(node->getBlock());
      if (node->getBlock() == top) break;
      node = node->getIDom();
    }
  }

  // Which value a phi takes depends on the branches between its incoming blocks' common dominator
  // and the blocks.
  void add_phi_conditions(const llvm::PHINode& phi) {
    const BasicBlock* common = nullptr;
    const Value* first = nullptr;
    bool distinct = false;
    for (unsigned i = 0; i < phi.getNumIncomingValues(); ++i) {
      const BasicBlock* incoming = phi.getIncomingBlock(i);
      if (!cycle_.contains(incoming)) continue;
      if (common == nullptr) {
        common = incoming;
        first = phi.getIncomingValue(i);
      } else {
        common = dominators_.findNearestCommonDominator(common, incoming);
        distinct |= phi.getIncomingValue(i) != first;
      }
    }
    if (!distinct) return;
    for (const BasicBlock* incoming : phi.blocks()) {
      if (cycle_.contains(incoming)) add_conditions(incoming, common);
    }
  }

  const llvm::Cycle& cycle_;
  const llvm::DominatorTree& dominators_;
  bool has_fence_ = false;
  llvm::SmallVector<const Value*, 16> worklist_;
  llvm::SmallPtrSet<const Value*, 32> seen_;
};

bool sleeps(const llvm::Cycle& cycle) {
  for (const BasicBlock* block : cycle.blocks()) {
    for (const Instruction& instruction : *block) {
      const auto* call = llvm::dyn_cast<llvm::CallBase>(&instruction);
      if (call == nullptr || call->getCalledFunction() == nullptr) continue;
      if (call->getCalledFunction()->getName() == "ptx.nanosleep") return true;
    }
  }
  return false;
}

void collect(const llvm::Cycle& cycle, const llvm::DominatorTree& dominators,
             llvm::SmallPtrSetImpl<BasicBlock*>& latches) {
  for (const llvm::Cycle* child : cycle.children()) collect(*child, dominators, latches);
  if (!ExitSlice(cycle, dominators).depends_on_others() && !sleeps(cycle)) return;
  for (BasicBlock* entry : cycle.getEntries()) {
    for (BasicBlock* predecessor : llvm::predecessors(entry)) {
      if (cycle.contains(predecessor)) latches.insert(predecessor);
    }
  }
}

}  // namespace

llvm::SmallVector<BasicBlock*, 4> polling_latches(llvm::Function& function) {
  llvm::CycleInfo cycles;
  cycles.compute(function);
  if (cycles.toplevel_begin() == cycles.toplevel_end()) return {};
  const llvm::DominatorTree dominators(function);
  llvm::SmallPtrSet<BasicBlock*, 8> latches;
  for (const llvm::Cycle* cycle : cycles.toplevel_cycles()) collect(*cycle, dominators, latches);
  // In layout order, so that output does not depend on addresses.
  llvm::SmallVector<BasicBlock*, 4> ordered;
  for (BasicBlock& block : function) {
    if (latches.contains(&block)) ordered.push_back(&block);
  }
  return ordered;
}

}  // namespace guda::lanes
