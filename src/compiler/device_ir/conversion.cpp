// cvt and cvt.pack (PTX ISA 9.7.9, data movement and conversion).
#include <fmt/format.h>
#include <llvm/IR/Intrinsics.h>

#include <bit>

#include "compiler/device_ir/float_operations.h"

namespace guda::device_ir {
namespace {

using llvm::Value;

unsigned bits_of(ScalarType type) { return ptx::bit_width(type); }

// .relu: negative values become 0, NaN stays.
Value* rectify(Lowering& l, Value* value) {
  if (!l.has("relu")) return value;
  return l.intrinsic(llvm::Intrinsic::maximum,
                     {value, llvm::Constant::getNullValue(value->getType())});
}

// Clamps `value` of type `from` to the range of the integer type `to`, keeping its width.
Value* clamp_integer(Lowering& l, Value* value, ScalarType from, ScalarType to) {
  const unsigned from_bits = value->getType()->getIntegerBitWidth(), to_bits = bits_of(to);
  auto constant = [&](const llvm::APInt& number) { return l.b.getInt(number); };
  if (is_signed(from)) {
    const llvm::APInt zero(from_bits, 0);
    if (is_signed(to)) {
      if (to_bits >= from_bits) return value;
      const auto high = llvm::APInt::getSignedMaxValue(to_bits).sext(from_bits);
      const auto low = llvm::APInt::getSignedMinValue(to_bits).sext(from_bits);
      value = l.intrinsic(llvm::Intrinsic::smin, {value, constant(high)});
      return l.intrinsic(llvm::Intrinsic::smax, {value, constant(low)});
    }
    value = l.intrinsic(llvm::Intrinsic::smax, {value, constant(zero)});
    if (to_bits >= from_bits) return value;
    const auto high = llvm::APInt::getMaxValue(to_bits).zext(from_bits);
    return l.intrinsic(llvm::Intrinsic::umin, {value, constant(high)});
  }
  const unsigned value_bits = is_signed(to) ? to_bits - 1 : to_bits;
  if (value_bits >= from_bits) return value;
  const auto high = llvm::APInt::getLowBitsSet(from_bits, value_bits);
  return l.intrinsic(llvm::Intrinsic::umin, {value, constant(high)});
}

void integer_to_integer(Lowering& l, ScalarType to, ScalarType from) {
  Value* value = l.in(1, from);
  if (l.has("sat")) value = clamp_integer(l, value, from, to);
  llvm::Type* type = l.llvm_type(to);
  l.out(0, to,
        is_signed(from) ? l.b.CreateSExtOrTrunc(value, type) : l.b.CreateZExtOrTrunc(value, type));
}

Value* rounded_from_integer(Lowering& l, std::string_view mode, ScalarType to, ScalarType from,
                            Value* value) {
  return l.call(fmt::format("ptx.cvt.{}.{}.{}", mode, ptx::to_string(to), ptx::to_string(from)),
                l.llvm_type(to), {value});
}

void integer_to_float(Lowering& l, ScalarType to, ScalarType from) {
  Value* value = l.in(1, from);
  llvm::Type* type = arithmetic_type(l, to);
  const ScalarType through = to == ScalarType::bf16 ? ScalarType::f32 : to;
  const bool exact = (through == ScalarType::f64 && bits_of(from) <= 32) ||
                     (through == ScalarType::f32 && bits_of(from) <= 16);
  Value* result = nullptr;
  if (to == ScalarType::bf16 && !exact) {
    // f32 with a sticky last bit, so that rounding to bf16 is the only rounding that shows.
    Value* low = rounded_from_integer(l, "rm", through, from, value);
    Value* high = rounded_from_integer(l, "rp", through, from, value);
    Value* bits =
        l.b.CreateBitCast(rounded_from_integer(l, "rz", through, from, value), l.b.getInt32Ty());
    Value* inexact = l.b.CreateZExt(l.b.CreateFCmpUNE(low, high), l.b.getInt32Ty());
    result = l.b.CreateBitCast(l.b.CreateOr(bits, inexact), type);
  } else if (rounding(l) == "rn" || exact) {
    result = is_signed(from) ? l.b.CreateSIToFP(value, type) : l.b.CreateUIToFP(value, type);
  } else {
    result = rounded_from_integer(l, rounding(l), to, from, value);
  }
  float_out(l, to, result);
}

// An operand in its arithmetic type; .ftz is about f32 only.
Value* convertible(Lowering& l, size_t index, ScalarType type) {
  if (type == ScalarType::f16) return l.in(index, type);
  return float_in(l, index, type);
}

// Always a saturating call on f32 or f64 into 32 or 64 bits; narrower integers are clamped. NaN
// gives 0 from the call; the ISA wants the most negative number where f64 or 64 bits are involved.
void float_to_integer(Lowering& l, ScalarType to, ScalarType from) {
  const std::string_view mode = l.one_of("rni rzi rmi rpi");
  if (mode.empty()) {
    l.fail("a conversion to an integer needs .rni, .rzi, .rmi or .rpi");
    return;
  }
  Value* value = convertible(l, 1, from);
  const bool nan_is_zero = from != ScalarType::f64 && bits_of(to) != 64;
  if (bits_of(from) == 16) {
    if (from == ScalarType::f16) value = l.b.CreateFPExt(value, l.b.getFloatTy());
    from = ScalarType::f32;
  }
  ScalarType wide = to;
  if (bits_of(to) < 32) wide = is_signed(to) ? ScalarType::s32 : ScalarType::u32;
  Value* result =
      l.call(fmt::format("ptx.cvt.{}.{}.{}", mode, ptx::to_string(wide), ptx::to_string(from)),
             l.llvm_type(wide), {value});
  if (wide != to) {
    result = l.b.CreateTrunc(clamp_integer(l, result, wide, to), l.llvm_type(to));
  }
  if (!nan_is_zero) {
    Value* most_negative = l.integer(to, uint64_t{1} << (bits_of(to) - 1));
    result = l.b.CreateSelect(l.b.CreateFCmpUNO(value, value), most_negative, result);
  }
  l.out(0, to, result);
}

Value* round_to_integral(Lowering& l, std::string_view mode, Value* value) {
  const unsigned id = mode == "rni"   ? llvm::Intrinsic::roundeven
                      : mode == "rzi" ? llvm::Intrinsic::trunc
                      : mode == "rmi" ? llvm::Intrinsic::floor
                                      : llvm::Intrinsic::ceil;
  return l.intrinsic(id, {value});
}

// A narrower floating type, correctly rounded from `value`.
Value* narrow(Lowering& l, Value* value, ScalarType to, ScalarType from) {
  if (rounding(l) == "rn") return l.b.CreateFPTrunc(value, l.llvm_type(to));
  return l.call(
      fmt::format("ptx.cvt.{}.{}.{}", rounding(l), ptx::to_string(to), ptx::to_string(from)),
      l.llvm_type(to), {value});
}

// The same on the bits of bf16 values.
Value* saturate_finite_bf16(Lowering& l, Value* bits) {
  if (!l.has("satfinite")) return bits;
  auto constant = [&](uint64_t value) { return llvm::ConstantInt::get(bits->getType(), value); };
  Value* infinite = l.b.CreateICmpEQ(l.b.CreateAnd(bits, constant(0x7fff)), constant(0x7f80));
  return l.b.CreateSelect(infinite, l.b.CreateSub(bits, constant(1)), bits);
}

// .satfinite: infinities and overflow become the largest finite value; NaN stays.
Value* saturate_finite(Lowering& l, Value* value) {
  if (!l.has("satfinite")) return value;
  llvm::Type* type = value->getType();
  const auto largest = llvm::APFloat::getLargest(type->getScalarType()->getFltSemantics());
  Value* limit = llvm::ConstantFP::get(type, largest);
  Value* magnitude = l.intrinsic(llvm::Intrinsic::fabs, {value});
  Value* limited = l.intrinsic(llvm::Intrinsic::copysign, {limit, value});
  return l.b.CreateSelect(l.b.CreateFCmpOGT(magnitude, limit), limited, value);
}

void float_to_float(Lowering& l, ScalarType to, ScalarType from) {
  Value* value = convertible(l, 1, from);
  const std::string_view integral = l.one_of("rni rzi rmi rpi");
  if (!integral.empty()) value = round_to_integral(l, integral, value);
  if (from == ScalarType::bf16) from = ScalarType::f32;  // its arithmetic type
  if (to == ScalarType::bf16) {
    if (from == ScalarType::f16) value = l.b.CreateFPExt(value, l.b.getFloatTy());
    if (from == ScalarType::f64) value = narrow(l, value, ScalarType::f32, from);
    value = rectify(l, value);
    value = round_to_bf16(l, value, rounding(l) == "rz");
    l.out(0, ScalarType::b16, saturate_finite_bf16(l, value));
    return;
  }
  if (bits_of(to) > bits_of(from)) {
    value = l.b.CreateFPExt(value, l.llvm_type(to));
  } else if (bits_of(to) < bits_of(from)) {
    value = narrow(l, value, to, from);
  }
  value = saturate_finite(l, value);
  if (to != ScalarType::f16) {
    float_out(l, to, value);
    return;
  }
  value = rectify(l, value);
  l.out(0, to, l.has("sat") ? saturate(l, value) : value);
}

void lower_cvt(Lowering& l) {
  const ScalarType to = l.type(0), from = l.type(1);
  if (is_float(from)) {
    if (is_float(to)) {
      float_to_float(l, to, from);
    } else {
      float_to_integer(l, to, from);
    }
  } else if (is_float(to)) {
    integer_to_float(l, to, from);
  } else {
    integer_to_integer(l, to, from);
  }
}

// cvt.rn.f16x2.f32 d, a, b: a goes to the high half.
void lower_cvt_packed(Lowering& l) {
  const ScalarType to = l.type(0);
  Value* high = float_in(l, 1, ScalarType::f32);
  Value* low = float_in(l, 2, ScalarType::f32);
  if (to == ScalarType::f16x2) {
    Value* packed = llvm::PoisonValue::get(l.llvm_type(to));
    auto half = [&](Value* value) {
      return saturate_finite(l, narrow(l, value, ScalarType::f16, ScalarType::f32));
    };
    packed = l.b.CreateInsertElement(packed, half(low), uint64_t{0});
    packed = l.b.CreateInsertElement(packed, half(high), uint64_t{1});
    l.out(0, to, rectify(l, packed));
    return;
  }
  auto part = [&](Value* value) {
    value = rectify(l, value);
    Value* bits = saturate_finite_bf16(l, round_to_bf16(l, value, rounding(l) == "rz"));
    return l.b.CreateZExt(bits, l.b.getInt32Ty());
  };
  Value* upper = l.b.CreateShl(part(high), 16);
  l.out(0, ScalarType::b32, l.b.CreateOr(upper, part(low)));
}

// tf32 is f32 with 10 fraction bits: 13 are rounded away on the bit pattern.
void lower_cvt_tf32(Lowering& l) {
  Value* value = l.in(1, ScalarType::f32);
  value = rectify(l, value);
  Value* bits = l.b.CreateBitCast(value, l.b.getInt32Ty());
  Value* rounded = bits;
  if (l.has("rna")) {
    rounded = l.b.CreateAdd(bits, l.i32(0x1000));
  } else if (l.has("rn")) {
    Value* odd = l.b.CreateAnd(l.b.CreateLShr(bits, 13), 1);
    rounded = l.b.CreateAdd(bits, l.b.CreateAdd(odd, l.i32(0xfff)));
  }
  rounded = l.b.CreateAnd(rounded, l.i32(0xffffe000));
  Value* magnitude = l.b.CreateAnd(bits, l.i32(0x7fffffff));
  if (l.has("satfinite")) {
    Value* sign = l.b.CreateAnd(bits, l.i32(0x80000000));
    Value* overflow =
        l.b.CreateICmpUGE(l.b.CreateAnd(rounded, l.i32(0x7fffffff)), l.i32(0x7f800000));
    rounded = l.b.CreateSelect(overflow, l.b.CreateOr(sign, l.i32(0x7f7fe000)), rounded);
    Value* is_nan = l.b.CreateICmpUGT(magnitude, l.i32(0x7f800000));
    rounded = l.b.CreateSelect(is_nan, l.i32(0x7fffffff), rounded);
  } else {
    Value* finite = l.b.CreateICmpULT(magnitude, l.i32(0x7f800000));
    rounded = l.b.CreateSelect(finite, rounded, bits);
  }
  l.out(0, ScalarType::b32, rounded);
}

struct SmallFloat {
  int fraction_bits;
  int bias;
  uint32_t largest;  // encoding of the largest finite value
  uint32_t nan;
};

constexpr SmallFloat kE4m3{3, 7, 0x7e, 0x7f};
constexpr SmallFloat kE5m2{2, 15, 0x7b, 0x7f};

// Encodes an f32 value in 8 bits, nearest even, saturating to the largest finite value.
Value* encode_small(Lowering& l, const SmallFloat& format, Value* value) {
  auto& b = l.b;
  Value* bits = b.CreateBitCast(value, b.getInt32Ty());
  Value* sign = b.CreateAnd(b.CreateLShr(bits, 24), l.i32(0x80));
  Value* magnitude = b.CreateAnd(bits, l.i32(0x7fffffff));
  const int dropped = 23 - format.fraction_bits;
  // Normal numbers: round the fraction, rebase the exponent.
  Value* odd = b.CreateAnd(b.CreateLShr(magnitude, dropped), 1);
  Value* rounded = b.CreateAdd(magnitude, b.CreateAdd(odd, l.i32((1u << (dropped - 1)) - 1)));
  Value* normal =
      b.CreateSub(b.CreateLShr(rounded, dropped),
                  l.i32(static_cast<uint32_t>(127 - format.bias) << format.fraction_bits));
  // Subnormal ones: adding 2^23 quanta leaves the count in the low bits.
  const int quantum = 1 - format.bias - format.fraction_bits;
  const auto magic = static_cast<uint32_t>(quantum + 23 + 127) << 23;
  Value* shifted = b.CreateFAdd(b.CreateBitCast(magnitude, b.getFloatTy()),
                                b.CreateBitCast(l.i32(magic), b.getFloatTy()));
  Value* subnormal = b.CreateSub(b.CreateBitCast(shifted, b.getInt32Ty()), l.i32(magic));
  const auto smallest_normal = static_cast<uint32_t>(1 - format.bias + 127) << 23;
  Value* code =
      b.CreateSelect(b.CreateICmpULT(magnitude, l.i32(smallest_normal)), subnormal, normal);
  // The comparison is on the f32 value: huge values would wrap in `normal`.
  Value* fits = b.CreateICmpULT(magnitude, l.i32(0x7f800000));
  code = b.CreateSelect(fits,
                        b.CreateBinaryIntrinsic(llvm::Intrinsic::umin, code, l.i32(format.largest)),
                        l.i32(format.largest));
  Value* is_nan = b.CreateICmpUGT(magnitude, l.i32(0x7f800000));
  Value* result = b.CreateSelect(is_nan, l.i32(format.nan), b.CreateOr(code, sign));
  return b.CreateTrunc(result, b.getInt8Ty());
}

// Both formats are f16 with fewer bits; e4m3 has another bias and no infinity.
Value* decode_small(Lowering& l, const SmallFloat& format, Value* byte) {
  auto& b = l.b;
  llvm::Type* half = b.getHalfTy();
  Value* code = b.CreateZExt(byte, b.getInt16Ty());
  if (format.bias == 15) return b.CreateBitCast(b.CreateShl(code, 8), half);
  Value* magnitude = b.CreateAnd(code, b.getInt16(0x7f));
  Value* scaled = b.CreateFMul(b.CreateBitCast(b.CreateShl(magnitude, 7), half),
                               llvm::ConstantFP::get(half, 256.0));
  Value* is_nan = b.CreateICmpEQ(magnitude, b.getInt16(0x7f));
  Value* nan = b.CreateBitCast(b.getInt16(0x7fff), half);
  Value* sign = b.CreateShl(b.CreateAnd(code, b.getInt16(0x80)), 8);
  Value* signed_bits = b.CreateOr(b.CreateBitCast(scaled, b.getInt16Ty()), sign);
  return b.CreateSelect(is_nan, nan, b.CreateBitCast(signed_bits, half));
}

const SmallFloat& small_format(ScalarType type) {
  return type == ScalarType::e4m3x2 ? kE4m3 : kE5m2;
}

void lower_cvt_to_small(Lowering& l) {
  auto& b = l.b;
  Value* high = nullptr;
  Value* low = nullptr;
  if (l.type(1) == ScalarType::f32) {
    high = l.in(1, ScalarType::f32);
    low = l.in(2, ScalarType::f32);
  } else {
    Value* packed = l.in(1, l.type(1));
    low = b.CreateFPExt(b.CreateExtractElement(packed, uint64_t{0}), b.getFloatTy());
    high = b.CreateFPExt(b.CreateExtractElement(packed, uint64_t{1}), b.getFloatTy());
  }
  auto encode = [&](Value* value) {
    value = rectify(l, value);
    return b.CreateZExt(encode_small(l, small_format(l.type(0)), value), b.getInt16Ty());
  };
  l.out(0, ScalarType::b16, b.CreateOr(b.CreateShl(encode(high), 8), encode(low)));
}

void lower_cvt_from_small(Lowering& l) {
  auto& b = l.b;
  Value* pair = l.in(1, ScalarType::b16);
  const SmallFloat& format = small_format(l.type(1));
  Value* low = decode_small(l, format, b.CreateTrunc(pair, b.getInt8Ty()));
  Value* high = decode_small(l, format, b.CreateTrunc(b.CreateLShr(pair, 8), b.getInt8Ty()));
  Value* packed = llvm::PoisonValue::get(l.llvm_type(ScalarType::f16x2));
  packed = b.CreateInsertElement(packed, low, uint64_t{0});
  packed = b.CreateInsertElement(packed, high, uint64_t{1});
  l.out(0, ScalarType::f16x2, rectify(l, packed));
}

// cvt.pack.sat.<to>.s32[.b32] d, a, b[, c]: (c << 2n) | (a << n) | b.
void lower_cvt_pack(Lowering& l) {
  const ScalarType to = l.type(0), from = l.type(1);
  const unsigned bits = bits_of(to);
  auto part = [&](size_t index) {
    Value* value = clamp_integer(l, l.in(index, from), from, to);
    return l.b.CreateAnd(value, l.i32(bits == 16 ? 0xffff : 0xff));
  };
  Value* result = l.b.CreateOr(l.b.CreateShl(part(1), bits), part(2));
  if (l.operand_count() == 4) {
    result = l.b.CreateOr(result, shift_left(l.b, l.in(3, ScalarType::b32), l.i32(2 * bits)));
  }
  l.out(0, ScalarType::b32, result);
}

constexpr Row kRows[] = {
    {"cvt",
     "rni|rzi|rmi|rpi|rn|rz|rm|rp? ftz? sat? relu? satfinite? $int8|f16|bf16|f32|f64 "
     "$int8|f16|bf16|f32|f64",
     2, 2, Execution::pure, lower_cvt},
    {"cvt", "rn|rz relu? satfinite? f16x2|bf16x2 f32", 3, 3, Execution::pure, lower_cvt_packed},
    {"cvt", "rna|rn|rz relu? satfinite? tf32 f32", 2, 2, Execution::pure, lower_cvt_tf32},
    {"cvt", "rn satfinite relu? e4m3x2|e5m2x2 f32", 3, 3, Execution::pure, lower_cvt_to_small},
    {"cvt", "rn satfinite relu? e4m3x2|e5m2x2 f16x2", 2, 2, Execution::pure, lower_cvt_to_small},
    {"cvt", "rn relu? f16x2 e4m3x2|e5m2x2", 2, 2, Execution::pure, lower_cvt_from_small},
    {"cvt", "pack sat u8|s8|u16|s16 s32|u32 b32?", 3, 4, Execution::pure, lower_cvt_pack},
};

}  // namespace

std::span<const Row> conversion_rows() { return kRows; }

}  // namespace guda::device_ir
