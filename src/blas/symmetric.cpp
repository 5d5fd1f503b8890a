// Symmetric and Hermitian matrices: products with vectors, updates of rank one and two.
#include "blas/columns.h"
#include "blas/level2.h"
#include "blas/parallel.h"
#include "blas/vector_view.h"

namespace guda::blas {
namespace {

using kernels::vector_kernels;

// Columns that share one pass; the kernels need a factor and a sum for each.
constexpr int64_t kGroup = 4;

// The rows of the stored triangle that lie outside the diagonal block of the columns [begin, end).
template <class Columns>
int64_t low_row(const Columns& a, int64_t end) {
  return a.uplo() == Triangle::upper ? 0 : end;
}
template <class Columns>
int64_t high_row(const Columns& a, int64_t begin) {
  return a.uplo() == Triangle::upper ? begin : a.order();
}

template <bool hermitian, class T>
T mirrored(T value) {
  return hermitian ? conjugate(value) : value;
}

// y += alpha A x for the columns [begin, end) of the stored triangle and their mirror images. Every stored
// element is read once.
template <bool hermitian, class T>
void add_product(const TriangleColumns<const T>& a, int64_t begin, int64_t end, T alpha, const T* x,
                 T* y) {
  const auto& kernel = vector_kernels<T>();
  for (int64_t block = begin; block < end; block += kGroup) {
    const int64_t group = std::min(kGroup, end - block);
    const int64_t block_end = block + group;
    T scaled[kGroup];
    for (int64_t c = 0; c < group; ++c) scaled[c] = product(alpha, x[block + c]);
    for (int64_t j = block; j < block_end; ++j) {
      const T* column = a.column(j);
      const int64_t first = std::max(a.first(j), block), last = std::min(a.last(j), block_end);
      for (int64_t i = first; i < last; ++i) {
        if (i == j) {
          y[j] += product(hermitian ? T(real_part(column[j])) : column[j], scaled[j - block]);
        } else {
          y[i] += product(column[i], scaled[j - block]);
          y[j] += product(mirrored<hermitian>(column[i]), scaled[i - block]);
        }
      }
    }
    for_pieces(a, block, group, low_row(a, block_end), high_row(a, block),
               [&](int64_t first_column, int64_t count, int64_t row, int64_t row_end) {
                 const ColumnPointers<const T> pointers(a, first_column, count, row);
                 T sums[kGroup];
                 kernel.add_and_dot_columns(hermitian, row_end - row, count, pointers.pointers,
                                            scaled + (first_column - block), x + row, y + row,
                                            sums);
                 for (int64_t c = 0; c < count; ++c) y[first_column + c] += product(alpha, sums[c]);
               });
  }
}

template <bool hermitian, class T>
void multiply(const TriangleColumns<const T>& a, T alpha, const T* x, int64_t incx, T beta, T* y,
              int64_t incy) {
  const int64_t n = a.order();
  if (n <= 0 || (alpha == T(0) && beta == T(1))) return;
  OutputVector<T> out(n, beta, y, incy);
  if (alpha == T(0)) return;
  const InputVector<T> in(n, x, incx);
  add_product<hermitian>(a, 0, n, alpha, in.data(), out.data());
}

// A += alpha x x^T or x x^H.
template <bool hermitian, class T>
void rank_one_update(const TriangleColumns<T>& a, T alpha, const T* x, int64_t incx) {
  const int64_t n = a.order();
  if (n <= 0 || alpha == T(0)) return;
  const auto& kernel = vector_kernels<T>();
  const InputVector<T> in(n, x, incx);
  for_ranges(n, static_cast<size_t>(n) * sizeof(T), [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; block += kGroup) {
      const int64_t group = std::min(kGroup, end - block), block_end = block + group;
      T factors[kGroup];
      for (int64_t c = 0; c < group; ++c)
        factors[c] = product(alpha, mirrored<hermitian>(in[block + c]));
      for (int64_t j = block; j < block_end; ++j) {
        T* column = a.column(j);
        for (int64_t i = std::max(a.first(j), block); i < std::min(a.last(j), block_end); ++i)
          column[i] += product(in[i], factors[j - block]);
        if constexpr (hermitian) column[j] = T(real_part(column[j]));
      }
      for_pieces(a, block, group, low_row(a, block_end), high_row(a, block),
                 [&](int64_t first_column, int64_t count, int64_t row, int64_t row_end) {
                   const ColumnPointers<T> pointers(a, first_column, count, row);
                   kernel.update_columns(row_end - row, count, pointers.pointers,
                                         factors + (first_column - block), in.data() + row);
                 });
    }
  });
}

// A += alpha x y^T + alpha y x^T, or alpha x y^H + conj(alpha) y x^H.
template <bool hermitian, class T>
void rank_two_update(const TriangleColumns<T>& a, T alpha, const T* x, int64_t incx, const T* y,
                     int64_t incy) {
  const int64_t n = a.order();
  if (n <= 0 || alpha == T(0)) return;
  const auto& kernel = vector_kernels<T>();
  const InputVector<T> left(n, x, incx), right(n, y, incy);
  for_ranges(n, static_cast<size_t>(n) * sizeof(T), [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; block += kGroup) {
      const int64_t group = std::min(kGroup, end - block), block_end = block + group;
      T of_x[kGroup], of_y[kGroup];
      for (int64_t c = 0; c < group; ++c) {
        of_x[c] = product(alpha, mirrored<hermitian>(right[block + c]));
        of_y[c] = mirrored<hermitian>(product(alpha, left[block + c]));
      }
      for (int64_t j = block; j < block_end; ++j) {
        T* column = a.column(j);
        for (int64_t i = std::max(a.first(j), block); i < std::min(a.last(j), block_end); ++i)
          column[i] += product(left[i], of_x[j - block]) + product(right[i], of_y[j - block]);
        if constexpr (hermitian) column[j] = T(real_part(column[j]));
      }
      for_pieces(a, block, group, low_row(a, block_end), high_row(a, block),
                 [&](int64_t first_column, int64_t count, int64_t row, int64_t row_end) {
                   const ColumnPointers<T> pointers(a, first_column, count, row);
                   const int64_t c = first_column - block;
                   kernel.update_columns_twice(row_end - row, count, pointers.pointers, of_x + c,
                                               left.data() + row, of_y + c, right.data() + row);
                 });
    }
  });
}

}  // namespace

template <class T>
void symv(Triangle uplo, int64_t n, T alpha, const T* a, int64_t lda, const T* x, int64_t incx,
          T beta, T* y, int64_t incy) {
  multiply<false>(TriangleColumns<const T>::dense(uplo, n, a, lda), alpha, x, incx, beta, y, incy);
}
template <class T>
void hemv(Triangle uplo, int64_t n, T alpha, const T* a, int64_t lda, const T* x, int64_t incx,
          T beta, T* y, int64_t incy) {
  multiply<true>(TriangleColumns<const T>::dense(uplo, n, a, lda), alpha, x, incx, beta, y, incy);
}
template <class T>
void sbmv(Triangle uplo, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* x,
          int64_t incx, T beta, T* y, int64_t incy) {
  multiply<false>(TriangleColumns<const T>::band(uplo, n, k, a, lda), alpha, x, incx, beta, y,
                  incy);
}
template <class T>
void hbmv(Triangle uplo, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* x,
          int64_t incx, T beta, T* y, int64_t incy) {
  multiply<true>(TriangleColumns<const T>::band(uplo, n, k, a, lda), alpha, x, incx, beta, y, incy);
}
template <class T>
void spmv(Triangle uplo, int64_t n, T alpha, const T* ap, const T* x, int64_t incx, T beta, T* y,
          int64_t incy) {
  multiply<false>(TriangleColumns<const T>::packed(uplo, n, ap), alpha, x, incx, beta, y, incy);
}
template <class T>
void hpmv(Triangle uplo, int64_t n, T alpha, const T* ap, const T* x, int64_t incx, T beta, T* y,
          int64_t incy) {
  multiply<true>(TriangleColumns<const T>::packed(uplo, n, ap), alpha, x, incx, beta, y, incy);
}

template <class T>
void syr(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, T* a, int64_t lda) {
  rank_one_update<false>(TriangleColumns<T>::dense(uplo, n, a, lda), alpha, x, incx);
}
template <class T>
void her(Triangle uplo, int64_t n, Real<T> alpha, const T* x, int64_t incx, T* a, int64_t lda) {
  rank_one_update<true>(TriangleColumns<T>::dense(uplo, n, a, lda), T(alpha), x, incx);
}
template <class T>
void spr(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, T* ap) {
  rank_one_update<false>(TriangleColumns<T>::packed(uplo, n, ap), alpha, x, incx);
}
template <class T>
void hpr(Triangle uplo, int64_t n, Real<T> alpha, const T* x, int64_t incx, T* ap) {
  rank_one_update<true>(TriangleColumns<T>::packed(uplo, n, ap), T(alpha), x, incx);
}

template <class T>
void syr2(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy,
          T* a, int64_t lda) {
  rank_two_update<false>(TriangleColumns<T>::dense(uplo, n, a, lda), alpha, x, incx, y, incy);
}
template <class T>
void her2(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy,
          T* a, int64_t lda) {
  rank_two_update<true>(TriangleColumns<T>::dense(uplo, n, a, lda), alpha, x, incx, y, incy);
}
template <class T>
void spr2(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy,
          T* ap) {
  rank_two_update<false>(TriangleColumns<T>::packed(uplo, n, ap), alpha, x, incx, y, incy);
}
template <class T>
void hpr2(Triangle uplo, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy,
          T* ap) {
  rank_two_update<true>(TriangleColumns<T>::packed(uplo, n, ap), alpha, x, incx, y, incy);
}

#define GUDA_INSTANTIATE_PRODUCTS(T, plain, band, packed)                                          \
  template void plain(Triangle, int64_t, T, const T*, int64_t, const T*, int64_t, T, T*, int64_t); \
  template void band(Triangle, int64_t, int64_t, T, const T*, int64_t, const T*, int64_t, T, T*,   \
                     int64_t);                                                                     \
  template void packed(Triangle, int64_t, T, const T*, const T*, int64_t, T, T*, int64_t);
#define GUDA_INSTANTIATE_UPDATES(T, factor, one, packed, two, packed_two)                     \
  template void one(Triangle, int64_t, factor, const T*, int64_t, T*, int64_t);               \
  template void packed(Triangle, int64_t, factor, const T*, int64_t, T*);                     \
  template void two(Triangle, int64_t, T, const T*, int64_t, const T*, int64_t, T*, int64_t); \
  template void packed_two(Triangle, int64_t, T, const T*, int64_t, const T*, int64_t, T*);
#define GUDA_INSTANTIATE(T)                            \
  GUDA_INSTANTIATE_PRODUCTS(T, symv, sbmv, spmv)       \
  GUDA_INSTANTIATE_PRODUCTS(T, hemv, hbmv, hpmv)       \
  GUDA_INSTANTIATE_UPDATES(T, T, syr, spr, syr2, spr2) \
  GUDA_INSTANTIATE_UPDATES(T, Real<T>, her, hpr, her2, hpr2)
GUDA_INSTANTIATE(float)
GUDA_INSTANTIATE(double)
GUDA_INSTANTIATE(std::complex<float>)
GUDA_INSTANTIATE(std::complex<double>)
#undef GUDA_INSTANTIATE
#undef GUDA_INSTANTIATE_UPDATES
#undef GUDA_INSTANTIATE_PRODUCTS

}  // namespace guda::blas
