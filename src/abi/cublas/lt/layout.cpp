#include "abi/cublas/lt/layout.h"

#include "abi/cublas/element.h"
#include "abi/cublas/lt/column_kernels.h"

#include <algorithm>

namespace guda::cublas::lt {
namespace {

int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// Calls function(TypeTag<T>) with the C++ type of elements.
template <class Function>
void with_element(DataType type, Function function) {
  switch (type) {
    case kR32F: return function(TypeTag<float>());
    case kR64F: return function(TypeTag<double>());
    case kR16F: return function(TypeTag<float16>());
    case kR16BF: return function(TypeTag<bfloat16>());
    case kR8E4M3: return function(TypeTag<float8_e4m3>());
    case kR8E5M2: return function(TypeTag<float8_e5m2>());
    case kR8I: return function(TypeTag<int8_t>());
    case kR8U: return function(TypeTag<uint8_t>());
    case kR32I: return function(TypeTag<int32_t>());
    case kC32F: return function(TypeTag<ComplexFloat>());
    case kC64F: return function(TypeTag<ComplexDouble>());
    default: break;
  }
}

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_integral_v<From>) {
    return To(static_cast<blas::Real<To>>(value));
  } else {
    auto wide = widen(value);
    if constexpr (blas::is_complex<decltype(wide)> && !blas::is_complex<To>)
      return narrow<To>(wide.real());
    else if constexpr (blas::is_complex<To>)
      return To(wide);
    else
      return narrow<To>(wide);
  }
}

template <class To, class From>
To to_element(From value) {
  if constexpr (std::is_same_v<To, From>)
    return value;
  else if constexpr (blas::is_complex<From> && !blas::is_complex<To>)
    return narrow<To>(value.real());
  else if constexpr (blas::is_complex<To>)
    return To(value);
  else
    return narrow<To>(value);
}

}  // namespace

int64_t element_position(const Layout& layout, int64_t i, int64_t j) {
  switch (layout.order) {
    case kColumn: return i + j * layout.ld;
    case kRow: return j + i * layout.ld;
    default: break;
  }
  int64_t tile = j / 32 * layout.ld;  // groups of 32 columns
  int64_t column = j % 32;
  switch (layout.order) {
    case kCol32: return tile + i * 32 + column;
    case kCol4_4R2_8C: {
      // 8 rows by 32 columns: even rows before odd ones; within, 4 columns of 4 rows at a time.
      int64_t row = i % 8;
      return tile + i / 8 * 256 + (row % 2) * 128 + column / 4 * 16 + row / 2 * 4 + column % 4;
    }
    default: {  // kCol32_2R_4R4
      int64_t row = i % 32;
      return tile + i / 32 * 1024 + ((row % 8 / 2 * 4 + row / 8) * 2 + row % 2) * 32 + column;
    }
  }
}

Result check_layout(const Layout& layout) {
  auto rows = static_cast<int64_t>(layout.rows), columns = static_cast<int64_t>(layout.columns);
  GUDA_CUBLAS_CHECK(rows >= 0 && columns >= 0 && layout.batch_count >= 1);
  GUDA_CUBLAS_CHECK(layout.batch_mode == kStrided || layout.batch_mode == kPointerArray);
  switch (layout.order) {
    case kColumn: GUDA_CUBLAS_CHECK(layout.ld >= at_least_one(rows)); break;
    case kRow: GUDA_CUBLAS_CHECK(layout.ld >= at_least_one(columns)); break;
    case kCol32: GUDA_CUBLAS_CHECK(layout.ld >= 32 * rows); break;
    case kCol4_4R2_8C: GUDA_CUBLAS_CHECK(layout.ld >= 32 * round_up(rows, 8)); break;
    case kCol32_2R_4R4: GUDA_CUBLAS_CHECK(layout.ld >= 32 * round_up(rows, 32)); break;
    default: return kInvalidValue;
  }
  return kSuccess;
}

const void* batch_member(const Layout& layout, const void* matrix, int64_t index) {
  if (!matrix) return nullptr;
  if (layout.batch_mode == kPointerArray) return static_cast<const void* const*>(matrix)[index];
  return static_cast<const std::byte*>(matrix) +
         index * layout.batch_stride * static_cast<int64_t>(element_bytes(layout.type));
}

Extent extent_of(const Layout& layout, const void* matrix) {
  auto rows = static_cast<int64_t>(layout.rows), columns = static_cast<int64_t>(layout.columns);
  const size_t element = element_bytes(layout.type);
  Extent one;
  if (layout.order == kColumn)
    one = matrix_of(matrix, element, rows, columns, layout.ld);
  else if (layout.order == kRow)
    one = matrix_of(matrix, element, columns, rows, layout.ld);
  else if (rows > 0 && columns > 0)
    one = cublas::extent_of(matrix, Wide128{layout.ld} * ((columns + 31) / 32), element);
  return batch_of(one, Wide128{layout.batch_stride} * static_cast<int64_t>(element),
                  layout.batch_count);
}

namespace {

/// Calls run(position, first value, step between values, count) for elements that stand one after the other,
/// and element(position, value) for those of tiled orders. Values are column-major with `ld`.
template <class Run, class Element>
void for_runs(const Layout& layout, const Tile& tile, int64_t ld, Run run, Element element) {
  switch (layout.order) {
    case kColumn:
      for (int64_t j = 0; j < tile.columns; ++j)
        run(tile.row + (tile.column + j) * layout.ld, j * ld, int64_t{1}, tile.rows);
      return;
    case kRow:
      for (int64_t i = 0; i < tile.rows; ++i)
        run(tile.column + (tile.row + i) * layout.ld, i, ld, tile.columns);
      return;
    default:
      for (int64_t j = 0; j < tile.columns; ++j)
        for (int64_t i = 0; i < tile.rows; ++i)
          element(element_position(layout, tile.row + i, tile.column + j), i + j * ld);
  }
}

/// Elements of a row that are converted at once.
constexpr int64_t kRun = 64;

/// Types that the kernels of column_kernels.h take.
bool is_real(DataType type) {
  return type != kR64F && type != kR8U && type != kC32F && type != kC64F;
}

}  // namespace

template <class T>
void load_tile(const Layout& layout, const void* matrix, const Tile& tile, T* values, int64_t ld) {
  with_element(layout.type, [&]<class E>(TypeTag<E>) {
    auto* from = static_cast<const E*>(matrix);
    auto element = [&](int64_t position, int64_t value) {
      values[value] = convert<T>(from[position]);
    };
    for_runs(
        layout, tile, ld,
        [&](int64_t position, int64_t value, int64_t step, int64_t count) {
          if constexpr (std::is_same_v<T, float>) {
            if (is_real(layout.type)) {
              if (step == 1)
                return column_kernels().widen(layout.type, from + position, count, values + value);
              for (int64_t done = 0; done < count; done += kRun) {
                float row[kRun];
                int64_t part = std::min(kRun, count - done);
                column_kernels().widen(layout.type, from + position + done, part, row);
                for (int64_t i = 0; i < part; ++i) values[value + (done + i) * step] = row[i];
              }
              return;
            }
          }
          for (int64_t i = 0; i < count; ++i) element(position + i, value + i * step);
        },
        element);
  });
}

template <class T>
void store_tile(const Layout& layout, void* matrix, const Tile& tile, const T* values, int64_t ld) {
  with_element(layout.type, [&]<class E>(TypeTag<E>) {
    auto* to = static_cast<E*>(matrix);
    auto element = [&](int64_t position, int64_t value) {
      to[position] = to_element<E>(values[value]);
    };
    for_runs(
        layout, tile, ld,
        [&](int64_t position, int64_t value, int64_t step, int64_t count) {
          if constexpr (std::is_same_v<T, float>) {
            if (is_real(layout.type)) {
              if (step == 1)
                return column_kernels().narrow(layout.type, values + value, count, to + position);
              for (int64_t done = 0; done < count; done += kRun) {
                float row[kRun];
                int64_t part = std::min(kRun, count - done);
                for (int64_t i = 0; i < part; ++i) row[i] = values[value + (done + i) * step];
                column_kernels().narrow(layout.type, row, part, to + position + done);
              }
              return;
            }
          }
          for (int64_t i = 0; i < count; ++i) element(position + i, value + i * step);
        },
        element);
  });
}

template <class T>
T load_element(DataType type, const void* data, int64_t index) {
  T result{};
  with_element(
      type, [&]<class E>(TypeTag<E>) { result = convert<T>(static_cast<const E*>(data)[index]); });
  return result;
}

template <class T>
void store_element(DataType type, void* data, int64_t index, T value) {
  with_element(type,
               [&]<class E>(TypeTag<E>) { static_cast<E*>(data)[index] = to_element<E>(value); });
}

#define GUDA_LT_TILES(T)                                                             \
  template void load_tile<T>(const Layout&, const void*, const Tile&, T*, int64_t);  \
  template void store_tile<T>(const Layout&, void*, const Tile&, const T*, int64_t); \
  template T load_element<T>(DataType, const void*, int64_t);                        \
  template void store_element<T>(DataType, void*, int64_t, T)
GUDA_LT_TILES(float);
GUDA_LT_TILES(double);
GUDA_LT_TILES(int32_t);
GUDA_LT_TILES(ComplexFloat);
GUDA_LT_TILES(ComplexDouble);

}  // namespace guda::cublas::lt
