// BLAS level 2: a matrix and one or two vectors. See types.h. beta == 0 does not read y; alpha == 0 does
// not read the matrix or x. Vectors must not overlap the matrix or each other.
//
// Storage besides the plain column-major one:
//   band     general: A(i, j) at a[ku + i - j + j * lda] for j - ku <= i <= j + kl, lda >= kl + ku + 1;
//            upper with k superdiagonals: a[k + i - j + j * lda]; lower: a[i - j + j * lda]
//   packed   the columns of the triangle one after the other
#pragma once

#include "blas/types.h"

namespace guda::blas {

/// y = alpha op(A) x + beta y, A is m x n.
template <class T>
void gemv(Transpose trans, int64_t m, int64_t n, T alpha, const T* a, int64_t lda, const T* x,
          int64_t incx, T beta, T* y, int64_t incy);
/// The same with a band matrix of kl sub- and ku superdiagonals.
template <class T>
void gbmv(Transpose trans, int64_t m, int64_t n, int64_t kl, int64_t ku, T alpha, const T* a,
          int64_t lda, const T* x, int64_t incx, T beta, T* y, int64_t incy);

/// y = alpha A x + beta y with a symmetric A (also complex symmetric) ...
template <class T>
void symv(Triangle uplo, int64_t n, T alpha, const T* a, int64_t lda, const T* x, int64_t incx,
          T beta, T* y, int64_t incy);
template <class T>
void sbmv(Triangle uplo, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* x,
          int64_t incx, T beta, T* y, int64_t incy);
template <class T>
void spmv(Triangle uplo, int64_t n, T alpha, const T* ap, const T* x, int64_t incx, T beta, T* y,
          int64_t incy);
/// ... and with a Hermitian one: imaginary parts of its diagonal are taken as zero. For real types the
/// same as the symmetric routines.
template <class T>
void hemv(Triangle uplo, int64_t n, T alpha, const T* a, int64_t lda, const T* x, int64_t incx,
          T beta, T* y, int64_t incy);
template <class T>
void hbmv(Triangle uplo, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* x,
          int64_t incx, T beta, T* y, int64_t incy);
template <class T>
void hpmv(Triangle uplo, int64_t n, T alpha, const T* ap, const T* x, int64_t incx, T beta, T* y,
          int64_t incy);

/// x = op(A) x, A triangular: dense, band, packed.
template <class T>
void trmv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* a, int64_t lda, T* x,
          int64_t incx);
template <class T>
void tbmv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, int64_t k, const T* a,
          int64_t lda, T* x, int64_t incx);
template <class T>
void tpmv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* ap, T* x,
          int64_t incx);

/// Solves op(A) x' = x, A triangular. A zero on the diagonal gives infinities or NaN; nothing is tested.
template <class T>
void trsv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* a, int64_t lda, T* x,
          int64_t incx);
template <class T>
void tbsv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, int64_t k, const T* a,
          int64_t lda, T* x, int64_t incx);
template <class T>
void tpsv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* ap, T* x,
          int64_t incx);

/// A += alpha x y^T (ger, geru) or alpha x y^H (gerc; the same for real types), A is m x n.
template <class T>
void ger(int64_t m, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy, T* a,
         int64_t lda);
template <class T>
void gerc(int64_t m, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy, T* a,
          int64_t lda);

/// A += alpha x x^T; Hermitian: A += alpha x x^H with a real alpha, and the diagonal becomes real.
template <class T>
void syr(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, T* a, int64_t lda);
template <class T>
void spr(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, T* ap);
template <class T>
void her(Triangle uplo, int64_t n, Real<T> alpha, const T* x, int64_t incx, T* a, int64_t lda);
template <class T>
void hpr(Triangle uplo, int64_t n, Real<T> alpha, const T* x, int64_t incx, T* ap);

/// A += alpha (x y^T + y x^T); Hermitian: alpha x y^H + conj(alpha) y x^H.
template <class T>
void syr2(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy,
          T* a, int64_t lda);
template <class T>
void spr2(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy,
          T* ap);
template <class T>
void her2(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy,
          T* a, int64_t lda);
template <class T>
void hpr2(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy,
          T* ap);

}  // namespace guda::blas
