#include "compiler/target/alignment_checks.h"

#include <llvm/ADT/MapVector.h>
#include <llvm/ADT/PostOrderIterator.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/IR/CFG.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Module.h>

#include <algorithm>
#include <vector>

#include "compiler/target/address_residue.h"

namespace guda::target {
namespace {

using llvm::BasicBlock;
using llvm::Instruction;
using llvm::Value;

/// Address and required alignment of an access; alignment 1 where there is nothing to check.
struct Access {
  Value* pointer = nullptr;
  uint64_t alignment = 1;
};

Access access_of(Instruction& instruction, const llvm::DataLayout& layout) {
  Access access;
  llvm::Type* type = nullptr;
  if (auto* load = llvm::dyn_cast<llvm::LoadInst>(&instruction)) {
    access = {load->getPointerOperand(), load->getAlign().value()};
    type = load->getType();
  } else if (auto* store = llvm::dyn_cast<llvm::StoreInst>(&instruction)) {
    access = {store->getPointerOperand(), store->getAlign().value()};
    type = store->getValueOperand()->getType();
  } else if (auto* update = llvm::dyn_cast<llvm::AtomicRMWInst>(&instruction)) {
    access = {update->getPointerOperand(), update->getAlign().value()};
    type = update->getType();
  } else if (auto* exchange = llvm::dyn_cast<llvm::AtomicCmpXchgInst>(&instruction)) {
    access = {exchange->getPointerOperand(), exchange->getAlign().value()};
    type = exchange->getCompareOperand()->getType();
  } else {
    return access;
  }
  const uint64_t size = layout.getTypeStoreSize(type).getFixedValue();
  access.alignment = std::min<uint64_t>(access.alignment, llvm::PowerOf2Ceil(size));
  return access;
}

/// Something that a program can tell from a fault: output, waiting for other threads, an end.
bool is_observable(const Instruction& instruction) {
  const auto* call = llvm::dyn_cast<llvm::CallBase>(&instruction);
  return call != nullptr && !llvm::isa<llvm::IntrinsicInst>(call) && call->mayHaveSideEffects();
}

class AlignmentChecks {
 public:
  explicit AlignmentChecks(llvm::Function& function)
      : function_(function), dominators_(function), loops_(dominators_) {}

  void run() {
    const llvm::DataLayout& layout = function_.getDataLayout();
    std::vector<std::pair<Instruction*, AddressResidue>> needed;
    for (BasicBlock* block : llvm::ReversePostOrderTraversal<llvm::Function*>(&function_)) {
      for (Instruction& instruction : *block) {
        const Access access = access_of(instruction, layout);
        if (access.alignment < 2) continue;
        AddressResidue residue(access.pointer, access.alignment, layout);
        if (!residue.is_zero()) needed.emplace_back(&instruction, std::move(residue));
      }
    }
    // Places first: a check that moves out of a loop may make earlier ones superfluous.
    for (auto& [access, residue] : needed) require(place(*access, residue));
    emit();
  }

 private:
  /// May stand before any instruction of a block from the earliest to the latest.
  struct Check {
    Instruction* earliest;
    Instruction* latest;
    AddressResidue residue;
  };

  /// Every thread that enters the loop comes to `at` before anything observable happens.
  bool always_reached(const Instruction& at, const llvm::Loop& loop) const {
    const BasicBlock* block = at.getParent();
    const auto quiet = [&](const BasicBlock& part) {
      for (const Instruction& instruction : part) {
        if (&instruction == &at) return true;
        if (is_observable(instruction)) return false;
      }
      return true;
    };
    if (block == loop.getHeader()) return quiet(*block);
    llvm::SmallVector<BasicBlock*, 4> leaving;
    loop.getExitingBlocks(leaving);
    if (BasicBlock* latch = loop.getLoopLatch()) leaving.push_back(latch);
    return llvm::all_of(leaving,
                        [&](BasicBlock* exit) { return dominators_.dominates(block, exit); }) &&
           llvm::all_of(loop.blocks(), [&](BasicBlock* part) {
             return part == block ? quiet(*part)
                                  : llvm::none_of(*part, [](const Instruction& instruction) {
                                      return is_observable(instruction);
                                    });
           });
  }

  /// As early in its block as nobody can tell.
  static Instruction* raise(Instruction* at, const AddressResidue& residue) {
    for (Instruction* above = at->getPrevNode(); above != nullptr; above = at->getPrevNode()) {
      const bool is_needed = llvm::any_of(
          residue.terms(), [&](const AddressResidue::Term& term) { return term.value == above; });
      if (is_needed || llvm::isa<llvm::PHINode, llvm::AllocaInst>(above) || is_observable(*above)) {
        break;
      }
      at = above;
    }
    return at;
  }

  Check place(Instruction& access, const AddressResidue& residue) const {
    Instruction* latest = &access;
    Instruction* earliest = raise(latest, residue);
    for (const llvm::Loop* loop = loops_.getLoopFor(access.getParent()); loop != nullptr;
         loop = loop->getParentLoop()) {
      BasicBlock* preheader = loop->getLoopPreheader();
      const bool fixed = llvm::all_of(residue.terms(), [&](const AddressResidue::Term& term) {
        return loop->isLoopInvariant(term.value);
      });
      if (preheader == nullptr || !fixed || !always_reached(*earliest, *loop)) break;
      latest = preheader->getTerminator();
      earliest = raise(latest, residue);
    }
    return {earliest, latest, residue};
  }

  void require(Check&& wanted) {
    const auto covers = [&](const Check& one, const Check& other) {
      return one.residue == other.residue &&
             (one.latest == other.latest || dominators_.dominates(one.latest, other.latest));
    };
    if (llvm::any_of(checks_, [&](const Check& check) { return covers(check, wanted); })) return;
    llvm::erase_if(checks_, [&](const Check& check) { return covers(wanted, check); });
    checks_.push_back(std::move(wanted));
  }

  /// As few places as possible: checks that stand side by side are tested together.
  void emit() {
    llvm::MapVector<BasicBlock*, llvm::SmallVector<const Check*, 4>> blocks;
    for (const Check& check : checks_) blocks[check.latest->getParent()].push_back(&check);
    for (auto& [block, checks] : blocks) {
      llvm::stable_sort(checks, [](const Check* a, const Check* b) {
        return a->latest != b->latest && a->latest->comesBefore(b->latest);
      });
      while (!checks.empty()) {
        // All that may stand where the first one has to.
        Instruction* end = checks.front()->latest;
        Instruction* place = checks.front()->earliest;
        llvm::SmallVector<const Check*, 4> together, others;
        for (const Check* check : checks) {
          const bool fits = check->earliest == end || check->earliest->comesBefore(end);
          (fits ? together : others).push_back(check);
          if (fits && place->comesBefore(check->earliest)) place = check->earliest;
        }
        emit(together, place);
        checks = std::move(others);
      }
    }
  }

  void emit(llvm::ArrayRef<const Check*> checks, Instruction* place) {
    llvm::IRBuilder<> builder(place);
    llvm::Type* word = builder.getInt32Ty();
    llvm::FunctionCallee callee = function_.getParent()->getOrInsertFunction(
        kAlignmentCheck, llvm::FunctionType::get(builder.getVoidTy(), {word, word}, false));
    auto* declaration = llvm::cast<llvm::Function>(callee.getCallee());
    declaration->setOnlyAccessesInaccessibleMemory();
    declaration->setDoesNotThrow();
    llvm::SmallVector<Value*, 4> residues;
    for (const Check* check : checks) residues.push_back(check->residue.emit(builder));
    for (const auto& [check, residue] : llvm::zip(checks, residues)) {
      const auto mask = static_cast<uint32_t>(check->residue.alignment() - 1);
      builder.CreateCall(callee, {residue, builder.getInt32(mask)});
    }
  }

  llvm::Function& function_;
  llvm::DominatorTree dominators_;
  llvm::LoopInfo loops_;
  std::vector<Check> checks_;
};

}  // namespace

void add_alignment_checks(llvm::Module& module) {
  for (llvm::Function& function : module) {
    if (!function.isDeclaration()) AlignmentChecks(function).run();
  }
}

}  // namespace guda::target
