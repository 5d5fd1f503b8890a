#include "abi/cublas/lt/layout.h"

#include "abi/cublas/element.h"

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

/// Positions of a column's elements: `start + i * step`, unless the order is a tiled one.
struct Column {
  int64_t start, step;
  bool tiled;
};
Column column_of(const Layout& layout, int64_t j) {
  if (layout.order == kColumn) return {j * layout.ld, 1, false};
  if (layout.order == kRow) return {j, layout.ld, false};
  return {0, 0, true};
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

PlainMatrix plain_matrix(const Layout& layout, const void* matrix) {
  if (layout.order == kColumn) return {matrix, layout.ld, false, nullptr};
  if (layout.order == kRow) return {matrix, layout.ld, true, nullptr};
  auto rows = static_cast<int64_t>(layout.rows), columns = static_cast<int64_t>(layout.columns);
  size_t bytes = element_bytes(layout.type);
  auto copy = std::make_unique_for_overwrite<std::byte[]>(layout.rows * layout.columns * bytes);
  auto* from = static_cast<const std::byte*>(matrix);
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t i = 0; i < rows; ++i) {
      std::memcpy(&copy[static_cast<size_t>(i + j * rows) * bytes],
                  from + static_cast<size_t>(element_position(layout, i, j)) * bytes, bytes);
    }
  }
  const void* data = copy.get();
  return {data, at_least_one(rows), false, std::move(copy)};
}

template <class T>
void load_column(const Layout& layout, const void* matrix, int64_t j, T* out) {
  Column column = column_of(layout, j);
  auto rows = static_cast<int64_t>(layout.rows);
  with_element(layout.type, [&]<class E>(TypeTag<E>) {
    auto* from = static_cast<const E*>(matrix);
    for (int64_t i = 0; i < rows; ++i) {
      out[i] = convert<T>(
          from[column.tiled ? element_position(layout, i, j) : column.start + i * column.step]);
    }
  });
}

template <class T>
void store_column(const Layout& layout, void* matrix, int64_t j, const T* values) {
  Column column = column_of(layout, j);
  auto rows = static_cast<int64_t>(layout.rows);
  with_element(layout.type, [&]<class E>(TypeTag<E>) {
    auto* to = static_cast<E*>(matrix);
    for (int64_t i = 0; i < rows; ++i) {
      to[column.tiled ? element_position(layout, i, j) : column.start + i * column.step] =
          to_element<E>(values[i]);
    }
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

#define GUDA_LT_COLUMNS(T)                                                \
  template void load_column<T>(const Layout&, const void*, int64_t, T*);  \
  template void store_column<T>(const Layout&, void*, int64_t, const T*); \
  template T load_element<T>(DataType, const void*, int64_t);             \
  template void store_element<T>(DataType, void*, int64_t, T)
GUDA_LT_COLUMNS(float);
GUDA_LT_COLUMNS(double);
GUDA_LT_COLUMNS(int32_t);
GUDA_LT_COLUMNS(ComplexFloat);
GUDA_LT_COLUMNS(ComplexDouble);

}  // namespace guda::cublas::lt
