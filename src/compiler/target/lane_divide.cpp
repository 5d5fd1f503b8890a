// Integer division, which must not trap: x / 0 is all ones (as NVIDIA GPUs compute it), x % 0 is x,
// and the most negative number over -1 wraps.
#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/InstIterator.h>

#include "compiler/target/lane_ops.h"

namespace guda::target {
namespace {

using llvm::Value;

/// Quotient before the case of a zero divisor is put right. Widths up to 32 go through floating
/// point: the nearest quotient of n-bit integers in a format with more than 2n bits truncates right.
Value* quotient_through_float(LaneBuilder& b, Value* x, Value* y, bool is_signed, unsigned bits) {
  llvm::Type* real = bits == 16 ? b.f32() : b.f64();
  llvm::Type* integer = x->getType();
  Value* dividend = is_signed ? b.CreateSIToFP(x, real) : b.CreateUIToFP(x, real);
  Value* divisor = is_signed ? b.CreateSIToFP(y, real) : b.CreateUIToFP(y, real);
  Value* quotient = b.CreateFDiv(dividend, divisor);
  if (!is_signed) return b.CreateFPToUI(quotient, integer);
  // Only MIN / -1 exceeds the range, and becomes MIN.
  const double limit = bits == 16 ? 32767.0 : 2147483647.0;
  Value* wraps = b.CreateFCmpOGT(quotient, b.number(quotient, limit));
  return b.CreateFPToSI(b.CreateSelect(wraps, b.number(quotient, -limit - 1), quotient), integer);
}

/// 64 bits: two estimates from below in f64, then at most one correction.
Value* unsigned_quotient_64(LaneBuilder& b, Value* x, Value* y) {
  // 1 - 2^-50 outweighs the three roundings of an estimate, so that it never exceeds the quotient.
  Value* reciprocal = b.CreateFDiv(b.f64_constant(1 - 0x1p-50), b.CreateUIToFP(y, b.f64()));
  Value* first = b.CreateFPToUI(b.CreateFMul(b.CreateUIToFP(x, b.f64()), reciprocal), b.i64());
  Value* rest = b.CreateSub(x, b.CreateMul(first, y));
  // rest / y < 2^14 + 1: the second estimate is less than one off, or one.
  Value* second = b.CreateFPToUI(b.CreateFMul(b.CreateUIToFP(rest, b.f64()), reciprocal), b.i64());
  rest = b.CreateSub(rest, b.CreateMul(second, y));
  Value* correction = b.CreateZExt(b.CreateICmpUGE(rest, y), b.i64());
  return b.CreateAdd(b.CreateAdd(first, second), correction);
}

Value* vector_quotient_64(LaneBuilder& b, Value* x, Value* y, bool is_signed) {
  if (!is_signed) return unsigned_quotient_64(b, x, y);
  Value* sign = b.CreateAShr(b.CreateXor(x, y), b.number(x, 63));
  auto magnitude = [&](Value* value) {
    Value* mask = b.CreateAShr(value, b.number(value, 63));
    return b.CreateSub(b.CreateXor(value, mask), mask);
  };
  Value* quotient = unsigned_quotient_64(b, magnitude(x), magnitude(y));
  return b.CreateSub(b.CreateXor(quotient, sign), sign);
}

/// The machine's division, with a divisor that cannot trap.
Value* hardware_quotient(LaneBuilder& b, Value* x, Value* y, bool is_signed) {
  Value* zero = b.CreateICmpEQ(y, b.number(y, 0));
  if (!is_signed) return b.CreateUDiv(x, b.CreateSelect(zero, b.number(y, 1), y));
  // x / -1 = -x, wrapping.
  Value* minus_one = b.CreateICmpEQ(y, b.number(y, -1));
  Value* safe = b.CreateSelect(b.CreateOr(zero, minus_one), b.number(y, 1), y);
  return b.CreateSelect(minus_one, b.CreateNeg(x), b.CreateSDiv(x, safe));
}

/// A constant divisor that is neither 0 nor -1 divides by multiplication in LLVM.
bool is_harmless_constant(Value* divisor) {
  auto* constant = llvm::dyn_cast<llvm::Constant>(divisor);
  if (!constant) return false;
  auto* splat = llvm::dyn_cast_or_null<llvm::ConstantInt>(
      constant->getType()->isVectorTy() ? constant->getSplatValue() : constant);
  return splat && !splat->isZero() && !splat->isMinusOne();
}

/// Quotient of vectors where it is defined at all; null where LLVM's own code is as good.
Value* vector_quotient(LaneBuilder& b, Value* x, Value* y, bool is_signed) {
  const unsigned bits = x->getType()->getScalarSizeInBits();
  if (bits == 16 || bits == 32) return quotient_through_float(b, x, y, is_signed, bits);
  if (bits == 64 && b.features().avx512) return vector_quotient_64(b, x, y, is_signed);
  return nullptr;
}

}  // namespace

void legalize_division(llvm::Module& module, const CpuFeatures& features) {
  std::vector<llvm::BinaryOperator*> work;
  for (llvm::Function& function : module) {
    for (llvm::Instruction& instruction : llvm::instructions(function)) {
      auto* operation = llvm::dyn_cast<llvm::BinaryOperator>(&instruction);
      if (operation && operation->isIntDivRem() && operation->getType()->isVectorTy() &&
          !llvm::isa<llvm::Constant>(operation->getOperand(1)))
        work.push_back(operation);
    }
  }
  for (llvm::BinaryOperator* operation : work) {
    LaneBuilder b(operation,
                  llvm::cast<llvm::FixedVectorType>(operation->getType())->getNumElements(),
                  features);
    const auto opcode = operation->getOpcode();
    const bool is_signed = opcode == llvm::Instruction::SDiv || opcode == llvm::Instruction::SRem;
    const bool remainder = opcode == llvm::Instruction::URem || opcode == llvm::Instruction::SRem;
    Value* x = operation->getOperand(0);
    Value* y = operation->getOperand(1);
    Value* result = vector_quotient(b, x, y, is_signed);
    if (!result) continue;
    if (remainder) result = b.CreateSub(x, b.CreateMul(result, y));
    operation->replaceAllUsesWith(result);
    operation->eraseFromParent();
  }
}

Value* expand_divide(LaneBuilder& b, const LaneCall& call) {
  if (!call.result->isIntOrIntVectorTy()) return expand_rounded(b, call);
  const llvm::StringRef type = call.type();
  const unsigned bits = call.result->getScalarSizeInBits();
  if ((bits != 16 && bits != 32 && bits != 64) || call.arguments.size() != 2) return nullptr;
  const bool is_signed = type.starts_with("s");
  const bool remainder = call.parts.front() == "rem";
  Value* x = call.arguments[0];
  Value* y = call.arguments[1];

  if (is_harmless_constant(y)) {
    if (remainder) return is_signed ? b.CreateSRem(x, y) : b.CreateURem(x, y);
    return is_signed ? b.CreateSDiv(x, y) : b.CreateUDiv(x, y);
  }
  Value* quotient =
      b.lanes() ? vector_quotient(b, x, y, is_signed) : hardware_quotient(b, x, y, is_signed);
  if (!quotient) return nullptr;  // lane by lane
  Value* zero = b.CreateICmpEQ(y, b.number(y, 0));
  if (remainder) return b.CreateSelect(zero, x, b.CreateSub(x, b.CreateMul(quotient, y)));
  return b.CreateSelect(zero, b.number(y, -1), quotient);
}

}  // namespace guda::target
