// Packing of 16-bit floats: widened to f32 on the way, so that the f32 tiles take them.
#include <immintrin.h>

#include <algorithm>

#include "kernels/avx512/transpose.h"
#include "kernels/gemm_kernels.h"

namespace guda::kernels::avx512 {
namespace {

struct Bfloat16 {
  static __m512 widen(__m256i x) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
  }
};

struct Float16 {
  static __m512 widen(__m256i x) { return _mm512_cvtph_ps(x); }
};

template <class Format>
__m512 load(const uint16_t* x, __mmask16 mask) {
  return Format::widen(_mm256_maskz_loadu_epi16(mask, x));
}

template <class Format>
void copy(int64_t width, int64_t k, const uint16_t* x, int64_t ld, float* out, int64_t panel) {
  for (int64_t w = 0; w < panel; w += 16) {
    const __mmask16 in = words(std::max<int64_t>(width - w, 0));
    const __mmask16 store = words(panel - w);
    for (int64_t p = 0; p < k; ++p) {
      _mm512_mask_storeu_ps(out + p * panel + w, store, load<Format>(x + p * ld + w, in));
    }
  }
}

// Rows are widened into a block that stays in the first-level cache, which is then transposed.
template <class Format>
void transpose(int64_t width, int64_t k, const uint16_t* x, int64_t ld, float* out, int64_t panel) {
  constexpr int64_t kSteps = 64;
  constexpr int64_t kRows = 64;
  alignas(64) float block[kRows * kSteps];
  for (int64_t p = 0; p < k; p += kSteps) {
    const int64_t steps = std::min(kSteps, k - p);
    for (int64_t i = 0; i < width; ++i) {
      for (int64_t s = 0; s < steps; s += 16) {
        _mm512_store_ps(block + i * kSteps + s, load<Format>(x + i * ld + p + s, words(steps - s)));
      }
    }
    pack_transpose<float>(width, steps, block, kSteps, out + p * panel, panel);
  }
}

}  // namespace

constinit const Packing<uint16_t, float> widen_bf16{copy<Bfloat16>, transpose<Bfloat16>};
constinit const Packing<uint16_t, float> widen_f16{copy<Float16>, transpose<Float16>};

}  // namespace guda::kernels::avx512
