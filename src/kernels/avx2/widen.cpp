// Packing of narrow floats: widened to f32 on the way, so that the f32 tiles take them.
#include <immintrin.h>

#include "kernels/avx2/transpose.h"
#include "kernels/gemm_kernels.h"

namespace guda::kernels::avx2 {
namespace {

// Eight 16-bit elements.
__m128i load(const uint16_t* x, int64_t count) {
  if (count >= 8) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
  const auto* bytes = reinterpret_cast<const uint8_t*>(x);
  const __m128i low = load_bytes(bytes, count < 4 ? 2 * count : 8);
  return count <= 4 ? low : _mm_unpacklo_epi64(low, load_bytes(bytes + 8, 2 * count - 8));
}
__m128i load(const uint8_t* x, int64_t count) { return load_bytes(x, count); }

struct Bfloat16 {
  using Bits = uint16_t;
  static __m256 widen(__m128i x) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
  }
};
struct Float16 {
  using Bits = uint16_t;
  static __m256 widen(__m128i x) { return _mm256_cvtph_ps(x); }
};
// The upper byte of a half.
struct E5m2 {
  using Bits = uint8_t;
  static __m256 widen(__m128i x) {
    return _mm256_cvtph_ps(_mm_slli_epi16(_mm_cvtepu8_epi16(x), 8));
  }
};
// A half with another bias, but for the one code of NaN.
struct E4m3 {
  using Bits = uint8_t;
  static __m256 widen(__m128i x) {
    const __m128i wide = _mm_cvtepu8_epi16(x);
    const __m128i magnitude = _mm_and_si128(wide, _mm_set1_epi16(0x7f));
    const __m128i nan =
        _mm_and_si128(_mm_cmpeq_epi16(magnitude, _mm_set1_epi16(0x7f)), _mm_set1_epi16(0x7e00));
    const __m128i sign = _mm_slli_epi16(_mm_srli_epi16(wide, 7), 15);
    const __m128i half = _mm_or_si128(_mm_or_si128(sign, nan), _mm_slli_epi16(magnitude, 7));
    return _mm256_mul_ps(_mm256_cvtph_ps(half), _mm256_set1_ps(256));
  }
};

template <class Format>
void copy(int64_t width, int64_t k, const typename Format::Bits* x, int64_t ld, float* out,
          int64_t panel) {
  for (int64_t p = 0; p < k; ++p, x += ld, out += panel)
    for (int64_t w = 0; w < panel; w += 8)
      store_words(out + w,
                  _mm256_castps_si256(Format::widen(load(x + w, w < width ? width - w : 0))),
                  panel - w);
}

template <class Format>
void transpose(int64_t width, int64_t k, const typename Format::Bits* x, int64_t ld, float* out,
               int64_t panel) {
  for (int64_t p = 0; p < k; p += 8) {
    const int64_t steps = k - p < 8 ? k - p : 8;
    for (int64_t w = 0; w < panel; w += 8) {
      __m256i rows[8];
      for (int64_t i = 0; i < 8; ++i)
        rows[i] = w + i < width
                      ? _mm256_castps_si256(Format::widen(load(x + (w + i) * ld + p, steps)))
                      : _mm256_setzero_si256();
      transpose_words(rows);
      for (int64_t s = 0; s < steps; ++s)
        store_words(out + (p + s) * panel + w, rows[s], panel - w);
    }
  }
}

}  // namespace

constinit const Packing<uint16_t, float> widen_bf16{copy<Bfloat16>, transpose<Bfloat16>};
constinit const Packing<uint16_t, float> widen_f16{copy<Float16>, transpose<Float16>};
constinit const Packing<uint8_t, float> widen_e4m3{copy<E4m3>, transpose<E4m3>};
constinit const Packing<uint8_t, float> widen_e5m2{copy<E5m2>, transpose<E5m2>};

}  // namespace guda::kernels::avx2
