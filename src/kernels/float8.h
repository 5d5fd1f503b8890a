// The values of 8-bit floats: e4m3 has 4 bits of exponent, 3 of mantissa and no infinity (one code of each
// sign is NaN), e5m2 has 5 and 2, and infinities.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace guda::kernels {

template <int kExponentBits, int kMantissaBits>
constexpr std::array<float, 256> float8_values() {
  constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  std::array<float, 256> values{};
  for (int code = 0; code < 128; ++code) {
    int exponent = code >> kMantissaBits;
    int mantissa = code & ((1 << kMantissaBits) - 1);
    // In units of the smallest subnormal.
    double value = exponent == 0 ? mantissa : mantissa + (1 << kMantissaBits);
    for (int i = 1; i < exponent; ++i) value *= 2;
    for (int i = 0; i < kBias + kMantissaBits - 1; ++i) value /= 2;
    bool top = exponent == (1 << kExponentBits) - 1;
    if (kMantissaBits == 3 ? code == 0x7f : top && mantissa != 0)
      value = std::numeric_limits<double>::quiet_NaN();
    else if (kMantissaBits == 2 && top)
      value = std::numeric_limits<double>::infinity();
    values[static_cast<size_t>(code)] = static_cast<float>(value);
    values[static_cast<size_t>(code + 128)] = static_cast<float>(-value);
  }
  return values;
}
inline constexpr std::array<float, 256> kE4m3Values = float8_values<4, 3>();
inline constexpr std::array<float, 256> kE5m2Values = float8_values<5, 2>();

}  // namespace guda::kernels
