#include "compiler/device_ir/promotion.h"

#include <llvm/ADT/DenseMap.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/Module.h>
#include <llvm/Transforms/Utils/Local.h>

#include <array>
#include <vector>

namespace guda::device_ir {
namespace {

/// The variable an integer address is computed from, as far as it is certain.
class BaseFinder {
 public:
  /// The pointer at the root of the address computation, or null.
  llvm::Value* base(llvm::Value* address, int depth = 0) {
    if (depth > 40) return nullptr;
    if (auto* cast = llvm::dyn_cast<llvm::PtrToIntInst>(address)) {
      llvm::Value* root = cast->getPointerOperand()->stripInBoundsOffsets();
      while (auto* gep = llvm::dyn_cast<llvm::GetElementPtrInst>(root)) {
        root = gep->getPointerOperand();
      }
      const bool is_local = llvm::isa<llvm::AllocaInst>(root) || llvm::isa<llvm::Argument>(root);
      return is_local ? root : nullptr;
    }
    auto* instruction = llvm::dyn_cast<llvm::Instruction>(address);
    if (instruction == nullptr) return nullptr;
    const auto known = bases_.find(instruction);
    if (known != bases_.end()) return known->second;
    llvm::Value* result = nullptr;
    switch (instruction->getOpcode()) {
      case llvm::Instruction::Add: {
        llvm::Value* left = base(instruction->getOperand(0), depth + 1);
        llvm::Value* right = base(instruction->getOperand(1), depth + 1);
        result = left == nullptr ? right : right == nullptr ? left : nullptr;
        break;
      }
      case llvm::Instruction::Sub:
        if (base(instruction->getOperand(1), depth + 1) == nullptr) {
          result = base(instruction->getOperand(0), depth + 1);
        }
        break;
      case llvm::Instruction::Select: {
        llvm::Value* left = base(instruction->getOperand(1), depth + 1);
        if (left != nullptr && left == base(instruction->getOperand(2), depth + 1)) result = left;
        break;
      }
      case llvm::Instruction::PHI:
        result = phi_base(llvm::cast<llvm::PHINode>(instruction), depth);
        if (result != nullptr) forget_failures();
        break;
      default: break;
    }
    bases_[instruction] = result;
    return result;
  }

 private:
  // All incoming addresses that do not come back to the phi itself must agree.
  llvm::Value* phi_base(llvm::PHINode* phi, int depth) {
    llvm::Value* result = nullptr;
    for (llvm::Value* incoming : phi->incoming_values()) {
      if (steps_from(incoming, phi)) continue;
      bases_[phi] = nullptr;  // ends cycles through other phis
      llvm::Value* root = base(incoming, depth + 1);
      if (root == nullptr || (result != nullptr && root != result)) return nullptr;
      result = root;
    }
    return result;
  }

  // What was unknown while a phi was being visited may be known afterwards.
  void forget_failures() {
    for (auto entry = bases_.begin(); entry != bases_.end(); ++entry) {
      if (entry->second == nullptr) bases_.erase(entry);
    }
  }

  static bool steps_from(llvm::Value* value, llvm::PHINode* phi) {
    for (int i = 0; i < 8; ++i) {
      if (value == phi) return true;
      auto* operation = llvm::dyn_cast<llvm::BinaryOperator>(value);
      if (operation == nullptr || (operation->getOpcode() != llvm::Instruction::Add &&
                                   operation->getOpcode() != llvm::Instruction::Sub)) {
        return false;
      }
      const bool on_right = operation->getOpcode() == llvm::Instruction::Add &&
                            llvm::isa<llvm::Constant>(operation->getOperand(0));
      value = operation->getOperand(on_right ? 1 : 0);
      if (!llvm::isa<llvm::Constant>(operation->getOperand(on_right ? 0 : 1)) && value != phi) {
        return false;
      }
    }
    return false;
  }

  llvm::DenseMap<llvm::Instruction*, llvm::Value*> bases_;
};

/// base + (address - base), with the subtraction carried out symbolically.
class OffsetBuilder {
 public:
  explicit OffsetBuilder(BaseFinder& bases) : bases_(bases) {}

  llvm::Value* offset(llvm::Value* address) {
    if (auto* cast = llvm::dyn_cast<llvm::PtrToIntInst>(address)) {
      llvm::IRBuilder<> b(cast);
      const llvm::DataLayout& layout = cast->getModule()->getDataLayout();
      llvm::APInt total(64, 0);
      cast->getPointerOperand()->stripAndAccumulateConstantOffsets(layout, total, true);
      return b.getInt(total);
    }
    auto* instruction = llvm::cast<llvm::Instruction>(address);
    llvm::Value*& known = offsets_[instruction];
    if (known != nullptr) return known;
    if (auto* phi = llvm::dyn_cast<llvm::PHINode>(instruction)) {
      auto* result = llvm::PHINode::Create(phi->getType(), phi->getNumIncomingValues(), "offset",
                                           phi->getIterator());
      known = result;
      for (unsigned i = 0; i < phi->getNumIncomingValues(); ++i) {
        result->addIncoming(offset(phi->getIncomingValue(i)), phi->getIncomingBlock(i));
      }
      return result;
    }
    llvm::IRBuilder<> b(instruction);
    llvm::Value* result = nullptr;
    if (instruction->getOpcode() == llvm::Instruction::Select) {
      llvm::Value* left = offset(instruction->getOperand(1));
      llvm::Value* right = offset(instruction->getOperand(2));
      result = b.CreateSelect(instruction->getOperand(0), left, right);
    } else {
      const bool on_left = bases_.base(instruction->getOperand(0)) != nullptr;
      llvm::Value* inner = offset(instruction->getOperand(on_left ? 0 : 1));
      llvm::Value* other = instruction->getOperand(on_left ? 1 : 0);
      result = instruction->getOpcode() == llvm::Instruction::Sub ? b.CreateSub(inner, other)
                                                                  : b.CreateAdd(inner, other);
    }
    offsets_[instruction] = result;
    return result;
  }

 private:
  BaseFinder& bases_;
  llvm::DenseMap<llvm::Instruction*, llvm::Value*> offsets_;
};

bool fold_division(llvm::CallInst& call, llvm::StringRef name) {
  const auto* divisor = llvm::dyn_cast<llvm::ConstantInt>(call.getArgOperand(1));
  if (divisor == nullptr || divisor->isZero() || divisor->isMinusOne()) return false;
  llvm::IRBuilder<> b(&call);
  llvm::Value* dividend = call.getArgOperand(0);
  llvm::Value* by = call.getArgOperand(1);
  const bool is_signed = name.contains(".s");
  llvm::Value* result = name.starts_with("ptx.div")
                            ? (is_signed ? b.CreateSDiv(dividend, by) : b.CreateUDiv(dividend, by))
                            : (is_signed ? b.CreateSRem(dividend, by) : b.CreateURem(dividend, by));
  call.replaceAllUsesWith(result);
  return true;
}

// Each result byte is a byte of {b, a}, or its sign. Neighbouring bytes move together.
bool fold_permute(llvm::CallInst& call) {
  const auto* selector = llvm::dyn_cast<llvm::ConstantInt>(call.getArgOperand(2));
  if (selector == nullptr) return false;
  const uint64_t nibbles = selector->getZExtValue();
  std::array<unsigned, 4> bytes{};
  for (unsigned i = 0; i < 4; ++i) {
    bytes[i] = nibbles >> (4 * i) & 0xf;
    if (bytes[i] >= 8) return false;
  }
  llvm::IRBuilder<> b(&call);
  llvm::Value* result = nullptr;
  for (unsigned first = 0; first < 4;) {
    unsigned last = first;
    while (last + 1 < 4 && bytes[last + 1] == bytes[last] + 1 &&
           bytes[last + 1] / 4 == bytes[first] / 4) {
      ++last;
    }
    const unsigned width = 8 * (last - first + 1);
    llvm::Value* part = call.getArgOperand(bytes[first] / 4);
    const unsigned from = 8 * (bytes[first] % 4);
    if (from != 0) part = b.CreateLShr(part, from);
    if (width < 32 && from + width < 32 && first * 8 + width < 32) {
      part = b.CreateAnd(part, (uint64_t{1} << width) - 1);
    }
    if (first != 0) part = b.CreateShl(part, 8 * first);
    result = result == nullptr ? part : b.CreateOr(result, part);
    first = last + 1;
  }
  call.replaceAllUsesWith(result);
  return true;
}

}  // namespace

void recover_local_pointers(llvm::Function& function) {
  std::vector<llvm::IntToPtrInst*> casts;
  for (llvm::Instruction& instruction : llvm::instructions(function)) {
    if (auto* cast = llvm::dyn_cast<llvm::IntToPtrInst>(&instruction)) {
      if (cast->getAddressSpace() == 0 && cast->getOperand(0)->getType()->isIntegerTy(64)) {
        casts.push_back(cast);
      }
    }
  }
  BaseFinder bases;
  OffsetBuilder offsets(bases);
  llvm::SmallVector<llvm::WeakTrackingVH, 16> dead;
  for (llvm::IntToPtrInst* cast : casts) {
    llvm::Value* address = cast->getOperand(0);
    llvm::Value* base = bases.base(address);
    if (base == nullptr) continue;
    llvm::Value* offset = offsets.offset(address);
    llvm::IRBuilder<> b(cast);
    llvm::Value* pointer = b.CreateGEP(b.getInt8Ty(), base, offset);
    cast->replaceAllUsesWith(pointer);
    dead.emplace_back(cast);
  }
  llvm::RecursivelyDeleteTriviallyDeadInstructionsPermissive(dead);
  // Address phis that only fed themselves.
  std::vector<llvm::WeakTrackingVH> phis;
  for (llvm::BasicBlock& block : function) {
    for (llvm::PHINode& phi : block.phis()) phis.emplace_back(&phi);
  }
  for (llvm::WeakTrackingVH& handle : phis) {
    if (auto* phi = llvm::dyn_cast_or_null<llvm::PHINode>(handle)) {
      llvm::RecursivelyDeleteDeadPHINode(phi);
    }
  }
}

void fold_constant_operations(llvm::Function& function) {
  std::vector<llvm::CallInst*> calls;
  for (llvm::Instruction& instruction : llvm::instructions(function)) {
    if (auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction)) {
      if (call->getCalledFunction() != nullptr) calls.push_back(call);
    }
  }
  for (llvm::CallInst* call : calls) {
    const llvm::StringRef name = call->getCalledFunction()->getName();
    bool folded = false;
    const bool divides = name.starts_with("ptx.div.s") || name.starts_with("ptx.div.u") ||
                         name.starts_with("ptx.rem.");
    if (divides) folded = fold_division(*call, name);
    if (name == "ptx.prmt.b32") folded = fold_permute(*call);
    if (folded) call->eraseFromParent();
  }
}

}  // namespace guda::device_ir
