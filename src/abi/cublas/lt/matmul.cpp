#include "abi/cublas/lt/matmul.h"

#include "abi/cublas/element.h"
#include "abi/cublas/entry.h"
#include "abi/cublas/lt/epilogue.h"
#include "abi/cublas/lt/layout.h"
#include "abi/cublas/math_mode.h"
#include "abi/cublas/product.h"
#include "blas/gemm.h"

#include <memory>
#include <vector>

namespace guda::cublas::lt {
namespace {

/// op(A) and op(B) of a product as the BLAS takes them.
struct Operands {
  PlainMatrix a, b;
  blas::Transpose transa, transb;
};

blas::Transpose combined(Op op, bool transposed) {
  if (!transposed) return transpose(op);
  return op == kN ? blas::Transpose::yes : blas::Transpose::no;
}

Operands plain_operands(const Problem& problem, const void* a, const void* b) {
  Operands result{plain_matrix(problem.a, a), plain_matrix(problem.b, b), {}, {}};
  result.transa = combined(problem.operation.transa, result.a.transposed);
  result.transb = combined(problem.operation.transb, result.b.transposed);
  return result;
}

/// A conjugate transpose of a row-major matrix is its conjugate, which the BLAS has no word for.
bool needs_conjugate(const Problem& problem) {
  auto conjugated = [](Op op, const Layout& layout) {
    return op == kC && layout.order == kRow && (layout.type == kC32F || layout.type == kC64F);
  };
  return conjugated(problem.operation.transa, problem.a) ||
         conjugated(problem.operation.transb, problem.b);
}

template <class In, class Out, class Scale>
void mixed_product(const Problem& problem, const Operands& operands, Out* out) {
  blas::gemm_mixed<In, Out, Scale>(operands.transa, operands.transb, problem.m, problem.n,
                                   problem.k, Scale(1), static_cast<const In*>(operands.a.data),
                                   operands.a.ld, static_cast<const In*>(operands.b.data),
                                   operands.b.ld, Scale(0), out, problem.m);
}

template <class T>
void same_product(const Problem& problem, const Operands& operands, T* out) {
  if constexpr (std::is_same_v<T, float>)
    return blas::gemm_f32(
        float_products(problem.operation.compute), operands.transa, operands.transb, problem.m,
        problem.n, problem.k, 1, static_cast<const float*>(operands.a.data), operands.a.ld,
        static_cast<const float*>(operands.b.data), operands.b.ld, 0, out, problem.m);
  blas::gemm<T>(operands.transa, operands.transb, problem.m, problem.n, problem.k, T(1),
                static_cast<const T*>(operands.a.data), operands.a.ld,
                static_cast<const T*>(operands.b.data), operands.b.ld, T(0), out, problem.m);
}

/// 8-bit floats are bfloat16 numbers too. The matrix without gaps, column-major.
std::unique_ptr<bfloat16[]> widen_float8(const Layout& layout, const void* matrix) {
  auto rows = static_cast<int64_t>(layout.rows), columns = static_cast<int64_t>(layout.columns);
  auto out = std::make_unique_for_overwrite<bfloat16[]>(layout.rows * layout.columns);
  std::vector<float> column(layout.rows);
  for (int64_t j = 0; j < columns; ++j) {
    load_column<float>(layout, matrix, j, column.data());
    for (int64_t i = 0; i < rows; ++i) out[i + j * rows] = narrow<bfloat16>(column[i]);
  }
  return out;
}

/// op(A) op(B), m x n without gaps. T: the type of sums.
template <class T>
void product(const Problem& problem, const void* a, const void* b, T* out) {
  if (needs_conjugate(problem)) {
    // Rare enough for the definition.
    std::vector<T> left(problem.m * problem.k), right(problem.k * problem.n), column;
    auto fill = [&](const Layout& layout, const void* matrix, Op op, int64_t rows, T* to) {
      column.resize(layout.rows);
      for (int64_t j = 0; j < static_cast<int64_t>(layout.columns); ++j) {
        load_column<T>(layout, matrix, j, column.data());
        for (int64_t i = 0; i < static_cast<int64_t>(layout.rows); ++i) {
          T value = op == kC ? blas::conjugate(column[i]) : column[i];
          to[op == kN ? i + j * rows : j + i * rows] = value;
        }
      }
    };
    if constexpr (blas::is_complex<T>) {
      fill(problem.a, a, problem.operation.transa, problem.m, left.data());
      fill(problem.b, b, problem.operation.transb, problem.k, right.data());
      blas::gemm<T>(blas::Transpose::no, blas::Transpose::no, problem.m, problem.n, problem.k, T(1),
                    left.data(), at_least_one(problem.m), right.data(), at_least_one(problem.k),
                    T(0), out, problem.m);
    }
    return;
  }
  if constexpr (std::is_same_v<T, float>) {
    if (problem.a.type == kR8E4M3 || problem.a.type == kR8E5M2) {
      auto wide_a = widen_float8(problem.a, a), wide_b = widen_float8(problem.b, b);
      Operands operands{
          {wide_a.get(), at_least_one(static_cast<int64_t>(problem.a.rows)), false, nullptr},
          {wide_b.get(), at_least_one(static_cast<int64_t>(problem.b.rows)), false, nullptr},
          transpose(problem.operation.transa),
          transpose(problem.operation.transb)};
      return mixed_product<bfloat16, float, float>(problem, operands, out);
    }
  }
  Operands operands = plain_operands(problem, a, b);
  if constexpr (std::is_same_v<T, float>) {
    switch (problem.a.type) {
      case kR16BF: return mixed_product<bfloat16, float, float>(problem, operands, out);
      case kR16F: return mixed_product<float16, float, float>(problem, operands, out);
      case kR8I: return mixed_product<int8_t, float, float>(problem, operands, out);
      default: break;
    }
  }
  if constexpr (std::is_same_v<T, ComplexFloat>) {
    if (problem.a.type == kC8I) {
      bool flip_a = operands.a.transposed, flip_b = operands.b.transposed;
      auto rows_a = static_cast<int64_t>(flip_a ? problem.a.columns : problem.a.rows);
      auto columns_a = static_cast<int64_t>(flip_a ? problem.a.rows : problem.a.columns);
      auto rows_b = static_cast<int64_t>(flip_b ? problem.b.columns : problem.b.rows);
      auto columns_b = static_cast<int64_t>(flip_b ? problem.b.rows : problem.b.columns);
      auto wide_a = widen_complex_bytes(operands.a.data, rows_a, columns_a, operands.a.ld);
      auto wide_b = widen_complex_bytes(operands.b.data, rows_b, columns_b, operands.b.ld);
      Operands wide{{wide_a.get(), at_least_one(rows_a), flip_a, nullptr},
                    {wide_b.get(), at_least_one(rows_b), flip_b, nullptr},
                    operands.transa,
                    operands.transb};
      return same_product<T>(problem, wide, out);
    }
  }
  if constexpr (std::is_same_v<T, int32_t>)
    mixed_product<int8_t, int32_t, int32_t>(problem, operands, out);
  else
    same_product<T>(problem, operands, out);
}

/// alpha or beta: a scalar, or a vector with an element for each row.
template <class T>
class RowScale {
 public:
  RowScale(DataType type, const void* data, bool is_vector, T factor, int64_t start)
      : type_(type), data_(data), is_vector_(is_vector), factor_(factor), start_(start) {}
  T operator()(int64_t i) const {
    if (!data_) return T(0);
    return load_element<T>(type_, data_, is_vector_ ? start_ + i : 0) * factor_;
  }
  bool zero() const { return !data_ || (!is_vector_ && load_element<T>(type_, data_, 0) == T(0)); }

 private:
  DataType type_;
  const void* data_;
  bool is_vector_;
  T factor_;
  int64_t start_;
};

/// Sum: the type of sums; T: the type that they are scaled in.
template <class Sum, class T>
void run_as(const Problem& problem, const void* alpha, const void* a, const void* b,
            const void* beta, const void* c, void* d, int64_t batch_index) {
  const MatmulDescriptor& operation = problem.operation;
  int64_t m = problem.m, n = problem.n;
  if (m == 0 || n == 0) return;
  bool alpha_vector = operation.scalar_mode >= kDeviceVectors;
  bool beta_vector = operation.scalar_mode == kDeviceVectors;
  auto value = [](const float* scale) { return scale ? *scale : 1.0f; };
  float product_factor = value(operation.a_scale) * value(operation.b_scale);
  RowScale<T> alpha_at(operation.scale_type, alpha, alpha_vector, static_cast<T>(product_factor),
                       batch_index * operation.alpha_stride);
  RowScale<T> beta_at(operation.scale_type, beta, beta_vector,
                      static_cast<T>(value(operation.c_scale)), 0);
  bool no_product = alpha_at.zero() || problem.k == 0;
  bool no_c = beta_at.zero();

  auto sums = std::make_unique_for_overwrite<Sum[]>(static_cast<size_t>(m) * n);
  if (!no_product) product<Sum>(problem, a, b, sums.get());
  std::vector<T> alphas(m), betas(m), values(m), from_c(m);
  for (int64_t i = 0; i < m; ++i) {
    alphas[i] = alpha_at(i);
    betas[i] = beta_at(i);
  }
  auto finish = [&](auto&& epilogue) {
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t i = 0; i < m; ++i)
        values[i] = no_product ? T(0) : alphas[i] * static_cast<T>(sums[i + j * m]);
      if (!no_c) {
        load_column<T>(problem.c, c, j, from_c.data());
        for (int64_t i = 0; i < m; ++i) values[i] += betas[i] * from_c[i];
      }
      epilogue(j, values.data());
      store_column<T>(problem.d, d, j, values.data());
    }
  };
  if constexpr (std::is_floating_point_v<T>) {
    Epilogue<T> epilogue(problem, batch_index);
    finish([&](int64_t j, T* column) { epilogue.apply(j, column); });
    epilogue.finish();
    // Sums of the operands over k.
    auto parts = static_cast<unsigned>(operation.epilogue);
    if (parts & (kBiasGradientA | kBiasGradientB)) {
      bool of_a = parts & kBiasGradientA;
      const Layout& layout = of_a ? problem.a : problem.b;
      const void* matrix = of_a ? a : b;
      bool plain = (of_a ? operation.transa : operation.transb) == kN;
      bool along_rows = of_a ? plain : !plain;  // one result per stored row
      std::vector<T> column(layout.rows), results(of_a ? m : n);
      for (int64_t j = 0; j < static_cast<int64_t>(layout.columns); ++j) {
        load_column<T>(layout, matrix, j, column.data());
        for (size_t i = 0; i < column.size(); ++i) results[along_rows ? i : j] += column[i];
      }
      for (size_t i = 0; i < results.size(); ++i)
        epilogue.store_bias(static_cast<int64_t>(i), results[i]);
    }
  } else {
    finish([](int64_t, T*) {});
  }
}

/// Problems that are plain products go straight into D.
bool is_plain_product(const Problem& problem) {
  const MatmulDescriptor& operation = problem.operation;
  return operation.epilogue == kDefault && operation.scalar_mode <= kDeviceScalars &&
         problem.c.type == problem.d.type && problem.d.order == kColumn &&
         problem.a.order == kColumn && problem.b.order == kColumn && problem.a.type != kR8E4M3 &&
         problem.a.type != kR8E5M2 && problem.d.type != kR8I;
}

template <class T>
bool is_zero(const void* scalar) {
  return *static_cast<const T*>(scalar) == T(0);
}
bool is_zero(DataType type, const void* scalar) {
  switch (type) {
    case kR16F: return (static_cast<const float16*>(scalar)->bits & 0x7fff) == 0;
    case kR32I: return is_zero<int32_t>(scalar);
    case kR64F: return is_zero<double>(scalar);
    case kC32F: return is_zero<ComplexFloat>(scalar);
    case kC64F: return is_zero<ComplexDouble>(scalar);
    default: return is_zero<float>(scalar);
  }
}

void copy_matrix(const Layout& from_layout, const void* from, const Layout& to_layout, void* to) {
  size_t bytes = element_bytes(to_layout.type);
  for (uint64_t j = 0; j < to_layout.columns; ++j) {
    auto* target = static_cast<std::byte*>(to) + j * static_cast<uint64_t>(to_layout.ld) * bytes;
    auto* source = static_cast<const std::byte*>(from);
    if (from_layout.order == kColumn) {
      std::memcpy(target, source + j * static_cast<uint64_t>(from_layout.ld) * bytes,
                  to_layout.rows * bytes);
      continue;
    }
    for (uint64_t i = 0; i < to_layout.rows; ++i) {
      int64_t position =
          element_position(from_layout, static_cast<int64_t>(i), static_cast<int64_t>(j));
      std::memcpy(target + i * bytes, source + static_cast<size_t>(position) * bytes, bytes);
    }
  }
}

}  // namespace

void run(const Problem& problem, const void* alpha, const void* a, const void* b, const void* beta,
         const void* c, void* d, int64_t batch_index) {
  if (is_plain_product(problem)) {
    bool same_place = c == d && problem.c.order == kColumn && problem.c.ld == problem.d.ld;
    if (!same_place && !is_zero(problem.operation.scale_type, beta))
      copy_matrix(problem.c, c, problem.d, d);
    const MatmulDescriptor& operation = problem.operation;
    multiply({problem.a.type, problem.b.type, problem.d.type, operation.compute},
             {operation.transa, operation.transb, problem.m, problem.n, problem.k, problem.a.ld,
              problem.b.ld, problem.d.ld},
             alpha, a, b, beta, d);
    return;
  }
  switch (problem.operation.scale_type) {
    case kR64F: return run_as<double, double>(problem, alpha, a, b, beta, c, d, batch_index);
    case kC32F:
      return run_as<ComplexFloat, ComplexFloat>(problem, alpha, a, b, beta, c, d, batch_index);
    case kC64F:
      return run_as<ComplexDouble, ComplexDouble>(problem, alpha, a, b, beta, c, d, batch_index);
    case kR32I: return run_as<int32_t, int32_t>(problem, alpha, a, b, beta, c, d, batch_index);
    default:
      if (problem.operation.compute == kCompute32I ||
          problem.operation.compute == kCompute32IPedantic)
        return run_as<int32_t, float>(problem, alpha, a, b, beta, c, d, batch_index);
      return run_as<float, float>(problem, alpha, a, b, beta, c, d, batch_index);
  }
}

}  // namespace guda::cublas::lt
