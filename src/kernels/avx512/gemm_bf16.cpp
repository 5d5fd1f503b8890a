// bf16 by vdpbf16ps, for processors that issue it as fast as f32 FMA: a lane holds two steps of k.
// As that instruction is defined, subnormal operands and results count as zero.
#include <immintrin.h>

#include <algorithm>

#include "kernels/avx512/real_arithmetic.h"
#include "kernels/avx512/transpose.h"
#include "kernels/gemm_tile.h"

namespace guda::kernels::avx512 {
namespace {

struct PairArithmetic : RealArithmetic<float> {
  using In = uint32_t;

  static Vector load(const In* p) { return _mm512_loadu_ps(p); }
  static Vector load(const In* p, Mask m) { return _mm512_maskz_loadu_ps(m, p); }
  static Vector broadcast(const In* p, int) {
    return _mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(*p)));
  }
  static Vector multiply_add(Vector a, Vector b, Vector c) {
    // Not the intrinsic: g++ 12 keeps a copy of each sum beside it.
    asm("vdpbf16ps %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
    return c;
  }

  template <int V, Update kUpdate>
  static void store(const Vector (&sum)[1][V], const TileArguments<uint32_t, float, float>& t,
                    float* c, Mask mask) {
    TileArguments<float, float, float> scales{};
    scales.alpha = t.alpha;
    scales.beta = t.beta;
    RealArithmetic<float>::store<V, kUpdate>(sum, scales, c, mask);
  }
};

constexpr GemmKernels<uint32_t, float> make() {
  GemmKernels<uint32_t, float> set{};
  set.lanes = 16;
  set.lane_shift = 4;
  set.vectors = 3;
  set.columns = 8;
  add_row_tiles<PairArithmetic, 1, 8>(set);
  add_row_tiles<PairArithmetic, 2, 8>(set);
  add_row_tiles<PairArithmetic, 3, 8>(set);
  return set;
}

void copy(int64_t width, int64_t k, const uint16_t* x, int64_t ld, uint32_t* out, int64_t panel) {
  for (int64_t w = 0; w < panel; w += 16) {
    const __mmask16 in = words(std::max<int64_t>(width - w, 0));
    const __mmask16 store = words(panel - w);
    uint32_t* to = out + w;
    for (int64_t p = 0; p < k; p += 2, to += panel) {
      const uint16_t* from = x + p * ld + w;
      const __m512i even = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(in, from));
      __m512i odd = _mm512_setzero_si512();
      if (p + 1 < k) odd = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(in, from + ld));
      _mm512_mask_storeu_epi32(to, store, _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
    }
  }
}

void transpose(int64_t width, int64_t k, const uint16_t* x, int64_t ld, uint32_t* out,
               int64_t panel) {
  const int64_t whole = k / 2;
  pack_words(width, whole, reinterpret_cast<const char*>(x), 2 * ld, out, panel);
  if (k % 2 == 0) return;
  for (int64_t i = 0; i < panel; ++i) {
    out[whole * panel + i] = i < width ? x[i * ld + k - 1] : 0u;
  }
}

}  // namespace

constinit const GemmKernels<uint32_t, float> gemm_bf16 = make();
constinit const Packing<uint16_t, uint32_t> bf16_pairs{copy, transpose};

}  // namespace guda::kernels::avx512
