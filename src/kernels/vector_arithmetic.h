// Arithmetic for gemm_tile.h in the compiler's vector types: what instruction set that becomes is up to
// how the including file is compiled. Also packing in plain loops.
#pragma once

#include <complex>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/gemm_tile.h"

namespace guda::kernels {
namespace {

/// Real sums in vectors of kBytes.
template <class T, int kBytes>
struct VectorArithmetic {
  using In = T;
  using Out = T;
  using Scale = T;
  typedef T Vector __attribute__((vector_size(kBytes)));
  using Mask = int;  // rows
  static constexpr int kLanes = kBytes / sizeof(T);
  static constexpr int kParts = 1;

  static Mask mask(int rows) { return rows; }
  static Vector zero() { return Vector{}; }
  static Vector load(const T* p) {
    Vector x;
    std::memcpy(&x, p, sizeof(x));
    return x;
  }
  static Vector load(const T* p, Mask rows) {
    if (rows == kLanes) return load(p);
    Vector x{};
    for (int i = 0; i < rows; ++i) x[i] = p[i];
    return x;
  }
  static Vector broadcast(const T* p, int) { return *p - Vector{}; }  // + would turn -0 into 0
  static Vector multiply_add(Vector a, Vector b, Vector c) { return a * b + c; }

  template <int V, Update kUpdate>
  static void store(const Vector (&sum)[1][V], const TileArguments<T, T, T>& t, T* c, Mask rows) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v, c += kLanes) {
      const int count = v == V - 1 ? rows : kLanes;
      Vector x = sum[0][v];
      if constexpr (kUpdate != Update::assign) x = x * t.alpha;
      if constexpr (kUpdate == Update::add) x = load(c, count) * t.beta + x;
      std::memcpy(c, &x, static_cast<size_t>(count) * sizeof(T));
    }
  }
};

/// Complex sums: as avx512/complex_arithmetic.h has it, put together in scalar code.
template <class R, int kBytes>
struct ComplexVectorArithmetic {
  using In = std::complex<R>;
  using Out = In;
  using Scale = In;
  using Real = VectorArithmetic<R, kBytes>;
  using Vector = typename Real::Vector;
  using Mask = int;
  static constexpr int kLanes = Real::kLanes / 2;
  static constexpr int kParts = 2;

  static Mask mask(int rows) { return 2 * rows; }
  static Vector zero() { return Vector{}; }
  static Vector load(const In* p) { return Real::load(reinterpret_cast<const R*>(p)); }
  static Vector load(const In* p, Mask m) { return Real::load(reinterpret_cast<const R*>(p), m); }
  static Vector broadcast(const In* p, int part) {
    return reinterpret_cast<const R*>(p)[part] - Vector{};
  }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return a * b + c; }

  template <int V, Update kUpdate>
  static void store(const Vector (&sum)[2][V], const TileArguments<In, Out, Scale>& t, Out* c,
                    Mask mask) {
    const R a_sign = t.conjugate_a ? R(-1) : R(1);
    const R b_sign = t.conjugate_b ? R(-1) : R(1);
    const auto scale = [](R re, R im, In s) {
      return In(re * s.real() - im * s.imag(), im * s.real() + re * s.imag());
    };
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      // Lanes by index from memory, so that the sums themselves stay in registers.
      R by_re[2 * kLanes];
      R by_im[2 * kLanes];
      std::memcpy(by_re, &sum[0][v], sizeof(by_re));
      std::memcpy(by_im, &sum[1][v], sizeof(by_im));
      const int count = v == V - 1 ? mask / 2 : kLanes;
      for (int i = 0; i < count; ++i, ++c) {
        const R re = by_re[2 * i] - a_sign * b_sign * by_im[2 * i + 1];
        const R im = a_sign * by_re[2 * i + 1] + b_sign * by_im[2 * i];
        In x(re, im);
        if constexpr (kUpdate != Update::assign) x = scale(re, im, t.alpha);
        if constexpr (kUpdate == Update::add) x += scale(c->real(), c->imag(), t.beta);
        *c = x;
      }
    }
  }
};

template <class From, class To, class Convert>
void pack_plainly(int64_t width, int64_t k, const From* x, int64_t row_step, int64_t k_step,
                  To* out, int64_t panel, Convert convert) {
  for (int64_t p = 0; p < k; ++p, x += k_step, out += panel) {
    if (row_step == 1) {
      for (int64_t i = 0; i < width; ++i) out[i] = convert(x[i]);
    } else {
      for (int64_t i = 0; i < width; ++i) out[i] = convert(x[i * row_step]);
    }
    for (int64_t i = width; i < panel; ++i) out[i] = To();
  }
}

template <class T>
void copy_plainly(int64_t width, int64_t k, const T* x, int64_t ld, T* out, int64_t panel) {
  pack_plainly(width, k, x, 1, ld, out, panel, [](T value) { return value; });
}

template <class T>
void transpose_plainly(int64_t width, int64_t k, const T* x, int64_t ld, T* out, int64_t panel) {
  pack_plainly(width, k, x, ld, 1, out, panel, [](T value) { return value; });
}

/// All tiles that fit 16 registers.
template <class X>
constexpr GemmKernels<typename X::In> tiles_for_16_registers() {
  GemmKernels<typename X::In> set{};
  set.lanes = X::kLanes;
  for (int shift = 0; 1 << shift <= X::kLanes; ++shift) set.lane_shift = shift;
  set.vectors = 2;
  set.columns = 6 / X::kParts;
  add_tiles<X, 1, 12 / X::kParts>(set);
  add_tiles<X, 2, 6 / X::kParts>(set);
  add_tiles<X, 3, 4 / X::kParts>(set);
  add_tiles<X, 4, 2 / X::kParts>(set);
  set.packing = {copy_plainly<typename X::In>, transpose_plainly<typename X::In>};
  return set;
}

}  // namespace
}  // namespace guda::kernels
