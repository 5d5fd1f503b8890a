#include "peak.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>

namespace guda::bench {
namespace {

constexpr int kSteps = 4000;
constexpr int kSums = 12;

template <class Loop>
double best_rate(Loop loop, double operations) {
  double best = 0;
  for (int i = 0; i < 300; ++i) {
    const auto start = std::chrono::steady_clock::now();
    loop();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    best = std::max(best, operations / time.count());
  }
  return best;
}

#define GUDA_PEAK_LOOP(name, isa, Vector, init, step)                       \
  __attribute__((target(isa))) void name() {                                \
    Vector sum[kSums];                                                      \
    _Pragma("GCC unroll 12") for (int i = 0; i < kSums; ++i) sum[i] = init; \
    Vector x = init;                                                        \
    for (int k = 0; k < kSteps; ++k) {                                      \
      _Pragma("GCC unroll 12") for (int i = 0; i < kSums; ++i) {            \
        sum[i] = step;                                                      \
        asm volatile("" : "+v"(sum[i]));                                    \
      }                                                                     \
    }                                                                       \
  }

GUDA_PEAK_LOOP(fma_512, "avx512f", __m512, _mm512_set1_ps(1e-3f), _mm512_fmadd_ps(x, x, sum[i]))
GUDA_PEAK_LOOP(fma_256, "avx2,fma", __m256, _mm256_set1_ps(1e-3f), _mm256_fmadd_ps(x, x, sum[i]))
GUDA_PEAK_LOOP(dot_512, "avx512f,avx512vnni", __m512i, _mm512_set1_epi32(1),
               _mm512_dpbusd_epi32(sum[i], x, x))

}  // namespace

double peak_f32() {
  if (__builtin_cpu_supports("avx512f")) return best_rate(fma_512, 32.0 * kSteps * kSums);
  return best_rate(fma_256, 16.0 * kSteps * kSums);
}

double peak_int8() {
  if (!__builtin_cpu_supports("avx512vnni")) return 0;
  return best_rate(dot_512, 128.0 * kSteps * kSums);
}

}  // namespace guda::bench
