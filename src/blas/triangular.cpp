// Triangular matrices: products with and solutions for one vector.
//
// Columns are taken in groups, which are slanted at the diagonal. A solution works off the square blocks on
// the diagonal one after the other, and keeps a panel of columns in the cache meanwhile.
#include "blas/columns.h"
#include "blas/level2.h"
#include "blas/parallel.h"
#include "blas/vector_view.h"

namespace guda::blas {
namespace {

using kernels::vector_kernels;

template <class T>
class TriangularOperation {
 public:
  TriangularOperation(const TriangleColumns<const T>& a, Transpose trans, Diagonal diag)
      : a_(a), trans_(trans), diag_(diag) {}

  /// y = op(A) x
  void multiply(const T* x, T* y) const {
    const bool unit = diag_ == Diagonal::unit;
    const int64_t n = a_.order();
    const auto for_block = [&](int64_t begin, int64_t end, int64_t low, int64_t high) {
      for_pieces(
          a_, begin, end - begin, low, high,
          [&](kernels::Slant slant, int64_t column, int64_t count, int64_t row, int64_t row_end) {
            const bool on_diagonal = upper() ? row_end > column : row <= column;
            if (unit && on_diagonal) (upper() ? slant.skip_bottom : slant.skip_top) = 1;
            const ColumnPointers<const T> pointers(a_, column, count, row);
            if (plain())
              kernel_.add_columns(slant, row_end - row, count, pointers.pointers, x + column,
                                  y + row);
            else
              kernel_.dot_columns(slant, trans_ == Transpose::conjugate, row_end - row, count,
                                  pointers.pointers, x + row, y + column);
          });
    };
    const size_t bytes = static_cast<size_t>(std::min(a_.width() + 1, n / 2 + 1)) * sizeof(T);
    const auto range = [&](int64_t begin, int64_t end) {
      if (!plain()) {
        for_groups(true, begin, end, kernel_.columns,
                   [&](int64_t group, int64_t group_end) { for_block(group, group_end, 0, n); });
        return;
      }
      // Rows [begin, end) of the result: of all columns that reach them.
      std::fill(y + begin, y + end, T(0));
      const int64_t k = a_.width();
      const int64_t first =
          upper() ? begin : std::max<int64_t>(0, begin - k) / kRangeUnit * kRangeUnit;
      const int64_t last = upper() ? std::min(n, end + k) : end;
      for_groups(true, first, last, kernel_.columns, [&](int64_t group, int64_t group_end) {
        for_block(group, group_end, begin, end);
      });
    };
    // Work grows or shrinks along the triangle; but short pieces of columns come slowly from memory.
    for_ranges(n, bytes, range, plain() ? 2 : 8);
    if (!unit) return;
    const T one(1);
    kernel_.axpy(n, &one, x, y);
  }

  /// x = op(A)^-1 x. What is left of the right-hand sides is kept apart from x, and negative: add_columns and
  /// dot_columns then make it as it is.
  void solve(T* x) const {
    const int64_t n = a_.order();
    const int64_t solved = std::max<int64_t>(8, kernel_.square);
    Scratch<T> left(n);
    for (int64_t i = 0; i < n; ++i) left[i] = -x[i];
    for_groups(upper() != plain(), 0, n, kPanel, [&](int64_t panel, int64_t panel_end) {
      if (!plain()) add_dots_outside(panel, panel_end, x, left.data());
      for_groups(upper() != plain(), panel, panel_end, solved, [&](int64_t begin, int64_t end) {
        if (plain()) {
          solve_block(begin, end, left.data(), x);
          add_columns(begin, end, upper() ? panel : end, upper() ? begin : panel_end, x,
                      left.data());
        } else {
          add_dots(begin, end, upper() ? panel : end, upper() ? begin : panel_end, x, left.data());
          solve_block(begin, end, left.data(), x);
        }
      });
      if (plain()) add_columns_outside(panel, panel_end, x, left.data());
    });
  }

 private:
  // Columns that are solved before the other rows of all are brought up to date.
  static constexpr int64_t kPanel = 512;

  bool plain() const { return trans_ == Transpose::no; }
  bool upper() const { return a_.uplo() == Triangle::upper; }
  T operand(T value) const { return trans_ == Transpose::conjugate ? conjugate(value) : value; }

  // Groups begin at multiples of `columns`.
  template <class Body>
  static void for_groups(bool ascending, int64_t first, int64_t last, int64_t columns, Body body) {
    if (ascending) {
      for (int64_t j = first; j < last; j += columns) body(j, std::min(last, j + columns));
    } else {
      for (int64_t j = first + (last - first - 1) / columns * columns; j >= first; j -= columns)
        body(j, std::min(last, j + columns));
    }
  }

  // y += A x for the columns [begin, end) and the rows [low, high).
  void add_columns(int64_t begin, int64_t end, int64_t low, int64_t high, const T* x, T* y) const {
    if (low >= high) return;
    for_pieces(
        a_, begin, end - begin, low, high,
        [&](kernels::Slant slant, int64_t column, int64_t count, int64_t row, int64_t row_end) {
          const ColumnPointers<const T> pointers(a_, column, count, row);
          kernel_.add_columns(slant, row_end - row, count, pointers.pointers, x + column, y + row);
        });
  }
  // y += op(A) x for the columns [begin, end), which are rows of op(A), and their rows [low, high).
  void add_dots(int64_t begin, int64_t end, int64_t low, int64_t high, const T* x, T* y) const {
    if (low >= high) return;
    for_pieces(
        a_, begin, end - begin, low, high,
        [&](kernels::Slant slant, int64_t column, int64_t count, int64_t row, int64_t row_end) {
          const ColumnPointers<const T> pointers(a_, column, count, row);
          T sums[kColumnGroup];
          kernel_.dot_columns(slant, trans_ == Transpose::conjugate, row_end - row, count,
                              pointers.pointers, x + row, sums);
          for (int64_t c = 0; c < count; ++c) y[column + c] += sums[c];
        });
  }

  // The same for a panel and the rows outside of it, on several threads.
  void add_columns_outside(int64_t begin, int64_t end, const T* x, T* y) const {
    const int64_t low = upper() ? a_.first(begin) : end;
    const int64_t high = upper() ? begin : a_.last(end - 1);
    if (low >= high) return;
    const int64_t whole_low =
        low / kRangeUnit * kRangeUnit;  // cuts at the same rows whatever `low`
    for_ranges(
        high - whole_low, static_cast<size_t>(end - begin) * sizeof(T),
        [&](int64_t from, int64_t to) {
          for_groups(true, begin, end, kernel_.columns, [&](int64_t group, int64_t group_end) {
            add_columns(group, group_end, std::max(low, whole_low + from), whole_low + to, x, y);
          });
        });
  }
  void add_dots_outside(int64_t begin, int64_t end, const T* x, T* y) const {
    const int64_t low = upper() ? a_.first(begin) : end;
    const int64_t high = upper() ? begin : a_.last(end - 1);
    if (low >= high) return;
    for_ranges(end - begin, static_cast<size_t>(high - low) * sizeof(T),
               [&](int64_t from, int64_t to) {
                 for_groups(true, begin + from, begin + to, kernel_.columns,
                            [&](int64_t group, int64_t group_end) {
                              add_dots(group, group_end, low, high, x, y);
                            });
               });
  }

  // Solves for the columns [begin, end) alone.
  void solve_block(int64_t begin, int64_t end, T* left, T* x) const {
    const bool ascending = upper() != plain();
    if (kernel_.solve_square == nullptr) return solve_by_element(begin, end, left, x);
    for_groups(ascending, begin, end, kernel_.square, [&](int64_t first, int64_t last) {
      const int64_t low = upper() ? begin : last, high = upper() ? first : end;
      if (!plain()) add_dots(first, last, low, high, x, left);
      if (upper() ? a_.first(last - 1) <= first : last <= a_.last(first)) {
        const ColumnPointers<const T> pointers(a_, first, last - first, first);
        kernel_.solve_square(upper(), !plain(), diag_ == Diagonal::unit, last - first,
                             pointers.pointers, left + first, x + first);
      } else {
        solve_by_element(first, last, left, x);
      }
      if (plain()) add_columns(first, last, low, high, x, left);
    });
  }
  // Each element of the solution is taken out of the others' right-hand sides at once.
  void solve_by_element(int64_t begin, int64_t end, T* left, T* x) const {
    const bool ascending = upper() != plain();
    for (int64_t step = 0; step < end - begin; ++step) {
      const int64_t j = ascending ? begin + step : end - 1 - step;
      const T* column = a_.column(j);
      x[j] = -left[j];
      if (diag_ == Diagonal::stored) x[j] /= operand(column[j]);
      if (plain()) {
        const int64_t first = upper() ? std::max(a_.first(j), begin) : j + 1;
        const int64_t last = upper() ? j : std::min(a_.last(j), end);
        for (int64_t i = first; i < last; ++i) left[i] += product(column[i], x[j]);
      } else {
        // Row j of the triangle: columns on the other side of the diagonal that reach it.
        const int64_t first = upper() ? j + 1 : begin, last = upper() ? end : j;
        for (int64_t i = first; i < last; ++i)
          if (a_.first(i) <= j && j < a_.last(i))
            left[i] += product(operand(a_.column(i)[j]), x[j]);
      }
    }
  }

  const kernels::VectorKernels<T>& kernel_ = vector_kernels<T>();
  TriangleColumns<const T> a_;
  Transpose trans_;
  Diagonal diag_;
};

template <class T>
void multiply(const TriangleColumns<const T>& a, Transpose trans, Diagonal diag, T* x,
              int64_t incx) {
  if (a.order() <= 0) return;
  const int64_t n = a.order();
  Scratch<T> result(n);
  TriangularOperation<T>(a, trans, diag).multiply(InputVector<T>(n, x, incx).data(), result.data());
  x = first_element(x, n, incx);
  if (incx == 1)
    std::copy_n(result.data(), n, x);
  else
    for (int64_t i = 0; i < n; ++i) x[i * incx] = result[i];
}

template <class T>
void solve(const TriangleColumns<const T>& a, Transpose trans, Diagonal diag, T* x, int64_t incx) {
  if (a.order() <= 0) return;
  OutputVector<T> vector(a.order(), T(1), x, incx);
  TriangularOperation<T>(a, trans, diag).solve(vector.data());
}

}  // namespace

template <class T>
void trmv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* a, int64_t lda, T* x,
          int64_t incx) {
  multiply(TriangleColumns<const T>::dense(uplo, n, a, lda), trans, diag, x, incx);
}
template <class T>
void tbmv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, int64_t k, const T* a,
          int64_t lda, T* x, int64_t incx) {
  multiply(TriangleColumns<const T>::band(uplo, n, k, a, lda), trans, diag, x, incx);
}
template <class T>
void tpmv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* ap, T* x,
          int64_t incx) {
  multiply(TriangleColumns<const T>::packed(uplo, n, ap), trans, diag, x, incx);
}

template <class T>
void trsv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* a, int64_t lda, T* x,
          int64_t incx) {
  solve(TriangleColumns<const T>::dense(uplo, n, a, lda), trans, diag, x, incx);
}
template <class T>
void tbsv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, int64_t k, const T* a,
          int64_t lda, T* x, int64_t incx) {
  solve(TriangleColumns<const T>::band(uplo, n, k, a, lda), trans, diag, x, incx);
}
template <class T>
void tpsv(Triangle uplo, Transpose trans, Diagonal diag, int64_t n, const T* ap, T* x,
          int64_t incx) {
  solve(TriangleColumns<const T>::packed(uplo, n, ap), trans, diag, x, incx);
}

#define GUDA_INSTANTIATE(T, dense, band, packed)                                               \
  template void dense(Triangle, Transpose, Diagonal, int64_t, const T*, int64_t, T*, int64_t); \
  template void band(Triangle, Transpose, Diagonal, int64_t, int64_t, const T*, int64_t, T*,   \
                     int64_t);                                                                 \
  template void packed(Triangle, Transpose, Diagonal, int64_t, const T*, T*, int64_t);
GUDA_INSTANTIATE(float, trmv, tbmv, tpmv)
GUDA_INSTANTIATE(double, trmv, tbmv, tpmv)
GUDA_INSTANTIATE(std::complex<float>, trmv, tbmv, tpmv)
GUDA_INSTANTIATE(std::complex<double>, trmv, tbmv, tpmv)
GUDA_INSTANTIATE(float, trsv, tbsv, tpsv)
GUDA_INSTANTIATE(double, trsv, tbsv, tpsv)
GUDA_INSTANTIATE(std::complex<float>, trsv, tbsv, tpsv)
GUDA_INSTANTIATE(std::complex<double>, trsv, tbsv, tpsv)
#undef GUDA_INSTANTIATE

}  // namespace guda::blas
