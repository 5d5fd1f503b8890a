// Batches of matrix-vector products and of triangular solves.
#include "abi/cublas/element.h"
#include "abi/cublas/entry.h"
#include "abi/cublas/handle.h"
#include "blas/factorization.h"
#include "blas/level2.h"
#include "blas/parallel.h"

#include <vector>

namespace guda::cublas {
namespace {

/// y = alpha op(A) x + beta y. Narrow matrices are read once, column by column, with sums in float.
template <class In, class Out, class Scale>
void multiply_vector(Op trans, int64_t m, int64_t n, Scale alpha, const In* a, int64_t lda,
                     const In* x, int64_t incx, Scale beta, Out* y, int64_t incy) {
  if constexpr (std::is_same_v<In, Scale>) {
    blas::gemv<Scale>(transpose(trans), m, n, alpha, a, lda, x, incx, beta, y, incy);
  } else {
    int64_t inputs = trans == kN ? n : m, outputs = trans == kN ? m : n;
    std::vector<Scale> sums(outputs);
    const In* first = blas::first_element(x, inputs, incx);
    for (int64_t j = 0; j < n && alpha != 0; ++j) {
      const In* column = a + j * lda;
      if (trans == kN) {
        Scale factor = widen(first[j * incx]);
        for (int64_t i = 0; i < m; ++i) sums[i] += widen(column[i]) * factor;
      } else {
        for (int64_t i = 0; i < m; ++i) sums[j] += widen(column[i]) * widen(first[i * incx]);
      }
    }
    Out* out = blas::first_element(y, outputs, incy);
    for (int64_t i = 0; i < outputs; ++i) {
      Scale value = alpha * sums[i];
      if (beta != 0) value += beta * widen(out[i * incy]);
      out[i * incy] = narrow<Out>(value);
    }
  }
}

/// Calls body(i) for all members of a batch, several of small ones to a task.
template <class In, class Body>
void for_members(int64_t count, int64_t m, int64_t n, Body body) {
  constexpr int64_t kTaskBytes = 32 * 1024;
  int64_t bytes = m * n * static_cast<int64_t>(sizeof(In));
  int64_t chunk = std::clamp<int64_t>(kTaskBytes / bytes, 1, count);
  blas::for_each_task((count + chunk - 1) / chunk, static_cast<size_t>(chunk * bytes),
                      [&](int64_t task) {
                        int64_t end = std::min(count, (task + 1) * chunk);
                        for (int64_t i = task * chunk; i < end; ++i) body(i);
                      });
}

template <class Int>
Result check(const Handle* handle, Op trans, Int m, Int n, Int lda, Int incx, Int incy, Int count) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_op(trans) && m >= 0 && n >= 0 && lda >= at_least_one(m) && incx != 0 &&
                    incy != 0 && count >= 0);
  return kSuccess;
}

template <class In, class Out, class Scale, class Int>
Result gemv_batched(Handle* handle, Op trans, Int m, Int n, const Scale* alpha, const In* const* a,
                    Int lda, const In* const* x, Int incx, const Scale* beta, Out* const* y,
                    Int incy, Int count) {
  if (Result result = check(handle, trans, m, n, lda, incx, incy, count)) return result;
  if (m == 0 || n == 0 || count == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha && beta && y && (known_zero(handle, alpha) || (a && x)));
  Scalar<Scale> alpha_value(handle, alpha), beta_value(handle, beta);
  return submit(
      handle, matrix_ns<In>(m, n) * static_cast<double>(count),
      [&](Uses& use) { use.scalar(alpha).scalar(beta).everything(); },
      [=] {
        for_members<In>(count, m, n, [&](int64_t i) {
          multiply_vector<In, Out, Scale>(trans, m, n, alpha_value.get(), a[i], lda, x[i], incx,
                                          beta_value.get(), y[i], incy);
        });
      });
}

template <class In, class Out, class Scale, class Int>
Result gemv_strided(Handle* handle, Op trans, Int m, Int n, const Scale* alpha, const In* a,
                    Int lda, long long stride_a, const In* x, Int incx, long long stride_x,
                    const Scale* beta, Out* y, Int incy, long long stride_y, Int count) {
  if (Result result = check(handle, trans, m, n, lda, incx, incy, count)) return result;
  if (m == 0 || n == 0 || count == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha && beta && y && (known_zero(handle, alpha) || (a && x)));
  Scalar<Scale> alpha_value(handle, alpha), beta_value(handle, beta);
  return submit(
      handle, matrix_ns<In>(m, n) * static_cast<double>(count),
      [&](Uses& use) {
        auto all = [&](Extent member, int64_t stride, size_t element) {
          return batch_of(member, Wide128{stride} * static_cast<int64_t>(element), count);
        };
        use.product(alpha, all(matrix_of(a, m, n, lda), stride_a, sizeof(In)),
                    all(vector_of(x, trans == kN ? n : m, incx), stride_x, sizeof(In)), beta,
                    all(vector_of(y, trans == kN ? m : n, incy), stride_y, sizeof(Out)));
      },
      [=] {
        for_members<In>(count, m, n, [&](int64_t i) {
          multiply_vector<In, Out, Scale>(trans, m, n, alpha_value.get(), a + i * stride_a, lda,
                                          x + i * stride_x, incx, beta_value.get(),
                                          y + i * stride_y, incy);
        });
      });
}

template <class T, class Int>
Result trsm_batched(Handle* handle, SideMode side, Fill uplo, Op trans, Diag diag, Int m, Int n,
                    const T* alpha, const T* const* a, Int lda, T* const* b, Int ldb, Int count) {
  GUDA_CUBLAS_HANDLE(handle);
  Int order = side == kLeft ? m : n;
  GUDA_CUBLAS_CHECK(is_side(side) && is_fill(uplo) && is_op(trans) && is_diag(diag) && m >= 0 &&
                    n >= 0 && lda >= at_least_one(order) && ldb >= at_least_one(m) && count >= 0);
  if (m == 0 || n == 0 || count == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha);
  Scalar<T> alpha_value(handle, alpha);
  return submit(
      handle, product_ns<T>(m, n, order) / 2 * static_cast<double>(count),
      [&](Uses& use) { use.scalar(alpha).everything(); },
      [=] {
        blas::trsm_batched<T>(side_of(side), triangle(uplo), transpose(trans), diagonal(diag), m, n,
                              alpha_value.get(), a, lda, b, ldb, count);
      });
}

#define GUDA_ENTRY_GEMV(letters, In, Out, Scale)                                \
  GUDA_ENTRY_SIZES(cublas##letters##gemvBatched, gemv_batched, In, Out, Scale); \
  GUDA_ENTRY_SIZES(cublas##letters##gemvStridedBatched, gemv_strided, In, Out, Scale)
GUDA_ENTRY_GEMV(S, float, float, float);
GUDA_ENTRY_GEMV(D, double, double, double);
GUDA_ENTRY_GEMV(C, ComplexFloat, ComplexFloat, ComplexFloat);
GUDA_ENTRY_GEMV(Z, ComplexDouble, ComplexDouble, ComplexDouble);
GUDA_ENTRY_GEMV(HSH, float16, float16, float);
GUDA_ENTRY_GEMV(HSS, float16, float, float);
GUDA_ENTRY_GEMV(TST, bfloat16, bfloat16, float);
GUDA_ENTRY_GEMV(TSS, bfloat16, float, float);
GUDA_ENTRY_SDCZ(trsmBatched, trsm_batched);

}  // namespace
}  // namespace guda::cublas
