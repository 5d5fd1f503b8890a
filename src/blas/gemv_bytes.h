// Products of 8-bit integers with one row or one column in C: a matrix, read where it stands, times a vector.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "blas/gemm.h"
#include "blas/gemm_engines.h"
#include "blas/packing_buffer.h"
#include "blas/parallel.h"

namespace guda::blas {

/// Sums that a thread keeps in its L1 cache at once.
inline constexpr int64_t kByteRowBlock = 2048;

/// y = alpha sum + beta y.
template <class Out>
void scale_sums(int64_t count, const int32_t* sums, Out alpha, Out beta, Out* y, int64_t step) {
  // Integers are exact modulo 2^32.
  using Scale = std::conditional_t<std::is_integral_v<Out>, uint32_t, Out>;
  for (int64_t i = 0; i < count; ++i) {
    Scale result = static_cast<Scale>(alpha) * static_cast<Scale>(sums[i]);
    if (beta != Out(0)) result += static_cast<Scale>(beta) * static_cast<Scale>(y[i * step]);
    y[i * step] = static_cast<Out>(result);
  }
}

/// y_i = alpha (sum over p of a(i, p) x_p) + beta y_i for m rows; with `row_wise`, a(i, p) stands at
/// a[i * lda + p], else at a[i + p * lda]. False when there are no kernels that pay, or no
/// memory; y is as it was.
template <class Matrix, class Vector, class Out>
bool multiply_bytes(bool row_wise, int64_t m, int64_t k, Out alpha, const Matrix* a, int64_t lda,
                    const Vector* x, int64_t x_step, Out beta, Out* y, int64_t y_step) {
  const kernels::ByteVectorKernels* set = byte_vector_kernels<Matrix, Vector>();
  if (set == nullptr) return false;
  // Rows shorter than a vector register: packed columns of many of them fill it better.
  if (row_wise && k <= 48 && m > 32) return false;
  constexpr int64_t padding = kernels::kBytePadding;
  const int64_t padded = (k + padding - 1) / padding * padding;
  auto* vector = static_cast<uint8_t*>(shared_buffer(static_cast<size_t>(padded)));
  if (vector == nullptr) return false;
  if (x_step == 1) {
    std::memcpy(vector, x, static_cast<size_t>(k));
  } else {
    for (int64_t p = 0; p < k; ++p) vector[p] = static_cast<uint8_t>(x[p * x_step]);
  }
  std::memset(vector + k, 0, static_cast<size_t>(padded - k));
  uint32_t start = 0;
  if (set->offset != 0) {
    for (int64_t p = 0; p < k; ++p) start -= static_cast<uint32_t>(static_cast<Vector>(vector[p]));
    start *= static_cast<uint32_t>(set->offset);
  }
  const auto multiply = row_wise ? set->rows : set->columns;
  const auto* bytes = reinterpret_cast<const uint8_t*>(a);
  for_ranges(m, static_cast<size_t>(k), [&](int64_t begin, int64_t end) {
    alignas(64) int32_t sums[kByteRowBlock];
    for (int64_t i = begin; i < end; i += kByteRowBlock) {
      const int64_t rows = std::min(kByteRowBlock, end - i);
      multiply(rows, k, bytes + (row_wise ? i * lda : i), lda, vector, static_cast<int32_t>(start),
               sums);
      scale_sums(rows, sums, alpha, beta, y + i * y_step, y_step);
    }
  });
  return true;
}

/// A product with m == 1 or n == 1; false as above, and for other shapes.
template <class A, class B, class Out>
bool multiply_byte_vector(Transpose op_a, Transpose op_b, int64_t m, int64_t n, int64_t k,
                          Out alpha, const A* a, int64_t lda, const B* b, int64_t ldb, Out beta,
                          Out* c, int64_t ldc) {
  const bool plain_a = op_a == Transpose::no;
  const bool plain_b = op_b == Transpose::no;
  if (m == 1 && n == 1) {
    // A row is read fastest as one; of two vectors, either may be it.
    const int64_t a_step = plain_a ? lda : 1;
    const int64_t b_step = plain_b ? 1 : ldb;
    if (a_step == 1) return multiply_bytes(true, m, k, alpha, a, k, b, b_step, beta, c, 1);
    if (b_step == 1) return multiply_bytes(true, m, k, alpha, b, k, a, a_step, beta, c, 1);
  }
  if (n == 1) {
    return multiply_bytes(!plain_a, m, k, alpha, a, lda, b, plain_b ? 1 : ldb, beta, c, 1);
  }
  // The transposed product.
  return m == 1 && multiply_bytes(plain_b, n, k, alpha, b, ldb, a, plain_a ? lda : 1, beta, c, ldc);
}

}  // namespace guda::blas
