// The columns of stored matrices, so that one routine serves dense, band and packed storage.
//
// A column is a pointer p with p[i] = A(i, j) for the rows first(j) <= i < last(j) that are stored; both
// bounds never decrease with j.
#pragma once

#include <algorithm>

#include "blas/types.h"
#include "kernels/vector/vector_kernels.h"

namespace guda::blas {

/// Columns one after the other: the distance of the next one changes by `growth` each time.
template <class P>
struct ColumnWalk {
  P* column;
  int64_t distance, growth;

  P* next() {
    P* result = column;
    column += distance;
    distance += growth;
    return result;
  }
};

/// A band matrix: element (i, j) at data[upper + i - j + j * ld].
template <class P>
struct BandColumns {
  P* data;
  int64_t ld, rows, lower, upper;

  P* column(int64_t j) const { return data + upper - j + j * ld; }
  ColumnWalk<P> columns_from(int64_t j) const { return {column(j), ld - 1, 0}; }
  int64_t first(int64_t j) const { return std::max<int64_t>(0, j - upper); }
  int64_t last(int64_t j) const { return std::min(rows, j + lower + 1); }
};

/// One triangle of order n. Dense and packed triangles are bands as wide as the matrix.
template <class P>
class TriangleColumns {
 public:
  static TriangleColumns dense(Triangle uplo, int64_t n, P* a, int64_t lda) {
    return {uplo, n, n - 1, a, lda, 0};
  }
  static TriangleColumns band(Triangle uplo, int64_t n, int64_t k, P* a, int64_t lda) {
    if (uplo == Triangle::upper) a += k;
    return {uplo, n, k, a, lda - 1, 0};
  }
  static TriangleColumns packed(Triangle uplo, int64_t n, P* ap) {
    return uplo == Triangle::upper ? TriangleColumns(uplo, n, n - 1, ap, 0, 1)
                                   : TriangleColumns(uplo, n, n - 1, ap, n - 1, -1);
  }

  Triangle uplo() const { return uplo_; }
  int64_t order() const { return n_; }
  /// Diagonals beside the main one.
  int64_t width() const { return k_; }
  /// In packed storage the distance of columns grows or shrinks by one element each time.
  P* column(int64_t j) const { return data_ + j * ld_ + growth(j); }
  ColumnWalk<P> columns_from(int64_t j) const {
    return {column(j), ld_ + (growth_ > 0 ? j + 1 : growth_ < 0 ? -j : 0), growth_};
  }
  int64_t first(int64_t j) const {
    return uplo_ == Triangle::upper ? std::max<int64_t>(0, j - k_) : j;
  }
  int64_t last(int64_t j) const {
    return uplo_ == Triangle::upper ? j + 1 : std::min(n_, j + k_ + 1);
  }

 private:
  TriangleColumns(Triangle uplo, int64_t n, int64_t k, P* data, int64_t ld, int64_t growth)
      : uplo_(uplo), n_(n), k_(k), data_(data), ld_(ld), growth_(growth) {}
  // upper: j (j + 1) / 2; lower: j (2 n - j - 1) / 2 = j (n - 1) - j (j - 1) / 2
  int64_t growth(int64_t j) const {
    if (growth_ == 0) return 0;
    return growth_ > 0 ? j * (j + 1) / 2 : -(j * (j - 1) / 2);
  }

  Triangle uplo_;
  int64_t n_, k_;
  P* data_;
  int64_t ld_, growth_;
};

/// Divides the stored rows [low, high) of the columns [begin, begin + count) into what kernels take: calls
/// piece(slant, column, columns, row_begin, row_end) for columns each of which begins and ends at the same
/// row as the one before or one row later, as many as there are.
template <class Columns, class Piece>
void for_pieces(const Columns& a, int64_t begin, int64_t count, int64_t low, int64_t high,
                Piece piece) {
  const int64_t end = begin + count;
  const auto first = [&](int64_t j) { return std::max(a.first(j), low); };
  const auto last = [&](int64_t j) { return std::min(a.last(j), high); };
  int64_t taken = 0;
  for (int64_t j = begin; j < end; j += taken) {
    const int64_t first_row = first(j), first_end = last(j);
    int64_t top = 0, bottom = 0;
    const auto regular = [&](int64_t columns) {
      const int64_t k = j + columns - 1, last_begin = first(k);
      top = last_begin - first_row;
      bottom = last(k) - first_end;
      return (top == 0 || top == columns - 1) && (bottom == 0 || bottom == columns - 1) &&
             last_begin <= first_end;
    };
    taken = end - j;
    if (!regular(taken)) {
      taken = 1;
      while (j + taken < end && regular(taken + 1)) ++taken;
      regular(taken);
    }
    const int64_t last_row = first_end + bottom;
    if (first_row < last_row)
      piece(kernels::Slant{top != 0, bottom != 0, 0, 0}, j, taken, first_row, last_row);
  }
}

/// Columns that kernels take in one call here.
inline constexpr int64_t kColumnGroup = kernels::kMostSlantedColumns;

/// Pointers to the elements (row, begin) ... (row, begin + count - 1).
template <class P>
struct ColumnPointers {
  P* pointers[kColumnGroup] = {};

  template <class Columns>
  ColumnPointers(const Columns& a, int64_t begin, int64_t count, int64_t row) {
    auto column = a.columns_from(begin);
    for (int64_t c = 0; c < count; ++c) pointers[c] = column.next() + row;
  }
};

}  // namespace guda::blas
