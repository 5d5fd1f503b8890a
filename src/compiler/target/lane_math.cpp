// The approximate functions of PTX in f32. Error bounds of the ISA, and what stands here (measured
// by lane_math_test): ex2 2 ulp (1), lg2 2^-22 (2^-23), sin and cos 2^-20.5 absolute in
// [-2 pi, 2 pi] (2^-23), tanh 2^-11 relative (2^-21), rsqrt 2 ulp (2), rcp, sqrt and div by IEEE
// operations. f16 and bf16 forms go through f32.
//
// Polynomials: near-minimax fits (Chebyshev interpolation), coefficients from the constant term up.
#include <llvm/IR/Constants.h>
#include <llvm/IR/IntrinsicsX86.h>

#include <cmath>

#include "compiler/target/lane_ops.h"

namespace guda::target {
namespace {

using llvm::Value;
namespace Intrinsic = llvm::Intrinsic;

// Adding it rounds to the nearest integer and leaves that integer in the low bits.
constexpr float kRoundingMagic = 0x1.8p23f;
constexpr uint32_t kRoundingMagicBits = 0x4b400000;

Value* clamp_keeping_nan(LaneBuilder& b, Value* x, float low, float high) {
  x = b.CreateSelect(b.CreateFCmpOLT(x, b.f32_constant(low)), b.f32_constant(low), x);
  return b.CreateSelect(b.CreateFCmpOGT(x, b.f32_constant(high)), b.f32_constant(high), x);
}

// 2^f for f in [-0.5, 0.5], relative error 2^-28.
constexpr double kExp2[] = {1.0,
                            0.693147206703,
                            0.240226509223,
                            0.0555032722667,
                            0.00961805667852,
                            0.00134004281776,
                            0.000154614446986};

Value* exp2_f32(LaneBuilder& b, Value* x) {
  if (b.features().avx512) {
    return b.in_pieces(16, {x}, [&](llvm::ArrayRef<Value*> pieces) {
      // x - nearest integer (0 for infinities), then p * 2^n with one rounding.
      Value* zero = llvm::Constant::getNullValue(pieces[0]->getType());
      Value* all = b.getInt16(0xffff);
      Value* fraction = b.x86(Intrinsic::x86_avx512_mask_reduce_ps_512,
                              {pieces[0], b.getInt32(8), zero, all, b.getInt32(4)});
      Value* exponent = b.CreateFSub(pieces[0], fraction);
      return b.x86(Intrinsic::x86_avx512_mask_scalef_ps_512,
                   {b.polynomial(fraction, kExp2), exponent, zero, all, b.getInt32(4)});
    });
  }
  x = clamp_keeping_nan(b, x, -160.0f, 160.0f);
  Value* shifted = b.CreateFAdd(x, b.f32_constant(kRoundingMagic));
  Value* fraction = b.CreateFSub(x, b.CreateFSub(shifted, b.f32_constant(kRoundingMagic)));
  Value* exponent = b.CreateSub(b.to_bits(shifted), b.i32_constant(kRoundingMagicBits));
  // 2^exponent may be subnormal or infinite: two factors, of which only the last rounds.
  auto power_of_two = [&](Value* n) {
    return b.as_f32(b.CreateShl(b.CreateAdd(n, b.i32_constant(127)), b.i32_constant(23)));
  };
  Value* half = b.CreateAShr(exponent, b.i32_constant(1));
  Value* result = b.CreateFMul(b.polynomial(fraction, kExp2), power_of_two(half));
  return b.CreateFMul(result, power_of_two(b.CreateSub(exponent, half)));
}

// log2(1 + f) / f for 1 + f in [sqrt(1/2), sqrt(2)].
constexpr double kLog2[] = {1.44269504,     -0.721347354479, 0.480898520324, -0.360696541808,
                            0.288552561437, -0.23960812191,  0.204857647786, -0.191388376567,
                            0.184760333652, -0.107497894181};

Value* log2_f32(LaneBuilder& b, Value* x) {
  Value* subnormal = b.CreateFCmpOLT(x, b.f32_constant(0x1p-126f));
  Value* scaled = b.CreateSelect(subnormal, b.CreateFMul(x, b.f32_constant(0x1p23f)), x);
  Value* bits = b.to_bits(scaled);
  constexpr uint32_t kSqrtHalf = 0x3f3504f3;
  Value* exponent = b.CreateAShr(b.CreateSub(bits, b.i32_constant(kSqrtHalf)), b.i32_constant(23));
  Value* mantissa = b.as_f32(b.CreateSub(bits, b.CreateShl(exponent, b.i32_constant(23))));
  Value* fraction = b.CreateFSub(mantissa, b.f32_constant(1));
  exponent =
      b.CreateSub(exponent, b.CreateSelect(subnormal, b.i32_constant(23), b.i32_constant(0)));
  Value* result = b.fma(fraction, b.polynomial(fraction, kLog2), b.CreateSIToFP(exponent, b.f32()));
  Value* infinity = b.f32_constant(INFINITY);
  // Not below infinity: infinity itself or NaN. Below zero: NaN.
  result = b.CreateSelect(b.CreateFCmpULT(x, infinity), result, x);
  result = b.CreateSelect(b.CreateFCmpUGE(x, b.f32_constant(0)), result,
                          llvm::ConstantFP::getNaN(b.f32()));
  result = b.CreateSelect(b.CreateFCmpOEQ(x, b.f32_constant(0)), b.f32_constant(-INFINITY), result);
  return b.CreateSelect(b.is_nan(x), x, result);
}

// (sin(r) - r) / r^3 and (cos(r) - 1 + r^2 / 2) / r^4 in r^2, |r| <= pi / 4.
constexpr double kSin[] = {-0.1666666454, 0.00833272473263, -0.000195828558508};
constexpr double kCos[] = {0.0416666645369, -0.00138882794464, 2.4542895927e-5};

/// sin(x + quarter * pi / 2). Reduction by pi / 2 in three parts, accurate to about |x| < 2^20.
Value* sine(LaneBuilder& b, Value* x, uint32_t quarter) {
  Value* shifted = b.fma(x, b.f32_constant(0.636619772367581343f), b.f32_constant(kRoundingMagic));
  Value* multiple = b.CreateFSub(shifted, b.f32_constant(kRoundingMagic));
  constexpr float kHigh = 0x1.921fb6p0f;  // pi / 2 rounded
  constexpr float kMiddle = -0x1.777a5cp-25f;  // the rest, rounded
  constexpr float kLow = -0x1.ee59dap-50f;  // the rest
  Value* r = b.fma(multiple, b.f32_constant(-kHigh), x);
  r = b.fma(multiple, b.f32_constant(-kMiddle), r);
  r = b.fma(multiple, b.f32_constant(-kLow), r);
  // Beyond the range of the reduction the value is arbitrary, but in [-1, 1] all the same.
  r = clamp_keeping_nan(b, r, -0.8f, 0.8f);
  Value* square = b.CreateFMul(r, r);
  Value* sin_r = b.fma(b.CreateFMul(r, square), b.polynomial(square, kSin), r);
  Value* cos_r = b.fma(square, b.fma(square, b.polynomial(square, kCos), b.f32_constant(-0.5f)),
                       b.f32_constant(1));
  Value* quadrant = b.CreateAdd(b.to_bits(shifted), b.i32_constant(quarter));
  Value* use_cos = b.CreateICmpNE(b.CreateAnd(quadrant, b.i32_constant(1)), b.i32_constant(0));
  Value* negative = b.CreateShl(b.CreateAnd(quadrant, b.i32_constant(2)), b.i32_constant(30));
  Value* result = b.CreateSelect(use_cos, cos_r, sin_r);
  return b.as_f32(b.CreateXor(b.to_bits(result), negative));
}

// (tanh(x) - x) / x^3 in x^2, |x| <= 0.625.
constexpr double kTanh[] = {-0.333333289436, 0.133327697201, -0.0538509080317, 0.0209971737479,
                            -0.00609670821552};

Value* tanh_f32(LaneBuilder& b, Value* x) {
  Value* magnitude = b.fabs(x);
  Value* square = b.CreateFMul(x, x);
  Value* near = b.fma(b.CreateFMul(x, square), b.polynomial(square, kTanh), x);
  // 1 - 2 / (e^2x + 1); from 10 on that is 1.
  Value* bounded = clamp_keeping_nan(b, magnitude, 0.0f, 10.0f);
  Value* power = exp2_f32(b, b.CreateFMul(bounded, b.f32_constant(2.885390081777927f)));
  Value* far = b.CreateFSub(
      b.f32_constant(1), b.CreateFDiv(b.f32_constant(2), b.CreateFAdd(power, b.f32_constant(1))));
  far = b.CreateBinaryIntrinsic(Intrinsic::copysign, far, x);
  return b.CreateSelect(b.CreateFCmpOLT(magnitude, b.f32_constant(0.625f)), near, far);
}

Value* rsqrt_f32(LaneBuilder& b, Value* x) {
  if (!b.features().avx512)
    return b.CreateFDiv(b.f32_constant(1), b.CreateUnaryIntrinsic(Intrinsic::sqrt, x));
  return b.in_pieces(16, {x}, [&](llvm::ArrayRef<Value*> pieces) {
    Value* value = pieces[0];
    auto constant = [&](float number) {
      return llvm::ConstantFP::get(value->getType(), llvm::APFloat(number));
    };
    Value* estimate =
        b.x86(Intrinsic::x86_avx512_rsqrt14_ps_512,
              {value, llvm::Constant::getNullValue(value->getType()), b.getInt16(0xffff)});
    // One Newton step: y + y / 2 * (1 - x y^2). 0, infinity and NaN make the residual NaN, and their
    // estimates are right already.
    Value* residual = b.fma(b.CreateFNeg(b.CreateFMul(value, estimate)), estimate, constant(1));
    Value* refined = b.fma(b.CreateFMul(estimate, constant(0.5f)), residual, estimate);
    return b.CreateSelect(b.CreateFCmpORD(residual, residual), refined, estimate);
  });
}

using Function = Value* (*)(LaneBuilder&, Value*);

/// Applies an f32 function to what the call has: f32, f16, bf16 or a packed pair in i32.
Value* through_f32(LaneBuilder& b, const LaneCall& call, Function function) {
  if (call.arguments.size() != 1) return nullptr;
  Value* x = call.arguments[0];
  const llvm::StringRef type = call.type();
  auto flush = [&](Value* value) { return call.has("ftz") ? flush_subnormal(b, value) : value; };
  if (type == "f32") {
    if (!x->getType()->getScalarType()->isFloatTy()) return nullptr;
    return flush(function(b, flush(x)));
  }
  const bool brain = type.starts_with("bf16");
  if (!brain && !type.starts_with("f16")) return nullptr;
  auto half = [&](Value* bits) -> Value* {  // i16 to i16
    if (brain)
      return f32_to_bf16_bits(b, Rounding::nearest, function(b, bf16_bits_to_f32(b, bits)));
    llvm::Type* half_type = b.shaped(b.getHalfTy());
    Value* result = function(b, b.CreateFPExt(b.CreateBitCast(bits, half_type), b.f32()));
    return b.CreateBitCast(b.CreateFPTrunc(result, half_type), b.i16());
  };
  if (type.ends_with("x2")) {
    if (x->getType()->getScalarSizeInBits() != 32) return nullptr;
    Value* bits = b.CreateBitCast(x, b.i32());
    Value* low = half(b.CreateTrunc(bits, b.i16()));
    Value* high = half(b.CreateTrunc(b.CreateLShr(bits, b.i32_constant(16)), b.i16()));
    Value* packed = b.CreateOr(b.CreateZExt(low, b.i32()),
                               b.CreateShl(b.CreateZExt(high, b.i32()), b.i32_constant(16)));
    return b.CreateBitCast(packed, call.result);
  }
  Value* bits = x->getType()->isIntOrIntVectorTy() ? b.CreateZExtOrTrunc(x, b.i16())
                                                   : b.CreateBitCast(x, b.i16());
  Value* result = half(bits);
  return call.result->isIntOrIntVectorTy() ? b.CreateZExtOrTrunc(result, call.result)
                                           : b.CreateBitCast(result, call.result);
}

}  // namespace

Value* expand_exp2(LaneBuilder& b, const LaneCall& call) { return through_f32(b, call, exp2_f32); }

Value* expand_log2(LaneBuilder& b, const LaneCall& call) { return through_f32(b, call, log2_f32); }

Value* expand_sin(LaneBuilder& b, const LaneCall& call) {
  return through_f32(b, call, [](LaneBuilder& builder, Value* x) { return sine(builder, x, 0); });
}

Value* expand_cos(LaneBuilder& b, const LaneCall& call) {
  return through_f32(b, call, [](LaneBuilder& builder, Value* x) { return sine(builder, x, 1); });
}

Value* expand_tanh(LaneBuilder& b, const LaneCall& call) { return through_f32(b, call, tanh_f32); }

Value* expand_rsqrt(LaneBuilder& b, const LaneCall& call) {
  if (!call.result->getScalarType()->isDoubleTy()) return through_f32(b, call, rsqrt_f32);
  Value* x = call.arguments[0];
  Value* tiny = b.CreateFCmpOLT(b.fabs(x), b.f64_constant(0x1p-1022));
  if (call.has("ftz"))
    x = b.CreateSelect(tiny, b.CreateBinaryIntrinsic(Intrinsic::copysign, b.f64_constant(0), x), x);
  // Two roundings, put right by a Newton step on the exact residual 1 - x y^2. Zero, infinity and NaN
  // make that NaN.
  Value* estimate = b.CreateFDiv(b.f64_constant(1), b.CreateUnaryIntrinsic(Intrinsic::sqrt, x));
  Value* product = b.CreateFMul(x, estimate);
  Value* rest = b.fma(x, estimate, b.CreateFNeg(product));
  Value* residual = b.fma(b.CreateFNeg(product), estimate, b.f64_constant(1));
  residual = b.fma(b.CreateFNeg(rest), estimate, residual);
  Value* refined = b.fma(b.CreateFMul(estimate, b.f64_constant(0.5)), residual, estimate);
  return b.CreateSelect(b.CreateFCmpORD(residual, residual), refined, estimate);
}

}  // namespace guda::target
