#include "compiler/device_ir/local_pointers.h"

#include <llvm/ADT/DenseMap.h>
#include <llvm/ADT/SetVector.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/Transforms/Utils/Local.h>

#include <vector>

namespace guda::device_ir {
namespace {

using llvm::cast;
using llvm::dyn_cast;
using llvm::Instruction;
using llvm::isa;
using llvm::Value;

/// The integers that are an address inside one variable (an alloca, or what an argument points to), each
/// with its twin of pointer type.
class LocalAddress {
 public:
  explicit LocalAddress(Value& variable) : variable_(variable) {}

  bool rewrite() {
    collect();
    if (addresses_.empty()) return false;
    prune();
    std::vector<llvm::IntToPtrInst*> uses;
    for (Value* address : addresses_)
      for (llvm::User* user : address->users())
        if (auto* use = dyn_cast<llvm::IntToPtrInst>(user);
            use && use->getType() == variable_.getType())
          uses.push_back(use);
    llvm::SmallVector<llvm::WeakTrackingVH, 16> dead;
    for (llvm::IntToPtrInst* use : uses) {
      use->replaceAllUsesWith(pointer(use->getOperand(0)));
      dead.emplace_back(use);
    }
    llvm::RecursivelyDeleteTriviallyDeadInstructionsPermissive(dead);
    return !uses.empty();
  }

 private:
  /// Optimistic: everything that may be derived from the variable.
  void collect() {
    llvm::SmallVector<Value*> pointers = {&variable_};
    llvm::DenseSet<Value*> seen;
    while (!pointers.empty()) {
      Value* pointer = pointers.pop_back_val();
      for (llvm::User* user : pointer->users()) {
        if (auto* conversion = dyn_cast<llvm::PtrToIntInst>(user);
            conversion && conversion->getType()->isIntegerTy(64))
          addresses_.insert(conversion);
        if (auto* element = dyn_cast<llvm::GetElementPtrInst>(user);
            element && !element->getType()->isVectorTy() && seen.insert(element).second)
          pointers.push_back(element);
      }
    }
    for (size_t i = 0; i < addresses_.size(); ++i) {
      for (llvm::User* user : addresses_[i]->users()) {
        auto* instruction = dyn_cast<Instruction>(user);
        if (instruction && can_derive(*instruction)) addresses_.insert(instruction);
      }
    }
  }

  static bool can_derive(const Instruction& instruction) {
    if (isa<llvm::PHINode, llvm::SelectInst>(instruction)) return true;
    if (instruction.getOpcode() == Instruction::Or)
      return cast<llvm::PossiblyDisjointInst>(instruction).isDisjoint();
    return instruction.getOpcode() == Instruction::Add ||
           instruction.getOpcode() == Instruction::Sub;
  }

  bool is_derived(const Instruction& instruction) const {
    auto known = [&](const Value* value) { return addresses_.contains(const_cast<Value*>(value)); };
    if (isa<llvm::PtrToIntInst>(instruction)) return true;
    if (auto* phi = dyn_cast<llvm::PHINode>(&instruction))
      return llvm::all_of(phi->incoming_values(), known);
    if (auto* select = dyn_cast<llvm::SelectInst>(&instruction))
      return known(select->getTrueValue()) && known(select->getFalseValue());
    const bool left = known(instruction.getOperand(0));
    const bool right = known(instruction.getOperand(1));
    if (instruction.getOpcode() == Instruction::Sub) return left && !right;
    return left != right;
  }

  /// Removes what is not an address of the variable on every path, until nothing changes.
  void prune() {
    for (bool changed = true; changed;) {
      changed = false;
      for (Value* address : llvm::SmallVector<Value*>(addresses_.begin(), addresses_.end())) {
        if (is_derived(*cast<Instruction>(address))) continue;
        addresses_.remove(address);
        changed = true;
      }
    }
  }

  Value* pointer(Value* address) {
    if (auto known = pointers_.find(address); known != pointers_.end()) return known->second;
    auto* instruction = cast<Instruction>(address);
    llvm::IRBuilder<> builder(instruction);
    llvm::Type* type = variable_.getType();
    Value* result = nullptr;
    if (auto* conversion = dyn_cast<llvm::PtrToIntInst>(instruction)) {
      result = conversion->getOperand(0);
    } else if (auto* phi = dyn_cast<llvm::PHINode>(instruction)) {
      llvm::PHINode* twin = builder.CreatePHI(type, phi->getNumIncomingValues());
      pointers_[address] = twin;
      for (unsigned i = 0; i < phi->getNumIncomingValues(); ++i)
        twin->addIncoming(pointer(phi->getIncomingValue(i)), phi->getIncomingBlock(i));
      return twin;
    } else if (auto* select = dyn_cast<llvm::SelectInst>(instruction)) {
      Value* when_true = pointer(select->getTrueValue());
      Value* when_false = pointer(select->getFalseValue());
      result = builder.CreateSelect(select->getCondition(), when_true, when_false);
    } else {
      const bool left = addresses_.contains(instruction->getOperand(0));
      Value* base = pointer(instruction->getOperand(left ? 0 : 1));
      Value* offset = instruction->getOperand(left ? 1 : 0);
      if (instruction->getOpcode() == Instruction::Sub) offset = builder.CreateNeg(offset);
      result = builder.CreateGEP(builder.getInt8Ty(), base, offset);
    }
    pointers_[address] = result;
    return result;
  }

  Value& variable_;
  llvm::SmallSetVector<Value*, 16> addresses_;
  llvm::DenseMap<Value*, Value*> pointers_;
};

}  // namespace

bool recover_local_pointers(llvm::Function& function) {
  // Clean-up for one variable may delete another that nobody uses.
  std::vector<llvm::WeakTrackingVH> variables;
  for (llvm::Argument& argument : function.args())
    if (argument.getType()->isPointerTy()) variables.emplace_back(&argument);
  for (Instruction& instruction : llvm::instructions(function))
    if (isa<llvm::AllocaInst>(instruction)) variables.emplace_back(&instruction);
  bool changed = false;
  for (llvm::WeakTrackingVH& variable : variables)
    if (variable) changed |= LocalAddress(*variable).rewrite();
  if (!changed) return false;
  // Integer phis that now feed only themselves, and what was computed for them.
  std::vector<llvm::WeakTrackingVH> phis;
  for (llvm::BasicBlock& block : function)
    for (llvm::PHINode& phi : block.phis()) phis.emplace_back(&phi);
  for (llvm::WeakTrackingVH& handle : phis)
    if (auto* phi = llvm::dyn_cast_or_null<llvm::PHINode>(handle))
      llvm::RecursivelyDeleteDeadPHINode(phi);
  return true;
}

}  // namespace guda::device_ir
