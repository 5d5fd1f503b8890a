// Complex sums in 512-bit registers, for gemm_tile.h. A register holds interleaved real and imaginary
// parts of A; the real and the imaginary part of each element of B multiply it into a sum of their own,
// and only the finished sums are put together:
//
//   real(a b) = a.re b.re - a.im b.im,  imag(a b) = a.im b.re + a.re b.im
//
// so that complex products run at the rate of real ones, straight from the caller's matrices, and
// conjugation is a matter of two signs at the end.
#pragma once

#include <immintrin.h>

#include <complex>

#include "kernels/gemm_tile.h"

namespace guda::kernels::avx512 {
namespace {

template <class T>
struct ComplexArithmetic;

template <>
struct ComplexArithmetic<float> {
  using In = std::complex<float>;
  using Out = In;
  using Scale = In;
  using Vector = __m512;
  using Mask = __mmask16;
  static constexpr int kLanes = 8;
  static constexpr int kParts = 2;

  static Mask mask(int rows) { return static_cast<Mask>(0xffffu >> (16 - 2 * rows)); }
  static Vector zero() { return _mm512_setzero_ps(); }
  static Vector load(const In* p) { return _mm512_loadu_ps(p); }
  static Vector load(const In* p, Mask m) { return _mm512_maskz_loadu_ps(m, p); }
  static Vector broadcast(const In* p, int part) {
    return _mm512_set1_ps(reinterpret_cast<const float*>(p)[part]);
  }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }

  // x * s for interleaved x: even lanes re - im, odd lanes im + re.
  static Vector scale(Vector x, Vector re, Vector im) {
    return _mm512_fmaddsub_ps(x, re, _mm512_mul_ps(_mm512_permute_ps(x, 0xb1), im));
  }

  template <int V, Update kUpdate>
  static void store(const Vector (&sum)[2][V], const TileArguments<In, Out, Scale>& t, Out* c,
                    Mask mask) {
    const Vector signs = swapped_signs(t.conjugate_a, t.conjugate_b);
    const Mask odd = t.conjugate_a ? Mask{0xaaaa} : Mask{0};
    const Vector negative = _mm512_set1_ps(-0.0f);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const Mask m = v == V - 1 ? mask : Mask{0xffff};
      // (a.re b.re, a.im b.re) with the sign of a.im, and (a.im b.im, a.re b.im) swapped into place.
      const Vector direct = _mm512_mask_xor_ps(sum[0][v], odd, sum[0][v], negative);
      const Vector swapped = _mm512_xor_ps(_mm512_permute_ps(sum[1][v], 0xb1), signs);
      Vector x = _mm512_add_ps(direct, swapped);
      if constexpr (kUpdate != Update::assign) {
        x = scale(x, _mm512_set1_ps(t.alpha.real()), _mm512_set1_ps(t.alpha.imag()));
      }
      if constexpr (kUpdate == Update::add) {
        const Vector old = _mm512_maskz_loadu_ps(m, c + kLanes * v);
        x = _mm512_add_ps(x,
                          scale(old, _mm512_set1_ps(t.beta.real()), _mm512_set1_ps(t.beta.imag())));
      }
      _mm512_mask_storeu_ps(c + kLanes * v, m, x);
    }
  }

 private:
  // Sign of a.im b.im in the real part (minus, but for one conjugate) and of a.re b.im in the
  // imaginary part (plus, but for conjugate b).
  static Vector swapped_signs(bool conjugate_a, bool conjugate_b) {
    const float real = conjugate_a == conjugate_b ? -0.0f : 0.0f;
    const float imag = conjugate_b ? -0.0f : 0.0f;
    return _mm512_mask_blend_ps(Mask{0xaaaa}, _mm512_set1_ps(real), _mm512_set1_ps(imag));
  }
};

template <>
struct ComplexArithmetic<double> {
  using In = std::complex<double>;
  using Out = In;
  using Scale = In;
  using Vector = __m512d;
  using Mask = __mmask8;
  static constexpr int kLanes = 4;
  static constexpr int kParts = 2;

  static Mask mask(int rows) { return static_cast<Mask>(0xffu >> (8 - 2 * rows)); }
  static Vector zero() { return _mm512_setzero_pd(); }
  static Vector load(const In* p) { return _mm512_loadu_pd(p); }
  static Vector load(const In* p, Mask m) { return _mm512_maskz_loadu_pd(m, p); }
  static Vector broadcast(const In* p, int part) {
    return _mm512_set1_pd(reinterpret_cast<const double*>(p)[part]);
  }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_pd(a, b, c); }

  // x * s for interleaved x: even lanes re - im, odd lanes im + re.
  static Vector scale(Vector x, Vector re, Vector im) {
    return _mm512_fmaddsub_pd(x, re, _mm512_mul_pd(_mm512_permute_pd(x, 0x55), im));
  }

  template <int V, Update kUpdate>
  static void store(const Vector (&sum)[2][V], const TileArguments<In, Out, Scale>& t, Out* c,
                    Mask mask) {
    const Vector signs = swapped_signs(t.conjugate_a, t.conjugate_b);
    const Mask odd = t.conjugate_a ? Mask{0xaa} : Mask{0};
    const Vector negative = _mm512_set1_pd(-0.0);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const Mask m = v == V - 1 ? mask : Mask{0xff};
      // (a.re b.re, a.im b.re) with the sign of a.im, and (a.im b.im, a.re b.im) swapped into place.
      const Vector direct = _mm512_mask_xor_pd(sum[0][v], odd, sum[0][v], negative);
      const Vector swapped = _mm512_xor_pd(_mm512_permute_pd(sum[1][v], 0x55), signs);
      Vector x = _mm512_add_pd(direct, swapped);
      if constexpr (kUpdate != Update::assign) {
        x = scale(x, _mm512_set1_pd(t.alpha.real()), _mm512_set1_pd(t.alpha.imag()));
      }
      if constexpr (kUpdate == Update::add) {
        const Vector old = _mm512_maskz_loadu_pd(m, c + kLanes * v);
        x = _mm512_add_pd(x,
                          scale(old, _mm512_set1_pd(t.beta.real()), _mm512_set1_pd(t.beta.imag())));
      }
      _mm512_mask_storeu_pd(c + kLanes * v, m, x);
    }
  }

 private:
  // Sign of a.im b.im in the real part (minus, but for one conjugate) and of a.re b.im in the
  // imaginary part (plus, but for conjugate b).
  static Vector swapped_signs(bool conjugate_a, bool conjugate_b) {
    const double real = conjugate_a == conjugate_b ? -0.0 : 0.0;
    const double imag = conjugate_b ? -0.0 : 0.0;
    return _mm512_mask_blend_pd(Mask{0xaa}, _mm512_set1_pd(real), _mm512_set1_pd(imag));
  }
};

}  // namespace
}  // namespace guda::kernels::avx512
