#include "abi/cublas/lt/matmul.h"

#include "abi/cublas/element.h"
#include "abi/cublas/entry.h"
#include "abi/cublas/lt/column_kernels.h"
#include "abi/cublas/lt/epilogue.h"
#include "abi/cublas/lt/layout.h"
#include "abi/cublas/lt/operands.h"
#include "abi/cublas/product.h"

#include <memory>
#include <vector>

namespace guda::cublas::lt {
namespace {

/// alpha or beta: a scalar, or a vector with an element for each row, times a factor.
template <class T>
class RowScale {
 public:
  RowScale(DataType type, const void* data, int64_t rows, bool is_vector, T factor, int64_t start) {
    if (data && is_vector) {
      each_.resize(rows);
      for (int64_t i = 0; i < rows; ++i) each_[i] = load_element<T>(type, data, start + i) * factor;
    } else if (data) {
      all_ = load_element<T>(type, data, 0) * factor;
    }
  }
  bool zero() const { return each_.empty() && all_ == T(0); }

  /// values = scale sums, for `count` rows from `row` on.
  template <class Sum>
  void scale(int64_t row, int64_t count, const Sum* sums, T* values) const {
    const T* each = each_.empty() ? nullptr : each_.data() + row;
    if constexpr (std::is_same_v<T, float> && std::is_same_v<Sum, float>) {
      each ? column_kernels().scale_each(sums, each, count, values)
           : column_kernels().scale(sums, all_, count, values);
    } else if constexpr (std::is_same_v<T, float>) {
      each ? column_kernels().scale_whole_each(sums, each, count, values)
           : column_kernels().scale_whole(sums, all_, count, values);
    } else {
      for (int64_t i = 0; i < count; ++i)
        values[i] = (each ? each[i] : all_) * static_cast<T>(sums[i]);
    }
  }
  /// values += scale x.
  void add(int64_t row, int64_t count, const T* x, T* values) const {
    const T* each = each_.empty() ? nullptr : each_.data() + row;
    if constexpr (std::is_same_v<T, float>) {
      each ? column_kernels().add_each(x, each, count, values)
           : column_kernels().add(x, all_, count, values);
    } else {
      for (int64_t i = 0; i < count; ++i) values[i] += (each ? each[i] : all_) * x[i];
    }
  }

 private:
  T all_ = T(0);
  std::vector<T> each_;
};

/// Sums of a strip of columns, kept by the thread from call to call.
template <class Sum>
Sum* strip_buffer(int64_t count) {
  struct Buffer {
    std::unique_ptr<std::byte[]> memory;
    size_t bytes = 0;
  };
  thread_local Buffer buffer;
  size_t bytes = static_cast<size_t>(count) * sizeof(Sum);
  if (bytes > buffer.bytes) {
    buffer.bytes = 0;
    buffer.memory.reset();  // both at once would be twice the memory
    buffer.memory = std::make_unique_for_overwrite<std::byte[]>(bytes);
    buffer.bytes = bytes;
  }
  return reinterpret_cast<Sum*>(buffer.memory.get());
}

/// Columns whose sums fit into the last cache, in whole tiles; not so few that packing A again for each
/// strip would show.
constexpr int64_t kStripBytes = int64_t{32} << 20, kFewestColumns = 512;
int64_t strip_columns(int64_t m, int64_t n, size_t sum_bytes, int64_t tile_columns) {
  int64_t fitting = kStripBytes / (m * static_cast<int64_t>(sum_bytes));
  return std::min(n, std::max(fitting, kFewestColumns) / tile_columns * tile_columns);
}

/// Gradients of biases: the operand's sums over k.
template <class T>
void sum_operand(const Problem& problem, const Epilogue<T>& epilogue, bool of_a,
                 const void* matrix) {
  const Layout& layout = of_a ? problem.a : problem.b;
  bool plain = (of_a ? problem.operation.transa : problem.operation.transb) == kN;
  bool along_rows = of_a ? plain : !plain;  // one result per stored row
  auto rows = static_cast<int64_t>(layout.rows), columns = static_cast<int64_t>(layout.columns);
  std::vector<T> results(along_rows ? rows : columns);
  if (along_rows) {
    blas::for_each_task((rows + kMostTileRows - 1) / kMostTileRows, columns * kMostTileRows * 4,
                        [&](int64_t index) {
                          int64_t row = index * kMostTileRows,
                                  count = std::min(kMostTileRows, rows - row);
                          T values[kMostTileRows];
                          for (int64_t j = 0; j < columns; ++j) {
                            load_tile<T>(layout, matrix, {row, count, j, 1}, values, count);
                            for (int64_t i = 0; i < count; ++i) results[row + i] += values[i];
                          }
                        });
  } else {
    blas::for_each_task(columns, static_cast<size_t>(rows) * 4, [&](int64_t j) {
      T values[kMostTileRows], sum = 0;
      for (int64_t row = 0; row < rows; row += kMostTileRows) {
        int64_t count = std::min(kMostTileRows, rows - row);
        load_tile<T>(layout, matrix, {row, count, j, 1}, values, count);
        for (int64_t i = 0; i < count; ++i) sum += values[i];
      }
      results[j] = sum;
    });
  }
  for (size_t i = 0; i < results.size(); ++i)
    epilogue.store_bias(static_cast<int64_t>(i), results[i]);
}

/// Whether D can hold the sums until they are finished.
template <class Sum, class T>
bool sums_fit_into(const Layout& d) {
  return std::is_same_v<Sum, T> && d.order == kColumn && d.type == kTypeOf<T> &&
         (std::is_same_v<T, float> || std::is_same_v<T, double>);
}

/// Sum: the type of sums; T: the type that they are scaled in.
template <class Sum, class T>
Maxima run_as(const Problem& problem, const void* alpha, const void* a, const void* b,
              const void* beta, const void* c, void* d, int64_t batch_index) {
  const MatmulDescriptor& operation = problem.operation;
  int64_t m = problem.m, n = problem.n;
  Maxima maxima;
  if (m == 0 || n == 0) return maxima;
  auto value = [](const float* scale) { return scale ? *scale : 1.0f; };
  T product_factor = static_cast<T>(value(operation.a_scale) * value(operation.b_scale));
  RowScale<T> alpha_scale(operation.scale_type, alpha, m, operation.scalar_mode >= kDeviceVectors,
                          product_factor, batch_index * operation.alpha_stride);
  RowScale<T> beta_scale(operation.scale_type, beta, m, operation.scalar_mode == kDeviceVectors,
                         static_cast<T>(value(operation.c_scale)), 0);
  bool no_product = alpha_scale.zero() || problem.k == 0;
  bool no_c = beta_scale.zero();

  const TileShape shape = TileShape::for_order(problem.d.order);
  constexpr bool kHasEpilogue = std::is_floating_point_v<T>;
  using TileEpilogue = std::conditional_t<kHasEpilogue, Epilogue<T>, int>;
  auto epilogue = [&]() -> TileEpilogue {
    if constexpr (kHasEpilogue)
      return {problem, batch_index, shape.columns};
    else
      return 0;
  }();

  bool in_d = sums_fit_into<Sum, T>(problem.d) && no_c && !no_product;
  int64_t strip = in_d ? n : strip_columns(m, n, sizeof(Sum), shape.columns);
  auto* sums = in_d ? static_cast<Sum*>(d) : no_product ? nullptr : strip_buffer<Sum>(m * strip);
  int64_t ld = in_d ? problem.d.ld : m;
  auto operands = no_product ? nullptr : std::make_unique<Operands>(problem, a, b);
  std::vector<Maxima> largest;
  for (int64_t first = 0; first < n; first += strip) {
    int64_t columns = std::min(strip, n - first);
    if (operands) operands->multiply<Sum>(first, columns, sums, ld);
    largest.assign(shape.count_down(m) * shape.count_across(columns), {});
    for_tiles(shape, m, columns, [&](Tile tile, int64_t index) {
      T values[kTileElements], from_c[kTileElements];
      for (int64_t j = 0; j < tile.columns; ++j) {
        T* column = values + j * shape.rows;
        if (no_product)
          std::fill_n(column, tile.rows, T(0));
        else
          alpha_scale.scale(tile.row, tile.rows, sums + tile.row + (tile.column + j) * ld, column);
      }
      tile.column += first;
      if (!no_c) {
        load_tile<T>(problem.c, c, tile, from_c, shape.rows);
        for (int64_t j = 0; j < tile.columns; ++j)
          beta_scale.add(tile.row, tile.rows, from_c + j * shape.rows, values + j * shape.rows);
      }
      if constexpr (kHasEpilogue) epilogue.apply(tile, values, shape.rows, largest[index]);
      store_tile<T>(problem.d, d, tile, values, shape.rows);
    });
    for (const Maxima& tile : largest)
      maxima = {std::max(maxima.d, tile.d), std::max(maxima.auxiliary, tile.auxiliary)};
  }
  if constexpr (kHasEpilogue) {
    epilogue.finish();
    auto parts = static_cast<unsigned>(operation.epilogue);
    if (parts & (kBiasGradientA | kBiasGradientB))
      sum_operand(problem, epilogue, (parts & kBiasGradientA) != 0, parts & kBiasGradientA ? a : b);
  }
  return maxima;
}

// Plain products -----------------------------------------------------------------------------------------

/// op(A) of a matrix by rows is the other operation of what stands in memory.
Op turned(Op op, Order order) {
  if (order == kColumn) return op;
  return op == kN ? kT : kN;
}

/// Problems that are plain products go straight into D; a D by rows as its transpose.
bool is_plain_product(const Problem& problem) {
  const MatmulDescriptor& operation = problem.operation;
  auto in_order = [](const Layout& layout) {
    return layout.order == kColumn || layout.order == kRow;
  };
  auto conjugated = [&](Op op, const Layout& layout) {
    // By columns and by rows alike where D is turned: a conjugate without a transpose.
    return op == kC && (layout.type == kC32F || layout.type == kC64F || layout.type == kC8I) &&
           (layout.order == kRow || problem.d.order == kRow);
  };
  return operation.epilogue == kDefault && operation.scalar_mode <= kDeviceScalars &&
         problem.c.type == problem.d.type && in_order(problem.d) && in_order(problem.c) &&
         in_order(problem.a) && in_order(problem.b) && !conjugated(operation.transa, problem.a) &&
         !conjugated(operation.transb, problem.b) && problem.a.type != kR8E4M3 &&
         problem.a.type != kR8E5M2 && problem.d.type != kR8I;
}

void copy_matrix(const Layout& from_layout, const void* from, const Layout& to_layout, void* to) {
  size_t bytes = element_bytes(to_layout.type);
  auto* source = static_cast<const std::byte*>(from);
  auto* target = static_cast<std::byte*>(to);
  bool same_order = from_layout.order == to_layout.order;
  uint64_t rows = to_layout.rows, columns = to_layout.columns;
  if (same_order) {
    bool by_rows = to_layout.order == kRow;
    uint64_t along = by_rows ? columns : rows;
    for (uint64_t line = 0; line < (by_rows ? rows : columns); ++line)
      std::memcpy(target + line * static_cast<uint64_t>(to_layout.ld) * bytes,
                  source + line * static_cast<uint64_t>(from_layout.ld) * bytes, along * bytes);
    return;
  }
  for (uint64_t j = 0; j < columns; ++j) {
    for (uint64_t i = 0; i < rows; ++i) {
      auto row = static_cast<int64_t>(i), column = static_cast<int64_t>(j);
      std::memcpy(target + static_cast<size_t>(element_position(to_layout, row, column)) * bytes,
                  source + static_cast<size_t>(element_position(from_layout, row, column)) * bytes,
                  bytes);
    }
  }
}

void run_plain(const Problem& problem, const void* alpha, const void* a, const void* b,
               const void* beta, const void* c, void* d) {
  const MatmulDescriptor& operation = problem.operation;
  bool same_place = c == d && problem.c.order == problem.d.order && problem.c.ld == problem.d.ld;
  if (!same_place && !is_zero(operation.scale_type, beta)) copy_matrix(problem.c, c, problem.d, d);
  Op transa = turned(operation.transa, problem.a.order);
  Op transb = turned(operation.transb, problem.b.order);
  ProductTypes types{problem.a.type, problem.b.type, problem.d.type, operation.compute};
  if (problem.d.order == kColumn) {
    multiply(
        types,
        {transa, transb, problem.m, problem.n, problem.k, problem.a.ld, problem.b.ld, problem.d.ld},
        alpha, a, b, beta, d);
  } else {
    multiply(types,
             {turned(transb, kRow), turned(transa, kRow), problem.n, problem.m, problem.k,
              problem.b.ld, problem.a.ld, problem.d.ld},
             alpha, b, a, beta, d);
  }
}

}  // namespace

Maxima run(const Problem& problem, const void* alpha, const void* a, const void* b,
           const void* beta, const void* c, void* d, int64_t batch_index) {
  if (is_plain_product(problem)) {
    run_plain(problem, alpha, a, b, beta, c, d);
    return {};
  }
  switch (problem.operation.scale_type) {
    case kR64F: return run_as<double, double>(problem, alpha, a, b, beta, c, d, batch_index);
    case kC32F:
      return run_as<ComplexFloat, ComplexFloat>(problem, alpha, a, b, beta, c, d, batch_index);
    case kC64F:
      return run_as<ComplexDouble, ComplexDouble>(problem, alpha, a, b, beta, c, d, batch_index);
    case kR32I: return run_as<int32_t, int32_t>(problem, alpha, a, b, beta, c, d, batch_index);
    default:
      if (problem.a.type == kR8I)
        return run_as<int32_t, float>(problem, alpha, a, b, beta, c, d, batch_index);
      return run_as<float, float>(problem, alpha, a, b, beta, c, d, batch_index);
  }
}

}  // namespace guda::cublas::lt
