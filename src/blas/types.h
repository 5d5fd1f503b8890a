// The arguments that all BLAS routines share, and what they mean.
//
// Matrices are column-major: element (i, j) of `a` is a[i + j * lda]. Vectors follow the BLAS rule for
// increments: element i of x is x[i * incx] when incx > 0 and x[(i - n + 1) * incx] when incx < 0, so
// that a pointer always names the lowest address. Sizes are int64_t everywhere. Arguments are taken to be
// valid: the ABI layers check them and report errors in their own way. A size of zero does nothing.
//
// Every routine is instantiated for float, double, std::complex<float> and std::complex<double> unless
// it says otherwise.
#pragma once

#include <guda/blas_types.h>

#include <type_traits>

#include "blas/gemm.h"

namespace guda::blas {

template <class T>
inline constexpr bool is_complex = !std::is_same_v<T, Real<T>>;

/// std::conj keeps real numbers real here.
template <class T>
constexpr T conjugate(T value) {
  if constexpr (is_complex<T>)
    return T(value.real(), -value.imag());
  else
    return value;
}

template <class T>
constexpr Real<T> real_part(T value) {
  if constexpr (is_complex<T>)
    return value.real();
  else
    return value;
}

/// a * b without the test for NaN that std::complex's operator makes.
template <class T>
constexpr T product(T a, T b) {
  if constexpr (is_complex<T>)
    return T(a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real());
  else
    return a * b;
}

/// |re| + |im|, the absolute value that BLAS uses in asum and iamax.
template <class T>
constexpr Real<T> absolute_sum(T value) {
  if constexpr (is_complex<T>) {
    return (value.real() < 0 ? -value.real() : value.real()) +
           (value.imag() < 0 ? -value.imag() : value.imag());
  } else {
    return value < 0 ? -value : value;
  }
}

/// First element in the order of a vector's indices.
template <class P>
constexpr P* first_element(P* x, int64_t n, int64_t increment) {
  return increment < 0 ? x - (n - 1) * increment : x;
}

}  // namespace guda::blas
