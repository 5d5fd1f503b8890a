// Words in 256-bit registers: parts of them, and blocks of 8 x 8 turned around.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace guda::kernels::avx2 {
namespace {

alignas(64) constexpr int32_t kMaskWords[16] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                0,  0,  0,  0,  0,  0,  0,  0};
/// The first `count` of 8 words.
inline __m256i words(int64_t count) {
  const int64_t clamped = count < 0 ? 0 : count > 8 ? 8 : count;
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMaskWords + 8 - clamped));
}

/// The first `count` words, or all.
inline void store_words(void* out, __m256i x, int64_t count) {
  if (count >= 8)
    _mm256_storeu_si256(static_cast<__m256i*>(out), x);
  else
    _mm256_maskstore_epi32(static_cast<int*>(out), words(count), x);
}

/// `count` <= 8 bytes; no others are read.
inline __m128i load_bytes(const uint8_t* x, int64_t count) {
  if (count >= 8) return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(x));
  uint64_t bytes = 0;
  for (int64_t i = 0; i < count; ++i) bytes |= uint64_t{x[i]} << (8 * i);
  return _mm_cvtsi64_si128(static_cast<int64_t>(bytes));
}

inline void transpose_words(__m256i (&r)[8]) {
  __m256i t[8];
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
  __m256i u[8];
  for (int i = 0; i < 2; ++i) {
    u[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    u[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    u[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    u[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x20);
    r[i + 4] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x31);
  }
}

}  // namespace
}  // namespace guda::kernels::avx2
