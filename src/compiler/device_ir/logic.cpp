// Logic, shift and bit-field instructions (PTX ISA 9.7.1 and 9.7.8).
#include <fmt/format.h>
#include <llvm/IR/Intrinsics.h>

#include <array>

#include "compiler/device_ir/function_lowering.h"

namespace guda::device_ir {
namespace {

using llvm::Value;

unsigned width(Lowering& l) { return ptx::bit_width(l.type()); }

void lower_and(Lowering& l) { l.out(l.b.CreateAnd(l.in(1), l.in(2))); }
void lower_or(Lowering& l) { l.out(l.b.CreateOr(l.in(1), l.in(2))); }
void lower_xor(Lowering& l) { l.out(l.b.CreateXor(l.in(1), l.in(2))); }
void lower_not(Lowering& l) { l.out(l.b.CreateNot(l.in(1))); }

void lower_cnot(Lowering& l) {
  Value* value = l.in(1);
  Value* is_zero = l.b.CreateICmpEQ(value, llvm::Constant::getNullValue(value->getType()));
  l.out(l.b.CreateZExt(is_zero, value->getType()));
}

void lower_shl(Lowering& l) { l.out(shift_left(l.b, l.in(1), l.in(2, ScalarType::u32))); }

void lower_shr(Lowering& l) {
  l.out(shift_right(l.b, l.in(1), l.in(2, ScalarType::u32), is_signed(l.type())));
}

void lower_shf(Lowering& l) {
  Value* low = l.in(1, ScalarType::b32);
  Value* high = l.in(2, ScalarType::b32);
  Value* amount = l.in(3, ScalarType::u32);
  const bool left = l.has("l");
  const unsigned id = left ? llvm::Intrinsic::fshl : llvm::Intrinsic::fshr;
  Value* result = l.intrinsic(id, {high, low, amount});  // amount modulo 32
  if (l.has("clamp")) {
    Value* inside = l.b.CreateICmpULT(amount, l.i32(32));
    result = l.b.CreateSelect(inside, result, left ? low : high);
  }
  l.out(0, ScalarType::b32, result);
}

// A function of two bits from its truth table over (x, y) = 11, 10, 01, 00 (bits 3 to 0).
Value* two_input_function(Lowering& l, unsigned table, Value* x, Value* y) {
  auto& b = l.b;
  Value* zero = llvm::Constant::getNullValue(x->getType());
  switch (table & 15) {
    case 0: return zero;
    case 1: return b.CreateNot(b.CreateOr(x, y));
    case 2: return b.CreateAnd(b.CreateNot(x), y);
    case 3: return b.CreateNot(x);
    case 4: return b.CreateAnd(x, b.CreateNot(y));
    case 5: return b.CreateNot(y);
    case 6: return b.CreateXor(x, y);
    case 7: return b.CreateNot(b.CreateAnd(x, y));
    case 8: return b.CreateAnd(x, y);
    case 9: return b.CreateNot(b.CreateXor(x, y));
    case 10: return y;
    case 11: return b.CreateOr(b.CreateNot(x), y);
    case 12: return x;
    case 13: return b.CreateOr(x, b.CreateNot(y));
    case 14: return b.CreateOr(x, y);
    default: return b.CreateNot(zero);
  }
}

// Bit 4a + 2b + c of the table is the result. Split on the input that leaves the simplest halves.
Value* three_input_function(Lowering& l, unsigned table, std::array<Value*, 3> inputs) {
  auto bit = [&](unsigned a, unsigned b, unsigned c) { return table >> (4 * a + 2 * b + c) & 1; };
  int best = -1, best_rank = 4;
  unsigned best_low = 0, best_high = 0;
  for (int split = 0; split < 3; ++split) {
    unsigned low = 0, high = 0;
    for (unsigned x = 0; x < 2; ++x) {
      for (unsigned y = 0; y < 2; ++y) {
        auto at = [&](unsigned s) {
          return split == 0 ? bit(s, x, y) : split == 1 ? bit(x, s, y) : bit(x, y, s);
        };
        low |= at(0) << (2 * x + y);
        high |= at(1) << (2 * x + y);
      }
    }
    const int rank = low == high                                        ? 0
                     : low == (high ^ 15u)                              ? 1
                     : low == 0 || high == 0 || low == 15 || high == 15 ? 2
                                                                        : 3;
    if (rank < best_rank) {
      best = split;
      best_rank = rank;
      best_low = low;
      best_high = high;
    }
  }
  Value* selector = inputs[best];
  Value* x = inputs[best == 0 ? 1 : 0];
  Value* y = inputs[best == 2 ? 1 : 2];
  Value* low = two_input_function(l, best_low, x, y);
  if (best_rank == 0) return low;
  if (best_rank == 1) return l.b.CreateXor(low, selector);
  if (best_low == 15) {
    return l.b.CreateOr(two_input_function(l, best_high, x, y), l.b.CreateNot(selector));
  }
  if (best_high == 15) return l.b.CreateOr(low, selector);
  Value* when_clear = l.b.CreateAnd(low, l.b.CreateNot(selector));
  if (best_high == 0) return when_clear;
  Value* when_set = l.b.CreateAnd(two_input_function(l, best_high, x, y), selector);
  return best_low == 0 ? when_set : l.b.CreateOr(when_set, when_clear);
}

void lower_lop3(Lowering& l) {
  const ptx::Operand& table = l.operand(4);
  if (table.kind != ptx::Operand::Kind::integer) {
    l.fail("the look-up table must be a constant");
    return;
  }
  Value* result = three_input_function(l, static_cast<unsigned>(table.bits & 0xff),
                                       {l.in(1), l.in(2), l.in(3)});
  if (l.operand_count() == 5) {
    l.out(result);
    return;
  }
  Value* predicate = l.b.CreateICmpNE(result, llvm::Constant::getNullValue(result->getType()));
  Value* other = l.in(5, ScalarType::pred);
  predicate = l.has("and") ? l.b.CreateAnd(predicate, other) : l.b.CreateOr(predicate, other);
  l.out_pair(0, l.type(), result, predicate);
}

void lower_popc(Lowering& l) {
  Value* count = l.intrinsic(llvm::Intrinsic::ctpop, {l.in(1)});
  l.out(0, ScalarType::u32, l.b.CreateZExtOrTrunc(count, l.b.getInt32Ty()));
}

Value* leading_zeros(Lowering& l, Value* value) {
  Value* count = l.b.CreateBinaryIntrinsic(llvm::Intrinsic::ctlz, value, l.b.getFalse());
  return l.b.CreateZExtOrTrunc(count, l.b.getInt32Ty());
}

void lower_clz(Lowering& l) { l.out(0, ScalarType::u32, leading_zeros(l, l.in(1))); }

// Position of the highest bit that differs from the sign; -1 when there is none.
void lower_bfind(Lowering& l) {
  Value* value = l.in(1);
  const unsigned bits = width(l);
  if (is_signed(l.type())) value = l.b.CreateXor(value, l.b.CreateAShr(value, bits - 1));
  Value* zeros = leading_zeros(l, value);
  Value* none = l.b.CreateICmpEQ(value, llvm::Constant::getNullValue(value->getType()));
  Value* result = l.has("shiftamt") ? zeros : l.b.CreateSub(l.i32(bits - 1), zeros);
  l.out(0, ScalarType::u32, l.b.CreateSelect(none, l.i32(0xffffffff), result));
}

void lower_brev(Lowering& l) { l.out(l.intrinsic(llvm::Intrinsic::bitreverse, {l.in(1)})); }

// Index of the set bit number `rank` (from 0, lowest first): halves by the count of bits in the
// lower part. Meaningless when there are not so many.
Value* nth_set_bit(Lowering& l, Value* mask, Value* rank) {
  auto& b = l.b;
  Value* position = l.i32(0);
  for (const uint32_t half : {16u, 8u, 4u, 2u, 1u}) {
    Value* low = b.CreateAnd(mask, l.i32((1u << half) - 1));
    Value* count = l.intrinsic(llvm::Intrinsic::ctpop, {low});
    Value* above = b.CreateICmpUGE(rank, count);
    rank = b.CreateSelect(above, b.CreateSub(rank, count), rank);
    mask = b.CreateSelect(above, b.CreateLShr(mask, half), low);
    position = b.CreateSelect(above, b.CreateAdd(position, l.i32(half)), position);
  }
  return position;
}

// fns d, mask, base, offset: the |offset|-th set bit from `base`, upward or downward; offset 0 asks
// for `base` itself.
void lower_fns(Lowering& l) {
  auto& b = l.b;
  Value* mask = l.in(1, ScalarType::b32);
  Value* base = l.in(2, ScalarType::b32);
  Value* offset = l.in(3, ScalarType::s32);
  Value* down = b.CreateICmpSLT(offset, l.i32(0));
  // Downward is upward in the reversed mask.
  Value* reversed = l.intrinsic(llvm::Intrinsic::bitreverse, {mask});
  Value* start = b.CreateSelect(down, b.CreateSub(l.i32(31), base), base);
  Value* bits = b.CreateSelect(down, reversed, mask);
  Value* single = shift_left(b, l.i32(1), start);
  Value* from = shift_left(b, l.i32(0xffffffff), start);
  Value* is_zero = b.CreateICmpEQ(offset, l.i32(0));
  bits = b.CreateAnd(bits, b.CreateSelect(is_zero, single, from));
  Value* magnitude = b.CreateBinaryIntrinsic(llvm::Intrinsic::abs, offset, b.getFalse());
  Value* rank = b.CreateSelect(is_zero, l.i32(0), b.CreateSub(magnitude, l.i32(1)));
  Value* found = b.CreateICmpULT(rank, l.intrinsic(llvm::Intrinsic::ctpop, {bits}));
  Value* position = nth_set_bit(l, bits, rank);
  position = b.CreateSelect(down, b.CreateSub(l.i32(31), position), position);
  l.out(0, ScalarType::b32, b.CreateSelect(found, position, l.i32(0xffffffff)));
}

Value* byte_of(Lowering& l, size_t index) {
  return l.b.CreateAnd(l.in(index, ScalarType::u32), l.i32(0xff));
}

// The low `length` bits set; all of them from the width on.
Value* low_mask(Lowering& l, Value* length, ScalarType type) {
  Value* ones = l.integer(type, ~uint64_t{0});
  return l.b.CreateNot(shift_left(l.b, ones, length));
}

void lower_bfe(Lowering& l) {
  const unsigned bits = width(l);
  Value* value = l.in(1);
  Value* position = byte_of(l, 2);
  Value* length = byte_of(l, 3);
  if (!is_signed(l.type())) {
    Value* field = shift_right(l.b, value, position, false);
    l.out(l.b.CreateAnd(field, low_mask(l, length, l.type())));
    return;
  }
  // Shift the field to the top and back; a field beyond the top is filled with the sign.
  Value* field = shift_right(l.b, value, position, true);
  Value* kept = l.b.CreateBinaryIntrinsic(llvm::Intrinsic::umin, length, l.i32(bits));
  Value* spare = l.b.CreateSub(l.i32(bits), kept);
  Value* top = shift_left(l.b, field, spare);
  l.out(shift_right(l.b, top, spare, true));
}

void lower_bfi(Lowering& l) {
  Value* insert = l.in(1);
  Value* into = l.in(2);
  Value* position = byte_of(l, 3);
  Value* length = byte_of(l, 4);
  Value* mask = shift_left(l.b, low_mask(l, length, l.type()), position);
  Value* field = l.b.CreateAnd(shift_left(l.b, insert, position), mask);
  l.out(l.b.CreateOr(field, l.b.CreateAnd(into, l.b.CreateNot(mask))));
}

void lower_bmsk(Lowering& l) {
  Value* position = l.in(1, ScalarType::u32);
  Value* length = l.in(2, ScalarType::u32);
  if (l.has("wrap")) {
    position = l.b.CreateAnd(position, l.i32(31));
    length = l.b.CreateAnd(length, l.i32(31));
  }
  l.out(0, ScalarType::b32, shift_left(l.b, low_mask(l, length, ScalarType::b32), position));
}

// Extends the low `length` bits.
void lower_szext(Lowering& l) {
  Value* value = l.in(1);
  Value* length = l.in(2, ScalarType::u32);
  if (l.has("wrap")) {
    length = l.b.CreateAnd(length, l.i32(31));
  } else {
    length = l.b.CreateBinaryIntrinsic(llvm::Intrinsic::umin, length, l.i32(32));
  }
  Value* spare = l.b.CreateSub(l.i32(32), length);
  Value* top = shift_left(l.b, value, spare);
  Value* extended = shift_right(l.b, top, spare, is_signed(l.type()));
  l.out(extended);
}

void lower_prmt(Lowering& l) {
  Value* low = l.in(1, ScalarType::b32);
  Value* high = l.in(2, ScalarType::b32);
  Value* selector = l.in(3, ScalarType::b32);
  const std::string_view mode = l.one_of("f4e b4e rc8 ecl ecr rc16");
  const std::string name = fmt::format("ptx.prmt.b32{}{}", mode.empty() ? "" : ".", mode);
  l.out(0, ScalarType::b32, l.call(name, l.b.getInt32Ty(), {low, high, selector}));
}

constexpr Row kRows[] = {
    {"and", "pred|b16|b32|b64", 3, 3, Execution::pure, lower_and},
    {"or", "pred|b16|b32|b64", 3, 3, Execution::pure, lower_or},
    {"xor", "pred|b16|b32|b64", 3, 3, Execution::pure, lower_xor},
    {"not", "pred|b16|b32|b64", 2, 2, Execution::pure, lower_not},
    {"cnot", "b16|b32|b64", 2, 2, Execution::pure, lower_cnot},
    {"lop3", "and|or? b32", 5, 6, Execution::pure, lower_lop3},
    {"shl", "b16|b32|b64", 3, 3, Execution::pure, lower_shl},
    {"shr", "b16|b32|b64|u16|u32|u64|s16|s32|s64", 3, 3, Execution::pure, lower_shr},
    {"shf", "l|r wrap|clamp b32", 4, 4, Execution::pure, lower_shf},
    {"popc", "b32|b64", 2, 2, Execution::pure, lower_popc},
    {"clz", "b32|b64", 2, 2, Execution::pure, lower_clz},
    {"bfind", "shiftamt? u32|u64|s32|s64", 2, 2, Execution::pure, lower_bfind},
    {"brev", "b32|b64", 2, 2, Execution::pure, lower_brev},
    {"fns", "b32", 4, 4, Execution::pure, lower_fns},
    {"bfe", "u32|u64|s32|s64", 4, 4, Execution::pure, lower_bfe},
    {"bfi", "b32|b64", 5, 5, Execution::pure, lower_bfi},
    {"bmsk", "clamp|wrap b32", 3, 3, Execution::pure, lower_bmsk},
    {"szext", "clamp|wrap u32|s32", 3, 3, Execution::pure, lower_szext},
    {"prmt", "b32 f4e|b4e|rc8|ecl|ecr|rc16?", 4, 4, Execution::pure, lower_prmt},
};

}  // namespace

std::span<const Row> bit_rows() { return kRows; }

}  // namespace guda::device_ir
