// cublasXt: products of matrices in host memory. There is one kind of memory here, so that they are
// computed where they are, and a call returns when its result is there.
#pragma once

#include "abi/cublas/handle.h"
#include "blas/level3.h"

#include <vector>

namespace guda::cublas::xt {

struct XtHandle {
  static constexpr uint32_t kMagic = 0x47427658;
  static constexpr int kOperations = 12, kTypes = 4;
  uint32_t magic = kMagic;
  std::vector<int> devices;
  int block_dimension = 1024;
  int pinning = 0;
  void* cpu_routine[kOperations][kTypes] = {};
  float cpu_ratio[kOperations][kTypes] = {};
};

/// A routine may run when devices have been selected.
inline Result check_ready(const XtHandle* handle) {
  if (!handle || handle->magic != XtHandle::kMagic || handle->devices.empty())
    return kNotInitialized;
  return kSuccess;
}

using blas::Real;

enum class Kind { symmetric, hermitian };

inline bool fits(size_t rows, size_t ld) { return ld >= (rows > 1 ? rows : 1); }

/// A symmetric product transposes, a Hermitian one conjugates too, whichever of the two is asked for (as
/// cuBLAS has it).
template <class T, Kind kKind>
blas::Transpose rank_transpose(Op trans) {
  if (trans == kN) return blas::Transpose::no;
  return kKind == Kind::hermitian ? blas::Transpose::conjugate : blas::Transpose::yes;
}
template <class T, Kind kKind>
using RankScale = std::conditional_t<kKind == Kind::hermitian, Real<T>, T>;

/// Matrices may be in the device's memory, too, and then be somewhere else than on the host.
template <class Tell, class Work>
Result compute(Tell tell, Work work) {
  if (!with_devices()) [[likely]] {
    work();
    return kSuccess;
  }
  constexpr uint64_t kLong = 1000000000;
  WorkOperation<Work> operation(std::move(work), kLong);
  auto known = library_work(nullptr);
  tell(known->uses);
  return submit_with(nullptr, operation, std::move(known), library::Return::complete);
}

#define GUDA_XT_READY(handle) \
  if (Result ready = check_ready(handle)) return ready

template <class T>
Result gemm(XtHandle* handle, Op transa, Op transb, size_t m, size_t n, size_t k, const T* alpha,
            const T* a, size_t lda, const T* b, size_t ldb, const T* beta, T* c, size_t ldc) {
  GUDA_XT_READY(handle);
  GUDA_CUBLAS_CHECK(is_op(transa) && is_op(transb) && fits(transa == kN ? m : k, lda) &&
                    fits(transb == kN ? k : n, ldb) && fits(m, ldc) && alpha && beta);
  return compute(
      [&](Uses& use) {
        use.reads(transa == kN ? matrix_of(a, m, k, lda) : matrix_of(a, k, m, lda))
            .reads(transb == kN ? matrix_of(b, k, n, ldb) : matrix_of(b, n, k, ldb))
            .writes(matrix_of(c, m, n, ldc));
      },
      [=] {
        blas::gemm<T>(transpose(transa), transpose(transb), m, n, k, *alpha, a, lda, b, ldb, *beta,
                      c, ldc);
      });
}

template <class T, Kind kKind>
Result syrk(XtHandle* handle, Fill uplo, Op trans, size_t n, size_t k,
            const RankScale<T, kKind>* alpha, const T* a, size_t lda,
            const RankScale<T, kKind>* beta, T* c, size_t ldc) {
  GUDA_XT_READY(handle);
  GUDA_CUBLAS_CHECK(is_fill(uplo) && is_op(trans) && fits(trans == kN ? n : k, lda) &&
                    fits(n, ldc) && alpha && beta);
  return compute(
      [&](Uses& use) {
        use.reads(trans == kN ? matrix_of(a, n, k, lda) : matrix_of(a, k, n, lda))
            .writes(matrix_of(c, n, n, ldc));
      },
      [=] {
        if constexpr (kKind == Kind::hermitian)
          blas::herk<T>(triangle(uplo), rank_transpose<T, kKind>(trans), n, k, *alpha, a, lda,
                        *beta, c, ldc);
        else
          blas::syrk<T>(triangle(uplo), rank_transpose<T, kKind>(trans), n, k, *alpha, a, lda,
                        *beta, c, ldc);
      });
}

enum class TwoMatrices { both_ways, one_way };  // syr2k, syrkx

template <class T, Kind kKind, TwoMatrices kWays>
Result syr2k(XtHandle* handle, Fill uplo, Op trans, size_t n, size_t k, const T* alpha, const T* a,
             size_t lda, const T* b, size_t ldb, const RankScale<T, kKind>* beta, T* c,
             size_t ldc) {
  GUDA_XT_READY(handle);
  size_t rows = trans == kN ? n : k;
  GUDA_CUBLAS_CHECK(is_fill(uplo) && is_op(trans) && fits(rows, lda) && fits(rows, ldb) &&
                    fits(n, ldc) && alpha && beta);
  return compute(
      [&](Uses& use) {
        use.reads(trans == kN ? matrix_of(a, n, k, lda) : matrix_of(a, k, n, lda))
            .reads(trans == kN ? matrix_of(b, n, k, ldb) : matrix_of(b, k, n, ldb))
            .writes(matrix_of(c, n, n, ldc));
      },
      [=] {
        auto shape = triangle(uplo);
        auto op = rank_transpose<T, kKind>(trans);
        if constexpr (kWays == TwoMatrices::one_way && kKind == Kind::hermitian)
          blas::herkx<T>(shape, op, n, k, *alpha, a, lda, b, ldb, *beta, c, ldc);
        else if constexpr (kWays == TwoMatrices::one_way)
          blas::syrkx<T>(shape, op, n, k, *alpha, a, lda, b, ldb, *beta, c, ldc);
        else if constexpr (kKind == Kind::hermitian)
          blas::her2k<T>(shape, op, n, k, *alpha, a, lda, b, ldb, *beta, c, ldc);
        else
          blas::syr2k<T>(shape, op, n, k, *alpha, a, lda, b, ldb, *beta, c, ldc);
      });
}

template <class T, Kind kKind>
Result symm(XtHandle* handle, SideMode side, Fill uplo, size_t m, size_t n, const T* alpha,
            const T* a, size_t lda, const T* b, size_t ldb, const T* beta, T* c, size_t ldc) {
  GUDA_XT_READY(handle);
  GUDA_CUBLAS_CHECK(is_side(side) && is_fill(uplo) && fits(side == kLeft ? m : n, lda) &&
                    fits(m, ldb) && fits(m, ldc) && alpha && beta);
  return compute(
      [&](Uses& use) {
        use.reads(matrix_of(a, side == kLeft ? m : n, side == kLeft ? m : n, lda))
            .reads(matrix_of(b, m, n, ldb))
            .writes(matrix_of(c, m, n, ldc));
      },
      [=] {
        if constexpr (kKind == Kind::hermitian)
          blas::hemm<T>(side_of(side), triangle(uplo), m, n, *alpha, a, lda, b, ldb, *beta, c, ldc);
        else
          blas::symm<T>(side_of(side), triangle(uplo), m, n, *alpha, a, lda, b, ldb, *beta, c, ldc);
      });
}

/// symm with a packed matrix.
template <class T>
Result spmm(XtHandle* handle, SideMode side, Fill uplo, size_t m, size_t n, const T* alpha,
            const T* ap, const T* b, size_t ldb, const T* beta, T* c, size_t ldc) {
  GUDA_XT_READY(handle);
  GUDA_CUBLAS_CHECK(is_side(side) && is_fill(uplo));
  size_t order = side == kLeft ? m : n;
  GUDA_CUBLAS_CHECK(fits(m, ldb) && fits(m, ldc) && alpha && beta);
  return compute(
      [&](Uses& use) {
        use.reads(packed_of(ap, order))
            .reads(matrix_of(b, m, n, ldb))
            .writes(matrix_of(c, m, n, ldc));
      },
      [=] {
        std::vector<T> a(order * order);
        const size_t lda = order > 1 ? order : 1;
        blas::tpttr<T>(triangle(uplo), order, ap, a.data(), lda);
        blas::symm<T>(side_of(side), triangle(uplo), m, n, *alpha, a.data(), lda, b, ldb, *beta, c,
                      ldc);
      });
}

template <class T>
Result trsm(XtHandle* handle, SideMode side, Fill uplo, Op trans, Diag diag, size_t m, size_t n,
            const T* alpha, const T* a, size_t lda, T* b, size_t ldb) {
  GUDA_XT_READY(handle);
  GUDA_CUBLAS_CHECK(is_side(side) && is_fill(uplo) && is_op(trans) && is_diag(diag) &&
                    fits(side == kLeft ? m : n, lda) && fits(m, ldb) && alpha);
  return compute(
      [&](Uses& use) {
        use.reads(matrix_of(a, side == kLeft ? m : n, side == kLeft ? m : n, lda))
            .writes(matrix_of(b, m, n, ldb));
      },
      [=] {
        blas::trsm<T>(side_of(side), triangle(uplo), transpose(trans), diagonal(diag), m, n, *alpha,
                      a, lda, b, ldb);
      });
}

template <class T>
Result trmm(XtHandle* handle, SideMode side, Fill uplo, Op trans, Diag diag, size_t m, size_t n,
            const T* alpha, const T* a, size_t lda, const T* b, size_t ldb, T* c, size_t ldc) {
  GUDA_XT_READY(handle);
  GUDA_CUBLAS_CHECK(is_side(side) && is_fill(uplo) && is_op(trans) && is_diag(diag) &&
                    fits(side == kLeft ? m : n, lda) && fits(m, ldb) && fits(m, ldc) && alpha &&
                    (b != c || ldb == ldc));
  return compute(
      [&](Uses& use) {
        use.reads(matrix_of(a, side == kLeft ? m : n, side == kLeft ? m : n, lda))
            .reads(matrix_of(b, m, n, ldb))
            .writes(matrix_of(c, m, n, ldc));
      },
      [=] {
        blas::trmm<T>(side_of(side), triangle(uplo), transpose(trans), diagonal(diag), m, n, *alpha,
                      a, lda, b, ldb, c, ldc);
      });
}

}  // namespace guda::cublas::xt
