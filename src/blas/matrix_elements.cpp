// Matrix routines without sums: geam, dgmm, and changes of storage.
#include <algorithm>

#include "blas/columns.h"
#include "blas/level3.h"
#include "blas/parallel.h"

namespace guda::blas {
namespace {

// Transposes work on tiles, so that both sides stay in the L1 cache.
constexpr int64_t kTile = 32;

}  // namespace

template <class T>
void geam(Transpose transa, Transpose transb, int64_t m, int64_t n, T alpha, const T* a,
          int64_t lda, T beta, const T* b, int64_t ldb, T* c, int64_t ldc) {
  if (m <= 0 || n <= 0) return;
  const auto operand = [](Transpose trans, const T* x, int64_t ld, int64_t i, int64_t j) {
    if (trans == Transpose::no) return x[i + j * ld];
    return trans == Transpose::conjugate ? conjugate(x[j + i * ld]) : x[j + i * ld];
  };
  const bool with_a = alpha != T(0), with_b = beta != T(0);
  const int64_t tiles = (n + kTile - 1) / kTile;
  for_each_task(tiles, 3 * static_cast<size_t>(m * kTile) * sizeof(T), [&](int64_t tile) {
    const int64_t j0 = tile * kTile;
    for (int64_t i0 = 0; i0 < m; i0 += kTile) {
      for (int64_t j = j0; j < std::min(n, j0 + kTile); ++j) {
        for (int64_t i = i0; i < std::min(m, i0 + kTile); ++i) {
          T value(0);
          if (with_a) value = product(alpha, operand(transa, a, lda, i, j));
          if (with_b) value += product(beta, operand(transb, b, ldb, i, j));
          c[i + j * ldc] = value;
        }
      }
    }
  });
}

template <class T>
void dgmm(Side side, int64_t m, int64_t n, const T* a, int64_t lda, const T* x, int64_t incx, T* c,
          int64_t ldc) {
  if (m <= 0 || n <= 0) return;
  x = first_element(x, side == Side::left ? m : n, incx);
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = 0; i < m; ++i)
      c[i + j * ldc] = product(a[i + j * lda], x[(side == Side::left ? i : j) * incx]);
  }
}

template <class T>
void tpttr(Triangle uplo, int64_t n, const T* ap, T* a, int64_t lda) {
  const auto packed = TriangleColumns<const T>::packed(uplo, n, ap);
  for (int64_t j = 0; j < n; ++j)
    std::copy(packed.column(j) + packed.first(j), packed.column(j) + packed.last(j),
              a + packed.first(j) + j * lda);
}

template <class T>
void trttp(Triangle uplo, int64_t n, const T* a, int64_t lda, T* ap) {
  const auto packed = TriangleColumns<T>::packed(uplo, n, ap);
  for (int64_t j = 0; j < n; ++j)
    std::copy(a + packed.first(j) + j * lda, a + packed.last(j) + j * lda,
              packed.column(j) + packed.first(j));
}

#define GUDA_INSTANTIATE(T)                                                                      \
  template void geam(Transpose, Transpose, int64_t, int64_t, T, const T*, int64_t, T, const T*,  \
                     int64_t, T*, int64_t);                                                      \
  template void dgmm(Side, int64_t, int64_t, const T*, int64_t, const T*, int64_t, T*, int64_t); \
  template void tpttr(Triangle, int64_t, const T*, T*, int64_t);                                 \
  template void trttp(Triangle, int64_t, const T*, int64_t, T*);
GUDA_INSTANTIATE(float)
GUDA_INSTANTIATE(double)
GUDA_INSTANTIATE(std::complex<float>)
GUDA_INSTANTIATE(std::complex<double>)
#undef GUDA_INSTANTIATE

}  // namespace guda::blas
