// ptx.cvt.*: every conversion that rounds or saturates (PTX ISA, "cvt"), and ptx.ftz.
#include <llvm/IR/Constants.h>
#include <llvm/IR/IntrinsicsX86.h>

#include <cmath>

#include "compiler/target/lane_ops.h"

namespace guda::target {
namespace {

using llvm::Value;
namespace Intrinsic = llvm::Intrinsic;

enum class Kind : uint8_t { unsigned_integer, signed_integer, real, bf16, tf32 };

struct Format {
  Kind kind;
  unsigned bits;

  bool is_integer() const { return kind == Kind::unsigned_integer || kind == Kind::signed_integer; }
  bool is_signed() const { return kind == Kind::signed_integer; }
};

std::optional<Format> parse_format(llvm::StringRef name) {
  if (name == "bf16") return Format{Kind::bf16, 16};
  if (name == "tf32") return Format{Kind::tf32, 32};
  if (name.empty()) return std::nullopt;
  unsigned bits = 0;
  if (name.drop_front().getAsInteger(10, bits) || bits < 8 || bits > 64) return std::nullopt;
  switch (name.front()) {
    case 'u':
    case 'b': return Format{Kind::unsigned_integer, bits};
    case 's': return Format{Kind::signed_integer, bits};
    case 'f': return Format{Kind::real, bits};
    default: return std::nullopt;
  }
}

/// One conversion. Real operands are f32 or f64 by the time they are rounded.
class Conversion {
 public:
  Conversion(LaneBuilder& builder, const LaneCall& call) : b(builder), call_(call) {
    mode_ = call.rounding().value_or(Rounding::nearest);
    for (llvm::StringRef part : call.parts)
      to_integral_ |= part == "rni" || part == "rzi" || part == "rmi" || part == "rpi";
    saturate_ = call.has("sat");
    relu_ = call.has("relu");
    ftz_ = call.has("ftz");
  }

  Value* run(Format to, Format from, Value* value) {
    if (from.is_integer()) {
      value = narrow_bits(value, from.bits);
      return to.is_integer() ? integer_to_integer(to, from, value)
                             : integer_to_real(to, from, value);
    }
    value = load_real(from, value);
    return to.is_integer() ? real_to_integer(to, value) : finish_real(to, value);
  }

 private:
  Value* narrow_bits(Value* value, unsigned bits) {
    llvm::Type* type = b.shaped(b.getIntNTy(bits));
    return value->getType()->getScalarSizeInBits() > bits ? b.CreateTrunc(value, type) : value;
  }

  /// Source as f32 or f64, whatever carries its bits.
  Value* load_real(Format from, Value* value) {
    if (from.kind == Kind::bf16) {
      if (value->getType()->isIntOrIntVectorTy()) value = narrow_bits(value, 16);
      return bf16_bits_to_f32(b, b.CreateBitCast(value, b.i16()));
    }
    if (from.bits == 16) {
      if (value->getType()->isIntOrIntVectorTy()) value = narrow_bits(value, 16);
      return b.CreateFPExt(b.CreateBitCast(value, b.shaped(b.getHalfTy())), b.f32());
    }
    value = b.CreateBitCast(value, from.bits == 64 ? b.f64() : b.f32());
    return ftz_ && from.bits == 32 ? flush_subnormal(b, value) : value;
  }

  Value* integral(Value* value) {
    static constexpr Intrinsic::ID kRounders[] = {Intrinsic::roundeven, Intrinsic::floor,
                                                  Intrinsic::ceil, Intrinsic::trunc};
    return b.CreateUnaryIntrinsic(kRounders[static_cast<size_t>(mode_)], value);
  }

  /// Clamps to the target's range, as .sat asks for between integers.
  Value* integer_to_integer(Format to, Format from, Value* value) {
    const unsigned width = std::max(to.bits, from.bits) + 1;  // holds both ranges, signed
    llvm::Type* wide = b.shaped(b.getIntNTy(width));
    Value* extended = from.is_signed() ? b.CreateSExt(value, wide) : b.CreateZExt(value, wide);
    if (saturate_) {
      const llvm::APInt low = to.is_signed() ? llvm::APInt::getSignedMinValue(to.bits).sext(width)
                                             : llvm::APInt(width, 0);
      const llvm::APInt high = to.is_signed() ? llvm::APInt::getSignedMaxValue(to.bits).sext(width)
                                              : llvm::APInt::getMaxValue(to.bits).zext(width);
      extended =
          b.CreateBinaryIntrinsic(Intrinsic::smax, extended, llvm::ConstantInt::get(wide, low));
      extended =
          b.CreateBinaryIntrinsic(Intrinsic::smin, extended, llvm::ConstantInt::get(wide, high));
    }
    return store_integer(to, b.CreateTrunc(extended, b.shaped(b.getIntNTy(to.bits))));
  }

  Value* integer_to_real(Format to, Format from, Value* value) {
    if (to.kind != Kind::real || to.bits == 16)
      return finish_real(to, integer_to_f64_odd(b, value, from.is_signed()));
    llvm::Type* type = to.bits == 64 ? b.f64() : b.f32();
    if (mode_ == Rounding::nearest || from.bits <= 16 || (from.bits == 32 && to.bits == 64)) {
      Value* result = from.is_signed() ? b.CreateSIToFP(value, type) : b.CreateUIToFP(value, type);
      return finish_real(to, result);
    }
    if (from.bits == 32)
      return finish_real(
          to, from.is_signed() ? b.CreateSIToFP(value, b.f64()) : b.CreateUIToFP(value, b.f64()));
    // 64 bits: both halves are exact, their sum rounds once. Rounding that again in the same
    // direction to f32 gives what rounding once would.
    return finish_real(to, wide_to_f64(mode_, value, from.is_signed()));
  }

  Value* wide_to_f64(Rounding mode, Value* value, bool is_signed) {
    Value* thirty_two = b.number(value, 32);
    Value* high = is_signed ? b.CreateSIToFP(b.CreateAShr(value, thirty_two), b.f64())
                            : b.CreateUIToFP(b.CreateLShr(value, thirty_two), b.f64());
    Value* low = b.CreateUIToFP(b.CreateTrunc(value, b.i32()), b.f64());
    // Zero is the one sum whose sign depends on the rounding mode; PTX wants +0.
    Value* sum = rounded_arithmetic(b, Arithmetic::add, mode,
                                    {b.CreateFMul(high, b.f64_constant(0x1p32)), low});
    return b.CreateSelect(b.CreateFCmpOEQ(sum, b.f64_constant(0)), b.f64_constant(0), sum);
  }

  Value* real_to_integer(Format to, Value* value) {
    const bool is_f32 = value->getType()->getScalarType()->isFloatTy();
    if (is_f32 && to.bits == 32 && b.lanes() && b.features().avx512)
      return store_integer(to, avx512_f32_to_i32(to, value));
    Value* rounded = integral(value);
    llvm::Type* type = b.shaped(b.getIntNTy(to.bits));
    const unsigned magnitude_bits = to.is_signed() ? to.bits - 1 : to.bits;
    const double limit = std::ldexp(1.0, static_cast<int>(magnitude_bits));
    const llvm::APInt highest = to.is_signed() ? llvm::APInt::getSignedMaxValue(to.bits)
                                               : llvm::APInt::getMaxValue(to.bits);
    // Lanes out of range are poison in the conversion, and not selected.
    Value* result = to.is_signed() ? b.CreateFPToSI(rounded, type) : b.CreateFPToUI(rounded, type);
    result = b.CreateSelect(b.CreateFCmpOGE(rounded, b.number(rounded, limit)),
                            llvm::ConstantInt::get(type, highest), result);
    if (to.is_signed()) {
      const llvm::APInt lowest = llvm::APInt::getSignedMinValue(to.bits);
      result = b.CreateSelect(b.CreateFCmpOLT(rounded, b.number(rounded, -limit)),
                              llvm::ConstantInt::get(type, lowest), result);
      result = b.CreateSelect(b.is_nan(value), b.integer(type, 0), result);
    } else {
      result = b.CreateSelect(b.CreateFCmpOGT(rounded, b.number(rounded, 0)), result,
                              b.integer(type, 0));
    }
    return store_integer(to, result);
  }

  /// vcvtps2dq and vcvtps2udq round as told and have a defined result out of range: INT_MIN and
  /// UINT_MAX, so that only the upper end, or what is not positive, is put right.
  Value* avx512_f32_to_i32(Format to, Value* value) {
    const auto conversion = to.is_signed() ? Intrinsic::x86_avx512_mask_cvtps2dq_512
                                           : Intrinsic::x86_avx512_mask_cvtps2udq_512;
    Value* converted = b.in_pieces(16, {value}, [&](llvm::ArrayRef<Value*> pieces) {
      auto* type = llvm::FixedVectorType::get(b.getInt32Ty(), 16);
      return b.x86(conversion, {pieces[0], llvm::Constant::getNullValue(type), b.getInt16(0xffff),
                                b.getInt32(8u | static_cast<uint32_t>(mode_))});
    });
    if (!to.is_signed())
      return b.CreateSelect(b.CreateFCmpOGT(value, b.f32_constant(0)), converted,
                            b.i32_constant(0));
    Value* above = b.CreateFCmpOGE(value, b.f32_constant(0x1p31f));
    converted = b.CreateSelect(above, b.i32_constant(0x7fffffff), converted);
    return b.CreateSelect(b.CreateFCmpORD(value, value), converted, b.i32_constant(0));
  }

  /// The call's result may be a wider register than the target type.
  Value* store_integer(Format to, Value* value) {
    return to.is_signed() ? b.CreateSExtOrTrunc(value, call_.result)
                          : b.CreateZExtOrTrunc(value, call_.result);
  }

  /// f32 or f64 to the target format. Clamping first is the same as clamping last: the bounds are
  /// representable everywhere.
  Value* finish_real(Format to, Value* value) {
    if (to_integral_) value = integral(value);
    if (saturate_) {
      value = b.CreateSelect(b.CreateFCmpOGT(value, b.number(value, 0)), value, b.number(value, 0));
      value = b.CreateSelect(b.CreateFCmpOLT(value, b.number(value, 1)), value, b.number(value, 1));
    }
    if (relu_)
      value = b.CreateSelect(b.CreateFCmpOLE(value, b.number(value, 0)), b.number(value, 0), value);
    const bool is_double = value->getType()->getScalarType()->isDoubleTy();
    if (to.kind == Kind::real && to.bits == 64)
      return store_real(is_double ? value : b.CreateFPExt(value, b.f64()));
    if (is_double)
      value = to.kind == Kind::real && to.bits == 32 ? rounded_narrowing(b, mode_, value)
                                                     : narrowing_to_odd(b, value);
    switch (to.kind) {
      case Kind::bf16: return store_real(f32_to_bf16_bits(b, mode_, value));
      case Kind::tf32: return store_real(tf32(value));
      default: break;
    }
    if (to.bits == 16) return store_real(half_bits(value));
    return store_real(ftz_ ? flush_subnormal(b, value) : value);
  }

  Value* half_bits(Value* value) {
    const uint32_t mode = static_cast<uint32_t>(mode_);
    if (b.features().portable && mode_ == Rounding::nearest)
      return b.CreateBitCast(b.CreateFPTrunc(value, b.getHalfTy()), b.getInt16Ty());
    if (!b.features().avx512) {
      return b.in_pieces(8, {value}, [&](llvm::ArrayRef<Value*> pieces) {
        return b.x86(Intrinsic::x86_vcvtps2ph_256, {pieces[0], b.getInt32(mode)});
      });
    }
    return b.in_pieces(16, {value}, [&](llvm::ArrayRef<Value*> pieces) {
      auto* type = llvm::FixedVectorType::get(b.getInt16Ty(), 16);
      return b.x86(
          Intrinsic::x86_avx512_mask_vcvtps2ph_512,
          {pieces[0], b.getInt32(mode), llvm::Constant::getNullValue(type), b.getInt16(0xffff)});
    });
  }

  /// The upper 19 bits of an f32: .rna (ties away), .rn or .rz.
  Value* tf32(Value* value) {
    Value* bits = b.to_bits(value);
    Value* rounded = bits;
    if (call_.has("rna")) {
      rounded = b.CreateAdd(bits, b.i32_constant(0x1000));
    } else if (mode_ == Rounding::nearest) {
      Value* odd = b.CreateAnd(b.CreateLShr(bits, b.i32_constant(13)), b.i32_constant(1));
      rounded = b.CreateAdd(b.CreateAdd(bits, b.i32_constant(0xfff)), odd);
    }
    rounded = b.CreateAnd(rounded, b.i32_constant(~0x1fffu));
    Value* finite = b.CreateFCmpOLT(b.fabs(value), b.f32_constant(INFINITY));
    Value* special = b.CreateSelect(b.is_nan(value), b.i32_constant(0x7fffffff), bits);
    return b.CreateSelect(finite, rounded, special);
  }

  /// Bits or value to the type that the call has.
  Value* store_real(Value* value) {
    if (value->getType() == call_.result) return value;
    if (value->getType()->getScalarSizeInBits() == call_.result->getScalarSizeInBits())
      return b.CreateBitCast(value, call_.result);
    if (!call_.result->isIntOrIntVectorTy()) return nullptr;
    return b.CreateZExtOrTrunc(b.to_bits(value), call_.result);
  }

  LaneBuilder& b;
  const LaneCall& call_;
  Rounding mode_;
  bool to_integral_ = false;
  bool saturate_ = false;
  bool relu_ = false;
  bool ftz_ = false;
};

/// cvt.*.f16x2.f32 and bf16x2: the first operand goes to the upper half.
Value* convert_packed(LaneBuilder& b, const LaneCall& call) {
  const auto to = parse_format(call.parts[call.parts.size() - 2].drop_back(2));
  const auto from = parse_format(call.type());
  if (!to || !from || call.arguments.size() != 2 || !call.result->isIntOrIntVectorTy(32))
    return nullptr;
  LaneCall half = call;
  half.result = b.i16();
  Value* high = Conversion(b, half).run(*to, *from, call.arguments[0]);
  Value* low = Conversion(b, half).run(*to, *from, call.arguments[1]);
  if (!high || !low) return nullptr;
  return b.CreateOr(b.CreateShl(b.CreateZExt(high, b.i32()), b.i32_constant(16)),
                    b.CreateZExt(low, b.i32()));
}

}  // namespace

Value* flush_subnormal(LaneBuilder& b, Value* value) {
  Value* bits = b.to_bits(value);
  Value* exponent = b.CreateAnd(bits, b.i32_constant(0x7f800000));
  Value* sign = b.CreateAnd(bits, b.i32_constant(0x80000000));
  return b.as_f32(b.CreateSelect(b.CreateICmpEQ(exponent, b.i32_constant(0)), sign, bits));
}

Value* bf16_bits_to_f32(LaneBuilder& b, Value* bits) {
  return b.as_f32(b.CreateShl(b.CreateZExt(bits, b.i32()), b.i32_constant(16)));
}

Value* f32_to_bf16_bits(LaneBuilder& b, Rounding rounding, Value* value) {
  Value* bits = b.to_bits(value);
  Value* increment = nullptr;
  switch (rounding) {
    case Rounding::nearest:
      increment =
          b.CreateAdd(b.CreateAnd(b.CreateLShr(bits, b.i32_constant(16)), b.i32_constant(1)),
                      b.i32_constant(0x7fff));
      break;
    case Rounding::zero: increment = b.i32_constant(0); break;
    case Rounding::up:  // away from zero for positive numbers
    case Rounding::down: {
      Value* negative = b.CreateICmpSLT(bits, b.i32_constant(0));
      if (rounding == Rounding::up) negative = b.CreateNot(negative);
      increment = b.CreateSelect(negative, b.i32_constant(0xffff), b.i32_constant(0));
    }
  }
  Value* rounded = b.CreateLShr(b.CreateAdd(bits, increment), b.i32_constant(16));
  rounded = b.CreateSelect(b.is_nan(value), b.i32_constant(0x7fff), rounded);
  return b.CreateTrunc(rounded, b.i16());
}

Value* narrowing_to_odd(LaneBuilder& b, Value* value) {
  Value* truncated = rounded_narrowing(b, Rounding::zero, value);
  Value* inexact = b.CreateFCmpONE(b.CreateFPExt(truncated, b.f64()), value);
  return b.as_f32(b.CreateOr(b.to_bits(truncated), b.CreateZExt(inexact, b.i32())));
}

Value* integer_to_f64_odd(LaneBuilder& b, Value* value, bool is_signed) {
  auto convert = [&](Value* integer) {
    return is_signed ? b.CreateSIToFP(integer, b.f64()) : b.CreateUIToFP(integer, b.f64());
  };
  if (value->getType()->getScalarSizeInBits() <= 32) return convert(value);
  // Clears what f64 cannot hold beside a sticky bit: at most 53 bits above it remain.
  Value* low = b.CreateAnd(value, b.number(value, 0x7ff));
  Value* sticky = b.CreateSelect(b.CreateICmpNE(low, b.number(value, 0)), b.number(value, 0x800),
                                 b.number(value, 0));
  Value* high = b.CreateAnd(value, b.number(value, ~0x7ff));
  Value* magnitude =
      is_signed ? b.CreateBinaryIntrinsic(Intrinsic::abs, value, b.getFalse()) : value;
  Value* is_small = b.CreateICmpULT(magnitude, b.integer(value->getType(), uint64_t{1} << 52));
  return convert(b.CreateSelect(is_small, value, b.CreateOr(high, sticky)));
}

Value* expand_flush(LaneBuilder& b, const LaneCall& call) {
  return call.result->getScalarType()->isFloatTy() ? flush_subnormal(b, call.arguments[0])
                                                   : nullptr;
}

Value* expand_convert(LaneBuilder& b, const LaneCall& call) {
  if (call.parts.size() < 3) return nullptr;
  const llvm::StringRef target = call.parts[call.parts.size() - 2];
  if (target == "f16x2" || target == "bf16x2") return convert_packed(b, call);
  const auto to = parse_format(target);
  const auto from = parse_format(call.type());
  if (!to || !from || call.arguments.size() != 1) return nullptr;
  return Conversion(b, call).run(*to, *from, call.arguments[0]);
}

}  // namespace guda::target
