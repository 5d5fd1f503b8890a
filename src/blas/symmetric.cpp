// Symmetric and Hermitian matrices: products with vectors, updates of rank one and two.
#include <cmath>

#include "blas/columns.h"
#include "blas/level2.h"
#include "blas/parallel.h"
#include "blas/vector_view.h"

namespace guda::blas {
namespace {

using kernels::vector_kernels;

template <bool hermitian, class T>
T mirrored(T value) {
  return hermitian ? conjugate(value) : value;
}

// The triangle of the columns [begin, begin + count) without its diagonal is a slanted piece.
template <class Columns, class Piece>
void for_pieces_beside_diagonal(const Columns& a, int64_t begin, int64_t count, Piece piece) {
  for_pieces(
      a, begin, count, 0, a.order(),
      [&](kernels::Slant slant, int64_t column, int64_t columns, int64_t row, int64_t row_end) {
               // Single columns and groups alike begin or end at the diagonal.
        (a.uplo() == Triangle::lower ? slant.skip_top : slant.skip_bottom) = 1;
        piece(slant, column, columns, row, row_end);
      });
}

// y += alpha A x for the columns [begin, end) of the stored triangle, and dots += their mirror image times x.
// Every stored element is read once. Sums that columns make are kept apart from y: a store of one element
// would hold up the next vector that is read there.
template <bool hermitian, class T>
void add_product(const TriangleColumns<const T>& a, int64_t begin, int64_t end, T alpha, const T* x,
                 T* y, T* dots) {
  const auto& kernel = vector_kernels<T>();
  for (int64_t block = begin; block < end; block += kernel.columns) {
    const int64_t group = std::min(kernel.columns, end - block);
    T scaled[kColumnGroup];
    for (int64_t c = 0; c < group; ++c) scaled[c] = product(alpha, x[block + c]);
    for_pieces_beside_diagonal(
        a, block, group,
        [&](kernels::Slant slant, int64_t column, int64_t count, int64_t row, int64_t row_end) {
          const ColumnPointers<const T> pointers(a, column, count, row);
          kernel.add_and_dot_columns(slant, hermitian, row_end - row, count, pointers.pointers,
                                     scaled + (column - block), x + row, y + row, dots + column);
        });
    auto walk = a.columns_from(block);
    for (int64_t j = block; j < block + group; ++j) {
      const T diagonal = walk.next()[j];
      dots[j] += product(hermitian ? T(real_part(diagonal)) : diagonal, x[j]);
    }
  }
}

// Columns are divided into this many parts, each with a y of its own, whatever the number of threads: so that
// the result does not depend on that.
inline int64_t parts_of(int64_t n) { return n < 512 ? 1 : std::min<int64_t>(n / 256, 16); }

// The first column of a part, so that all have about as many elements.
template <class P>
int64_t part_begin(const TriangleColumns<P>& a, int64_t part, int64_t parts) {
  const int64_t n = a.order();
  if (part == parts) return n;
  double share = static_cast<double>(part) / static_cast<double>(parts);
  if (a.width() >= n / 2)
    share = a.uplo() == Triangle::upper ? std::sqrt(share) : 1 - std::sqrt(1 - share);
  return static_cast<int64_t>(share * static_cast<double>(n)) / kRangeUnit * kRangeUnit;
}

// The same on several threads.
template <bool hermitian, class T>
void add_product(const TriangleColumns<const T>& a, T alpha, const T* x, T* y, T* dots) {
  const int64_t n = a.order(), parts = parts_of(n);
  if (parts == 1) return add_product<hermitian>(a, 0, n, alpha, x, y, dots);
  Scratch<T> sums(parts * n);
  const double elements =
      static_cast<double>(n) * static_cast<double>(std::min(a.width() + 1, n / 2));
  const Wake wake = elements * sizeof(T) >= kWakeBytes ? Wake::always : Wake::if_awake;
  auto part = [&](int index) {
    T* own = sums.data() + index * n;
    std::fill_n(own, n, T(0));
    add_product<hermitian>(a, part_begin(a, index, parts), part_begin(a, index + 1, parts), alpha,
                           x, own, dots);
  };
  run_tasks(static_cast<int>(parts), worker_limit(), wake, part);
  const T one(1);
  for (int64_t i = 0; i < parts; ++i) vector_kernels<T>().axpy(n, &one, sums.data() + i * n, y);
}

template <bool hermitian, class T>
void multiply(const TriangleColumns<const T>& a, T alpha, const T* x, int64_t incx, T beta, T* y,
              int64_t incy) {
  const int64_t n = a.order();
  if (n <= 0 || (alpha == T(0) && beta == T(1))) return;
  OutputVector<T> out(n, beta, y, incy);
  if (alpha == T(0)) return;
  const InputVector<T> in(n, x, incx);
  Scratch<T> dots(n);
  add_product<hermitian>(a, alpha, in.data(), out.data(), dots.data());
  vector_kernels<T>().axpy(n, &alpha, dots.data(), out.data());
}

// Imaginary parts of the diagonal count as zero, and are.
template <bool hermitian, class T>
void make_diagonal_real(const TriangleColumns<T>& a, int64_t begin, int64_t end) {
  if constexpr (hermitian)
    for (int64_t j = begin; j < end; ++j) a.column(j)[j] = T(real_part(a.column(j)[j]));
}

// A += alpha x x^T or x x^H.
template <bool hermitian, class T>
void rank_one_update(const TriangleColumns<T>& a, T alpha, const T* x, int64_t incx) {
  const int64_t n = a.order();
  if (n <= 0 || alpha == T(0)) return;
  const auto& kernel = vector_kernels<T>();
  const InputVector<T> in(n, x, incx);
  for_uneven_ranges(n, static_cast<size_t>(n) * sizeof(T), [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; block += kernel.columns) {
      const int64_t group = std::min(kernel.columns, end - block);
      T factors[kColumnGroup];
      for (int64_t c = 0; c < group; ++c)
        factors[c] = product(alpha, mirrored<hermitian>(in[block + c]));
      for_pieces(
          a, block, group, 0, n,
          [&](kernels::Slant slant, int64_t column, int64_t count, int64_t row, int64_t row_end) {
            const ColumnPointers<T> pointers(a, column, count, row);
            kernel.update_columns(slant, row_end - row, count, pointers.pointers,
                                  factors + (column - block), in.data() + row);
          });
      make_diagonal_real<hermitian>(a, block, block + group);
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
  for_uneven_ranges(n, static_cast<size_t>(n) * sizeof(T), [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; block += kernel.columns) {
      const int64_t group = std::min(kernel.columns, end - block);
      T of_x[kColumnGroup], of_y[kColumnGroup];
      for (int64_t c = 0; c < group; ++c) {
        of_x[c] = product(alpha, mirrored<hermitian>(right[block + c]));
        of_y[c] = mirrored<hermitian>(product(alpha, left[block + c]));
      }
      for_pieces(
          a, block, group, 0, n,
          [&](kernels::Slant slant, int64_t column, int64_t count, int64_t row, int64_t row_end) {
            const ColumnPointers<T> pointers(a, column, count, row);
            const int64_t c = column - block;
            kernel.update_columns_twice(slant, row_end - row, count, pointers.pointers, of_x + c,
                                        left.data() + row, of_y + c, right.data() + row);
          });
      make_diagonal_real<hermitian>(a, block, block + group);
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
