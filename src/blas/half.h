// Half precision to single and back in whole-number arithmetic: without branches or calls into the compiler's
// library, so that loops become vector code on every instruction set.
#pragma once

#include <bit>
#include <cstdint>

namespace guda::blas {

/// The value of an IEEE 754 binary16. Never a function of its own: files compiled for other instruction sets
/// use it too, and the linker would keep the copy of any of them for all.
[[gnu::always_inline]] inline float half_to_float(uint16_t bits) {
  const uint32_t magnitude = static_cast<uint32_t>(bits) << 13 & 0x0fffe000u;
  const auto scaled = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
  const uint32_t special = magnitude >= 0x0f800000u ? 0x7f800000u : 0u;  // infinities and NaN
  return std::bit_cast<float>(scaled | special | static_cast<uint32_t>(bits) << 16 >> 31 << 31);
}

/// The nearest, ties to even.
[[gnu::always_inline]] inline uint16_t float_to_half(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t magnitude = bits & 0x7fffffffu;
  // A carry out of the mantissa moves on to the next exponent by itself.
  const uint32_t normal = (magnitude - (112u << 23) + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
  // Subnormal results count in units of the smallest: the sum has one of these as its last bit.
  const uint32_t subnormal =
      std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - (126u << 23);
  uint32_t code = magnitude < (113u << 23) ? subnormal : normal;
  code = magnitude >= (143u << 23) ? 0x7c00u : code;
  code = magnitude > 0x7f800000u ? 0x7e00u | (magnitude >> 13 & 0x1ffu) : code;
  return static_cast<uint16_t>(code | bits >> 31 << 15);
}

}  // namespace guda::blas
