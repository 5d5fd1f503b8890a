// 8-bit integers by vpdpbusd: a lane holds four steps of k, unsigned in A and signed in B. Signed A is
// offset by 128 while it is packed; what that adds, 128 times the column sums of B, comes off at the end
// of each tile: packed panels of B have one row more with what to add to the sums.
#include <immintrin.h>

#include <algorithm>

#include "kernels/avx512/transpose.h"
#include "kernels/gemm_tile.h"

namespace guda::kernels::avx512 {
namespace {

struct DotArithmetic {
  using In = uint32_t;
  using Out = int32_t;
  using Scale = int32_t;
  using Vector = __m512i;
  using Mask = __mmask16;
  static constexpr int kLanes = 16;
  static constexpr int kParts = 1;
  static constexpr bool kCorrected = true;

  static Mask mask(int rows) { return static_cast<Mask>(0xffffu >> (16 - rows)); }
  static Vector zero() { return _mm512_setzero_si512(); }
  static Vector load(const In* p) { return _mm512_loadu_si512(p); }
  static Vector load(const In* p, Mask m) { return _mm512_maskz_loadu_epi32(m, p); }
  static Vector broadcast(const In* p, int) { return _mm512_set1_epi32(static_cast<int>(*p)); }
  static Vector multiply_add(Vector a, Vector b, Vector c) {
    // Not the intrinsic: g++ 12 keeps a copy of each sum beside it.
    asm("vpdpbusd %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
    return c;
  }
  static Vector correct(Vector sum, Vector correction) { return _mm512_add_epi32(sum, correction); }

  template <int V, Update kUpdate>
  static void store(const Vector (&sum)[1][V], const TileArguments<In, Out, Scale>& t, Out* c,
                    Mask mask) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const Mask m = v == V - 1 ? mask : Mask{0xffff};
      Vector x = sum[0][v];
      if constexpr (kUpdate != Update::assign) {
        x = _mm512_mullo_epi32(x, _mm512_set1_epi32(t.alpha));
      }
      if constexpr (kUpdate == Update::add) {
        x = _mm512_add_epi32(x, _mm512_mullo_epi32(_mm512_maskz_loadu_epi32(m, c + 16 * v),
                                                   _mm512_set1_epi32(t.beta)));
      }
      _mm512_mask_storeu_epi32(c + 16 * v, m, x);
    }
  }
};

constexpr GemmKernels<uint32_t, int32_t> make() {
  GemmKernels<uint32_t, int32_t> set{};
  set.lanes = 16;
  set.lane_shift = 4;
  set.vectors = 3;
  set.columns = 8;
  set.correction_rows = 1;
  add_row_tiles<DotArithmetic, 1, 8>(set);
  add_row_tiles<DotArithmetic, 2, 8>(set);
  add_row_tiles<DotArithmetic, 3, 8>(set);
  return set;
}

// Four bytes of row i, steps p ... p + 3, as far as there are.
uint32_t gather(const uint8_t* x, int64_t row_step, int64_t k_step, int64_t i, int64_t p,
                int64_t k) {
  uint32_t word = 0;
  for (int64_t s = 0; s < std::min<int64_t>(4, k - p); ++s) {
    word |= static_cast<uint32_t>(x[i * row_step + (p + s) * k_step]) << (8 * s);
  }
  return word;
}

// Four columns of 16 bytes become 16 words.
__m512i interleave(__m128i c0, __m128i c1, __m128i c2, __m128i c3) {
  const __m128i low01 = _mm_unpacklo_epi8(c0, c1);
  const __m128i high01 = _mm_unpackhi_epi8(c0, c1);
  const __m128i low23 = _mm_unpacklo_epi8(c2, c3);
  const __m128i high23 = _mm_unpackhi_epi8(c2, c3);
  __m512i x = _mm512_castsi128_si512(_mm_unpacklo_epi16(low01, low23));
  x = _mm512_inserti32x4(x, _mm_unpackhi_epi16(low01, low23), 1);
  x = _mm512_inserti32x4(x, _mm_unpacklo_epi16(high01, high23), 2);
  return _mm512_inserti32x4(x, _mm_unpackhi_epi16(high01, high23), 3);
}

template <bool kFlip>
void copy(int64_t width, int64_t k, const uint8_t* x, int64_t ld, uint32_t* out, int64_t panel) {
  const __m512i flip = _mm512_set1_epi8(kFlip ? -128 : 0);
  for (int64_t w = 0; w < panel; w += 16) {
    const __mmask16 in = words(std::max<int64_t>(width - w, 0));
    const __mmask16 store = words(panel - w);
    uint32_t* to = out + w;
    for (int64_t p = 0; p < k; p += 4, to += panel) {
      const uint8_t* from = x + p * ld + w;
      const auto column = [&](int64_t s) {
        return p + s < k ? _mm_maskz_loadu_epi8(in, from + s * ld) : _mm_setzero_si128();
      };
      const __m512i words = interleave(column(0), column(1), column(2), column(3));
      _mm512_mask_storeu_epi32(to, store, _mm512_xor_si512(words, flip));
    }
  }
}

template <bool kFlip>
void transpose(int64_t width, int64_t k, const uint8_t* x, int64_t ld, uint32_t* out,
               int64_t panel) {
  const int64_t whole = k / 4;
  pack_words(width, whole, reinterpret_cast<const char*>(x), ld, out, panel);
  if (k % 4 != 0) {
    for (int64_t i = 0; i < panel; ++i) {
      out[whole * panel + i] = i < width ? gather(x, ld, 1, i, 4 * whole, k) : 0;
    }
  }
  if constexpr (kFlip) {
    const __m512i flip = _mm512_set1_epi8(-128);
    const int64_t count = (k + 3) / 4 * panel;
    for (int64_t w = 0; w < count; w += 16) {
      const __mmask16 mask = words(count - w);
      _mm512_mask_storeu_epi32(out + w, mask,
                               _mm512_xor_si512(_mm512_maskz_loadu_epi32(mask, out + w), flip));
    }
  }
}

// The row that corrects for A's offset: -128 times the sums of the columns.
void append_correction(int64_t k, uint32_t* out, int64_t panel, bool offset) {
  const int64_t rows = (k + 3) / 4;
  const __m512i ones = _mm512_set1_epi8(1);
  for (int64_t w = 0; w < panel; w += 16) {
    const __mmask16 mask = words(panel - w);
    __m512i sum = _mm512_setzero_si512();
    if (offset) {
      for (int64_t p = 0; p < rows; ++p) {
        sum = _mm512_dpbusd_epi32(sum, ones, _mm512_maskz_loadu_epi32(mask, out + p * panel + w));
      }
      sum = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(sum, 7));
    }
    _mm512_mask_storeu_epi32(out + rows * panel + w, mask, sum);
  }
}

template <bool kOffset>
void copy_b(int64_t width, int64_t k, const uint8_t* x, int64_t ld, uint32_t* out, int64_t panel) {
  copy<false>(width, k, x, ld, out, panel);
  append_correction(k, out, panel, kOffset);
}

template <bool kOffset>
void transpose_b(int64_t width, int64_t k, const uint8_t* x, int64_t ld, uint32_t* out,
                 int64_t panel) {
  transpose<false>(width, k, x, ld, out, panel);
  append_correction(k, out, panel, kOffset);
}

}  // namespace

constinit const GemmKernels<uint32_t, int32_t> gemm_dot8 = make();
constinit const Packing<uint8_t, uint32_t> dot8_unsigned_a{copy<false>, transpose<false>};
constinit const Packing<uint8_t, uint32_t> dot8_signed_a{copy<true>, transpose<true>};
constinit const Packing<uint8_t, uint32_t> dot8_b{copy_b<false>, transpose_b<false>};
constinit const Packing<uint8_t, uint32_t> dot8_corrected_b{copy_b<true>, transpose_b<true>};

}  // namespace guda::kernels::avx512
