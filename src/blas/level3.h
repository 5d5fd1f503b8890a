// BLAS level 3 besides gemm (gemm.h), and the matrix routines that cuBLAS adds. See types.h. beta == 0
// does not read C; alpha == 0 does not read A and B. All of them are recursions on gemm.
#pragma once

#include "blas/types.h"

namespace guda::blas {

/// C = alpha A B + beta C (left) or alpha B A + beta C (right); A is symmetric, of order m or n, and C is
/// m x n. hemm: A is Hermitian; the imaginary part of its diagonal is taken as zero.
template <class T>
void symm(Side side, Triangle uplo, int64_t m, int64_t n, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc);
template <class T>
void hemm(Side side, Triangle uplo, int64_t m, int64_t n, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc);

/// One triangle of C = alpha op(A) op(B) + beta C; C is n x n. (Called gemmt or gemmtr elsewhere.)
template <class T>
void gemmt(Triangle uplo, Transpose transa, Transpose transb, int64_t n, int64_t k, T alpha,
           const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc);

/// One triangle of C = alpha op(A) op(A)^T + beta C; C is n x n, op(A) is n x k. `conjugate` is not
/// allowed. syrkx: C = alpha op(A) op(B)^T + beta C, of which one triangle is computed.
template <class T>
void syrk(Triangle uplo, Transpose trans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
          T beta, T* c, int64_t ldc);
template <class T>
void syrkx(Triangle uplo, Transpose trans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
           const T* b, int64_t ldb, T beta, T* c, int64_t ldc);
/// The Hermitian forms: C = alpha op(A) op(A)^H + beta C, trans is `no` or `conjugate` (or, for real
/// types, `yes`). The diagonal of C becomes real, unless there is nothing to do at all (alpha = 0 and beta = 1).
template <class T>
void herk(Triangle uplo, Transpose trans, int64_t n, int64_t k, Real<T> alpha, const T* a,
          int64_t lda, Real<T> beta, T* c, int64_t ldc);
template <class T>
void herkx(Triangle uplo, Transpose trans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
           const T* b, int64_t ldb, Real<T> beta, T* c, int64_t ldc);

/// One triangle of C = alpha op(A) op(B)^T + alpha op(B) op(A)^T + beta C; Hermitian:
/// alpha op(A) op(B)^H + conj(alpha) op(B) op(A)^H + beta C.
template <class T>
void syr2k(Triangle uplo, Transpose trans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
           const T* b, int64_t ldb, T beta, T* c, int64_t ldc);
template <class T>
void her2k(Triangle uplo, Transpose trans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
           const T* b, int64_t ldb, Real<T> beta, T* c, int64_t ldc);

/// B = alpha op(A) B (left) or alpha B op(A) (right); A is triangular, B is m x n.
template <class T>
void trmm(Side side, Triangle uplo, Transpose trans, Diagonal diag, int64_t m, int64_t n, T alpha,
          const T* a, int64_t lda, T* b, int64_t ldb);
/// The same into another matrix, as cuBLAS has it; c may be b (with ldc == ldb), else they do not overlap.
template <class T>
void trmm(Side side, Triangle uplo, Transpose trans, Diagonal diag, int64_t m, int64_t n, T alpha,
          const T* a, int64_t lda, const T* b, int64_t ldb, T* c, int64_t ldc);
/// Solves op(A) X = alpha B (left) or X op(A) = alpha B (right); X overwrites B. A zero on the diagonal
/// gives infinities or NaN; nothing is tested.
template <class T>
void trsm(Side side, Triangle uplo, Transpose trans, Diagonal diag, int64_t m, int64_t n, T alpha,
          const T* a, int64_t lda, T* b, int64_t ldb);

/// C = alpha op(A) + beta op(B), m x n. alpha == 0 does not read A, beta == 0 not B. C may be A (when
/// transa is `no` and ldc == lda) or B (likewise).
template <class T>
void geam(Transpose transa, Transpose transb, int64_t m, int64_t n, T alpha, const T* a,
          int64_t lda, T beta, const T* b, int64_t ldb, T* c, int64_t ldc);

/// C = diag(x) A (left) or A diag(x) (right); all m x n. C may be A. For incx < 0 see types.h.
template <class T>
void dgmm(Side side, int64_t m, int64_t n, const T* a, int64_t lda, const T* x, int64_t incx, T* c,
          int64_t ldc);

/// One triangle from packed to dense storage, and back.
template <class T>
void tpttr(Triangle uplo, int64_t n, const T* ap, T* a, int64_t lda);
template <class T>
void trttp(Triangle uplo, int64_t n, const T* a, int64_t lda, T* ap);

}  // namespace guda::blas
