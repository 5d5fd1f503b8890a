// Triangular matrices: products with and solutions for one vector.
//
// Columns are taken in groups. A product treats the square block on the diagonal like the rest of the
// columns, which are slanted there; a solution works it off element by element.
#include "blas/columns.h"
#include "blas/level2.h"
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
    if (plain()) std::fill_n(y, n, T(0));
    for_groups(true, [&](int64_t begin, int64_t end) {
      for_pieces(
          a_, begin, end - begin, 0, n,
          [&](kernels::Slant slant, int64_t column, int64_t count, int64_t row, int64_t row_end) {
            if (unit) (upper() ? slant.skip_bottom : slant.skip_top) = 1;
            const ColumnPointers<const T> pointers(a_, column, count, row);
            if (plain())
              kernel_.add_columns(slant, row_end - row, count, pointers.pointers, x + column,
                                  y + row);
            else
              kernel_.dot_columns(slant, trans_ == Transpose::conjugate, row_end - row, count,
                                  pointers.pointers, x + row, y + column);
          });
    });
    if (!unit) return;
    const T one(1);
    kernel_.axpy(n, &one, x, y);
  }

  void solve(T* x) const {
    for_groups(upper() != plain(), [&](int64_t begin, int64_t end) {
      if (plain()) {
        solve_block(begin, end, x);
        subtract_outside(begin, end, x);
      } else {
        subtract_dot_outside(begin, end, x);
        solve_block(begin, end, x);
      }
    });
  }

 private:
  bool plain() const { return trans_ == Transpose::no; }
  bool upper() const { return a_.uplo() == Triangle::upper; }
  T operand(T value) const { return trans_ == Transpose::conjugate ? conjugate(value) : value; }

  template <class Body>
  void for_groups(bool ascending, Body body) const {
    const int64_t n = a_.order();
    const int64_t columns = kernel_.columns;
    if (ascending) {
      for (int64_t j = 0; j < n; j += columns) body(j, std::min(n, j + columns));
    } else {
      for (int64_t j = (n - 1) / columns * columns; j >= 0; j -= columns)
        body(j, std::min(n, j + columns));
    }
  }

  template <class Piece>
  void for_outside(int64_t begin, int64_t end, Piece piece) const {
    for_pieces(a_, begin, end - begin, upper() ? 0 : end, upper() ? begin : a_.order(), piece);
  }
  // x outside the block -= A x
  void subtract_outside(int64_t begin, int64_t end, T* x) const {
    T t[kColumnGroup];
    for (int64_t j = begin; j < end; ++j) t[j - begin] = -x[j];
    for_outside(
        begin, end,
        [&](kernels::Slant slant, int64_t column, int64_t count, int64_t row, int64_t row_end) {
          const ColumnPointers<const T> pointers(a_, column, count, row);
          kernel_.add_columns(slant, row_end - row, count, pointers.pointers, t + (column - begin),
                              x + row);
        });
  }
  // x in the block -= op(A) x outside
  void subtract_dot_outside(int64_t begin, int64_t end, T* x) const {
    for_outside(
        begin, end,
        [&](kernels::Slant slant, int64_t column, int64_t count, int64_t row, int64_t row_end) {
          const ColumnPointers<const T> pointers(a_, column, count, row);
          T sums[kColumnGroup];
          kernel_.dot_columns(slant, trans_ == Transpose::conjugate, row_end - row, count,
                              pointers.pointers, x + row, sums);
          for (int64_t c = 0; c < count; ++c) x[column + c] -= sums[c];
        });
  }

  // Each element of the solution is taken out of the others' right-hand sides at once.
  void solve_block(int64_t begin, int64_t end, T* x) const {
    const bool ascending = upper() != plain();
    for (int64_t step = 0; step < end - begin; ++step) {
      const int64_t j = ascending ? begin + step : end - 1 - step;
      const T* column = a_.column(j);
      if (diag_ == Diagonal::stored) x[j] /= operand(column[j]);
      const T value = x[j];
      if (plain()) {
        const int64_t first = upper() ? std::max(a_.first(j), begin) : j + 1;
        const int64_t last = upper() ? j : std::min(a_.last(j), end);
        for (int64_t i = first; i < last; ++i) x[i] -= product(column[i], value);
      } else {
        // Row j of the triangle: columns on the other side of the diagonal that reach it.
        const int64_t first = upper() ? j + 1 : begin, last = upper() ? end : j;
        for (int64_t i = first; i < last; ++i)
          if (a_.first(i) <= j && j < a_.last(i)) x[i] -= product(operand(a_.column(i)[j]), value);
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
