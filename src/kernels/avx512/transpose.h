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
  // Merging loads: inserts would queue at the shuffle unit.
  __m512i x = _mm512_castsi128_si512(load(0));
  x = _mm512_mask_broadcast_i32x4(x, 0x00f0, load(1));
  x = _mm512_mask_broadcast_i32x4(x, 0x0f00, load(2));
  return _mm512_mask_broadcast_i32x4(x, 0xf000, load(3));
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

/// Full panels of kBytes.
template <int kBytes>
void copy_panel(int64_t k, const char* from, int64_t stride, char* to) {
  constexpr int64_t kAhead = 8;
  for (int64_t p = 0; p < k; ++p, from += stride, to += kBytes) {
    for (int line = 0; line < kBytes; line += 64) __builtin_prefetch(from + kAhead * stride + line);
    __builtin_memcpy(to, from, kBytes);
  }
}

/// Pack<T, T>, copying form.
template <class T>
void pack_copy(int64_t width, int64_t k, const T* x, int64_t ld, T* out, int64_t panel) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  const auto* from = reinterpret_cast<const char*>(x);
  auto* to = reinterpret_cast<char*>(out);
  const int64_t stride = ld * kSize;
  if (width == panel) {
    switch (panel * kSize) {
      case 32: return copy_panel<32>(k, from, stride, to);
      case 64: return copy_panel<64>(k, from, stride, to);
      case 128: return copy_panel<128>(k, from, stride, to);
      case 192: return copy_panel<192>(k, from, stride, to);
      default: break;
    }
  }
  for (int64_t w = 0; w < panel * kSize; w += 64) {
    const __mmask16 in = words(std::max<int64_t>(width * kSize - w, 0) / 4);
    const __mmask16 store = words((panel * kSize - w) / 4);
    for (int64_t p = 0; p < k; ++p) {
      _mm512_mask_storeu_epi32(to + p * panel * kSize + w, store,
                               _mm512_maskz_loadu_epi32(in, from + p * stride + w));
    }
  }
}

/// A full panel of 8 rows of words: 4 steps of k at a time are two registers.
inline void transpose_eight_words(int64_t k, const char* from, int64_t stride, int32_t* out) {
  const __m512i low = _mm512_set_epi32(29, 25, 21, 17, 13, 9, 5, 1, 28, 24, 20, 16, 12, 8, 4, 0);
  const __m512i high = _mm512_set_epi32(31, 27, 23, 19, 15, 11, 7, 3, 30, 26, 22, 18, 14, 10, 6, 2);
  for (int64_t p = 0; p + 4 <= k; p += 4, from += 16, out += 32) {
    const __m512i a = gather_quarters<true>(from, stride, 4, 0xf);
    const __m512i b = gather_quarters<true>(from + 4 * stride, stride, 4, 0xf);
    _mm512_storeu_si512(out, _mm512_permutex2var_epi32(a, low, b));
    _mm512_storeu_si512(out + 16, _mm512_permutex2var_epi32(a, high, b));
  }
}

/// Transposes elements of kSize bytes whose rows are `stride` bytes apart.
template <int64_t kSize>
void transpose_panel(int64_t width, int64_t k, const char* x, int64_t stride, char* out,
                     int64_t panel) {
  constexpr int64_t kRows = 64 / kSize;  // of a register when it stands upright
  constexpr int64_t kSteps = 16 / kSize;  // of k in 16 bytes
  for (int64_t i = 0; i < panel; i += kRows) {
    const int rows = static_cast<int>(std::clamp<int64_t>(width - i, 0, kRows));
    const __mmask16 store_mask = words((panel - i) * kSize / 4);
    const char* from = x + (rows > 0 ? i * stride : 0);
    for (int64_t p = 0; p < k; p += kSteps) {
      const int64_t steps = std::min(kSteps, k - p);
      const bool full = rows == kRows && steps == kSteps;
      const __mmask16 load_mask = words(steps * kSize / 4);
      const char* at = from + p * kSize;
      __m512i column[kSteps];
      if constexpr (kSize == 4) {
        if (full) {
          transpose_words<true>(at, stride, rows, load_mask, column);
        } else {
          transpose_words<false>(at, stride, rows, load_mask, column);
        }
      } else if constexpr (kSize == 8) {
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
        if (s < steps) {
          _mm512_mask_storeu_epi32(out + ((p + s) * panel + i) * kSize, store_mask, column[s]);
        }
      }
    }
  }
}

/// Words whose rows are `stride` bytes apart.
inline void pack_words(int64_t width, int64_t k, const char* x, int64_t stride, uint32_t* out,
                       int64_t panel) {
  if (width == 8 && panel == 8 && k >= 4) {
    transpose_eight_words(k, x, stride, reinterpret_cast<int32_t*>(out));
    const int64_t done = k / 4 * 4;
    x += done * 4;
    out += done * panel;
    k -= done;
  }
  transpose_panel<4>(width, k, x, stride, reinterpret_cast<char*>(out), panel);
}

/// Pack<T, T>, transposing form.
template <class T>
void pack_transpose(int64_t width, int64_t k, const T* x, int64_t ld, T* out, int64_t panel) {
  const auto* from = reinterpret_cast<const char*>(x);
  const int64_t stride = ld * static_cast<int64_t>(sizeof(T));
  if constexpr (sizeof(T) == 4) {
    pack_words(width, k, from, stride, reinterpret_cast<uint32_t*>(out), panel);
  } else {
    transpose_panel<sizeof(T)>(width, k, from, stride, reinterpret_cast<char*>(out), panel);
  }
}

}  // namespace
}  // namespace guda::kernels::avx512
