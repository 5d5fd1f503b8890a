// Packing: panels copied or transposed through 512-bit registers. Elements are 4, 8 or 16 bytes; what
// they mean does not matter.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>

#include "kernels/gemm_kernels.h"

namespace guda::kernels::avx512 {
namespace {

inline __mmask16 words(int64_t count) {
  return count >= 16 ? __mmask16{0xffff} : static_cast<__mmask16>((1u << count) - 1);
}

/// Rows of four 128-bit pieces: column c of the result's quarter q is row 4 q + c's piece p.
/// `load` fetches 16 bytes of four rows into one register, row r's into quarter r / step.
template <bool Full>
inline __m512i gather_quarters(const char* row0, int64_t stride, int rows, __mmask16 mask) {
  // Row i's 16 bytes go to quarter i of the register.
  const auto load = [&](int i) {
    const void* p = row0 + i * stride;
    if constexpr (Full) return _mm_loadu_si128(static_cast<const __m128i*>(p));
    return i < rows ? _mm_maskz_loadu_epi32(static_cast<__mmask8>(mask), p) : _mm_setzero_si128();
  };
  __m512i x = _mm512_castsi128_si512(load(0));
  x = _mm512_inserti32x4(x, load(1), 1);
  x = _mm512_inserti32x4(x, load(2), 2);
  return _mm512_inserti32x4(x, load(3), 3);
}

/// Transposes 16 rows of 4 words: out[w] has word w of rows 0 ... 15.
template <bool Full>
inline void transpose_words(const char* x, int64_t stride, int rows, __mmask16 mask,
                            __m512i (&out)[4]) {
  // Quarter q of s[r] is row 4 q + r.
  __m512i s[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    s[r] = gather_quarters<Full>(x + r * stride, 4 * stride, (rows - r + 3) / 4, mask);
  }
  const __m512i a = _mm512_unpacklo_epi32(s[0], s[1]);
  const __m512i b = _mm512_unpackhi_epi32(s[0], s[1]);
  const __m512i c = _mm512_unpacklo_epi32(s[2], s[3]);
  const __m512i d = _mm512_unpackhi_epi32(s[2], s[3]);
  out[0] = _mm512_unpacklo_epi64(a, c);
  out[1] = _mm512_unpackhi_epi64(a, c);
  out[2] = _mm512_unpacklo_epi64(b, d);
  out[3] = _mm512_unpackhi_epi64(b, d);
}

/// Transposes 8 rows of 2 double words.
template <bool Full>
inline void transpose_double_words(const char* x, int64_t stride, int rows, __mmask16 mask,
                                   __m512i (&out)[2]) {
  const __m512i a = gather_quarters<Full>(x, 2 * stride, (rows + 1) / 2, mask);
  const __m512i b = gather_quarters<Full>(x + stride, 2 * stride, rows / 2, mask);
  out[0] = _mm512_unpacklo_epi64(a, b);
  out[1] = _mm512_unpackhi_epi64(a, b);
}

/// Pack<T, T>, copying form.
template <class T>
void pack_copy(int64_t width, int64_t k, const T* x, int64_t ld, T* out, int64_t panel) {
  constexpr int64_t kWords = sizeof(T) / 4;
  const int64_t words_in = width * kWords;
  const int64_t words_out = panel * kWords;
  const auto* from = reinterpret_cast<const int32_t*>(x);
  auto* to = reinterpret_cast<int32_t*>(out);
  if (words_in == 32 && words_out == 32) {
    for (int64_t p = 0; p < k; ++p, from += ld * kWords, to += 32) {
      __builtin_prefetch(from + 8 * ld * kWords);
      __builtin_prefetch(from + 8 * ld * kWords + 16);
      const __m512i low = _mm512_loadu_si512(from);
      const __m512i high = _mm512_loadu_si512(from + 16);
      _mm512_storeu_si512(to, low);
      _mm512_storeu_si512(to + 16, high);
    }
    return;
  }
  for (int64_t p = 0; p < k; ++p, from += ld * kWords, to += words_out) {
    for (int64_t w = 0; w < words_out; w += 16) {
      const int64_t left = std::max<int64_t>(words_in - w, 0);
      _mm512_mask_storeu_epi32(to + w, words(words_out - w),
                               _mm512_maskz_loadu_epi32(words(left), from + w));
    }
  }
}

/// Pack<T, T>, transposing form.
template <class T>
void pack_transpose(int64_t width, int64_t k, const T* x, int64_t ld, T* out, int64_t panel) {
  constexpr int64_t kRows = 64 / sizeof(T);  // of a register when it stands upright
  constexpr int64_t kSteps = 16 / sizeof(T);  // of k in 16 bytes
  const int64_t stride = ld * static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; i < panel; i += kRows) {
    const int rows = static_cast<int>(std::clamp<int64_t>(width - i, 0, kRows));
    const __mmask16 store_mask = words((panel - i) * static_cast<int64_t>(sizeof(T) / 4));
    const auto* from = reinterpret_cast<const char*>(x + (rows > 0 ? i * ld : 0));
    for (int64_t p = 0; p < k; p += kSteps) {
      const int64_t steps = std::min(kSteps, k - p);
      const bool full = rows == kRows && steps == kSteps;
      const __mmask16 load_mask = words(steps * static_cast<int64_t>(sizeof(T) / 4));
      const char* at = from + p * static_cast<int64_t>(sizeof(T));
      __m512i column[kSteps];
      if constexpr (sizeof(T) == 4) {
        if (full) {
          transpose_words<true>(at, stride, rows, load_mask, column);
        } else {
          transpose_words<false>(at, stride, rows, load_mask, column);
        }
      } else if constexpr (sizeof(T) == 8) {
        if (full) {
          transpose_double_words<true>(at, stride, rows, load_mask, column);
        } else {
          transpose_double_words<false>(at, stride, rows, load_mask, column);
        }
      } else {
        column[0] = full ? gather_quarters<true>(at, stride, rows, load_mask)
                         : gather_quarters<false>(at, stride, rows, load_mask);
      }
#pragma GCC unroll 4
      for (int s = 0; s < kSteps; ++s) {
        if (s < steps) _mm512_mask_storeu_epi32(out + (p + s) * panel + i, store_mask, column[s]);
      }
    }
  }
}

}  // namespace
}  // namespace guda::kernels::avx512
