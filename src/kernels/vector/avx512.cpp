#include <immintrin.h>

#include <utility>

#include "kernels/vector/vector_kernels.h"

namespace guda::kernels {
namespace {

template <int columns>
struct Width {};

template <class R>
struct Simd;

template <>
struct Simd<float> {
  using V = float __attribute__((vector_size(64)));
  using I = int32_t __attribute__((vector_size(64)));
  using Half = float __attribute__((vector_size(32), aligned(4), may_alias));
  static constexpr int lanes = 16;
  static constexpr int registers = 32;
  static constexpr int32_t kAbsoluteMask = 0x7fffffff;
  static constexpr float kInfinity = __builtin_inff();

  static __mmask16 first(int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }
  static V load(const float* p) { return (V)_mm512_loadu_ps(p); }
  static V load(const float* p, int64_t n) { return (V)_mm512_maskz_loadu_ps(first(n), p); }
  static void store(float* p, V v) { _mm512_storeu_ps(p, (__m512)v); }
  static void store(float* p, V v, int64_t n) { _mm512_mask_storeu_ps(p, first(n), (__m512)v); }
  using Mask = __mmask16;
  static V load_masked(const float* p, Mask mask) { return (V)_mm512_maskz_loadu_ps(mask, p); }
  static void store_masked(float* p, V v, Mask mask) { _mm512_mask_storeu_ps(p, mask, (__m512)v); }
  static V select(Mask mask, V a, V b) { return (V)_mm512_mask_mov_ps((__m512)b, mask, (__m512)a); }
  static Mask range(int64_t from, int64_t to) {
    return static_cast<Mask>(first(to) & ~first(from < 0 ? 0 : from));
  }
  static Mask both(Mask a, Mask b) { return static_cast<Mask>(a & b); }
  template <int i>
  static V broadcast_lane(V v) {
    return (V)_mm512_permutexvar_ps(_mm512_set1_epi32(i), (__m512)v);
  }
  static V swap_pairs(V v) { return (V)_mm512_permute_ps((__m512)v, 0xb1); }
  static __m256 halves(V v) {
    return _mm512_castps512_ps256((__m512)v) + _mm512_extractf32x8_ps((__m512)v, 1);
  }
  static void sum_eight(const V* v, float* sums) {
    const __m256 a = _mm256_hadd_ps(halves(v[0]), halves(v[1]));
    const __m256 b = _mm256_hadd_ps(halves(v[2]), halves(v[3]));
    const __m256 c = _mm256_hadd_ps(halves(v[4]), halves(v[5]));
    const __m256 d = _mm256_hadd_ps(halves(v[6]), halves(v[7]));
    const __m256 ab = _mm256_hadd_ps(a, b), cd = _mm256_hadd_ps(c, d);
    _mm256_storeu_ps(sums,
                     _mm256_permute2f128_ps(ab, cd, 0x20) + _mm256_permute2f128_ps(ab, cd, 0x31));
  }
  static void sum_pairs(V v, float* sums) {
    const __m256 half = halves(v);
    const __m128 quarter = _mm256_castps256_ps128(half) + _mm256_extractf128_ps(half, 1);
    sums[0] = quarter[0] + quarter[2];
    sums[1] = quarter[1] + quarter[3];
  }
  static V max(V a, V b) { return (V)_mm512_max_ps((__m512)a, (__m512)b); }
  static V min(V a, V b) { return (V)_mm512_min_ps((__m512)a, (__m512)b); }
  static int count_equal(V a, V b) {
    return __builtin_popcount(_mm512_cmpeq_ps_mask((__m512)a, (__m512)b));
  }
  static float sum(V v) { return _mm512_reduce_add_ps((__m512)v); }
};

template <>
struct Simd<double> {
  using V = double __attribute__((vector_size(64)));
  using I = int64_t __attribute__((vector_size(64)));
  static constexpr int lanes = 8;
  static constexpr int registers = 32;
  static constexpr int64_t kAbsoluteMask = 0x7fffffffffffffff;
  static constexpr double kInfinity = __builtin_inf();

  static __mmask8 first(int64_t n) { return static_cast<__mmask8>((1u << n) - 1); }
  static V load(const double* p) { return (V)_mm512_loadu_pd(p); }
  static V load(const double* p, int64_t n) { return (V)_mm512_maskz_loadu_pd(first(n), p); }
  static void store(double* p, V v) { _mm512_storeu_pd(p, (__m512d)v); }
  static void store(double* p, V v, int64_t n) { _mm512_mask_storeu_pd(p, first(n), (__m512d)v); }
  using Mask = __mmask8;
  static V load_masked(const double* p, Mask mask) { return (V)_mm512_maskz_loadu_pd(mask, p); }
  static void store_masked(double* p, V v, Mask mask) {
    _mm512_mask_storeu_pd(p, mask, (__m512d)v);
  }
  static V select(Mask mask, V a, V b) {
    return (V)_mm512_mask_mov_pd((__m512d)b, mask, (__m512d)a);
  }
  static Mask range(int64_t from, int64_t to) {
    return static_cast<Mask>(first(to) & ~first(from < 0 ? 0 : from));
  }
  static Mask both(Mask a, Mask b) { return static_cast<Mask>(a & b); }
  template <int i>
  static V broadcast_lane(V v) {
    return (V)_mm512_permutexvar_pd(_mm512_set1_epi64(i), (__m512d)v);
  }
  static V swap_pairs(V v) { return (V)_mm512_permute_pd((__m512d)v, 0x55); }
  static __m256d halves(V v) {
    return _mm512_castpd512_pd256((__m512d)v) + _mm512_extractf64x4_pd((__m512d)v, 1);
  }
  static void sum_four(const V* v, double* sums) {
    const __m256d a = _mm256_hadd_pd(halves(v[0]), halves(v[1]));
    const __m256d b = _mm256_hadd_pd(halves(v[2]), halves(v[3]));
    _mm256_storeu_pd(sums, _mm256_permute2f128_pd(a, b, 0x20) + _mm256_permute2f128_pd(a, b, 0x31));
  }
  static void sum_eight(const V* v, double* sums) {
    sum_four(v, sums);
    sum_four(v + 4, sums + 4);
  }
  static void sum_pairs(V v, double* sums) {
    const __m256d half = halves(v);
    const __m128d quarter = _mm256_castpd256_pd128(half) + _mm256_extractf128_pd(half, 1);
    sums[0] = quarter[0];
    sums[1] = quarter[1];
  }
  static V max(V a, V b) { return (V)_mm512_max_pd((__m512d)a, (__m512d)b); }
  static V min(V a, V b) { return (V)_mm512_min_pd((__m512d)a, (__m512d)b); }
  static int count_equal(V a, V b) {
    return __builtin_popcount(_mm512_cmpeq_pd_mask((__m512d)a, (__m512d)b));
  }
  static double sum(V v) { return _mm512_reduce_add_pd((__m512d)v); }
};

#include "kernels/vector/vector_kernels_impl.h"
// After what it uses.
#include "kernels/vector/triangle_kernels_impl.h"

bool supported() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("fma");
}

}  // namespace

const VectorKernelSet kAvx512VectorKernels = {
    "avx512",
    supported,
    {&Kernels<float>::table, &TriangleKernels<float>::table},
    {&Kernels<double>::table, &TriangleKernels<double>::table},
    {&Kernels<std::complex<float>>::table, &TriangleKernels<std::complex<float>>::table},
    {&Kernels<std::complex<double>>::table, &TriangleKernels<std::complex<double>>::table},
    &kWideTable,
};

}  // namespace guda::kernels
