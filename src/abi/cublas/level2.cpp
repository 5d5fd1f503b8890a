// Level 2: checks as in the reference BLAS, then one operation on the stream.
#include "blas/level2.h"

#include "abi/cublas/entry.h"
#include "abi/cublas/handle.h"
#include "abi/cublas/legacy.h"

namespace guda::cublas {
namespace {

using blas::Real;

/// Which of two routines with the same arguments.
enum class Kind { symmetric, hermitian };
enum class Product { multiply, solve };
enum class Outer { plain, conjugated };

template <class T, class Int>
Result gemv(Handle* handle, Op trans, Int m, Int n, const T* alpha, const T* a, Int lda, const T* x,
            Int incx, const T* beta, T* y, Int incy) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_op(trans) && m >= 0 && n >= 0 && lda >= at_least_one(m) && incx != 0 &&
                    incy != 0);
  if (m == 0 || n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha && beta && y && (known_zero(handle, alpha) || (a && x)));
  Scalar<T> alpha_value(handle, alpha), beta_value(handle, beta);
  return submit(
      handle, matrix_ns<T>(m, n),
      [&](Uses& use) {
        use.product(alpha, matrix_of(a, m, n, lda), vector_of(x, trans == kN ? n : m, incx), beta,
                    vector_of(y, trans == kN ? m : n, incy));
      },
      [=] {
        blas::gemv<T>(transpose(trans), m, n, alpha_value.get(), a, lda, x, incx, beta_value.get(),
                      y, incy);
      });
}

template <class T, class Int>
Result gbmv(Handle* handle, Op trans, Int m, Int n, Int kl, Int ku, const T* alpha, const T* a,
            Int lda, const T* x, Int incx, const T* beta, T* y, Int incy) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_op(trans) && m >= 0 && n >= 0 && kl >= 0 && ku >= 0 &&
                    lda >= int64_t{kl} + ku + 1 && incx != 0 && incy != 0);
  if (m == 0 || n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha && beta);
  Scalar<T> alpha_value(handle, alpha), beta_value(handle, beta);
  return submit(
      handle, matrix_ns<T>(int64_t{kl} + ku + 1, n),
      [&](Uses& use) {
        use.product(alpha, matrix_of(a, int64_t{kl} + ku + 1, n, lda),
                    vector_of(x, trans == kN ? n : m, incx), beta,
                    vector_of(y, trans == kN ? m : n, incy));
      },
      [=] {
        blas::gbmv<T>(transpose(trans), m, n, kl, ku, alpha_value.get(), a, lda, x, incx,
                      beta_value.get(), y, incy);
      });
}

template <class T, Kind kKind, class Int>
Result symv(Handle* handle, Fill uplo, Int n, const T* alpha, const T* a, Int lda, const T* x,
            Int incx, const T* beta, T* y, Int incy) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_fill(uplo) && n >= 0 && lda >= at_least_one(n) && incx != 0 && incy != 0);
  if (n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha && beta);
  Scalar<T> alpha_value(handle, alpha), beta_value(handle, beta);
  return submit(
      handle, matrix_ns<T>(n, n),
      [&](Uses& use) {
        use.product(alpha, matrix_of(a, n, n, lda), vector_of(x, n, incx), beta,
                    vector_of(y, n, incy));
      },
      [=] {
        if constexpr (kKind == Kind::hermitian)
          blas::hemv<T>(triangle(uplo), n, alpha_value.get(), a, lda, x, incx, beta_value.get(), y,
                        incy);
        else
          blas::symv<T>(triangle(uplo), n, alpha_value.get(), a, lda, x, incx, beta_value.get(), y,
                        incy);
      });
}

template <class T, Kind kKind, class Int>
Result sbmv(Handle* handle, Fill uplo, Int n, Int k, const T* alpha, const T* a, Int lda,
            const T* x, Int incx, const T* beta, T* y, Int incy) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_fill(uplo) && n >= 0 && k >= 0 && lda >= int64_t{k} + 1 && incx != 0 &&
                    incy != 0);
  if (n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha && beta);
  Scalar<T> alpha_value(handle, alpha), beta_value(handle, beta);
  return submit(
      handle, matrix_ns<T>(int64_t{k} + 1, n),
      [&](Uses& use) {
        use.product(alpha, matrix_of(a, int64_t{k} + 1, n, lda), vector_of(x, n, incx), beta,
                    vector_of(y, n, incy));
      },
      [=] {
        if constexpr (kKind == Kind::hermitian)
          blas::hbmv<T>(triangle(uplo), n, k, alpha_value.get(), a, lda, x, incx, beta_value.get(),
                        y, incy);
        else
          blas::sbmv<T>(triangle(uplo), n, k, alpha_value.get(), a, lda, x, incx, beta_value.get(),
                        y, incy);
      });
}

template <class T, Kind kKind, class Int>
Result spmv(Handle* handle, Fill uplo, Int n, const T* alpha, const T* ap, const T* x, Int incx,
            const T* beta, T* y, Int incy) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_fill(uplo) && n >= 0 && incx != 0 && incy != 0);
  if (n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha && beta);
  Scalar<T> alpha_value(handle, alpha), beta_value(handle, beta);
  return submit(
      handle, matrix_ns<T>(n, n),
      [&](Uses& use) {
        use.product(alpha, packed_of(ap, n), vector_of(x, n, incx), beta, vector_of(y, n, incy));
      },
      [=] {
        if constexpr (kKind == Kind::hermitian)
          blas::hpmv<T>(triangle(uplo), n, alpha_value.get(), ap, x, incx, beta_value.get(), y,
                        incy);
        else
          blas::spmv<T>(triangle(uplo), n, alpha_value.get(), ap, x, incx, beta_value.get(), y,
                        incy);
      });
}

template <class T, Product kProduct, class Int>
Result trmv(Handle* handle, Fill uplo, Op trans, Diag diag, Int n, const T* a, Int lda, T* x,
            Int incx) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_fill(uplo) && is_op(trans) && is_diag(diag) && n >= 0 &&
                    lda >= at_least_one(n) && incx != 0);
  if (n == 0) return kSuccess;
  return submit(
      handle, matrix_ns<T>(n, n),
      [&](Uses& use) { use.reads(matrix_of(a, n, n, lda)).writes(vector_of(x, n, incx)); },
      [=] {
        if constexpr (kProduct == Product::solve)
          blas::trsv<T>(triangle(uplo), transpose(trans), diagonal(diag), n, a, lda, x, incx);
        else
          blas::trmv<T>(triangle(uplo), transpose(trans), diagonal(diag), n, a, lda, x, incx);
      });
}

template <class T, Product kProduct, class Int>
Result tbmv(Handle* handle, Fill uplo, Op trans, Diag diag, Int n, Int k, const T* a, Int lda, T* x,
            Int incx) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_fill(uplo) && is_op(trans) && is_diag(diag) && n >= 0 && k >= 0 &&
                    lda >= int64_t{k} + 1 && incx != 0);
  if (n == 0) return kSuccess;
  return submit(
      handle, matrix_ns<T>(int64_t{k} + 1, n),
      [&](Uses& use) {
        use.reads(matrix_of(a, int64_t{k} + 1, n, lda)).writes(vector_of(x, n, incx));
      },
      [=] {
        if constexpr (kProduct == Product::solve)
          blas::tbsv<T>(triangle(uplo), transpose(trans), diagonal(diag), n, k, a, lda, x, incx);
        else
          blas::tbmv<T>(triangle(uplo), transpose(trans), diagonal(diag), n, k, a, lda, x, incx);
      });
}

template <class T, Product kProduct, class Int>
Result tpmv(Handle* handle, Fill uplo, Op trans, Diag diag, Int n, const T* ap, T* x, Int incx) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_fill(uplo) && is_op(trans) && is_diag(diag) && n >= 0 && incx != 0);
  if (n == 0) return kSuccess;
  return submit(
      handle, matrix_ns<T>(n, n),
      [&](Uses& use) { use.reads(packed_of(ap, n)).writes(vector_of(x, n, incx)); },
      [=] {
        if constexpr (kProduct == Product::solve)
          blas::tpsv<T>(triangle(uplo), transpose(trans), diagonal(diag), n, ap, x, incx);
        else
          blas::tpmv<T>(triangle(uplo), transpose(trans), diagonal(diag), n, ap, x, incx);
      });
}

template <class T, Outer kOuter, class Int>
Result ger(Handle* handle, Int m, Int n, const T* alpha, const T* x, Int incx, const T* y, Int incy,
           T* a, Int lda) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(m >= 0 && n >= 0 && incx != 0 && incy != 0 && lda >= at_least_one(m));
  if (m == 0 || n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha);
  Scalar<T> alpha_value(handle, alpha);
  return submit(
      handle, matrix_ns<T>(m, n),
      [&](Uses& use) {
        use.product(alpha, vector_of(x, m, incx), vector_of(y, n, incy), matrix_of(a, m, n, lda));
      },
      [=] {
        if constexpr (kOuter == Outer::conjugated)
          blas::gerc<T>(m, n, alpha_value.get(), x, incx, y, incy, a, lda);
        else
          blas::ger<T>(m, n, alpha_value.get(), x, incx, y, incy, a, lda);
      });
}

/// The scale of a Hermitian rank-1 update is real.
template <class T, Kind kKind>
using UpdateScale = std::conditional_t<kKind == Kind::hermitian, Real<T>, T>;

template <class T, Kind kKind, class Int>
Result syr(Handle* handle, Fill uplo, Int n, const UpdateScale<T, kKind>* alpha, const T* x,
           Int incx, T* a, Int lda) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_fill(uplo) && n >= 0 && incx != 0 && lda >= at_least_one(n));
  if (n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha);
  Scalar<UpdateScale<T, kKind>> alpha_value(handle, alpha);
  return submit(
      handle, matrix_ns<T>(n, n),
      [&](Uses& use) {
        use.scalar(alpha).reads(vector_of(x, n, incx)).writes(matrix_of(a, n, n, lda));
      },
      [=] {
        if constexpr (kKind == Kind::hermitian)
          blas::her<T>(triangle(uplo), n, alpha_value.get(), x, incx, a, lda);
        else
          blas::syr<T>(triangle(uplo), n, alpha_value.get(), x, incx, a, lda);
      });
}

template <class T, Kind kKind, class Int>
Result spr(Handle* handle, Fill uplo, Int n, const UpdateScale<T, kKind>* alpha, const T* x,
           Int incx, T* ap) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_fill(uplo) && n >= 0 && incx != 0);
  if (n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha);
  Scalar<UpdateScale<T, kKind>> alpha_value(handle, alpha);
  return submit(
      handle, matrix_ns<T>(n, n),
      [&](Uses& use) { use.scalar(alpha).reads(vector_of(x, n, incx)).writes(packed_of(ap, n)); },
      [=] {
        if constexpr (kKind == Kind::hermitian)
          blas::hpr<T>(triangle(uplo), n, alpha_value.get(), x, incx, ap);
        else
          blas::spr<T>(triangle(uplo), n, alpha_value.get(), x, incx, ap);
      });
}

template <class T, Kind kKind, class Int>
Result syr2(Handle* handle, Fill uplo, Int n, const T* alpha, const T* x, Int incx, const T* y,
            Int incy, T* a, Int lda) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_fill(uplo) && n >= 0 && incx != 0 && incy != 0 && lda >= at_least_one(n));
  if (n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha);
  Scalar<T> alpha_value(handle, alpha);
  return submit(
      handle, matrix_ns<T>(n, n),
      [&](Uses& use) {
        use.product(alpha, vector_of(x, n, incx), vector_of(y, n, incy), matrix_of(a, n, n, lda));
      },
      [=] {
        if constexpr (kKind == Kind::hermitian)
          blas::her2<T>(triangle(uplo), n, alpha_value.get(), x, incx, y, incy, a, lda);
        else
          blas::syr2<T>(triangle(uplo), n, alpha_value.get(), x, incx, y, incy, a, lda);
      });
}

template <class T, Kind kKind, class Int>
Result spr2(Handle* handle, Fill uplo, Int n, const T* alpha, const T* x, Int incx, const T* y,
            Int incy, T* ap) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_fill(uplo) && n >= 0 && incx != 0 && incy != 0);
  if (n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha);
  Scalar<T> alpha_value(handle, alpha);
  return submit(
      handle, matrix_ns<T>(n, n),
      [&](Uses& use) {
        use.product(alpha, vector_of(x, n, incx), vector_of(y, n, incy), packed_of(ap, n));
      },
      [=] {
        if constexpr (kKind == Kind::hermitian)
          blas::hpr2<T>(triangle(uplo), n, alpha_value.get(), x, incx, y, incy, ap);
        else
          blas::spr2<T>(triangle(uplo), n, alpha_value.get(), x, incx, y, incy, ap);
      });
}

GUDA_ENTRY_SDCZ(gemv_v2, gemv);
GUDA_ENTRY_SDCZ(gbmv_v2, gbmv);
GUDA_ENTRY_SDCZ(symv_v2, symv, Kind::symmetric);
GUDA_ENTRY_CZ(hemv_v2, symv, Kind::hermitian);
GUDA_ENTRY_SD(sbmv_v2, sbmv, Kind::symmetric);
GUDA_ENTRY_CZ(hbmv_v2, sbmv, Kind::hermitian);
GUDA_ENTRY_SD(spmv_v2, spmv, Kind::symmetric);
GUDA_ENTRY_CZ(hpmv_v2, spmv, Kind::hermitian);
GUDA_ENTRY_SDCZ(trmv_v2, trmv, Product::multiply);
GUDA_ENTRY_SDCZ(trsv_v2, trmv, Product::solve);
GUDA_ENTRY_SDCZ(tbmv_v2, tbmv, Product::multiply);
GUDA_ENTRY_SDCZ(tbsv_v2, tbmv, Product::solve);
GUDA_ENTRY_SDCZ(tpmv_v2, tpmv, Product::multiply);
GUDA_ENTRY_SDCZ(tpsv_v2, tpmv, Product::solve);
GUDA_ENTRY_SD(ger_v2, ger, Outer::plain);
GUDA_ENTRY_CZ(geru_v2, ger, Outer::plain);
GUDA_ENTRY_CZ(gerc_v2, ger, Outer::conjugated);
GUDA_ENTRY_SDCZ(syr_v2, syr, Kind::symmetric);
GUDA_ENTRY_CZ(her_v2, syr, Kind::hermitian);
GUDA_ENTRY_SD(spr_v2, spr, Kind::symmetric);
GUDA_ENTRY_CZ(hpr_v2, spr, Kind::hermitian);
GUDA_ENTRY_SDCZ(syr2_v2, syr2, Kind::symmetric);
GUDA_ENTRY_CZ(her2_v2, syr2, Kind::hermitian);
GUDA_ENTRY_SD(spr2_v2, spr2, Kind::symmetric);
GUDA_ENTRY_CZ(hpr2_v2, spr2, Kind::hermitian);

// cublas.h: the position of a scalar counts from the argument after the handle.
GUDA_LEGACY_SDCZ(gemv, at(3, 8), gemv);
GUDA_LEGACY_SDCZ(gbmv, at(5, 10), gbmv);
GUDA_LEGACY_SD(symv, at(2, 7), symv, Kind::symmetric);
GUDA_LEGACY_CZ(hemv, at(2, 7), symv, Kind::hermitian);
GUDA_LEGACY_SD(sbmv, at(3, 8), sbmv, Kind::symmetric);
GUDA_LEGACY_CZ(hbmv, at(3, 8), sbmv, Kind::hermitian);
GUDA_LEGACY_SD(spmv, at(2, 6), spmv, Kind::symmetric);
GUDA_LEGACY_CZ(hpmv, at(2, 6), spmv, Kind::hermitian);
GUDA_LEGACY_SDCZ(trmv, at(), trmv, Product::multiply);
GUDA_LEGACY_SDCZ(trsv, at(), trmv, Product::solve);
GUDA_LEGACY_SDCZ(tbmv, at(), tbmv, Product::multiply);
GUDA_LEGACY_SDCZ(tbsv, at(), tbmv, Product::solve);
GUDA_LEGACY_SDCZ(tpmv, at(), tpmv, Product::multiply);
GUDA_LEGACY_SDCZ(tpsv, at(), tpmv, Product::solve);
GUDA_LEGACY_SD(ger, at(2), ger, Outer::plain);
GUDA_LEGACY_CZ(geru, at(2), ger, Outer::plain);
GUDA_LEGACY_CZ(gerc, at(2), ger, Outer::conjugated);
GUDA_LEGACY_SD(syr, at(2), syr, Kind::symmetric);
GUDA_LEGACY_CZ(her, at(2), syr, Kind::hermitian);
GUDA_LEGACY_SD(spr, at(2), spr, Kind::symmetric);
GUDA_LEGACY_CZ(hpr, at(2), spr, Kind::hermitian);
GUDA_LEGACY_SD(syr2, at(2), syr2, Kind::symmetric);
GUDA_LEGACY_CZ(her2, at(2), syr2, Kind::hermitian);
GUDA_LEGACY_SD(spr2, at(2), spr2, Kind::symmetric);
GUDA_LEGACY_CZ(hpr2, at(2), spr2, Kind::hermitian);

}  // namespace
}  // namespace guda::cublas
