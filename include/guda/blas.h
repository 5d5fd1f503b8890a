// BLAS for C++: all of levels 1 to 3 for float, double and the std::complex of both, for column- and row-major
// matrices, on as many threads as the caller says, at once or on a stream. Link with -lguda_blas.
//
//   #include <guda/blas.h>
//   using namespace guda::blas;
//   gemm({}, Layout::row_major, Transpose::no, Transpose::no, m, n, k, 1.0, a, lda, b, ldb, 0.0, c, ldc);
//
// Arguments mean what they mean in the reference BLAS: a vector's elements are `incx` apart, in reverse order
// when incx is negative; beta = 0 does not read the result's old value. Element (i, j) of a row-major matrix is
// a[i * lda + j]. Indices count from 0, and are -1 where there is none.
//
// Functions return 0, or the position of the first bad argument, the one after `execution` being 1, and then
// have done nothing. Results of sums come through the last argument.
#pragma once

#include <guda/blas_types.h>

namespace guda::blas {

enum class Layout : uint8_t { column_major, row_major };

/// Where and when a routine runs. The default: now, on the threads that GUDA_NUM_THREADS allows.
struct Execution {
  /// Threads at most; 0: no limit of this call's own.
  int threads = 0;

  /// With a function here the call is not made at once but handed to it, so that it runs in a stream's order;
  /// all operands have to live until then. cudaLaunchHostFunc has this shape:
  ///   Execution{.stream = stream, .enqueue = [](void* stream, void (*call)(void*), void* argument) {
  ///     return int(cudaLaunchHostFunc(static_cast<cudaStream_t>(stream), call, argument)); }}
  /// It returns 0, or an error, which the routine then returns as a negative number.
  void* stream = nullptr;
  int (*enqueue)(void* stream, void (*call)(void*), void* argument) = nullptr;
};

// clang-format off: generated from the table of routines
/// y += alpha x
template <class T>
int axpy(const Execution& execution, int64_t n, T alpha, const T* x, int64_t incx, T* y, int64_t incy);

/// y = alpha x + beta y
template <class T>
int axpby(const Execution& execution, int64_t n, T alpha, const T* x, int64_t incx, T beta, T* y, int64_t incy);

/// x = alpha x
template <class T>
int scal(const Execution& execution, int64_t n, T alpha, T* x, int64_t incx);

/// x = alpha x, alpha real (std::complex<float>, std::complex<double>)
template <class T>
int scal_real(const Execution& execution, int64_t n, Real<T> ralpha, T* x, int64_t incx);

/// y = x
template <class T>
int copy(const Execution& execution, int64_t n, const T* x, int64_t incx, T* y, int64_t incy);

/// exchanges x and y
template <class T>
int swap(const Execution& execution, int64_t n, T* x, int64_t incx, T* y, int64_t incy);

/// the sum of x_i y_i
template <class T>
int dot(const Execution& execution, int64_t n, const T* x, int64_t incx, const T* y, int64_t incy, T* result);

/// the sum of conj(x_i) y_i (std::complex<float>, std::complex<double>)
template <class T>
int dotc(const Execution& execution, int64_t n, const T* x, int64_t incx, const T* y, int64_t incy, T* result);

/// the sum of x_i y_i in double (float)
template <class T>
int dsdot(const Execution& execution, int64_t n, const T* x, int64_t incx, const T* y, int64_t incy, double* result);

/// alpha + the sum of x_i y_i in double, rounded once (float)
template <class T>
int sdsdot(const Execution& execution, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy, float* result);

/// the Euclidean norm
template <class T>
int nrm2(const Execution& execution, int64_t n, const T* x, int64_t incx, Real<T>* result);

/// the sum of |re| + |im|
template <class T>
int asum(const Execution& execution, int64_t n, const T* x, int64_t incx, Real<T>* result);

/// the first index of the largest |re| + |im|
template <class T>
int iamax(const Execution& execution, int64_t n, const T* x, int64_t incx, int64_t* result);

/// the first index of the smallest |re| + |im|
template <class T>
int iamin(const Execution& execution, int64_t n, const T* x, int64_t incx, int64_t* result);

/// x' = c x + s y, y' = c y - s x; c and s are ralpha and rbeta
template <class T>
int rot(const Execution& execution, int64_t n, T* x, int64_t incx, T* y, int64_t incy, Real<T> ralpha, Real<T> rbeta);

/// the modified rotation of param (float, double)
template <class T>
int rotm(const Execution& execution, int64_t n, T* x, int64_t incx, T* y, int64_t incy, const T* param);

/// y = alpha op(A) x + beta y, A is m x n
template <class T>
int gemv(const Execution& execution, Layout layout, Transpose trans, int64_t m, int64_t n, T alpha, const T* a, int64_t lda, const T* x, int64_t incx, T beta, T* y, int64_t incy);

/// the same, A a band matrix
template <class T>
int gbmv(const Execution& execution, Layout layout, Transpose trans, int64_t m, int64_t n, int64_t kl, int64_t ku, T alpha, const T* a, int64_t lda, const T* x, int64_t incx, T beta, T* y, int64_t incy);

/// y = alpha A x + beta y, A symmetric (float, double)
template <class T>
int symv(const Execution& execution, Layout layout, Triangle uplo, int64_t n, T alpha, const T* a, int64_t lda, const T* x, int64_t incx, T beta, T* y, int64_t incy);

/// y = alpha A x + beta y, A Hermitian (std::complex<float>, std::complex<double>)
template <class T>
int hemv(const Execution& execution, Layout layout, Triangle uplo, int64_t n, T alpha, const T* a, int64_t lda, const T* x, int64_t incx, T beta, T* y, int64_t incy);

/// the same, A a symmetric band matrix (float, double)
template <class T>
int sbmv(const Execution& execution, Layout layout, Triangle uplo, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* x, int64_t incx, T beta, T* y, int64_t incy);

/// the same, A a Hermitian band matrix (std::complex<float>, std::complex<double>)
template <class T>
int hbmv(const Execution& execution, Layout layout, Triangle uplo, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* x, int64_t incx, T beta, T* y, int64_t incy);

/// the same, A symmetric and packed (float, double)
template <class T>
int spmv(const Execution& execution, Layout layout, Triangle uplo, int64_t n, T alpha, const T* ap, const T* x, int64_t incx, T beta, T* y, int64_t incy);

/// the same, A Hermitian and packed (std::complex<float>, std::complex<double>)
template <class T>
int hpmv(const Execution& execution, Layout layout, Triangle uplo, int64_t n, T alpha, const T* ap, const T* x, int64_t incx, T beta, T* y, int64_t incy);

/// x = op(A) x, A triangular
template <class T>
int trmv(const Execution& execution, Layout layout, Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* a, int64_t lda, T* x, int64_t incx);

/// the same, A a triangular band matrix
template <class T>
int tbmv(const Execution& execution, Layout layout, Triangle uplo, Transpose trans, Diagonal diag, int64_t n, int64_t k, const T* a, int64_t lda, T* x, int64_t incx);

/// the same, A triangular and packed
template <class T>
int tpmv(const Execution& execution, Layout layout, Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* ap, T* x, int64_t incx);

/// solves op(A) x' = x, A triangular
template <class T>
int trsv(const Execution& execution, Layout layout, Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* a, int64_t lda, T* x, int64_t incx);

/// the same, A a triangular band matrix
template <class T>
int tbsv(const Execution& execution, Layout layout, Triangle uplo, Transpose trans, Diagonal diag, int64_t n, int64_t k, const T* a, int64_t lda, T* x, int64_t incx);

/// the same, A triangular and packed
template <class T>
int tpsv(const Execution& execution, Layout layout, Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* ap, T* x, int64_t incx);

/// A += alpha x y^T
template <class T>
int ger(const Execution& execution, Layout layout, int64_t m, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy, T* a, int64_t lda);

/// A += alpha x y^H (std::complex<float>, std::complex<double>)
template <class T>
int gerc(const Execution& execution, Layout layout, int64_t m, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy, T* a, int64_t lda);

/// A += alpha x x^T (float, double)
template <class T>
int syr(const Execution& execution, Layout layout, Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, T* a, int64_t lda);

/// the same, A packed (float, double)
template <class T>
int spr(const Execution& execution, Layout layout, Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, T* ap);

/// A += alpha x x^H (std::complex<float>, std::complex<double>)
template <class T>
int her(const Execution& execution, Layout layout, Triangle uplo, int64_t n, Real<T> ralpha, const T* x, int64_t incx, T* a, int64_t lda);

/// the same, A packed (std::complex<float>, std::complex<double>)
template <class T>
int hpr(const Execution& execution, Layout layout, Triangle uplo, int64_t n, Real<T> ralpha, const T* x, int64_t incx, T* ap);

/// A += alpha (x y^T + y x^T) (float, double)
template <class T>
int syr2(const Execution& execution, Layout layout, Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy, T* a, int64_t lda);

/// the same, A packed (float, double)
template <class T>
int spr2(const Execution& execution, Layout layout, Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy, T* ap);

/// A += alpha x y^H + conj(alpha) y x^H (std::complex<float>, std::complex<double>)
template <class T>
int her2(const Execution& execution, Layout layout, Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy, T* a, int64_t lda);

/// the same, A packed (std::complex<float>, std::complex<double>)
template <class T>
int hpr2(const Execution& execution, Layout layout, Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy, T* ap);

/// C = alpha op(A) op(B) + beta C, C is m x n
template <class T>
int gemm(const Execution& execution, Layout layout, Transpose transa, Transpose transb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc);

/// one triangle of C = alpha op(A) op(B) + beta C
template <class T>
int gemmt(const Execution& execution, Layout layout, Triangle uplo, Transpose transa, Transpose transb, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc);

/// C = alpha A B + beta C or alpha B A + beta C, A symmetric
template <class T>
int symm(const Execution& execution, Layout layout, Side side, Triangle uplo, int64_t m, int64_t n, T alpha, const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc);

/// the same, A Hermitian (std::complex<float>, std::complex<double>)
template <class T>
int hemm(const Execution& execution, Layout layout, Side side, Triangle uplo, int64_t m, int64_t n, T alpha, const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc);

/// C = alpha op(A) op(A)^T + beta C
template <class T>
int syrk(const Execution& execution, Layout layout, Triangle uplo, Transpose symtrans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, T beta, T* c, int64_t ldc);

/// C = alpha op(A) op(A)^H + beta C (std::complex<float>, std::complex<double>)
template <class T>
int herk(const Execution& execution, Layout layout, Triangle uplo, Transpose hermtrans, int64_t n, int64_t k, Real<T> ralpha, const T* a, int64_t lda, Real<T> rbeta, T* c, int64_t ldc);

/// C = alpha (op(A) op(B)^T + op(B) op(A)^T) + beta C
template <class T>
int syr2k(const Execution& execution, Layout layout, Triangle uplo, Transpose symtrans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc);

/// C = alpha op(A) op(B)^H + conj(alpha) op(B) op(A)^H + beta C (std::complex<float>, std::complex<double>)
template <class T>
int her2k(const Execution& execution, Layout layout, Triangle uplo, Transpose hermtrans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* b, int64_t ldb, Real<T> rbeta, T* c, int64_t ldc);

/// B = alpha op(A) B or alpha B op(A), A triangular
template <class T>
int trmm(const Execution& execution, Layout layout, Side side, Triangle uplo, Transpose trans, Diagonal diag, int64_t m, int64_t n, T alpha, const T* a, int64_t lda, T* b, int64_t ldb);

/// solves op(A) X = alpha B or X op(A) = alpha B; X overwrites B
template <class T>
int trsm(const Execution& execution, Layout layout, Side side, Triangle uplo, Transpose trans, Diagonal diag, int64_t m, int64_t n, T alpha, const T* a, int64_t lda, T* b, int64_t ldb);
// clang-format on

/// `count` products at once; a, b and c are arrays of pointers to matrices. The results are disjoint.
template <class T>
int gemm_batched(const Execution& execution, Layout layout, Transpose transa, Transpose transb,
                 int64_t m, int64_t n, int64_t k, T alpha, const T* const* a, int64_t lda,
                 const T* const* b, int64_t ldb, T beta, T* const* c, int64_t ldc, int64_t count);
/// The same with matrix i at a + i * stride_a and so on; stride_a and stride_b may be 0.
template <class T>
int gemm_strided_batched(const Execution& execution, Layout layout, Transpose transa,
                         Transpose transb, int64_t m, int64_t n, int64_t k, T alpha, const T* a,
                         int64_t lda, int64_t stride_a, const T* b, int64_t ldb, int64_t stride_b,
                         T beta, T* c, int64_t ldc, int64_t stride_c, int64_t count);

}  // namespace guda::blas

extern "C" {
/// Threads that calls from this thread may use; 0: what GUDA_NUM_THREADS allows. And how many that is.
void guda_blas_set_threads(int threads);
int guda_blas_get_threads(void);
}
