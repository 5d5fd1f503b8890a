// Integer arithmetic (PTX ISA 9.7.1) and extended-precision arithmetic (9.7.2).
#include <fmt/format.h>
#include <llvm/IR/Intrinsics.h>

#include "compiler/device_ir/function_lowering.h"

namespace guda::device_ir {
namespace {

using llvm::Value;

unsigned width(Lowering& l) { return ptx::bit_width(l.type()); }

Value* saturating_or_plain(Lowering& l, unsigned plain, unsigned saturating, Value* left,
                           Value* right) {
  if (l.has("sat")) return l.intrinsic(saturating, {left, right});
  return plain == llvm::Instruction::Add ? l.b.CreateAdd(left, right) : l.b.CreateSub(left, right);
}

void lower_add(Lowering& l) {
  l.out(
      saturating_or_plain(l, llvm::Instruction::Add, llvm::Intrinsic::sadd_sat, l.in(1), l.in(2)));
}

void lower_sub(Lowering& l) {
  l.out(
      saturating_or_plain(l, llvm::Instruction::Sub, llvm::Intrinsic::ssub_sat, l.in(1), l.in(2)));
}

Value* with_overflow(Lowering& l, unsigned intrinsic, Value* left, Value* right, Value*& carry) {
  Value* pair = l.b.CreateBinaryIntrinsic(intrinsic, left, right);
  carry = l.b.CreateExtractValue(pair, 1);
  return l.b.CreateExtractValue(pair, 0);
}

// left +- right +- CC.CF, and CC.CF afterwards when the instruction has .cc.
Value* carried(Lowering& l, bool subtract, bool carry_in, bool carry_out, Value* left,
               Value* right) {
  const unsigned intrinsic =
      subtract ? llvm::Intrinsic::usub_with_overflow : llvm::Intrinsic::uadd_with_overflow;
  Value* carry = nullptr;
  Value* result = with_overflow(l, intrinsic, left, right, carry);
  if (carry_in) {
    Value* incoming = l.b.CreateZExt(l.fn.read_carry(), left->getType());
    Value* second = nullptr;
    result = with_overflow(l, intrinsic, result, incoming, second);
    carry = l.b.CreateOr(carry, second);
  }
  if (carry_out) l.fn.write_carry(carry);
  return result;
}

void lower_add_carry(Lowering& l) {
  l.out(carried(l, false, l.ast.opcode == "addc", l.has("cc"), l.in(1), l.in(2)));
}

void lower_sub_carry(Lowering& l) {
  l.out(carried(l, true, l.ast.opcode == "subc", l.has("cc"), l.in(1), l.in(2)));
}

Value* multiply_high(Lowering& l, Value* left, Value* right, bool is_signed) {
  const unsigned bits = left->getType()->getIntegerBitWidth();
  llvm::Type* wide = l.b.getIntNTy(2 * bits);
  Value* product = is_signed
                       ? l.b.CreateMul(l.b.CreateSExt(left, wide), l.b.CreateSExt(right, wide))
                       : l.b.CreateMul(l.b.CreateZExt(left, wide), l.b.CreateZExt(right, wide));
  return l.b.CreateTrunc(l.b.CreateLShr(product, bits), left->getType());
}

Value* multiply_wide(Lowering& l, Value* left, Value* right) {
  llvm::Type* wide = l.b.getIntNTy(2 * width(l));
  if (is_signed(l.type())) {
    return l.b.CreateNSWMul(l.b.CreateSExt(left, wide), l.b.CreateSExt(right, wide));
  }
  return l.b.CreateNUWMul(l.b.CreateZExt(left, wide), l.b.CreateZExt(right, wide));
}

ScalarType wide_type(Lowering& l) {
  const unsigned bits = 2 * width(l);
  return is_signed(l.type()) ? signed_type(bits) : bits_type(bits);
}

Value* multiply(Lowering& l) {
  Value* left = l.in(1);
  Value* right = l.in(2);
  if (l.has("hi")) return multiply_high(l, left, right, is_signed(l.type()));
  return l.b.CreateMul(left, right);
}

void lower_mul(Lowering& l) {
  if (l.has("wide")) {
    l.out(0, wide_type(l), multiply_wide(l, l.in(1), l.in(2)));
  } else {
    l.out(multiply(l));
  }
}

void lower_mad(Lowering& l) {
  if (l.has("wide")) {
    Value* addend = l.in(3, wide_type(l));
    l.out(0, wide_type(l), l.b.CreateAdd(multiply_wide(l, l.in(1), l.in(2)), addend));
    return;
  }
  Value* product = multiply(l);
  l.out(
      saturating_or_plain(l, llvm::Instruction::Add, llvm::Intrinsic::sadd_sat, product, l.in(3)));
}

void lower_mad_carry(Lowering& l) {
  l.out(carried(l, false, l.ast.opcode == "madc", l.has("cc"), multiply(l), l.in(3)));
}

// 24-bit operands, 48-bit product: the low 32 bits, or bits 16 to 47.
Value* multiply24(Lowering& l) {
  llvm::Type* wide = l.b.getInt64Ty();
  auto operand = [&](size_t index) {
    Value* value = l.in(index);
    if (!is_signed(l.type())) return l.b.CreateZExt(l.b.CreateAnd(value, 0xffffff), wide);
    return l.b.CreateSExt(l.b.CreateAShr(l.b.CreateShl(value, 8), 8), wide);
  };
  Value* left = operand(1);
  Value* right = operand(2);
  Value* product = l.b.CreateMul(left, right);
  if (l.has("hi")) product = l.b.CreateLShr(product, 16);
  return l.b.CreateTrunc(product, l.b.getInt32Ty());
}

void lower_mul24(Lowering& l) { l.out(multiply24(l)); }

void lower_mad24(Lowering& l) {
  Value* product = multiply24(l);
  l.out(
      saturating_or_plain(l, llvm::Instruction::Add, llvm::Intrinsic::sadd_sat, product, l.in(3)));
}

void lower_division(Lowering& l) {
  Value* dividend = l.in(1);
  Value* divisor = l.in(2);
  const std::string name = fmt::format("ptx.{}.{}", l.ast.opcode, ptx::to_string(l.type()));
  l.out(l.call(name, dividend->getType(), {dividend, divisor}));
}

void lower_sad(Lowering& l) {
  Value* left = l.in(1);
  Value* right = l.in(2);
  Value* less =
      is_signed(l.type()) ? l.b.CreateICmpSLT(left, right) : l.b.CreateICmpULT(left, right);
  Value* difference =
      l.b.CreateSelect(less, l.b.CreateSub(right, left), l.b.CreateSub(left, right));
  l.out(l.b.CreateAdd(l.in(3), difference));
}

void lower_min_max(Lowering& l) {
  const bool minimum = l.ast.opcode == "min";
  unsigned id = 0;
  if (is_signed(l.type())) {
    id = minimum ? llvm::Intrinsic::smin : llvm::Intrinsic::smax;
  } else {
    id = minimum ? llvm::Intrinsic::umin : llvm::Intrinsic::umax;
  }
  Value* result = l.intrinsic(id, {l.in(1), l.in(2)});
  if (l.has("relu")) {
    Value* zero = llvm::Constant::getNullValue(result->getType());
    result = l.intrinsic(llvm::Intrinsic::smax, {result, zero});
  }
  l.out(result);
}

void lower_packed_add(Lowering& l) { l.out(l.b.CreateAdd(l.in(1), l.in(2))); }

void lower_abs(Lowering& l) {
  l.out(l.b.CreateBinaryIntrinsic(llvm::Intrinsic::abs, l.in(1), l.b.getFalse()));
}

void lower_neg(Lowering& l) { l.out(l.b.CreateNeg(l.in(1))); }

// The packed dot products: ptx.dp4a.<a type>.<b type>(a, b, c).
void lower_dot_product(Lowering& l) {
  const char* half = l.ast.opcode != "dp2a" ? "" : l.has("hi") ? ".hi" : ".lo";
  const std::string name = fmt::format("ptx.{}{}.{}.{}", l.ast.opcode, half,
                                       ptx::to_string(l.type(0)), ptx::to_string(l.type(1)));
  Value* left = l.in(1, ScalarType::b32);
  Value* right = l.in(2, ScalarType::b32);
  Value* addend = l.in(3, ScalarType::b32);
  l.out(0, ScalarType::b32, l.call(name, l.b.getInt32Ty(), {left, right, addend}));
}

constexpr Row kRows[] = {
    {"add", "sat? $int", 3, 3, Execution::pure, lower_add},
    {"add", "u16x2|s16x2", 3, 3, Execution::pure, lower_packed_add},
    {"add", "cc u32|s32|u64|s64|b32|b64", 3, 3, Execution::pure, lower_add_carry},
    {"addc", "cc? u32|s32|u64|s64|b32|b64", 3, 3, Execution::pure, lower_add_carry},
    {"sub", "sat? $int", 3, 3, Execution::pure, lower_sub},
    {"sub", "cc u32|s32|u64|s64|b32|b64", 3, 3, Execution::pure, lower_sub_carry},
    {"subc", "cc? u32|s32|u64|s64|b32|b64", 3, 3, Execution::pure, lower_sub_carry},
    {"mul", "lo|hi $int", 3, 3, Execution::pure, lower_mul},
    {"mul", "wide u16|s16|u32|s32|u64|s64", 3, 3, Execution::pure, lower_mul},
    {"mad", "lo|hi sat? $int", 4, 4, Execution::pure, lower_mad},
    {"mad", "wide u16|s16|u32|s32|u64|s64", 4, 4, Execution::pure, lower_mad},
    {"mad", "lo|hi cc u32|s32|u64|s64", 4, 4, Execution::pure, lower_mad_carry},
    {"madc", "lo|hi cc? u32|s32|u64|s64", 4, 4, Execution::pure, lower_mad_carry},
    {"mul24", "lo|hi u32|s32", 3, 3, Execution::pure, lower_mul24},
    {"mad24", "lo|hi sat? u32|s32", 4, 4, Execution::pure, lower_mad24},
    {"div", "$int", 3, 3, Execution::pure, lower_division},
    {"rem", "$int", 3, 3, Execution::pure, lower_division},
    {"sad", "$int", 4, 4, Execution::pure, lower_sad},
    {"min", "relu? $int|u16x2|s16x2", 3, 3, Execution::pure, lower_min_max},
    {"max", "relu? $int|u16x2|s16x2", 3, 3, Execution::pure, lower_min_max},
    {"abs", "s16|s32|s64", 2, 2, Execution::pure, lower_abs},
    {"neg", "s16|s32|s64", 2, 2, Execution::pure, lower_neg},
    {"dp4a", "u32|s32 u32|s32", 4, 4, Execution::pure, lower_dot_product},
    {"dp2a", "lo|hi u32|s32 u32|s32", 4, 4, Execution::pure, lower_dot_product},
};

}  // namespace

std::span<const Row> integer_rows() { return kRows; }

}  // namespace guda::device_ir
