// Matrix products whose types are arguments: what the Ex routines and cublasLt stand on.
#pragma once

#include "abi/cublas/types.h"
#include "backends/device.h"
#include "blas/worker_pool.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>

namespace guda::cublas {

struct ProductTypes {
  DataType a, b, c;
  ComputeType compute;
};

/// Whether the value is a cublasComputeType_t at all.
bool is_compute_type(ComputeType type);

/// NVIDIA's table of cublasGemmEx: kSuccess and the type of alpha and beta, or kNotSupported.
Result product_scale_type(const ProductTypes& types, DataType* scale);
/// The shorter table of cublasGemmGroupedBatchedEx.
Result grouped_scale_type(const ProductTypes& types, DataType* scale);

struct ProductShape {
  Op transa, transb;
  int64_t m, n, k;
  int64_t lda, ldb, ldc;
};

/// kInvalidValue for what no product has: negative sizes, unknown operations, short leading dimensions.
Result check_shape(const ProductShape& shape);

/// Whether a scalar of the type that product_scale_type() gives is zero.
bool is_zero(DataType scale, const void* scalar);
/// kInvalidValue when a matrix that the product reads or writes is not there. `alpha` is null when it is in
/// device memory.
Result check_matrices(const ProductShape& shape, DataType scale, const void* alpha, const void* a,
                      const void* b, const void* c);

/// C = alpha op(A) op(B) + beta C with types that product_scale_type() has admitted.
void multiply(const ProductTypes& types, const ProductShape& shape, const void* alpha,
              const void* a, const void* b, const void* beta, void* c);

/// A product as engines other than the CPU see it.
struct GemmCall {
  backend::GemmProblem problem;
  alignas(16) std::array<std::byte, 16> alpha{}, beta{};
  /// They can be asked: the types have a counterpart there, and the scalars are known.
  bool for_engines = false;

  const backend::GemmProblem* get() {
    problem.alpha = alpha.data();
    problem.beta = beta.data();
    return &problem;
  }
};
GemmCall describe(const ProductTypes& types, const ProductShape& shape, PointerMode mode,
                  const void* alpha, const void* a, const void* b, const void* beta, void* c);
/// Such a product with the CPU's kernels. Error not_supported for types that describe() does not make.
Status multiply(const backend::GemmProblem& problem);

/// The same for each of `count` triples.
void multiply_batched(const ProductTypes& types, const ProductShape& shape, const void* alpha,
                      const void* const* a, const void* const* b, const void* beta, void* const* c,
                      int64_t count);
void multiply_strided(const ProductTypes& types, const ProductShape& shape, const void* alpha,
                      const void* a, int64_t stride_a, const void* b, int64_t stride_b,
                      const void* beta, void* c, int64_t stride_c, int64_t count);

/// Calls product(i) for each of a batch of products of this shape: whole ones to each thread, unless one is
/// large enough to be divided itself.
template <class Product>
void for_products(int64_t count, const ProductShape& shape, Product product) {
  constexpr double kWorthSharing = 64.0 * 64 * 64, kWorthWaking = 160.0 * 160 * 160;
  double work = static_cast<double>(shape.m) * static_cast<double>(shape.n) *
                static_cast<double>(std::max<int64_t>(shape.k, 1));
  double all = work * static_cast<double>(count);
  int threads = all < kWorthSharing || work > 8 * kWorthWaking ? 1 : blas::worker_limit();
  if (threads == 1 || count == 1) {
    for (int64_t i = 0; i < count; ++i) product(i);
    return;
  }
  int64_t chunk = std::max<int64_t>(1, count / (threads * int64_t{8}));
  auto task = [&](int index) {
    int64_t end = std::min(count, (index + 1) * chunk);
    for (int64_t i = index * chunk; i < end; ++i) product(i);
  };
  blas::run_tasks(static_cast<int>((count + chunk - 1) / chunk), threads,
                  all < kWorthWaking ? blas::Wake::if_awake : blas::Wake::always, task);
}

/// A stored matrix of complex bytes as complex floats without gaps between columns.
std::unique_ptr<ComplexFloat[]> widen_complex_bytes(const void* matrix, int64_t rows,
                                                    int64_t columns, int64_t ld);

/// Expected time, for handle.h.
double product_ns(const ProductTypes& types, const ProductShape& shape);

}  // namespace guda::cublas
