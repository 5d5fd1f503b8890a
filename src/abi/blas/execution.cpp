// The parts of the C++ interface that are not in the table of routines.
#include "abi/blas/execution.h"

#include "blas/gemm.h"

namespace guda::blas {
namespace {

// Position of the first bad argument of the batched products, 0 if none: those after transb.
struct ProductShape {
  Layout layout;
  Transpose transa, transb;
  int64_t m, n, k, lda, ldb, ldc;

  bool row_major() const { return layout == Layout::row_major; }
  bool lda_is_bad() const {
    return lda < abi::at_least_one(row_major() ? abi::op(transa, k, m) : abi::op(transa, m, k));
  }
  bool ldb_is_bad() const {
    return ldb < abi::at_least_one(row_major() ? abi::op(transb, n, k) : abi::op(transb, k, n));
  }
  bool ldc_is_bad() const { return ldc < abi::at_least_one(row_major() ? n : m); }
  int bad_size() const { return m < 0 ? 4 : n < 0 ? 5 : k < 0 ? 6 : 0; }
};

}  // namespace

template <class T>
int gemm_batched(const Execution& execution, Layout layout, Transpose transa, Transpose transb,
                 int64_t m, int64_t n, int64_t k, T alpha, const T* const* a, int64_t lda,
                 const T* const* b, int64_t ldb, T beta, T* const* c, int64_t ldc, int64_t count) {
  const ProductShape shape{layout, transa, transb, m, n, k, lda, ldb, ldc};
  if (const int bad = shape.bad_size()) return bad;
  if (shape.lda_is_bad()) return 9;
  if (shape.ldb_is_bad()) return 11;
  if (shape.ldc_is_bad()) return 14;
  if (count < 0) return 15;
  return run(execution, [=] {
    if (shape.row_major())
      blas::gemm_batched<T>(transb, transa, n, m, k, alpha, b, ldb, a, lda, beta, c, ldc, count);
    else
      blas::gemm_batched<T>(transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, count);
  });
}

template <class T>
int gemm_strided_batched(const Execution& execution, Layout layout, Transpose transa,
                         Transpose transb, int64_t m, int64_t n, int64_t k, T alpha, const T* a,
                         int64_t lda, int64_t stride_a, const T* b, int64_t ldb, int64_t stride_b,
                         T beta, T* c, int64_t ldc, int64_t stride_c, int64_t count) {
  const ProductShape shape{layout, transa, transb, m, n, k, lda, ldb, ldc};
  if (const int bad = shape.bad_size()) return bad;
  if (shape.lda_is_bad()) return 9;
  if (shape.ldb_is_bad()) return 12;
  if (shape.ldc_is_bad()) return 16;
  if (count < 0) return 18;
  return run(execution, [=] {
    if (shape.row_major())
      blas::gemm_strided_batched<T>(transb, transa, n, m, k, alpha, b, ldb, stride_b, a, lda,
                                    stride_a, beta, c, ldc, stride_c, count);
    else
      blas::gemm_strided_batched<T>(transa, transb, m, n, k, alpha, a, lda, stride_a, b, ldb,
                                    stride_b, beta, c, ldc, stride_c, count);
  });
}

#define GUDA_INSTANTIATE(T)                                                                   \
  template GUDA_EXPORT int gemm_batched<T>(                                                   \
      const Execution&, Layout, Transpose, Transpose, int64_t, int64_t, int64_t, T,           \
      const T* const*, int64_t, const T* const*, int64_t, T, T* const*, int64_t, int64_t);    \
  template GUDA_EXPORT int gemm_strided_batched<T>(                                           \
      const Execution&, Layout, Transpose, Transpose, int64_t, int64_t, int64_t, T, const T*, \
      int64_t, int64_t, const T*, int64_t, int64_t, T, T*, int64_t, int64_t, int64_t);
GUDA_INSTANTIATE(float)
GUDA_INSTANTIATE(double)
GUDA_INSTANTIATE(std::complex<float>)
GUDA_INSTANTIATE(std::complex<double>)
#undef GUDA_INSTANTIATE

}  // namespace guda::blas

extern "C" {
GUDA_EXPORT void guda_blas_set_threads(int threads) { guda::blas::set_worker_limit(threads); }
GUDA_EXPORT int guda_blas_get_threads(void) { return guda::blas::worker_limit(); }
}
