#include "compiler/device_ir/promotion.h"

#include <llvm/IR/Function.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>

#include <array>
#include <vector>

namespace guda::device_ir {
namespace {

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
