// Where the elements of a matrix stand, for every order of cublasLt.
#pragma once

#include "abi/cublas/handle.h"
#include "abi/cublas/lt/descriptors.h"
#include "abi/cublas/memory_use.h"
#include "blas/parallel.h"

#include <algorithm>

namespace guda::cublas::lt {

/// Position of element (i, j), in elements.
int64_t element_position(const Layout& layout, int64_t i, int64_t j);

/// kInvalidValue when the leading dimension is too short, the order unknown or the batch count below 1.
Result check_layout(const Layout& layout);

/// Matrix number `index` of the batch that starts at `matrix`.
const void* batch_member(const Layout& layout, const void* matrix, int64_t index);
inline void* batch_member(const Layout& layout, void* matrix, int64_t index) {
  return const_cast<void*>(batch_member(layout, const_cast<const void*>(matrix), index));
}

/// What all matrices of the batch that starts at `matrix` take up; not for arrays of pointers.
Extent extent_of(const Layout& layout, const void* matrix);

/// Rows [row, row + rows) and columns [column, column + columns).
struct Tile {
  int64_t row, rows, column, columns;
};

/// Reads a tile as T into `values`, column-major with `ld`, and writes it (rounded by narrow() of element.h).
/// T: float, double, int32_t, or a complex of the first two.
template <class T>
void load_tile(const Layout& layout, const void* matrix, const Tile& tile, T* values, int64_t ld);
template <class T>
void store_tile(const Layout& layout, void* matrix, const Tile& tile, const T* values, int64_t ld);

/// Tiles of one size: long runs of elements that stand one after the other in the matrix written.
struct TileShape {
  int64_t rows, columns;

  static TileShape for_order(Order order) {
    return order == kColumn ? TileShape{1024, 8} : TileShape{128, 64};
  }
  int64_t count_down(int64_t all_rows) const { return (all_rows + rows - 1) / rows; }
  int64_t count_across(int64_t all_columns) const { return (all_columns + columns - 1) / columns; }
};
inline constexpr int64_t kTileElements = 8192, kMostTileRows = 1024;

/// Calls body(tile, index) for tiles that together make rows x columns, on several threads when that pays.
template <class Body>
void for_tiles(const TileShape& shape, int64_t rows, int64_t columns, Body body) {
  int64_t down = shape.count_down(rows);
  // Elements are read, changed and written, in four bytes or so.
  blas::for_each_task(down * shape.count_across(columns), kTileElements * 12, [&](int64_t index) {
    int64_t row = index % down * shape.rows, column = index / down * shape.columns;
    body(Tile{row, std::min(shape.rows, rows - row), column,
              std::min(shape.columns, columns - column)},
         index);
  });
}

/// One element of a vector or of an array of scalars.
template <class T>
T load_element(DataType type, const void* data, int64_t index);
template <class T>
void store_element(DataType type, void* data, int64_t index, T value);

}  // namespace guda::cublas::lt
