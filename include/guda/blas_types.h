// The arguments that all BLAS routines of GUDA share.
#pragma once

#include <complex>
#include <cstdint>

namespace guda::blas {

/// op(X): X, its transpose, its conjugate transpose (the transpose for real types).
enum class Transpose : uint8_t { no, yes, conjugate };
/// Which triangle of a symmetric, Hermitian or triangular matrix is stored; the other is never touched.
enum class Triangle : uint8_t { lower, upper };
/// `unit`: the diagonal is taken as ones and not read.
enum class Diagonal : uint8_t { stored, unit };
/// Whether the special matrix stands left or right of the general one.
enum class Side : uint8_t { left, right };

template <class T>
struct RealOf {
  using type = T;
};
template <class R>
struct RealOf<std::complex<R>> {
  using type = R;
};
/// float for float and std::complex<float>, double for the others.
template <class T>
using Real = typename RealOf<T>::type;

}  // namespace guda::blas
