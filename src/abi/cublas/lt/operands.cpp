#include "abi/cublas/lt/operands.h"

#include "abi/cublas/element.h"
#include "abi/cublas/lt/layout.h"
#include "abi/cublas/math_mode.h"
#include "abi/cublas/product.h"
#include "blas/gemm.h"
#include "blas/gemm_float8.h"

namespace guda::cublas::lt {
namespace {

bool is_complex(DataType type) { return type == kC32F || type == kC64F; }

/// A copy without gaps, made column by column: fill(j, column).
template <class E, class Fill>
void replace(Operand& operand, int64_t rows, int64_t columns, Fill fill) {
  auto bytes = static_cast<size_t>(rows) * static_cast<size_t>(columns) * sizeof(E);
  auto copy = std::make_unique_for_overwrite<std::byte[]>(bytes);
  auto* to = reinterpret_cast<E*>(copy.get());
  blas::for_each_task(columns, static_cast<size_t>(rows) * sizeof(E) * 2,
                      [&](int64_t j) { fill(j, to + j * rows); });
  operand.data = copy.get();
  operand.ld = at_least_one(rows);
  operand.copy = std::move(copy);
}

template <class E>
void untile(Operand& operand, const Layout& layout) {
  auto rows = static_cast<int64_t>(layout.rows);
  auto* from = static_cast<const E*>(operand.data);
  replace<E>(operand, rows, static_cast<int64_t>(layout.columns), [&](int64_t j, E* column) {
    for (int64_t i = 0; i < rows; ++i) column[i] = from[element_position(layout, i, j)];
  });
}

template <class T>
void conjugate_all(Operand& operand, int64_t rows, int64_t columns) {
  auto* from = static_cast<const T*>(operand.data);
  replace<T>(operand, rows, columns, [&, ld = operand.ld](int64_t j, T* column) {
    for (int64_t i = 0; i < rows; ++i) column[i] = blas::conjugate(from[i + j * ld]);
  });
}

bool is_float8(DataType type) { return type == kR8E4M3 || type == kR8E5M2; }
blas::Float8 float8_format(DataType type) {
  return type == kR8E4M3 ? blas::Float8::e4m3 : blas::Float8::e5m2;
}

Operand prepare(const Layout& layout, Op op, const void* matrix) {
  bool by_rows = layout.order == kRow;
  Operand operand{matrix, layout.ld, transpose(op), layout.type, nullptr};
  if (layout.order != kColumn && !by_rows) {
    switch (element_bytes(layout.type)) {
      case 1: untile<uint8_t>(operand, layout); break;
      case 2: untile<uint16_t>(operand, layout); break;
      case 4: untile<uint32_t>(operand, layout); break;
      case 8: untile<uint64_t>(operand, layout); break;
      default: untile<ComplexDouble>(operand, layout); break;
    }
  }
  // As the matrix stands in memory: by rows, that is its transpose.
  auto rows = static_cast<int64_t>(by_rows ? layout.columns : layout.rows);
  auto columns = static_cast<int64_t>(by_rows ? layout.rows : layout.columns);
  if (needs_conjugate(layout, op)) {
    if (layout.type == kC32F) conjugate_all<ComplexFloat>(operand, rows, columns);
    if (layout.type == kC64F) conjugate_all<ComplexDouble>(operand, rows, columns);
  }
  if (by_rows) operand.transpose = op == kN ? blas::Transpose::yes : blas::Transpose::no;
  if (layout.type == kC8I) {
    auto wide = widen_complex_bytes(operand.data, rows, columns, operand.ld);
    replace<ComplexFloat>(operand, rows, columns, [&](int64_t j, ComplexFloat* column) {
      bool conjugated = by_rows && op == kC;
      for (int64_t i = 0; i < rows; ++i)
        column[i] = conjugated ? std::conj(wide[i + j * rows]) : wide[i + j * rows];
    });
    operand.type = kC32F;
  }
  return operand;
}

}  // namespace

bool needs_conjugate(const Layout& layout, Op op) {
  return op == kC && layout.order == kRow && is_complex(layout.type);
}

Operands::Operands(const Problem& problem, const void* a, const void* b)
    : a_(prepare(problem.a, problem.operation.transa, a)),
      b_(prepare(problem.b, problem.operation.transb, b)),
      m_(problem.m),
      k_(problem.k),
      compute_(problem.operation.compute) {}

template <class Sum>
void Operands::multiply(int64_t first, int64_t count, Sum* out, int64_t ld) const {
  auto mixed = [&]<class In>(TypeTag<In>) {
    auto* b = static_cast<const In*>(b_.data);
    b += b_.transpose == blas::Transpose::no ? first * b_.ld : first;
    auto* a = static_cast<const In*>(a_.data);
    if constexpr (std::is_same_v<In, float>)
      blas::gemm_f32(float_products(compute_), a_.transpose, b_.transpose, m_, count, k_, 1, a,
                     a_.ld, b, b_.ld, 0, out, ld);
    else if constexpr (std::is_same_v<In, Sum>)
      blas::gemm<Sum>(a_.transpose, b_.transpose, m_, count, k_, Sum(1), a, a_.ld, b, b_.ld, Sum(0),
                      out, ld);
    else
      blas::gemm_mixed<In, Sum, Sum>(a_.transpose, b_.transpose, m_, count, k_, Sum(1), a, a_.ld, b,
                                     b_.ld, Sum(0), out, ld);
  };
  if constexpr (std::is_same_v<Sum, float>) {
    if (a_.type == kR16BF) return mixed(TypeTag<bfloat16>());
    if (a_.type == kR16F) return mixed(TypeTag<float16>());
    if (is_float8(a_.type)) {
      auto* b = static_cast<const uint8_t*>(b_.data);
      b += b_.transpose == blas::Transpose::no ? first * b_.ld : first;
      return blas::gemm_float8(a_.transpose, b_.transpose, m_, count, k_, 1, float8_format(a_.type),
                               static_cast<const uint8_t*>(a_.data), a_.ld, float8_format(b_.type),
                               b, b_.ld, 0, out, ld);
    }
  }
  if constexpr (std::is_same_v<Sum, int32_t>)
    mixed(TypeTag<int8_t>());
  else
    mixed(TypeTag<Sum>());
}

#define GUDA_LT_MULTIPLY(Sum) \
  template void Operands::multiply<Sum>(int64_t, int64_t, Sum*, int64_t) const
GUDA_LT_MULTIPLY(float);
GUDA_LT_MULTIPLY(double);
GUDA_LT_MULTIPLY(int32_t);
GUDA_LT_MULTIPLY(ComplexFloat);
GUDA_LT_MULTIPLY(ComplexDouble);

}  // namespace guda::cublas::lt
