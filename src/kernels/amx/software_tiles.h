// Tiles in memory, whose operations are the instructions' definitions (Intel SDM volume 2: TDPBF16PS,
// TDPBSSD and its siblings, TILELOADD, TILESTORED), bit for bit but for the payloads of NaNs.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/amx/tile_dot.h"

namespace guda::kernels::amx {
namespace {

/// Subnormal numbers count as zero.
inline float flushed(float x) { return std::abs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }

/// x * y + z rounded once, to nearest even; a result that is subnormal after rounding is zero. The
/// product of two bf16 numbers is exact in double.
inline float fused_multiply_add(float x, float y, float z) {
  const double product = static_cast<double>(flushed(x)) * static_cast<double>(flushed(y));
  const double addend = static_cast<double>(flushed(z));
  double sum = product + addend;
  if (std::isfinite(sum)) {
    // Rounding to odd first makes the second rounding, to float, the only one.
    const double part = sum - product;
    const double error = (product - (sum - part)) + (addend - part);
    auto bits = std::bit_cast<uint64_t>(sum);
    if (error != 0 && (bits & 1) == 0) {
      bits += (error > 0) == (sum > 0) ? 1 : uint64_t(-1);
      sum = std::bit_cast<double>(bits);
    }
    if (std::abs(sum) < 0x1p-126) {
      return static_cast<float>(
          std::copysign(std::abs(sum) < 0x1p-126 - 0x1p-151 ? 0.0 : 0x1p-126, sum));
    }
  }
  return static_cast<float>(sum);
}

class SoftwareTiles {
 public:
  static constexpr bool kPrefetches = false;

  static void acquire() {}
  static void release() {}

  template <int kT>
  void zero() {
    std::memset(tiles_[kT], 0, sizeof(tiles_[kT]));
  }
  template <int kT>
  void load(const void* from, int64_t stride) {
    for (int64_t row = 0; row < 16; ++row)
      std::memcpy(tiles_[kT] + 64 * row, static_cast<const char*>(from) + row * stride, 64);
  }
  template <int kT>
  void store(void* to, int64_t stride) {
    for (int64_t row = 0; row < 16; ++row)
      std::memcpy(static_cast<char*>(to) + row * stride, tiles_[kT] + 64 * row, 64);
  }
  template <Dot kDot, int kC, int kA, int kB>
  void dot() {
    if constexpr (kDot == Dot::bf16)
      dot_bf16(tiles_[kC], tiles_[kA], tiles_[kB]);
    else
      dot_bytes<kDot == Dot::s8s8 || kDot == Dot::s8u8, kDot == Dot::s8s8 || kDot == Dot::u8s8>(
          tiles_[kC], tiles_[kA], tiles_[kB]);
  }

 private:
  using Tile = unsigned char[1024];

  template <class T>
  static T word(const Tile& tile, int64_t row, int64_t column) {
    T value;
    std::memcpy(&value, tile + 64 * row + 4 * column, sizeof(T));
    return value;
  }

  static float low(uint32_t pair) { return std::bit_cast<float>(pair << 16); }
  static float high(uint32_t pair) { return std::bit_cast<float>(pair & 0xffff0000u); }

  // Sums of the even and of the odd products along k, then their sum, then what was there.
  static void dot_bf16(Tile& c, const Tile& a, const Tile& b) {
    for (int64_t m = 0; m < 16; ++m) {
      float even[16] = {};
      float odd[16] = {};
      for (int64_t k = 0; k < 16; ++k) {
        const auto x = word<uint32_t>(a, m, k);
        for (int64_t n = 0; n < 16; ++n) {
          const auto y = word<uint32_t>(b, k, n);
          even[n] = fused_multiply_add(low(x), low(y), even[n]);
          odd[n] = fused_multiply_add(high(x), high(y), odd[n]);
        }
      }
      for (int64_t n = 0; n < 16; ++n) {
        const float sum = flushed(flushed(even[n]) + flushed(odd[n]));
        const float result = flushed(flushed(word<float>(c, m, n)) + sum);
        std::memcpy(c + 64 * m + 4 * n, &result, 4);
      }
    }
  }

  template <bool kSigned>
  static uint32_t byte(uint32_t word, int i) {
    const auto bits = static_cast<uint8_t>(word >> (8 * i));
    return kSigned ? static_cast<uint32_t>(static_cast<int8_t>(bits)) : bits;
  }

  // Sums wrap.
  template <bool kSignedA, bool kSignedB>
  static void dot_bytes(Tile& c, const Tile& a, const Tile& b) {
    for (int64_t m = 0; m < 16; ++m) {
      for (int64_t n = 0; n < 16; ++n) {
        auto sum = word<uint32_t>(c, m, n);
        for (int64_t k = 0; k < 16; ++k) {
          const auto x = word<uint32_t>(a, m, k);
          const auto y = word<uint32_t>(b, k, n);
          for (int i = 0; i < 4; ++i) sum += byte<kSignedA>(x, i) * byte<kSignedB>(y, i);
        }
        std::memcpy(c + 64 * m + 4 * n, &sum, 4);
      }
    }
  }

  alignas(64) Tile tiles_[8];
};

}  // namespace
}  // namespace guda::kernels::amx
