// QR factorisation by Householder reflections, in blocks (compact WY form: Schreiber and Van Loan, 1989),
// and least squares by it.
#include <algorithm>
#include <cmath>

#include "blas/factorization.h"
#include "blas/level1.h"
#include "blas/level2.h"
#include "blas/level3.h"
#include "blas/parallel.h"
#include "blas/scratch.h"

namespace guda::blas {
namespace {

constexpr int64_t kBlock = 32;

constexpr Transpose kAdjoint = Transpose::conjugate;

// The reflection I - tau v v^H whose adjoint takes (alpha, x) to (beta, 0), v = (1, x'). LAPACK's larfg.
template <class T>
T make_reflection(int64_t n, T* alpha, T* x) {
  using R = Real<T>;
  const R norm = nrm2(n - 1, x, 1);
  R imaginary(0);
  if constexpr (is_complex<T>) imaginary = alpha->imag();
  if (norm == R(0) && imaginary == R(0)) return T(0);
  const R real = real_part(*alpha);
  const R beta = -std::copysign(std::hypot(std::hypot(real, imaginary), norm), real);
  T tau;
  if constexpr (is_complex<T>)
    tau = T((beta - real) / beta, -imaginary / beta);
  else
    tau = (beta - real) / beta;
  const T divisor = *alpha - beta;
  for (int64_t i = 0; i < n - 1; ++i) x[i] /= divisor;
  *alpha = T(beta);
  return tau;
}

// C -= factor v (v^H C), v = (1, x); C is m x n.
template <class T>
void reflect(int64_t m, int64_t n, T factor, const T* x, T* c, int64_t ldc) {
  if (n <= 0 || factor == T(0)) return;
  Scratch<T> row(n);  // conj(v^H C)
  for (int64_t j = 0; j < n; ++j) row[j] = conjugate(c[j * ldc]);
  if (m > 1) {
    Scratch<T> sums(n);
    gemv(kAdjoint, m - 1, n, T(1), c + 1, ldc, x, 1, T(0), sums.data(), 1);
    for (int64_t j = 0; j < n; ++j) row[j] += sums[j];
    gerc(m - 1, n, -factor, x, 1, row.data(), 1, c + 1, ldc);
  }
  for (int64_t j = 0; j < n; ++j) c[j * ldc] -= product(factor, conjugate(row[j]));
}

template <class T>
void factor_narrow(int64_t m, int64_t n, T* a, int64_t lda, T* tau) {
  for (int64_t j = 0; j < std::min(m, n); ++j) {
    T* column = a + j + j * lda;
    tau[j] = make_reflection(m - j, column, column + 1);
    reflect(m - j, n - j - 1, conjugate(tau[j]), column + 1, column + lda, lda);
  }
}

// H_1 ... H_k = I - V W V^H, and applied to C (m x n) from the left: itself, or its adjoint.
template <class T>
void apply_block(bool adjoint, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda,
                 const T* tau, T* c, int64_t ldc) {
  if (n <= 0 || k <= 0) return;
  Scratch<T> v(m * k), w(k * k), vv(k * k), product_vc(k * n), wc(k * n);
  for (int64_t j = 0; j < k; ++j) {
    T* column = v.data() + j * m;
    std::fill_n(column, j, T(0));
    column[j] = T(1);
    std::copy(a + j * lda + j + 1, a + j * lda + m, column + j + 1);
  }
  // W is upper triangular: W(0..j-1, j) = -tau_j W V^H v_j.
  gemm(kAdjoint, Transpose::no, k, k, m, T(1), v.data(), m, v.data(), m, T(0), vv.data(), k);
  std::fill_n(w.data(), k * k, T(0));
  for (int64_t j = 0; j < k; ++j) {
    T* column = w.data() + j * k;
    for (int64_t i = 0; i < j; ++i) column[i] = -product(tau[j], vv[i + j * k]);
    trmv(Triangle::upper, Transpose::no, Diagonal::stored, j, w.data(), k, column, 1);
    column[j] = tau[j];
  }
  gemm(kAdjoint, Transpose::no, k, n, m, T(1), v.data(), m, c, ldc, T(0), product_vc.data(), k);
  gemm(adjoint ? kAdjoint : Transpose::no, Transpose::no, k, n, k, T(1), w.data(), k,
       product_vc.data(), k, T(0), wc.data(), k);
  gemm(Transpose::no, Transpose::no, m, n, k, T(-1), v.data(), m, wc.data(), k, T(1), c, ldc);
}

// C = Q C or Q^H C with geqrf's factors of k reflections.
template <class T>
void apply_q(bool adjoint, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* tau,
             T* c, int64_t ldc) {
  const int64_t blocks = (k + kBlock - 1) / kBlock;
  for (int64_t step = 0; step < blocks; ++step) {
    // Q = H_1 H_2 ...: its adjoint begins with the first.
    const int64_t j = (adjoint ? step : blocks - 1 - step) * kBlock;
    apply_block(adjoint, m - j, n, std::min(kBlock, k - j), a + j + j * lda, lda, tau + j, c + j,
                ldc);
  }
}

}  // namespace

template <class T>
void geqrf(int64_t m, int64_t n, T* a, int64_t lda, T* tau) {
  const int64_t steps = std::min(m, n);
  for (int64_t j = 0; j < steps; j += kBlock) {
    const int64_t width = std::min(kBlock, steps - j);
    T* block = a + j + j * lda;
    const bool last = j + width == steps;
    // The columns right of the last block of a wide matrix are few or many: blocks serve both.
    factor_narrow(m - j, width, block, lda, tau + j);
    if (!last || n > steps)
      apply_block(true, m - j, n - j - width, width, block, lda, tau + j, block + width * lda, lda);
  }
}

template <class T>
int gels(Transpose trans, int64_t m, int64_t n, int64_t nrhs, T* a, int64_t lda, T* b,
         int64_t ldb) {
  const int64_t rows = trans == Transpose::no ? m : n, columns = trans == Transpose::no ? n : m;
  const bool overdetermined = rows >= columns;
  const int64_t longer = std::max(m, n), shorter = std::min(m, n);
  if (shorter <= 0 || nrhs <= 0) {
    for (int64_t j = 0; j < nrhs; ++j) std::fill_n(b + j * ldb, longer, T(0));
    return 0;
  }
  // The factors of op(A), or of its adjoint when that is the tall one.
  const bool in_place = trans == Transpose::no && overdetermined;
  Scratch<T> copy(in_place ? 0 : longer * shorter);
  T* f = a;
  int64_t ldf = lda;
  if (!in_place) {
    f = copy.data();
    ldf = longer;
    for (int64_t j = 0; j < shorter; ++j) {
      for (int64_t i = 0; i < longer; ++i) {
        // op(A)(i, j), or conj(op(A)(j, i)).
        const int64_t r = overdetermined ? i : j, c = overdetermined ? j : i;
        T value = trans == Transpose::no ? a[r + c * lda] : a[c + r * lda];
        if ((trans == Transpose::conjugate) == overdetermined) value = conjugate(value);
        f[i + j * ldf] = value;
      }
    }
  }
  Scratch<T> tau(shorter);
  geqrf(longer, shorter, f, ldf, tau.data());
  for (int64_t i = 0; i < shorter; ++i)
    if (f[i + i * ldf] == T(0)) return static_cast<int>(i + 1);
  if (overdetermined) {
    apply_q(true, longer, nrhs, shorter, f, ldf, tau.data(), b, ldb);
    trsm(Side::left, Triangle::upper, Transpose::no, Diagonal::stored, shorter, nrhs, T(1), f, ldf,
         b, ldb);
  } else {
    trsm(Side::left, Triangle::upper, kAdjoint, Diagonal::stored, shorter, nrhs, T(1), f, ldf, b,
         ldb);
    for (int64_t j = 0; j < nrhs; ++j) std::fill_n(b + shorter + j * ldb, longer - shorter, T(0));
    apply_q(false, longer, nrhs, shorter, f, ldf, tau.data(), b, ldb);
  }
  return 0;
}

namespace {
size_t cost(int64_t m, int64_t n, size_t element) {
  return static_cast<size_t>(m * n) * (element + static_cast<size_t>(std::min(m, n)) / 4);
}
}  // namespace

template <class T>
void geqrf_batched(int64_t m, int64_t n, T* const* a, int64_t lda, T* const* tau, int64_t count) {
  for_each_task(count, cost(m, n, sizeof(T)), [&](int64_t i) { geqrf(m, n, a[i], lda, tau[i]); });
}

template <class T>
void gels_batched(Transpose trans, int64_t m, int64_t n, int64_t nrhs, T* const* a, int64_t lda,
                  T* const* b, int64_t ldb, int* info, int64_t count) {
  for_each_task(count, cost(m, n, sizeof(T)), [&](int64_t i) {
    const int result = gels(trans, m, n, nrhs, a[i], lda, b[i], ldb);
    if (info != nullptr) info[i] = result;
  });
}

#define GUDA_INSTANTIATE(T)                                                                       \
  template void geqrf(int64_t, int64_t, T*, int64_t, T*);                                         \
  template int gels(Transpose, int64_t, int64_t, int64_t, T*, int64_t, T*, int64_t);              \
  template void geqrf_batched(int64_t, int64_t, T* const*, int64_t, T* const*, int64_t);          \
  template void gels_batched(Transpose, int64_t, int64_t, int64_t, T* const*, int64_t, T* const*, \
                             int64_t, int*, int64_t);
GUDA_INSTANTIATE(float)
GUDA_INSTANTIATE(double)
GUDA_INSTANTIATE(std::complex<float>)
GUDA_INSTANTIATE(std::complex<double>)
#undef GUDA_INSTANTIATE

}  // namespace guda::blas
