// Elements that are not C++ types: half, bfloat16 and 8-bit floats. Their values as float, and the nearest
// element to a float (ties to even). 8-bit results saturate: no finite number becomes an infinity.
#pragma once

#include "abi/cublas/types.h"
#include "blas/half.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

// Never a function of its own: files compiled for other instruction sets use these too, and the linker would
// keep the copy of any of them for all.
#define GUDA_ELEMENT [[gnu::always_inline]] inline

namespace guda::cublas {

/// 4 bits of exponent, 3 of mantissa, no infinity; 5 and 2, with infinities.
struct float8_e4m3 {
  uint8_t bits;
};
struct float8_e5m2 {
  uint8_t bits;
};

GUDA_ELEMENT float widen(bfloat16 x) { return std::bit_cast<float>(uint32_t{x.bits} << 16); }
GUDA_ELEMENT float widen(float16 x) { return blas::half_to_float(x.bits); }

GUDA_ELEMENT float widen(float8_e4m3 x) {
  uint32_t magnitude = x.bits & 0x7fu;
  auto value = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude << 20) * 0x1p120f);
  value = magnitude == 0x7f ? 0x7fc00000u : value;
  return std::bit_cast<float>(value | uint32_t{x.bits} >> 7 << 31);
}
GUDA_ELEMENT float widen(float8_e5m2 x) {
  return widen(float16{static_cast<uint16_t>(x.bits << 8)});
}
GUDA_ELEMENT float widen(float x) { return x; }
GUDA_ELEMENT double widen(double x) { return x; }
GUDA_ELEMENT ComplexFloat widen(ComplexFloat x) { return x; }
GUDA_ELEMENT ComplexDouble widen(ComplexDouble x) { return x; }
GUDA_ELEMENT float widen(int8_t x) { return x; }
GUDA_ELEMENT float widen(uint8_t x) { return x; }

/// The code of the 8-bit float nearest to x. Without branches, so that loops become vector code.
template <int kExponentBits, int kMantissaBits>
GUDA_ELEMENT uint8_t float8_code(float x, float largest, uint8_t largest_code) {
  constexpr int kLowestExponent = 2 - (1 << (kExponentBits - 1));
  constexpr int kDropped = 23 - kMantissaBits;
  auto bits = std::bit_cast<uint32_t>(x);
  uint32_t magnitude = bits & 0x7fffffffu;
  // A carry out of the mantissa moves on to the next exponent by itself.
  uint32_t half = (1u << (kDropped - 1)) - 1 + (magnitude >> kDropped & 1u);
  uint32_t normal = (magnitude - (uint32_t{127 + kLowestExponent - 1} << 23) + half) >> kDropped;
  // Subnormal codes count in units of the smallest: the sum has one of these as its last bit.
  constexpr float kUnits = std::bit_cast<float>(uint32_t{127 + kLowestExponent + kDropped} << 23);
  uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + kUnits) -
                       std::bit_cast<uint32_t>(kUnits);
  uint32_t code = magnitude < (uint32_t{127 + kLowestExponent} << 23) ? subnormal : normal;
  code = magnitude >= std::bit_cast<uint32_t>(largest) ? largest_code : code;
  code = magnitude > 0x7f800000u ? 0x7fu : code;
  return static_cast<uint8_t>(code | bits >> 31 << 7);
}

/// The element of type Out nearest to a number.
template <class Out, class In>
GUDA_ELEMENT Out narrow(In x) {
  if constexpr (std::is_same_v<Out, bfloat16>) {
    auto bits = std::bit_cast<uint32_t>(static_cast<float>(x));
    if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((bits >> 16) | 0x40u)};
    return {static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
  } else if constexpr (std::is_same_v<Out, float16>) {
    return {blas::float_to_half(static_cast<float>(x))};
  } else if constexpr (std::is_same_v<Out, float8_e4m3>) {
    return {float8_code<4, 3>(static_cast<float>(x), 448.0f, 0x7e)};
  } else if constexpr (std::is_same_v<Out, float8_e5m2>) {
    return {float8_code<5, 2>(static_cast<float>(x), 57344.0f, 0x7b)};
  } else if constexpr (std::is_same_v<In, float> && std::is_integral_v<Out> && sizeof(Out) == 1) {
    using Limits = std::numeric_limits<Out>;
    constexpr float kWhole = 0x1.8p23f;  // added, it leaves no room for a fraction
    float value = x > float(Limits::max()) ? float(Limits::max()) : x;
    value = value > float(Limits::min()) ? value : float(Limits::min());
    value = x != x ? 0.0f : value;
    return static_cast<Out>(static_cast<int32_t>((value + kWhole) - kWhole));
  } else if constexpr (std::is_integral_v<Out>) {
    using Limits = std::numeric_limits<Out>;
    double value = std::nearbyint(static_cast<double>(x));
    if (std::isnan(value)) return 0;
    if (value <= static_cast<double>(Limits::min())) return Limits::min();
    if (value >= static_cast<double>(Limits::max())) return Limits::max();
    return static_cast<Out>(value);
  } else {
    return static_cast<Out>(x);
  }
}

/// The type that arithmetic on elements of type T is done in.
template <class T>
using Wide = decltype(widen(T()));

template <class T>
struct TypeTag {
  using type = T;
};

/// The name of a calculation's element type; see with_float_type for the way back.
template <class T>
constexpr DataType kTypeOf = kR32F;
template <>
inline constexpr DataType kTypeOf<float16> = kR16F;
template <>
inline constexpr DataType kTypeOf<bfloat16> = kR16BF;
template <>
inline constexpr DataType kTypeOf<double> = kR64F;
template <>
inline constexpr DataType kTypeOf<ComplexFloat> = kC32F;
template <>
inline constexpr DataType kTypeOf<ComplexDouble> = kC64F;

/// Bytes of one element; 0 for a type that no routine here knows.
inline size_t element_bytes(DataType type) {
  switch (type) {
    case kR8I:
    case kR8U:
    case kR8E4M3:
    case kR8E5M2: return 1;
    case kR16F:
    case kR16BF:
    case kC8I:
    case kC8U: return 2;
    case kR32F:
    case kR32I:
    case kR32U:
    case kC16F:
    case kC16BF: return 4;
    case kR64F:
    case kC32F: return 8;
    case kC64F: return 16;
    default: return 0;
  }
}

#undef GUDA_ELEMENT

/// Calls function(TypeTag<T>) with the element type that calculations know; kNotSupported for others.
template <class Function>
Result with_float_type(DataType type, Function function) {
  switch (type) {
    case kR16F: return function(TypeTag<float16>());
    case kR16BF: return function(TypeTag<bfloat16>());
    case kR32F: return function(TypeTag<float>());
    case kR64F: return function(TypeTag<double>());
    case kC32F: return function(TypeTag<ComplexFloat>());
    case kC64F: return function(TypeTag<ComplexDouble>());
    default: return kNotSupported;
  }
}

}  // namespace guda::cublas
