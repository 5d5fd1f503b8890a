// The same routines for row-major matrices: column-major ones on the transposes, which is what row-major
// storage of a matrix is. Hermitian and conjugated operands need conjugated vectors, too, because
// the transpose of A^H is conj(A).
//
// Arguments mean what they mean in level2.h and level3.h, but element (i, j) of `a` is a[i * lda + j],
// packed triangles stand row by row, and bands as transposed column-major ones.
#pragma once

#include "blas/gemm.h"
#include "blas/level2.h"
#include "blas/level3.h"
#include "blas/scratch.h"

namespace guda::blas::row_major {

constexpr Triangle flipped(Triangle uplo) {
  return uplo == Triangle::upper ? Triangle::lower : Triangle::upper;
}
constexpr Side flipped(Side side) { return side == Side::left ? Side::right : Side::left; }
/// For operands that are not conjugated on their own: A^T of the transpose is A.
constexpr Transpose flipped(Transpose trans) {
  return trans == Transpose::no ? Transpose::yes : Transpose::no;
}

/// conj(x) as contiguous elements.
template <class T>
class ConjugatedVector {
 public:
  ConjugatedVector(int64_t n, const T* x, int64_t incx) : values_(n > 0 ? n : 0) {
    x = first_element(x, n, incx);
    for (int64_t i = 0; i < n; ++i) values_[i] = conjugate(x[i * incx]);
  }
  T* data() { return values_.data(); }

 private:
  Scratch<T> values_;
};

template <class T>
void conjugate_in_place(int64_t n, T* x, int64_t incx) {
  if constexpr (is_complex<T>) {
    if (n <= 0) return;
    x = first_element(x, n, incx);
    for (int64_t i = 0; i < n; ++i) x[i * incx] = conjugate(x[i * incx]);
  }
}

/// y = alpha conj(B) x + beta y by the routine for B, called as product(alpha, x, incx, beta, y).
template <class T, class Product>
void multiply_conjugated(int64_t nx, int64_t ny, T alpha, const T* x, int64_t incx, T beta, T* y,
                         int64_t incy, Product product) {
  if (beta != T(0)) conjugate_in_place(ny, y, incy);
  if (alpha == T(0)) {
    product(T(0), x, incx, conjugate(beta), y);
  } else {
    ConjugatedVector<T> in(nx, x, incx);
    product(conjugate(alpha), static_cast<const T*>(in.data()), int64_t{1}, conjugate(beta), y);
  }
  conjugate_in_place(ny, y, incy);
}

template <class T>
void gemv(Transpose trans, int64_t m, int64_t n, T alpha, const T* a, int64_t lda, const T* x,
          int64_t incx, T beta, T* y, int64_t incy) {
  if (!is_complex<T> || trans != Transpose::conjugate)
    return blas::gemv(flipped(trans), n, m, alpha, a, lda, x, incx, beta, y, incy);
  if (m <= 0 || n <= 0) return;
  multiply_conjugated(m, n, alpha, x, incx, beta, y, incy,
                      [&](T factor, const T* in, int64_t increment, T scale, T* out) {
                        blas::gemv(Transpose::no, n, m, factor, a, lda, in, increment, scale, out,
                                   incy);
                      });
}

template <class T>
void gbmv(Transpose trans, int64_t m, int64_t n, int64_t kl, int64_t ku, T alpha, const T* a,
          int64_t lda, const T* x, int64_t incx, T beta, T* y, int64_t incy) {
  if (!is_complex<T> || trans != Transpose::conjugate)
    return blas::gbmv(flipped(trans), n, m, ku, kl, alpha, a, lda, x, incx, beta, y, incy);
  if (m <= 0 || n <= 0) return;
  multiply_conjugated(m, n, alpha, x, incx, beta, y, incy,
                      [&](T factor, const T* in, int64_t increment, T scale, T* out) {
                        blas::gbmv(Transpose::no, n, m, ku, kl, factor, a, lda, in, increment,
                                   scale, out, incy);
                      });
}

template <class T>
void symv(Triangle uplo, int64_t n, T alpha, const T* a, int64_t lda, const T* x, int64_t incx,
          T beta, T* y, int64_t incy) {
  blas::symv(flipped(uplo), n, alpha, a, lda, x, incx, beta, y, incy);
}
template <class T>
void sbmv(Triangle uplo, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* x,
          int64_t incx, T beta, T* y, int64_t incy) {
  blas::sbmv(flipped(uplo), n, k, alpha, a, lda, x, incx, beta, y, incy);
}
template <class T>
void spmv(Triangle uplo, int64_t n, T alpha, const T* ap, const T* x, int64_t incx, T beta, T* y,
          int64_t incy) {
  blas::spmv(flipped(uplo), n, alpha, ap, x, incx, beta, y, incy);
}

template <class T>
void hemv(Triangle uplo, int64_t n, T alpha, const T* a, int64_t lda, const T* x, int64_t incx,
          T beta, T* y, int64_t incy) {
  multiply_conjugated(n, n, alpha, x, incx, beta, y, incy,
                      [&](T factor, const T* in, int64_t increment, T scale, T* out) {
                        blas::hemv(flipped(uplo), n, factor, a, lda, in, increment, scale, out,
                                   incy);
                      });
}
template <class T>
void hbmv(Triangle uplo, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* x,
          int64_t incx, T beta, T* y, int64_t incy) {
  multiply_conjugated(n, n, alpha, x, incx, beta, y, incy,
                      [&](T factor, const T* in, int64_t increment, T scale, T* out) {
                        blas::hbmv(flipped(uplo), n, k, factor, a, lda, in, increment, scale, out,
                                   incy);
                      });
}
template <class T>
void hpmv(Triangle uplo, int64_t n, T alpha, const T* ap, const T* x, int64_t incx, T beta, T* y,
          int64_t incy) {
  multiply_conjugated(n, n, alpha, x, incx, beta, y, incy,
                      [&](T factor, const T* in, int64_t increment, T scale, T* out) {
                        blas::hpmv(flipped(uplo), n, factor, ap, in, increment, scale, out, incy);
                      });
}

/// op(A) of a triangular routine: operation(trans) on x, or on conj(x) when op is the adjoint.
template <class T, class Operation>
void triangular(Transpose trans, int64_t n, T* x, int64_t incx, Operation operation) {
  if (!is_complex<T> || trans != Transpose::conjugate) return operation(flipped(trans));
  conjugate_in_place(n, x, incx);
  operation(Transpose::no);
  conjugate_in_place(n, x, incx);
}

template <class T>
void trmv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* a, int64_t lda, T* x,
          int64_t incx) {
  triangular(trans, n, x, incx,
             [&](Transpose op) { blas::trmv(flipped(uplo), op, diag, n, a, lda, x, incx); });
}
template <class T>
void tbmv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, int64_t k, const T* a,
          int64_t lda, T* x, int64_t incx) {
  triangular(trans, n, x, incx,
             [&](Transpose op) { blas::tbmv(flipped(uplo), op, diag, n, k, a, lda, x, incx); });
}
template <class T>
void tpmv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* ap, T* x,
          int64_t incx) {
  triangular(trans, n, x, incx,
             [&](Transpose op) { blas::tpmv(flipped(uplo), op, diag, n, ap, x, incx); });
}
template <class T>
void trsv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* a, int64_t lda, T* x,
          int64_t incx) {
  triangular(trans, n, x, incx,
             [&](Transpose op) { blas::trsv(flipped(uplo), op, diag, n, a, lda, x, incx); });
}
template <class T>
void tbsv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, int64_t k, const T* a,
          int64_t lda, T* x, int64_t incx) {
  triangular(trans, n, x, incx,
             [&](Transpose op) { blas::tbsv(flipped(uplo), op, diag, n, k, a, lda, x, incx); });
}
template <class T>
void tpsv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* ap, T* x,
          int64_t incx) {
  triangular(trans, n, x, incx,
             [&](Transpose op) { blas::tpsv(flipped(uplo), op, diag, n, ap, x, incx); });
}

template <class T>
void ger(int64_t m, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy, T* a,
         int64_t lda) {
  blas::ger(n, m, alpha, y, incy, x, incx, a, lda);
}
template <class T>
void gerc(int64_t m, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy, T* a,
          int64_t lda) {
  if (m <= 0 || n <= 0 || alpha == T(0)) return;
  ConjugatedVector<T> conjugated(n, y, incy);
  blas::ger(n, m, alpha, static_cast<const T*>(conjugated.data()), 1, x, incx, a, lda);
}

template <class T>
void syr(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, T* a, int64_t lda) {
  blas::syr(flipped(uplo), n, alpha, x, incx, a, lda);
}
template <class T>
void spr(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, T* ap) {
  blas::spr(flipped(uplo), n, alpha, x, incx, ap);
}
template <class T>
void her(Triangle uplo, int64_t n, Real<T> alpha, const T* x, int64_t incx, T* a, int64_t lda) {
  if (n <= 0 || alpha == Real<T>(0)) return;
  ConjugatedVector<T> in(n, x, incx);
  blas::her(flipped(uplo), n, alpha, static_cast<const T*>(in.data()), 1, a, lda);
}
template <class T>
void hpr(Triangle uplo, int64_t n, Real<T> alpha, const T* x, int64_t incx, T* ap) {
  if (n <= 0 || alpha == Real<T>(0)) return;
  ConjugatedVector<T> in(n, x, incx);
  blas::hpr(flipped(uplo), n, alpha, static_cast<const T*>(in.data()), 1, ap);
}
template <class T>
void syr2(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy,
          T* a, int64_t lda) {
  blas::syr2(flipped(uplo), n, alpha, x, incx, y, incy, a, lda);
}
template <class T>
void spr2(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy,
          T* ap) {
  blas::spr2(flipped(uplo), n, alpha, x, incx, y, incy, ap);
}
template <class T>
void her2(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy,
          T* a, int64_t lda) {
  if (n <= 0 || alpha == T(0)) return;
  ConjugatedVector<T> left(n, y, incy), right(n, x, incx);
  blas::her2(flipped(uplo), n, alpha, static_cast<const T*>(left.data()), 1,
             static_cast<const T*>(right.data()), 1, a, lda);
}
template <class T>
void hpr2(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy,
          T* ap) {
  if (n <= 0 || alpha == T(0)) return;
  ConjugatedVector<T> left(n, y, incy), right(n, x, incx);
  blas::hpr2(flipped(uplo), n, alpha, static_cast<const T*>(left.data()), 1,
             static_cast<const T*>(right.data()), 1, ap);
}

template <class T>
void gemm(Transpose transa, Transpose transb, int64_t m, int64_t n, int64_t k, T alpha, const T* a,
          int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  blas::gemm(transb, transa, n, m, k, alpha, b, ldb, a, lda, beta, c, ldc);
}
template <class T>
void gemmt(Triangle uplo, Transpose transa, Transpose transb, int64_t n, int64_t k, T alpha,
           const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  blas::gemmt(flipped(uplo), transb, transa, n, k, alpha, b, ldb, a, lda, beta, c, ldc);
}
template <class T>
void symm(Side side, Triangle uplo, int64_t m, int64_t n, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  blas::symm(flipped(side), flipped(uplo), n, m, alpha, a, lda, b, ldb, beta, c, ldc);
}
template <class T>
void hemm(Side side, Triangle uplo, int64_t m, int64_t n, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  blas::hemm(flipped(side), flipped(uplo), n, m, alpha, a, lda, b, ldb, beta, c, ldc);
}
template <class T>
void syrk(Triangle uplo, Transpose trans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
          T beta, T* c, int64_t ldc) {
  blas::syrk(flipped(uplo), flipped(trans), n, k, alpha, a, lda, beta, c, ldc);
}
template <class T>
void syr2k(Triangle uplo, Transpose trans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
           const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  blas::syr2k(flipped(uplo), flipped(trans), n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
constexpr Transpose flipped_adjoint(Transpose trans) {
  return trans == Transpose::no ? Transpose::conjugate : Transpose::no;
}
template <class T>
void herk(Triangle uplo, Transpose trans, int64_t n, int64_t k, Real<T> alpha, const T* a,
          int64_t lda, Real<T> beta, T* c, int64_t ldc) {
  blas::herk(flipped(uplo), flipped_adjoint(trans), n, k, alpha, a, lda, beta, c, ldc);
}
template <class T>
void her2k(Triangle uplo, Transpose trans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
           const T* b, int64_t ldb, Real<T> beta, T* c, int64_t ldc) {
  blas::her2k(flipped(uplo), flipped_adjoint(trans), n, k, conjugate(alpha), a, lda, b, ldb, beta,
              c, ldc);
}
template <class T>
void trmm(Side side, Triangle uplo, Transpose trans, Diagonal diag, int64_t m, int64_t n, T alpha,
          const T* a, int64_t lda, T* b, int64_t ldb) {
  blas::trmm(flipped(side), flipped(uplo), trans, diag, n, m, alpha, a, lda, b, ldb);
}
template <class T>
void trsm(Side side, Triangle uplo, Transpose trans, Diagonal diag, int64_t m, int64_t n, T alpha,
          const T* a, int64_t lda, T* b, int64_t ldb) {
  blas::trsm(flipped(side), flipped(uplo), trans, diag, n, m, alpha, a, lda, b, ldb);
}

}  // namespace guda::blas::row_major
