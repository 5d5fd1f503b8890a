// f32 and f64 sums in 512-bit registers, for gemm_tile.h.
#pragma once

#include <immintrin.h>

#include <type_traits>

#include "kernels/gemm_tile.h"

namespace guda::kernels::avx512 {
namespace {

template <class T>
struct RealArithmetic;

template <>
struct RealArithmetic<float> {
  using In = float;
  using Out = float;
  using Scale = float;
  using Vector = __m512;
  using Mask = __mmask16;
  static constexpr int kLanes = 16;
  static constexpr int kParts = 1;

  static Mask mask(int rows) { return static_cast<Mask>(0xffffu >> (16 - rows)); }
  static Vector zero() { return _mm512_setzero_ps(); }
  static Vector load(const float* p) { return _mm512_loadu_ps(p); }
  static Vector load(const float* p, Mask m) { return _mm512_maskz_loadu_ps(m, p); }
  static Vector broadcast(const float* p, int) { return _mm512_set1_ps(*p); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }

  template <int V, Update kUpdate>
  static void store(const Vector (&sum)[1][V], const TileArguments<float, float, float>& t,
                    float* c, Mask mask) {
    const Vector alpha = _mm512_set1_ps(t.alpha);
    const Vector beta = _mm512_set1_ps(t.beta);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const Mask m = v == V - 1 ? mask : Mask{0xffff};
      Vector x = sum[0][v];
      if constexpr (kUpdate != Update::assign) x = _mm512_mul_ps(x, alpha);
      if constexpr (kUpdate == Update::add)
        x = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(m, c + 16 * v), beta, x);
      _mm512_mask_storeu_ps(c + 16 * v, m, x);
    }
  }
};

template <>
struct RealArithmetic<double> {
  using In = double;
  using Out = double;
  using Scale = double;
  using Vector = __m512d;
  using Mask = __mmask8;
  static constexpr int kLanes = 8;
  static constexpr int kParts = 1;

  static Mask mask(int rows) { return static_cast<Mask>(0xffu >> (8 - rows)); }
  static Vector zero() { return _mm512_setzero_pd(); }
  static Vector load(const double* p) { return _mm512_loadu_pd(p); }
  static Vector load(const double* p, Mask m) { return _mm512_maskz_loadu_pd(m, p); }
  static Vector broadcast(const double* p, int) { return _mm512_set1_pd(*p); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_pd(a, b, c); }

  template <int V, Update kUpdate>
  static void store(const Vector (&sum)[1][V], const TileArguments<double, double, double>& t,
                    double* c, Mask mask) {
    const Vector alpha = _mm512_set1_pd(t.alpha);
    const Vector beta = _mm512_set1_pd(t.beta);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const Mask m = v == V - 1 ? mask : Mask{0xff};
      Vector x = sum[0][v];
      if constexpr (kUpdate != Update::assign) x = _mm512_mul_pd(x, alpha);
      if constexpr (kUpdate == Update::add)
        x = _mm512_fmadd_pd(_mm512_maskz_loadu_pd(m, c + 8 * v), beta, x);
      _mm512_mask_storeu_pd(c + 8 * v, m, x);
    }
  }
};

template <class T>
struct HalfArithmetic;

/// Half a register: at most 8 rows.
template <>
struct HalfArithmetic<float> {
  using In = float;
  using Out = float;
  using Scale = float;
  using Vector = __m256;
  using Mask = __mmask8;
  static constexpr int kLanes = 8;
  static constexpr int kParts = 1;

  static Mask mask(int rows) { return static_cast<Mask>(0xffu >> (8 - rows)); }
  static Vector zero() { return _mm256_setzero_ps(); }
  static Vector load(const float* p) { return _mm256_loadu_ps(p); }
  static Vector load(const float* p, Mask m) { return _mm256_maskz_loadu_ps(m, p); }
  static Vector broadcast(const float* p, int) { return _mm256_set1_ps(*p); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }

  template <int V, Update kUpdate>
  static void store(const Vector (&sum)[1][V], const TileArguments<float, float, float>& t,
                    float* c, Mask m) {
    static_assert(V == 1);
    Vector x = sum[0][0];
    if constexpr (kUpdate != Update::assign) x = _mm256_mul_ps(x, _mm256_set1_ps(t.alpha));
    if constexpr (kUpdate == Update::add)
      x = _mm256_fmadd_ps(_mm256_maskz_loadu_ps(m, c), _mm256_set1_ps(t.beta), x);
    _mm256_mask_storeu_ps(c, m, x);
  }
};

/// Half a register: at most 4 rows.
template <>
struct HalfArithmetic<double> {
  using In = double;
  using Out = double;
  using Scale = double;
  using Vector = __m256d;
  using Mask = __mmask8;
  static constexpr int kLanes = 4;
  static constexpr int kParts = 1;

  static Mask mask(int rows) { return static_cast<Mask>(0xfu >> (4 - rows)); }
  static Vector zero() { return _mm256_setzero_pd(); }
  static Vector load(const double* p) { return _mm256_loadu_pd(p); }
  static Vector load(const double* p, Mask m) { return _mm256_maskz_loadu_pd(m, p); }
  static Vector broadcast(const double* p, int) { return _mm256_set1_pd(*p); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm256_fmadd_pd(a, b, c); }

  template <int V, Update kUpdate>
  static void store(const Vector (&sum)[1][V], const TileArguments<double, double, double>& t,
                    double* c, Mask m) {
    static_assert(V == 1);
    Vector x = sum[0][0];
    if constexpr (kUpdate != Update::assign) x = _mm256_mul_pd(x, _mm256_set1_pd(t.alpha));
    if constexpr (kUpdate == Update::add)
      x = _mm256_fmadd_pd(_mm256_maskz_loadu_pd(m, c), _mm256_set1_pd(t.beta), x);
    _mm256_mask_storeu_pd(c, m, x);
  }
};

}  // namespace
}  // namespace guda::kernels::avx512
