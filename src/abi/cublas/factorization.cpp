// Batched factorisations and solvers. `info` of routines that only check arguments is the host's and is
// set at once: 0, or -i when argument i is bad, counted without the handle.
#include "blas/factorization.h"

#include "abi/cublas/entry.h"
#include "abi/cublas/handle.h"

namespace guda::cublas {
namespace {

/// As in NVIDIA's library: larger matrices are refused.
constexpr int kLargestInverse = 32;

struct ArgumentCheck {
  bool good;
  int position;
};

Result report(int* info, std::initializer_list<ArgumentCheck> checks) {
  GUDA_CUBLAS_CHECK(info);
  *info = 0;
  for (auto& check : checks) {
    if (check.good) continue;
    *info = -check.position;
    return kInvalidValue;
  }
  return kSuccess;
}

template <class T>
double factor_ns(int64_t n, int64_t count) {
  return product_ns<T>(n, n, n) * static_cast<double>(count);
}

template <class T>
Result getrf(Handle* handle, int n, T* const* a, int lda, int* pivots, int* info, int count) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(n >= 0 && count >= 0 && lda >= at_least_one(n));
  if (n == 0 || count == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(a && info);
  return submit(
      handle, factor_ns<T>(n, count), [&](Uses& use) { use.everything(); },
      [=] { blas::getrf_batched<T>(n, a, lda, pivots, info, count); });
}

template <class T>
Result getri(Handle* handle, int n, const T* const* a, int lda, const int* pivots, T* const* c,
             int ldc, int* info, int count) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(n >= 0 && count >= 0 && lda >= at_least_one(n) && ldc >= at_least_one(n));
  if (n == 0 || count == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(a && c && info);
  return submit(
      handle, factor_ns<T>(n, count), [&](Uses& use) { use.everything(); },
      [=] { blas::getri_batched<T>(n, a, lda, pivots, c, ldc, info, count); });
}

template <class T>
Result getrs(Handle* handle, Op trans, int n, int nrhs, const T* const* a, int lda,
             const int* pivots, T* const* b, int ldb, int* info, int count) {
  GUDA_CUBLAS_HANDLE(handle);
  if (Result result = report(info, {{is_op(trans), 1},
                                    {n >= 0, 2},
                                    {nrhs >= 0, 3},
                                    {a != nullptr || n == 0 || count == 0, 4},
                                    {lda >= at_least_one(n), 5},
                                    {b != nullptr || n == 0 || count == 0, 7},
                                    {ldb >= at_least_one(n), 8},
                                    {count >= 0, 10}}))
    return result;
  if (n == 0 || nrhs == 0 || count == 0) return kSuccess;
  return submit(
      handle, product_ns<T>(n, n, nrhs) * count,
      [&](Uses& use) { use.host_argument(info, sizeof *info).everything(); },
      [=] { blas::getrs_batched<T>(transpose(trans), n, nrhs, a, lda, pivots, b, ldb, count); });
}

template <class T>
Result matinv(Handle* handle, int n, const T* const* a, int lda, T* const* inverse, int ld_inverse,
              int* info, int count) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(n >= 0 && count >= 0 && lda >= at_least_one(n) &&
                    ld_inverse >= at_least_one(n));
  GUDA_CUBLAS_CHECK(n <= kLargestInverse);
  if (n == 0 || count == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(a && inverse && info);
  return submit(
      handle, factor_ns<T>(n, count), [&](Uses& use) { use.everything(); },
      [=] { blas::matinv_batched<T>(n, a, lda, inverse, ld_inverse, info, count); });
}

template <class T>
Result geqrf(Handle* handle, int m, int n, T* const* a, int lda, T* const* tau, int* info,
             int count) {
  GUDA_CUBLAS_HANDLE(handle);
  bool empty = m == 0 || n == 0 || count == 0;
  if (Result result = report(info, {{m >= 0, 1},
                                    {n >= 0, 2},
                                    {a != nullptr || empty, 3},
                                    {lda >= at_least_one(m), 4},
                                    {tau != nullptr || empty, 5},
                                    {count >= 0, 7}}))
    return result;
  if (empty) return kSuccess;
  return submit(
      handle, product_ns<T>(m, n, n) * count,
      [&](Uses& use) { use.host_argument(info, sizeof *info).everything(); },
      [=] { blas::geqrf_batched<T>(m, n, a, lda, tau, count); });
}

template <class T>
Result gels(Handle* handle, Op trans, int m, int n, int nrhs, T* const* a, int lda, T* const* c,
            int ldc, int* info, int* device_info, int count) {
  GUDA_CUBLAS_HANDLE(handle);
  // Only this form exists in NVIDIA's library: overdetermined systems, not transposed.
  if (trans != kN && is_op(trans)) return kNotSupported;
  bool empty = m == 0 || n == 0 || nrhs == 0 || count == 0;
  if (Result result = report(info, {{is_op(trans), 1},
                                    {m >= 0, 2},
                                    {n >= 0, 3},
                                    {nrhs >= 0, 4},
                                    {a != nullptr || empty, 5},
                                    {lda >= at_least_one(m), 6},
                                    {c != nullptr || empty, 7},
                                    {ldc >= at_least_one(m), 8},
                                    {count >= 0, 11}}))
    return result;
  if (m < n) return kNotSupported;
  if (empty) return kSuccess;
  return submit(
      handle, product_ns<T>(m, n, n) * count,
      [&](Uses& use) { use.host_argument(info, sizeof *info).everything(); },
      [=] {
        if (device_info) {
          blas::gels_batched<T>(transpose(trans), m, n, nrhs, a, lda, c, ldc, device_info, count);
          return;
        }
        for (int i = 0; i < count; ++i)
          blas::gels<T>(transpose(trans), m, n, nrhs, a[i], lda, c[i], ldc);
      });
}

GUDA_ENTRY_SDCZ_INT(getrfBatched, getrf);
GUDA_ENTRY_SDCZ_INT(getriBatched, getri);
GUDA_ENTRY_SDCZ_INT(getrsBatched, getrs);
GUDA_ENTRY_SDCZ_INT(matinvBatched, matinv);
GUDA_ENTRY_SDCZ_INT(geqrfBatched, geqrf);
GUDA_ENTRY_SDCZ_INT(gelsBatched, gels);

}  // namespace
}  // namespace guda::cublas
