// LU factorisation with partial pivoting, recursive in the columns, and what is solved with it.
#include <algorithm>

#include "blas/factorization.h"
#include "blas/level1.h"
#include "blas/level2.h"
#include "blas/level3.h"
#include "blas/parallel.h"
#include "blas/scratch.h"

namespace guda::blas {
namespace {

constexpr int64_t kNarrowPanel = 8;

// Exchanges rows i and pivots[i] - 1 of n columns, for i in [begin, end) in order, or in reverse.
template <class T>
void exchange_rows(int64_t n, T* a, int64_t lda, const int* pivots, int64_t begin, int64_t end,
                   bool reverse = false) {
  if (pivots == nullptr) return;
  for (int64_t j = 0; j < n; ++j) {
    T* column = a + j * lda;
    for (int64_t step = begin; step < end; ++step) {
      const int64_t i = reverse ? end - 1 - (step - begin) : step;
      std::swap(column[i], column[pivots[i] - 1]);
    }
  }
}

template <class T>
int factor_narrow(int64_t m, int64_t n, T* a, int64_t lda, int* pivots) {
  int info = 0;
  for (int64_t j = 0; j < std::min(m, n); ++j) {
    T* column = a + j * lda;
    if (pivots != nullptr) {
      const int64_t pivot = j + iamax(m - j, column + j, 1);
      pivots[j] = static_cast<int>(pivot + 1);
      if (pivot != j && column[pivot] != T(0)) swap(n, a + j, lda, a + pivot, lda);
    }
    if (column[j] == T(0)) {
      if (info == 0) info = static_cast<int>(j + 1);
      continue;
    }
    // Divisions: the reciprocal of a tiny pivot may overflow.
    for (int64_t i = j + 1; i < m; ++i) column[i] /= column[j];
    ger(m - j - 1, n - j - 1, T(-1), column + j + 1, 1, a + j + (j + 1) * lda, lda,
        a + (j + 1) + (j + 1) * lda, lda);
  }
  return info;
}

}  // namespace

template <class T>
int getrf(int64_t m, int64_t n, T* a, int64_t lda, int* pivots) {
  const int64_t steps = std::min(m, n);
  if (steps <= 0) return 0;
  if (steps <= kNarrowPanel && n <= kNarrowPanel) return factor_narrow(m, n, a, lda, pivots);
  const int64_t left = steps <= kNarrowPanel ? steps : steps / 2;
  int info = getrf(m, left, a, lda, pivots);
  T* right = a + left * lda;
  exchange_rows(n - left, right, lda, pivots, 0, left);
  trsm(Side::left, Triangle::lower, Transpose::no, Diagonal::unit, left, n - left, T(1), a, lda,
       right, lda);
  if (left == m) return info;
  gemm(Transpose::no, Transpose::no, m - left, n - left, left, T(-1), a + left, lda, right, lda,
       T(1), right + left, lda);
  int* lower_pivots = pivots == nullptr ? nullptr : pivots + left;
  const int lower_info = getrf(m - left, n - left, right + left, lda, lower_pivots);
  if (info == 0 && lower_info != 0) info = lower_info + static_cast<int>(left);
  if (pivots != nullptr) {
    for (int64_t i = left; i < steps; ++i) pivots[i] += static_cast<int>(left);
    exchange_rows(left, a, lda, pivots, left, steps);
  }
  return info;
}

template <class T>
void getrs(Transpose trans, int64_t n, int64_t nrhs, const T* a, int64_t lda, const int* pivots,
           T* b, int64_t ldb) {
  if (n <= 0 || nrhs <= 0) return;
  if (trans == Transpose::no) {
    exchange_rows(nrhs, b, ldb, pivots, 0, n);
    trsm(Side::left, Triangle::lower, trans, Diagonal::unit, n, nrhs, T(1), a, lda, b, ldb);
    trsm(Side::left, Triangle::upper, trans, Diagonal::stored, n, nrhs, T(1), a, lda, b, ldb);
  } else {
    trsm(Side::left, Triangle::upper, trans, Diagonal::stored, n, nrhs, T(1), a, lda, b, ldb);
    trsm(Side::left, Triangle::lower, trans, Diagonal::unit, n, nrhs, T(1), a, lda, b, ldb);
    exchange_rows(nrhs, b, ldb, pivots, 0, n, true);
  }
}

template <class T>
int getri(int64_t n, const T* a, int64_t lda, const int* pivots, T* c, int64_t ldc) {
  for (int64_t i = 0; i < n; ++i)
    if (a[i + i * lda] == T(0)) return static_cast<int>(i + 1);
  for (int64_t j = 0; j < n; ++j) {
    std::fill_n(c + j * ldc, n, T(0));
    c[j + j * ldc] = T(1);
  }
  getrs(Transpose::no, n, n, a, lda, pivots, c, ldc);
  return 0;
}

namespace {
// What one matrix of a batch costs, in bytes for the threading decision: n^3 operations.
size_t cubic_cost(int64_t n, size_t element) {
  return static_cast<size_t>(n * n) * (element + static_cast<size_t>(n) / 4);
}
}  // namespace

template <class T>
void getrf_batched(int64_t n, T* const* a, int64_t lda, int* pivots, int* info, int64_t count) {
  for_each_task(count, cubic_cost(n, sizeof(T)), [&](int64_t i) {
    info[i] = getrf(n, n, a[i], lda, pivots == nullptr ? nullptr : pivots + i * n);
  });
}

template <class T>
void getrs_batched(Transpose trans, int64_t n, int64_t nrhs, const T* const* a, int64_t lda,
                   const int* pivots, T* const* b, int64_t ldb, int64_t count) {
  for_each_task(count, cubic_cost(n, sizeof(T)), [&](int64_t i) {
    getrs(trans, n, nrhs, a[i], lda, pivots == nullptr ? nullptr : pivots + i * n, b[i], ldb);
  });
}

template <class T>
void getri_batched(int64_t n, const T* const* a, int64_t lda, const int* pivots, T* const* c,
                   int64_t ldc, int* info, int64_t count) {
  for_each_task(count, cubic_cost(n, sizeof(T)), [&](int64_t i) {
    info[i] = getri(n, a[i], lda, pivots == nullptr ? nullptr : pivots + i * n, c[i], ldc);
  });
}

template <class T>
void matinv_batched(int64_t n, const T* const* a, int64_t lda, T* const* inverse,
                    int64_t ld_inverse, int* info, int64_t count) {
  for_each_task(count, cubic_cost(n, sizeof(T)), [&](int64_t i) {
    Scratch<T> factors(n * n);
    Scratch<int> pivots(n);
    for (int64_t j = 0; j < n; ++j) std::copy_n(a[i] + j * lda, n, factors.data() + j * n);
    info[i] = getrf(n, n, factors.data(), n, pivots.data());
    if (info[i] == 0) getri(n, factors.data(), n, pivots.data(), inverse[i], ld_inverse);
  });
}

template <class T>
void trsm_batched(Side side, Triangle uplo, Transpose trans, Diagonal diag, int64_t m, int64_t n,
                  T alpha, const T* const* a, int64_t lda, T* const* b, int64_t ldb,
                  int64_t count) {
  const int64_t order = side == Side::left ? m : n;
  for_each_task(count, cubic_cost(order, sizeof(T)), [&](int64_t i) {
    trsm(side, uplo, trans, diag, m, n, alpha, a[i], lda, b[i], ldb);
  });
}

#define GUDA_INSTANTIATE(T)                                                                      \
  template int getrf(int64_t, int64_t, T*, int64_t, int*);                                       \
  template void getrs(Transpose, int64_t, int64_t, const T*, int64_t, const int*, T*, int64_t);  \
  template int getri(int64_t, const T*, int64_t, const int*, T*, int64_t);                       \
  template void getrf_batched(int64_t, T* const*, int64_t, int*, int*, int64_t);                 \
  template void getrs_batched(Transpose, int64_t, int64_t, const T* const*, int64_t, const int*, \
                              T* const*, int64_t, int64_t);                                      \
  template void getri_batched(int64_t, const T* const*, int64_t, const int*, T* const*, int64_t, \
                              int*, int64_t);                                                    \
  template void matinv_batched(int64_t, const T* const*, int64_t, T* const*, int64_t, int*,      \
                               int64_t);                                                         \
  template void trsm_batched(Side, Triangle, Transpose, Diagonal, int64_t, int64_t, T,           \
                             const T* const*, int64_t, T* const*, int64_t, int64_t);
GUDA_INSTANTIATE(float)
GUDA_INSTANTIATE(double)
GUDA_INSTANTIATE(std::complex<float>)
GUDA_INSTANTIATE(std::complex<double>)
#undef GUDA_INSTANTIATE

}  // namespace guda::blas
