// Products with symmetric and Hermitian matrices: recursion on gemm until a diagonal block is small enough
// to be written out in full.
#include <algorithm>

#include "blas/level3.h"
#include "blas/scratch.h"

namespace guda::blas {
namespace {

constexpr int64_t kFullBlock = 256;

// Both triangles of the block into `full`, n x n without gaps.
template <bool hermitian, class T>
void write_out(Triangle uplo, int64_t n, const T* a, int64_t lda, T* full) {
  for (int64_t j = 0; j < n; ++j) {
    const int64_t first = uplo == Triangle::upper ? 0 : j;
    const int64_t last = uplo == Triangle::upper ? j + 1 : n;
    for (int64_t i = first; i < last; ++i) {
      const T value = a[i + j * lda];
      full[i + j * n] = value;
      full[j + i * n] = hermitian ? conjugate(value) : value;
    }
    if constexpr (hermitian) full[j + j * n] = T(real_part(a[j + j * lda]));
  }
}

template <bool hermitian, class T>
struct SymmetricProduct {
  Side side;
  Triangle uplo;
  int64_t others;  // columns (left) or rows (right) of B and C
  T alpha;
  int64_t lda, ldb, ldc;

  void run(int64_t n, const T* a, const T* b, T beta, T* c) const {
    if (n <= kFullBlock) {
      Scratch<T> full(n * n);
      write_out<hermitian>(uplo, n, a, lda, full.data());
      if (side == Side::left)
        gemm(Transpose::no, Transpose::no, n, others, n, alpha, full.data(), n, b, ldb, beta, c,
             ldc);
      else
        gemm(Transpose::no, Transpose::no, others, n, n, alpha, b, ldb, full.data(), n, beta, c,
             ldc);
      return;
    }
    const int64_t half = (n / 2 + kFullBlock - 1) / kFullBlock * kFullBlock;
    const int64_t rest = n - half;
    const T* stored = uplo == Triangle::upper ? a + half * lda : a + half;
    const T* b2 = side == Side::left ? b + half : b + half * ldb;
    T* c2 = side == Side::left ? c + half : c + half * ldc;
    run(half, a, b, beta, c);
    run(rest, a + half + half * lda, b2, beta, c2);
    // The stored block is A12 (upper) or A21 (lower); the other is its mirror image.
    const Transpose mirror = hermitian ? Transpose::conjugate : Transpose::yes;
    const Transpose a12 = uplo == Triangle::upper ? Transpose::no : mirror;
    const Transpose a21 = uplo == Triangle::upper ? mirror : Transpose::no;
    if (side == Side::left) {
      gemm(a12, Transpose::no, half, others, rest, alpha, stored, lda, b2, ldb, T(1), c, ldc);
      gemm(a21, Transpose::no, rest, others, half, alpha, stored, lda, b, ldb, T(1), c2, ldc);
    } else {
      gemm(Transpose::no, a21, others, half, rest, alpha, b2, ldb, stored, lda, T(1), c, ldc);
      gemm(Transpose::no, a12, others, rest, half, alpha, b, ldb, stored, lda, T(1), c2, ldc);
    }
  }
};

template <bool hermitian, class T>
void multiply(Side side, Triangle uplo, int64_t m, int64_t n, T alpha, const T* a, int64_t lda,
              const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  if (m <= 0 || n <= 0 || (alpha == T(0) && beta == T(1))) return;
  if (alpha == T(0)) {
    gemm(Transpose::no, Transpose::no, m, n, 0, alpha, b, ldb, a, lda, beta, c, ldc);
    return;
  }
  const bool left = side == Side::left;
  SymmetricProduct<hermitian, T>{side, uplo, left ? n : m, alpha, lda, ldb, ldc}.run(left ? m : n,
                                                                                     a, b, beta, c);
}

}  // namespace

template <class T>
void symm(Side side, Triangle uplo, int64_t m, int64_t n, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  multiply<false>(side, uplo, m, n, alpha, a, lda, b, ldb, beta, c, ldc);
}

template <class T>
void hemm(Side side, Triangle uplo, int64_t m, int64_t n, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  multiply<true>(side, uplo, m, n, alpha, a, lda, b, ldb, beta, c, ldc);
}

#define GUDA_INSTANTIATE(T)                                                                        \
  template void symm(Side, Triangle, int64_t, int64_t, T, const T*, int64_t, const T*, int64_t, T, \
                     T*, int64_t);                                                                 \
  template void hemm(Side, Triangle, int64_t, int64_t, T, const T*, int64_t, const T*, int64_t, T, \
                     T*, int64_t);
GUDA_INSTANTIATE(float)
GUDA_INSTANTIATE(double)
GUDA_INSTANTIATE(std::complex<float>)
GUDA_INSTANTIATE(std::complex<double>)
#undef GUDA_INSTANTIATE

}  // namespace guda::blas
