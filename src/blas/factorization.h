// Factorisations and solvers of one matrix, and the batched forms that cuBLAS has of them. See types.h.
//
// Return values are LAPACK's info: 0, or i > 0 when the i-th pivot (1-based) is exactly zero. Pivot indices
// are 1-based as in LAPACK: row i was exchanged with row pivots[i] - 1. Batches are arrays of `count`
// pointers; matrices of a batch are factored in parallel.
#pragma once

#include "blas/types.h"

namespace guda::blas {

/// A = P L U, in place; L has a unit diagonal. Without pivots (nullptr) no rows are exchanged.
template <class T>
int getrf(int64_t m, int64_t n, T* a, int64_t lda, int* pivots);
/// Solves op(A) X = B with getrf's factors; B is n x nrhs.
template <class T>
void getrs(Transpose trans, int64_t n, int64_t nrhs, const T* a, int64_t lda, const int* pivots,
           T* b, int64_t ldb);
/// C = inverse of the matrix with getrf's factors in `a`; c must not overlap a. info as of U.
template <class T>
int getri(int64_t n, const T* a, int64_t lda, const int* pivots, T* c, int64_t ldc);
/// A = Q R: R in the upper triangle, below it the Householder vectors with factors tau[min(m, n)].
template <class T>
void geqrf(int64_t m, int64_t n, T* a, int64_t lda, T* tau);
/// Least squares min |op(A) X - B| by QR or, when op(A) is wide, the solution of least norm. A (m x n) is
/// overwritten; B has max(m, n) rows: the right-hand sides in, the solution in its first rows out. i > 0:
/// the i-th diagonal element of the triangular factor is zero, and there is no solution.
template <class T>
int gels(Transpose trans, int64_t m, int64_t n, int64_t nrhs, T* a, int64_t lda, T* b, int64_t ldb);

template <class T>
void getrf_batched(int64_t n, T* const* a, int64_t lda, int* pivots, int* info, int64_t count);
template <class T>
void getrs_batched(Transpose trans, int64_t n, int64_t nrhs, const T* const* a, int64_t lda,
                   const int* pivots, T* const* b, int64_t ldb, int64_t count);
template <class T>
void getri_batched(int64_t n, const T* const* a, int64_t lda, const int* pivots, T* const* c,
                   int64_t ldc, int* info, int64_t count);
/// Inverts without changing a.
template <class T>
void matinv_batched(int64_t n, const T* const* a, int64_t lda, T* const* inverse,
                    int64_t ld_inverse, int* info, int64_t count);
template <class T>
void geqrf_batched(int64_t m, int64_t n, T* const* a, int64_t lda, T* const* tau, int64_t count);
template <class T>
void gels_batched(Transpose trans, int64_t m, int64_t n, int64_t nrhs, T* const* a, int64_t lda,
                  T* const* b, int64_t ldb, int* info, int64_t count);
template <class T>
void trsm_batched(Side side, Triangle uplo, Transpose trans, Diagonal diag, int64_t m, int64_t n,
                  T alpha, const T* const* a, int64_t lda, T* const* b, int64_t ldb, int64_t count);

}  // namespace guda::blas
