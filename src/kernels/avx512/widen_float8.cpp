// Packing of 8-bit floats: as f32 for the f32 tiles, and as pairs of bf16, which has all their values.
#include <immintrin.h>

#include <algorithm>

#include "kernels/avx512/transpose.h"
#include "kernels/gemm_kernels.h"

namespace guda::kernels::avx512 {
namespace {

// The upper byte of a half.
struct E5m2 {
  static __m512 widen(__m128i x) {
    return _mm512_cvtph_ps(_mm256_slli_epi16(_mm256_cvtepu8_epi16(x), 8));
  }
};
// A half with another bias, but for the one code of NaN.
struct E4m3 {
  static __m512 widen(__m128i x) {
    const __m256i wide = _mm256_cvtepu8_epi16(x);
    const __m256i magnitude = _mm256_and_si256(wide, _mm256_set1_epi16(0x7f));
    const __m256i sign = _mm256_slli_epi16(_mm256_srli_epi16(wide, 7), 15);
    const __m256i half = _mm256_or_si256(sign, _mm256_slli_epi16(magnitude, 7));
    const __mmask16 nan = _mm256_cmpeq_epi16_mask(magnitude, _mm256_set1_epi16(0x7f));
    const __m256i special = _mm256_mask_mov_epi16(half, nan, _mm256_set1_epi16(0x7e00));
    return _mm512_mul_ps(_mm512_cvtph_ps(special), _mm512_set1_ps(256));
  }
};

template <class Format>
__m512 load(const uint8_t* x, __mmask16 mask) {
  return Format::widen(_mm_maskz_loadu_epi8(mask, x));
}
// Exact: the lower half of such an f32 is zero.
template <class Format>
__m512i load_upper(const uint8_t* x, __mmask16 mask) {
  return _mm512_srli_epi32(_mm512_castps_si512(load<Format>(x, mask)), 16);
}

template <class Format>
void copy(int64_t width, int64_t k, const uint8_t* x, int64_t ld, float* out, int64_t panel) {
  for (int64_t w = 0; w < panel; w += 16) {
    const __mmask16 in = words(std::max<int64_t>(width - w, 0));
    const __mmask16 store = words(panel - w);
    for (int64_t p = 0; p < k; ++p)
      _mm512_mask_storeu_ps(out + p * panel + w, store, load<Format>(x + p * ld + w, in));
  }
}

template <class Format>
void copy_as_pairs(int64_t width, int64_t k, const uint8_t* x, int64_t ld, uint32_t* out,
                   int64_t panel) {
  for (int64_t w = 0; w < panel; w += 16) {
    const __mmask16 in = words(std::max<int64_t>(width - w, 0));
    const __mmask16 store = words(panel - w);
    for (int64_t p = 0; p < k; p += 2) {
      const uint8_t* from = x + p * ld + w;
      const __m512i even = load_upper<Format>(from, in);
      const __m512i odd = load_upper<Format>(from + ld, p + 1 < k ? in : __mmask16{0});
      _mm512_mask_storeu_epi32(out + p / 2 * panel + w, store,
                               _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
    }
  }
}

// Rows are widened into a block that stays in the first-level cache, which is then transposed.
constexpr int64_t kRows = 64, kSteps = 64;

template <class Format>
void transpose(int64_t width, int64_t k, const uint8_t* x, int64_t ld, float* out, int64_t panel) {
  alignas(64) float block[kRows * kSteps];
  for (int64_t p = 0; p < k; p += kSteps) {
    const int64_t steps = std::min(kSteps, k - p);
    for (int64_t i = 0; i < width; ++i)
      for (int64_t s = 0; s < steps; s += 16)
        _mm512_store_ps(block + i * kSteps + s, load<Format>(x + i * ld + p + s, words(steps - s)));
    pack_transpose<float>(width, steps, block, kSteps, out + p * panel, panel);
  }
}

template <class Format>
void transpose_as_pairs(int64_t width, int64_t k, const uint8_t* x, int64_t ld, uint32_t* out,
                        int64_t panel) {
  alignas(64) uint16_t block[kRows * kSteps];
  for (int64_t p = 0; p < k; p += kSteps) {
    const int64_t steps = std::min(kSteps, k - p);
    for (int64_t i = 0; i < width; ++i)
      for (int64_t s = 0; s < steps; s += 16)
        _mm256_store_si256(
            reinterpret_cast<__m256i*>(block + i * kSteps + s),
            _mm512_cvtepi32_epi16(load_upper<Format>(x + i * ld + p + s, words(steps - s))));
    pack_words(width, (steps + 1) / 2, reinterpret_cast<const char*>(block), 2 * kSteps,
               out + p / 2 * panel, panel);
  }
}

}  // namespace

constinit const Packing<uint8_t, float> widen_e4m3{copy<E4m3>, transpose<E4m3>};
constinit const Packing<uint8_t, float> widen_e5m2{copy<E5m2>, transpose<E5m2>};
constinit const Packing<uint8_t, uint32_t> e4m3_pairs{copy_as_pairs<E4m3>,
                                                      transpose_as_pairs<E4m3>};
constinit const Packing<uint8_t, uint32_t> e5m2_pairs{copy_as_pairs<E5m2>,
                                                      transpose_as_pairs<E5m2>};

}  // namespace guda::kernels::avx512
