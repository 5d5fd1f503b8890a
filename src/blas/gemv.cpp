// General matrices times vectors.
#include "blas/columns.h"
#include "blas/level2.h"
#include "blas/parallel.h"
#include "blas/vector_view.h"

namespace guda::blas {
namespace {

using kernels::vector_kernels;

// Rows that are worked on at once, so that their piece of the vector stays in the L1 cache.
constexpr int64_t row_block_bytes = 16 * 1024;

template <class T>
constexpr int64_t kRowBlock = row_block_bytes / static_cast<int64_t>(sizeof(T));

// Pointers to columns are handed to kernels in batches of this size.
constexpr int64_t kBatch = 32;

// y += A t for rows [begin, end).
template <class T>
void add_product(int64_t begin, int64_t end, int64_t n, const T* a, int64_t lda, const T* t, T* y) {
  const auto& kernel = vector_kernels<T>();
  for (int64_t row = begin; row < end; row += kRowBlock<T>) {
    const int64_t rows = std::min(kRowBlock<T>, end - row);
    for (int64_t j = 0; j < n; j += kBatch) {
      const int64_t count = std::min(kBatch, n - j);
      const T* columns[kBatch];
      for (int64_t c = 0; c < count; ++c) columns[c] = a + row + (j + c) * lda;
      kernel.add_columns({}, rows, count, columns, t + j, y + row);
    }
  }
}

// sums_j = sum over all rows of op(A)_ij x_i for columns [begin, end). Rows are added up block by block.
template <class T>
void dot_columns(bool conjugated, int64_t m, int64_t begin, int64_t end, const T* a, int64_t lda,
                 const T* x, T* sums) {
  const auto& kernel = vector_kernels<T>();
  for (int64_t row = 0; row < m; row += kRowBlock<T>) {
    const int64_t rows = std::min(kRowBlock<T>, m - row);
    for (int64_t j = begin; j < end; j += kBatch) {
      const int64_t count = std::min(kBatch, end - j);
      const T* columns[kBatch];
      for (int64_t c = 0; c < count; ++c) columns[c] = a + row + (j + c) * lda;
      if (row == 0) {
        kernel.dot_columns({}, conjugated, rows, count, columns, x, sums + j);
        continue;
      }
      T partial[kBatch];
      kernel.dot_columns({}, conjugated, rows, count, columns, x + row, partial);
      for (int64_t c = 0; c < count; ++c) sums[j + c] += partial[c];
    }
  }
}

// What a vector's elements are multiplied with: alpha x.
template <class T>
void scaled_copy(int64_t n, T alpha, const T* x, T* result) {
  for (int64_t i = 0; i < n; ++i) result[i] = product(alpha, x[i]);
}

}  // namespace

template <class T>
void gemv(Transpose trans, int64_t m, int64_t n, T alpha, const T* a, int64_t lda, const T* x,
          int64_t incx, T beta, T* y, int64_t incy) {
  if (m <= 0 || n <= 0 || (alpha == T(0) && beta == T(1))) return;
  const bool plain = trans == Transpose::no;
  OutputVector<T> out(plain ? m : n, beta, y, incy);
  if (alpha == T(0)) return;
  const InputVector<T> in(plain ? n : m, x, incx);
  if (plain) {
    Scratch<T> t(n);
    scaled_copy(n, alpha, in.data(), t.data());
    for_ranges(m, static_cast<size_t>(n) * sizeof(T), [&](int64_t begin, int64_t end) {
      add_product(begin, end, n, a, lda, t.data(), out.data());
    });
  } else {
    Scratch<T> sums(n);
    for_ranges(n, static_cast<size_t>(m) * sizeof(T), [&](int64_t begin, int64_t end) {
      dot_columns(trans == Transpose::conjugate, m, begin, end, a, lda, in.data(), sums.data());
    });
    for (int64_t j = 0; j < n; ++j) out[j] += product(alpha, sums[j]);
  }
}

template <class T>
void gbmv(Transpose trans, int64_t m, int64_t n, int64_t kl, int64_t ku, T alpha, const T* a,
          int64_t lda, const T* x, int64_t incx, T beta, T* y, int64_t incy) {
  if (m <= 0 || n <= 0 || (alpha == T(0) && beta == T(1))) return;
  const bool plain = trans == Transpose::no;
  const auto& kernel = vector_kernels<T>();
  OutputVector<T> out(plain ? m : n, beta, y, incy);
  if (alpha == T(0)) return;
  const InputVector<T> in(plain ? n : m, x, incx);
  const BandColumns<const T> columns{a, lda, m, kl, ku};
  for (int64_t j = 0; j < n; j += kernel.columns) {
    const int64_t group = std::min(kernel.columns, n - j);
    for_pieces(
        columns, j, group, 0, m,
        [&](kernels::Slant slant, int64_t begin, int64_t count, int64_t row, int64_t row_end) {
          const ColumnPointers<const T> pointers(columns, begin, count, row);
          T values[kColumnGroup];
          if (plain) {
            scaled_copy(count, alpha, in.data() + begin, values);
            kernel.add_columns(slant, row_end - row, count, pointers.pointers, values,
                               out.data() + row);
            return;
          }
          kernel.dot_columns(slant, trans == Transpose::conjugate, row_end - row, count,
                             pointers.pointers, in.data() + row, values);
          for (int64_t c = 0; c < count; ++c) out[begin + c] += product(alpha, values[c]);
        });
  }
}

namespace {

template <bool conjugated, class T>
void rank_one_update(int64_t m, int64_t n, T alpha, const T* x, int64_t incx, const T* y,
                     int64_t incy, T* a, int64_t lda) {
  if (m <= 0 || n <= 0 || alpha == T(0)) return;
  const auto& kernel = vector_kernels<T>();
  const InputVector<T> in(m, x, incx);
  y = first_element(y, n, incy);
  for_ranges(n, 2 * static_cast<size_t>(m) * sizeof(T), [&](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < m; row += kRowBlock<T>) {
      const int64_t rows = std::min(kRowBlock<T>, m - row);
      for (int64_t j = begin; j < end; j += kernel.columns) {
        const int64_t count = std::min(kernel.columns, end - j);
        T* columns[kColumnGroup];
        T factors[kColumnGroup];
        for (int64_t c = 0; c < count; ++c) {
          const T element = y[(j + c) * incy];
          columns[c] = a + row + (j + c) * lda;
          factors[c] = product(alpha, conjugated ? conjugate(element) : element);
        }
        kernel.update_columns({}, rows, count, columns, factors, in.data() + row);
      }
    }
  });
}

}  // namespace

template <class T>
void ger(int64_t m, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy, T* a,
         int64_t lda) {
  rank_one_update<false>(m, n, alpha, x, incx, y, incy, a, lda);
}

template <class T>
void gerc(int64_t m, int64_t n, T alpha, const T* x, int64_t incx, const T* y, int64_t incy, T* a,
          int64_t lda) {
  rank_one_update<true>(m, n, alpha, x, incx, y, incy, a, lda);
}

#define GUDA_INSTANTIATE(T)                                                                       \
  template void gemv(Transpose, int64_t, int64_t, T, const T*, int64_t, const T*, int64_t, T, T*, \
                     int64_t);                                                                    \
  template void gbmv(Transpose, int64_t, int64_t, int64_t, int64_t, T, const T*, int64_t,         \
                     const T*, int64_t, T, T*, int64_t);                                          \
  template void ger(int64_t, int64_t, T, const T*, int64_t, const T*, int64_t, T*, int64_t);      \
  template void gerc(int64_t, int64_t, T, const T*, int64_t, const T*, int64_t, T*, int64_t);
GUDA_INSTANTIATE(float)
GUDA_INSTANTIATE(double)
GUDA_INSTANTIATE(std::complex<float>)
GUDA_INSTANTIATE(std::complex<double>)
#undef GUDA_INSTANTIATE

}  // namespace guda::blas
