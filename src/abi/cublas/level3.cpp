// Level 3 with the element type in the name, and the matrix routines that cuBLAS adds.
#include "blas/level3.h"

#include "abi/cublas/entry.h"
#include "abi/cublas/handle.h"
#include "abi/cublas/legacy.h"
#include "abi/cublas/math_mode.h"
#include "abi/cublas/product.h"

namespace guda::cublas {
namespace {

using blas::Real;

enum class Kind { symmetric, hermitian };

template <class T>
constexpr ProductTypes types_of() {
  constexpr bool kDouble = sizeof(Real<T>) == 8;
  constexpr DataType kType =
      blas::is_complex<T> ? (kDouble ? kC64F : kC32F) : (kDouble ? kR64F : kR32F);
  return {kType, kType, kType, kDouble ? kCompute64F : kCompute32F};
}

template <class T, class Int>
Result gemm(Handle* handle, Op transa, Op transb, Int m, Int n, Int k, const T* alpha, const T* a,
            Int lda, const T* b, Int ldb, const T* beta, T* c, Int ldc) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_op(transa) && is_op(transb) && m >= 0 && n >= 0 && k >= 0 &&
                    lda >= at_least_one(transa == kN ? m : k) &&
                    ldb >= at_least_one(transb == kN ? k : n) && ldc >= at_least_one(m));
  if (m == 0 || n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha && beta && c);
  Scalar<T> alpha_value(handle, alpha), beta_value(handle, beta);
  GUDA_CUBLAS_CHECK(k == 0 || known_zero(handle, alpha) || (a && b));
  [[maybe_unused]] const auto products =
      float_products(compute_in_mode(handle->math_mode, kCompute32F));
  const ProductTypes types = types_of<T>();
  const GemmCall call = describe(types, {transa, transb, m, n, k, lda, ldb, ldc},
                                 handle->pointer_mode, alpha, a, b, beta, c);
  return submit_product(
      handle, product_ns<T>(m, n, k), call,
      [&](Uses& use) {
        use.product(alpha, transa == kN ? matrix_of(a, m, k, lda) : matrix_of(a, k, m, lda),
                    transb == kN ? matrix_of(b, k, n, ldb) : matrix_of(b, n, k, ldb), beta,
                    matrix_of(c, m, n, ldc));
      },
      [=] {
        if constexpr (std::is_same_v<T, float>)
          blas::gemm_f32(products, transpose(transa), transpose(transb), m, n, k, alpha_value.get(),
                         a, lda, b, ldb, beta_value.get(), c, ldc);
        else
          blas::gemm<T>(transpose(transa), transpose(transb), m, n, k, alpha_value.get(), a, lda, b,
                        ldb, beta_value.get(), c, ldc);
      });
}

template <class T, Kind kKind, class Int>
Result symm(Handle* handle, SideMode side, Fill uplo, Int m, Int n, const T* alpha, const T* a,
            Int lda, const T* b, Int ldb, const T* beta, T* c, Int ldc) {
  GUDA_CUBLAS_HANDLE(handle);
  Int order = side == kLeft ? m : n;
  GUDA_CUBLAS_CHECK(is_side(side) && is_fill(uplo) && m >= 0 && n >= 0 &&
                    lda >= at_least_one(order) && ldb >= at_least_one(m) && ldc >= at_least_one(m));
  if (m == 0 || n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha && beta);
  Scalar<T> alpha_value(handle, alpha), beta_value(handle, beta);
  return submit(
      handle, product_ns<T>(m, n, order),
      [&](Uses& use) {
        use.product(alpha, matrix_of(a, order, order, lda), matrix_of(b, m, n, ldb), beta,
                    matrix_of(c, m, n, ldc));
      },
      [=] {
        if constexpr (kKind == Kind::hermitian)
          blas::hemm<T>(side_of(side), triangle(uplo), m, n, alpha_value.get(), a, lda, b, ldb,
                        beta_value.get(), c, ldc);
        else
          blas::symm<T>(side_of(side), triangle(uplo), m, n, alpha_value.get(), a, lda, b, ldb,
                        beta_value.get(), c, ldc);
      });
}

/// A symmetric product transposes, a Hermitian one conjugates too, whichever of the two is asked for (as
/// cuBLAS has it).
template <class T, Kind kKind>
blas::Transpose rank_transpose(Op trans) {
  if (trans == kN) return blas::Transpose::no;
  return kKind == Kind::hermitian ? blas::Transpose::conjugate : blas::Transpose::yes;
}
template <class T, Kind kKind>
using RankScale = std::conditional_t<kKind == Kind::hermitian, Real<T>, T>;

template <class T, Kind kKind, class Int>
Result syrk(Handle* handle, Fill uplo, Op trans, Int n, Int k, const RankScale<T, kKind>* alpha,
            const T* a, Int lda, const RankScale<T, kKind>* beta, T* c, Int ldc) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_fill(uplo) && is_op(trans) && n >= 0 && k >= 0 &&
                    lda >= at_least_one(trans == kN ? n : k) && ldc >= at_least_one(n));
  if (n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha && beta && c);
  Scalar<RankScale<T, kKind>> alpha_value(handle, alpha), beta_value(handle, beta);
  return submit(
      handle, product_ns<T>(n, n, k) / 2,
      [&](Uses& use) {
        use.scalar(alpha)
            .reads(trans == kN ? matrix_of(a, n, k, lda) : matrix_of(a, k, n, lda))
            .scalar(beta)
            .writes(matrix_of(c, n, n, ldc));
      },
      [=] {
        if constexpr (kKind == Kind::hermitian)
          blas::herk<T>(triangle(uplo), rank_transpose<T, kKind>(trans), n, k, alpha_value.get(), a,
                        lda, beta_value.get(), c, ldc);
        else
          blas::syrk<T>(triangle(uplo), rank_transpose<T, kKind>(trans), n, k, alpha_value.get(), a,
                        lda, beta_value.get(), c, ldc);
      });
}

enum class TwoMatrices { both_ways, one_way };  // syr2k, syrkx

template <class T, Kind kKind, TwoMatrices kWays, class Int>
Result syr2k(Handle* handle, Fill uplo, Op trans, Int n, Int k, const T* alpha, const T* a, Int lda,
             const T* b, Int ldb, const RankScale<T, kKind>* beta, T* c, Int ldc) {
  GUDA_CUBLAS_HANDLE(handle);
  Int rows = trans == kN ? n : k;
  GUDA_CUBLAS_CHECK(is_fill(uplo) && is_op(trans) && n >= 0 && k >= 0 &&
                    lda >= at_least_one(rows) && ldb >= at_least_one(rows) &&
                    ldc >= at_least_one(n));
  if (n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha && beta && c);
  GUDA_CUBLAS_CHECK(k == 0 || known_zero(handle, alpha) || (a && b));
  Scalar<T> alpha_value(handle, alpha);
  Scalar<RankScale<T, kKind>> beta_value(handle, beta);
  return submit(
      handle, product_ns<T>(n, n, k),
      [&](Uses& use) {
        const Int columns = trans == kN ? k : n;
        use.product(alpha, matrix_of(a, rows, columns, lda), matrix_of(b, rows, columns, ldb), beta,
                    matrix_of(c, n, n, ldc));
      },
      [=] {
        auto shape = triangle(uplo);
        auto op = rank_transpose<T, kKind>(trans);
        if constexpr (kWays == TwoMatrices::one_way && kKind == Kind::hermitian)
          blas::herkx<T>(shape, op, n, k, alpha_value.get(), a, lda, b, ldb, beta_value.get(), c,
                         ldc);
        else if constexpr (kWays == TwoMatrices::one_way)
          blas::syrkx<T>(shape, op, n, k, alpha_value.get(), a, lda, b, ldb, beta_value.get(), c,
                         ldc);
        else if constexpr (kKind == Kind::hermitian)
          blas::her2k<T>(shape, op, n, k, alpha_value.get(), a, lda, b, ldb, beta_value.get(), c,
                         ldc);
        else
          blas::syr2k<T>(shape, op, n, k, alpha_value.get(), a, lda, b, ldb, beta_value.get(), c,
                         ldc);
      });
}

template <class T, class Int>
Result trsm(Handle* handle, SideMode side, Fill uplo, Op trans, Diag diag, Int m, Int n,
            const T* alpha, const T* a, Int lda, T* b, Int ldb) {
  GUDA_CUBLAS_HANDLE(handle);
  Int order = side == kLeft ? m : n;
  GUDA_CUBLAS_CHECK(is_side(side) && is_fill(uplo) && is_op(trans) && is_diag(diag) && m >= 0 &&
                    n >= 0 && lda >= at_least_one(order) && ldb >= at_least_one(m));
  if (m == 0 || n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha);
  Scalar<T> alpha_value(handle, alpha);
  return submit(
      handle, product_ns<T>(m, n, order) / 2,
      [&](Uses& use) {
        use.scalar(alpha).reads(matrix_of(a, order, order, lda)).writes(matrix_of(b, m, n, ldb));
      },
      [=] {
        blas::trsm<T>(side_of(side), triangle(uplo), transpose(trans), diagonal(diag), m, n,
                      alpha_value.get(), a, lda, b, ldb);
      });
}

template <class T, class Int>
Result trmm(Handle* handle, SideMode side, Fill uplo, Op trans, Diag diag, Int m, Int n,
            const T* alpha, const T* a, Int lda, const T* b, Int ldb, T* c, Int ldc) {
  GUDA_CUBLAS_HANDLE(handle);
  Int order = side == kLeft ? m : n;
  GUDA_CUBLAS_CHECK(is_side(side) && is_fill(uplo) && is_op(trans) && is_diag(diag) && m >= 0 &&
                    n >= 0 && lda >= at_least_one(order) && ldb >= at_least_one(m) &&
                    ldc >= at_least_one(m) && (b != c || ldb == ldc));
  if (m == 0 || n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha && c && (known_zero(handle, alpha) || (a && b)));
  Scalar<T> alpha_value(handle, alpha);
  return submit(
      handle, product_ns<T>(m, n, order) / 2,
      [&](Uses& use) {
        use.product(alpha, matrix_of(a, order, order, lda), matrix_of(b, m, n, ldb),
                    matrix_of(c, m, n, ldc));
      },
      [=] {
        blas::trmm<T>(side_of(side), triangle(uplo), transpose(trans), diagonal(diag), m, n,
                      alpha_value.get(), a, lda, b, ldb, c, ldc);
      });
}

template <class T, class Int>
Result geam(Handle* handle, Op transa, Op transb, Int m, Int n, const T* alpha, const T* a, Int lda,
            const T* beta, const T* b, Int ldb, T* c, Int ldc) {
  GUDA_CUBLAS_HANDLE(handle);
  // In place, C has A's (or B's) shape and place.
  bool over_a = c == a && (transa != kN || lda != ldc);
  bool over_b = c == b && (transb != kN || ldb != ldc);
  GUDA_CUBLAS_CHECK(is_op(transa) && is_op(transb) && m >= 0 && n >= 0 &&
                    lda >= at_least_one(transa == kN ? m : n) &&
                    ldb >= at_least_one(transb == kN ? m : n) && ldc >= at_least_one(m));
  if (m == 0 || n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha && beta && !over_a && !over_b);
  Scalar<T> alpha_value(handle, alpha), beta_value(handle, beta);
  return submit(
      handle, matrix_ns<T>(m, n),
      [&](Uses& use) {
        use.scalar(alpha)
            .reads(transa == kN ? matrix_of(a, m, n, lda) : matrix_of(a, n, m, lda))
            .scalar(beta)
            .reads(transb == kN ? matrix_of(b, m, n, ldb) : matrix_of(b, n, m, ldb))
            .writes(matrix_of(c, m, n, ldc));
      },
      [=] {
        blas::geam<T>(transpose(transa), transpose(transb), m, n, alpha_value.get(), a, lda,
                      beta_value.get(), b, ldb, c, ldc);
      });
}

template <class T, class Int>
Result dgmm(Handle* handle, SideMode side, Int m, Int n, const T* a, Int lda, const T* x, Int incx,
            T* c, Int ldc) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_side(side) && m >= 0 && n >= 0 && lda >= at_least_one(m) &&
                    ldc >= at_least_one(m) && (a != c || lda == ldc));
  if (m == 0 || n == 0) return kSuccess;
  return submit(
      handle, matrix_ns<T>(m, n),
      [&](Uses& use) {
        use.reads(matrix_of(a, m, n, lda))
            .reads(vector_of(x, side == kLeft ? m : n, incx))
            .writes(matrix_of(c, m, n, ldc));
      },
      [=] { blas::dgmm<T>(side_of(side), m, n, a, lda, x, incx, c, ldc); });
}

template <class T>
Result tpttr(Handle* handle, Fill uplo, int n, const T* ap, T* a, int lda) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_fill(uplo) && n >= 0 && lda >= at_least_one(n));
  if (n == 0) return kSuccess;
  return submit(
      handle, matrix_ns<T>(n, n),
      [&](Uses& use) { use.reads(packed_of(ap, n)).writes(matrix_of(a, n, n, lda)); },
      [=] { blas::tpttr<T>(triangle(uplo), n, ap, a, lda); });
}

template <class T>
Result trttp(Handle* handle, Fill uplo, int n, const T* a, int lda, T* ap) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_fill(uplo) && n >= 0 && lda >= at_least_one(n));
  if (n == 0) return kSuccess;
  return submit(
      handle, matrix_ns<T>(n, n),
      [&](Uses& use) { use.reads(matrix_of(a, n, n, lda)).writes(packed_of(ap, n)); },
      [=] { blas::trttp<T>(triangle(uplo), n, a, lda, ap); });
}

/// CsyrkEx, CherkEx: A in complex bytes or complex floats, C in complex floats.
template <class T, Kind kKind, class Int>
Result syrk_ex(Handle* handle, Fill uplo, Op trans, Int n, Int k, const RankScale<T, kKind>* alpha,
               const void* a, DataType a_type, Int lda, const RankScale<T, kKind>* beta, void* c,
               DataType c_type, Int ldc) {
  GUDA_CUBLAS_HANDLE(handle);
  if ((a_type != kC8I && a_type != kC32F) || c_type != kC32F) return kNotSupported;
  auto* out = static_cast<T*>(c);
  if (a_type == kC32F)
    return syrk<T, kKind, Int>(handle, uplo, trans, n, k, alpha, static_cast<const T*>(a), lda,
                               beta, out, ldc);
  GUDA_CUBLAS_CHECK(is_fill(uplo) && is_op(trans) && n >= 0 && k >= 0 &&
                    lda >= at_least_one(trans == kN ? n : k) && ldc >= at_least_one(n));
  if (n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha && beta);
  Scalar<RankScale<T, kKind>> alpha_value(handle, alpha), beta_value(handle, beta);
  return submit(
      handle, product_ns<T>(n, n, k) / 2,
      [&](Uses& use) {
        const Int rows = trans == kN ? n : k, columns = trans == kN ? k : n;
        use.scalar(alpha)
            .reads(matrix_of(a, element_bytes(a_type), rows, columns, lda))
            .scalar(beta)
            .writes(matrix_of(out, n, n, ldc));
      },
      [=] {
        int64_t rows = trans == kN ? n : k;
        auto wide = widen_complex_bytes(a, rows, trans == kN ? k : n, lda);
        int64_t ld = at_least_one(rows);
        if constexpr (kKind == Kind::hermitian)
          blas::herk<T>(triangle(uplo), rank_transpose<T, kKind>(trans), n, k, alpha_value.get(),
                        wide.get(), ld, beta_value.get(), out, ldc);
        else
          blas::syrk<T>(triangle(uplo), rank_transpose<T, kKind>(trans), n, k, alpha_value.get(),
                        wide.get(), ld, beta_value.get(), out, ldc);
      });
}

GUDA_ENTRY_SDCZ(gemm_v2, gemm);
// Three real products instead of four would be less exact; here it is the same as gemm.
GUDA_ENTRY_CZ(gemm3m, gemm);
GUDA_ENTRY_SDCZ(symm_v2, symm, Kind::symmetric);
GUDA_ENTRY_CZ(hemm_v2, symm, Kind::hermitian);
GUDA_ENTRY_SDCZ(syrk_v2, syrk, Kind::symmetric);
GUDA_ENTRY_CZ(herk_v2, syrk, Kind::hermitian);
GUDA_ENTRY_SIZES(cublasCsyrkEx, syrk_ex, ComplexFloat, Kind::symmetric);
GUDA_ENTRY_SIZES(cublasCsyrk3mEx, syrk_ex, ComplexFloat, Kind::symmetric);
GUDA_ENTRY_SIZES(cublasCherkEx, syrk_ex, ComplexFloat, Kind::hermitian);
GUDA_ENTRY_SIZES(cublasCherk3mEx, syrk_ex, ComplexFloat, Kind::hermitian);
GUDA_ENTRY_SDCZ(syr2k_v2, syr2k, Kind::symmetric, TwoMatrices::both_ways);
GUDA_ENTRY_CZ(her2k_v2, syr2k, Kind::hermitian, TwoMatrices::both_ways);
GUDA_ENTRY_SDCZ(syrkx, syr2k, Kind::symmetric, TwoMatrices::one_way);
GUDA_ENTRY_CZ(herkx, syr2k, Kind::hermitian, TwoMatrices::one_way);
GUDA_ENTRY_SDCZ(trsm_v2, trsm);
GUDA_ENTRY_SDCZ(trmm_v2, trmm);
GUDA_ENTRY_SDCZ(geam, geam);
GUDA_ENTRY_SDCZ(dgmm, dgmm);
GUDA_ENTRY_SDCZ_INT(tpttr, tpttr);
GUDA_ENTRY_SDCZ_INT(trttp, trttp);

// cublas.h: the position of a scalar counts from the argument after the handle. Its trmm works in place.
template <class T, class Int>
Result trmm_in_place(Handle* handle, SideMode side, Fill uplo, Op trans, Diag diag, Int m, Int n,
                     const T* alpha, const T* a, Int lda, T* b, Int ldb) {
  CallScope scope;
  if (current_call != nullptr)
    scope.note(current_call->name, handle, side, uplo, trans, diag, m, n, alpha, a, lda, b, ldb, b,
               ldb);
  return trmm<T, Int>(handle, side, uplo, trans, diag, m, n, alpha, a, lda, b, ldb, b, ldb);
}

GUDA_LEGACY_SDCZ(gemm, at(5, 10), gemm);
GUDA_LEGACY_SDCZ(symm, at(4, 9), symm, Kind::symmetric);
GUDA_LEGACY_CZ(hemm, at(4, 9), symm, Kind::hermitian);
GUDA_LEGACY_SDCZ(syrk, at(4, 7), syrk, Kind::symmetric);
GUDA_LEGACY_CZ(herk, at(4, 7), syrk, Kind::hermitian);
GUDA_LEGACY_SDCZ(syr2k, at(4, 9), syr2k, Kind::symmetric, TwoMatrices::both_ways);
GUDA_LEGACY_CZ(her2k, at(4, 9), syr2k, Kind::hermitian, TwoMatrices::both_ways);
GUDA_LEGACY_SDCZ(trmm, at(6), trmm_in_place);
GUDA_LEGACY_SDCZ(trsm, at(6), trsm);

}  // namespace
}  // namespace guda::cublas
