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
  using V = float __attribute__((vector_size(32)));
  using I = int32_t __attribute__((vector_size(32)));
  using Half = float __attribute__((vector_size(16), aligned(4), may_alias));
  static constexpr int lanes = 8;
  static constexpr int registers = 16;
  static constexpr int32_t kAbsoluteMask = 0x7fffffff;
  static constexpr float kInfinity = __builtin_inff();

  static __m256i first(int64_t n) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), index);
  }
  static V load(const float* p) { return (V)_mm256_loadu_ps(p); }
  static V load(const float* p, int64_t n) { return (V)_mm256_maskload_ps(p, first(n)); }
  static void store(float* p, V v) { _mm256_storeu_ps(p, (__m256)v); }
  static void store(float* p, V v, int64_t n) { _mm256_maskstore_ps(p, first(n), (__m256)v); }
  using Mask = __m256i;
  static V load_masked(const float* p, Mask mask) { return (V)_mm256_maskload_ps(p, mask); }
  static void store_masked(float* p, V v, Mask mask) { _mm256_maskstore_ps(p, mask, (__m256)v); }
  static V select(Mask mask, V a, V b) {
    return (V)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
  }
  static Mask range(int64_t from, int64_t to) {
    return _mm256_andnot_si256(first(from), first(to));
  }
  static Mask both(Mask a, Mask b) { return _mm256_and_si256(a, b); }
  template <int i>
  static V broadcast_lane(V v) {
    return (V)_mm256_permutevar8x32_ps((__m256)v, _mm256_set1_epi32(i));
  }
  static V swap_pairs(V v) { return (V)_mm256_permute_ps((__m256)v, 0xb1); }
  static void sum_eight(const V* v, float* sums) {
    const __m256 a = _mm256_hadd_ps((__m256)v[0], (__m256)v[1]);
    const __m256 b = _mm256_hadd_ps((__m256)v[2], (__m256)v[3]);
    const __m256 c = _mm256_hadd_ps((__m256)v[4], (__m256)v[5]);
    const __m256 d = _mm256_hadd_ps((__m256)v[6], (__m256)v[7]);
    const __m256 ab = _mm256_hadd_ps(a, b), cd = _mm256_hadd_ps(c, d);
    _mm256_storeu_ps(sums,
                     _mm256_permute2f128_ps(ab, cd, 0x20) + _mm256_permute2f128_ps(ab, cd, 0x31));
  }
  static void sum_pairs(V v, float* sums) {
    sums[0] = (v[0] + v[4]) + (v[2] + v[6]);
    sums[1] = (v[1] + v[5]) + (v[3] + v[7]);
  }
  static V max(V a, V b) { return (V)_mm256_max_ps((__m256)a, (__m256)b); }
  static V min(V a, V b) { return (V)_mm256_min_ps((__m256)a, (__m256)b); }
  static int count_equal(V a, V b) {
    return __builtin_popcount(_mm256_movemask_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_EQ_OQ)));
  }
  static float sum(V v) {
    const auto a = _mm256_castps256_ps128((__m256)v) + _mm256_extractf128_ps((__m256)v, 1);
    return (a[0] + a[1]) + (a[2] + a[3]);
  }
};

template <>
struct Simd<double> {
  using V = double __attribute__((vector_size(32)));
  using I = int64_t __attribute__((vector_size(32)));
  static constexpr int lanes = 4;
  static constexpr int registers = 16;
  static constexpr int64_t kAbsoluteMask = 0x7fffffffffffffff;
  static constexpr double kInfinity = __builtin_inf();

  static __m256i first(int64_t n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
  }
  static V load(const double* p) { return (V)_mm256_loadu_pd(p); }
  static V load(const double* p, int64_t n) { return (V)_mm256_maskload_pd(p, first(n)); }
  static void store(double* p, V v) { _mm256_storeu_pd(p, (__m256d)v); }
  static void store(double* p, V v, int64_t n) { _mm256_maskstore_pd(p, first(n), (__m256d)v); }
  using Mask = __m256i;
  static V load_masked(const double* p, Mask mask) { return (V)_mm256_maskload_pd(p, mask); }
  static void store_masked(double* p, V v, Mask mask) { _mm256_maskstore_pd(p, mask, (__m256d)v); }
  static V select(Mask mask, V a, V b) {
    return (V)_mm256_blendv_pd((__m256d)b, (__m256d)a, (__m256d)mask);
  }
  static Mask range(int64_t from, int64_t to) {
    return _mm256_andnot_si256(first(from), first(to));
  }
  static Mask both(Mask a, Mask b) { return _mm256_and_si256(a, b); }
  template <int i>
  static V broadcast_lane(V v) {
    return (V)_mm256_permute4x64_pd((__m256d)v, 0x55 * i);
  }
  static V swap_pairs(V v) { return (V)_mm256_permute_pd((__m256d)v, 0x5); }
  static void sum_eight(const V* v, double* sums) {
    for (int i = 0; i < 8; ++i) sums[i] = sum(v[i]);
  }
  static void sum_pairs(V v, double* sums) {
    sums[0] = v[0] + v[2];
    sums[1] = v[1] + v[3];
  }
  static V max(V a, V b) { return (V)_mm256_max_pd((__m256d)a, (__m256d)b); }
  static V min(V a, V b) { return (V)_mm256_min_pd((__m256d)a, (__m256d)b); }
  static int count_equal(V a, V b) {
    return __builtin_popcount(
        _mm256_movemask_pd(_mm256_cmp_pd((__m256d)a, (__m256d)b, _CMP_EQ_OQ)));
  }
  static double sum(V v) { return (v[0] + v[1]) + (v[2] + v[3]); }
};

#include "kernels/vector/vector_kernels_impl.h"
// After what it uses.
#include "kernels/vector/triangle_kernels_impl.h"

bool supported() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

}  // namespace

const VectorKernelSet kAvx2VectorKernels = {
    "avx2",
    supported,
    {&Kernels<float>::table, &TriangleKernels<float>::table},
    {&Kernels<double>::table, &TriangleKernels<double>::table},
    {&Kernels<std::complex<float>>::table, &TriangleKernels<std::complex<float>>::table},
    {&Kernels<std::complex<double>>::table, &TriangleKernels<std::complex<double>>::table},
    &kWideTable,
};

}  // namespace guda::kernels
