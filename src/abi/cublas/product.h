// Matrix products whose types are arguments: what the Ex routines and cublasLt stand on.
#pragma once

#include "abi/cublas/types.h"

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

/// C = alpha op(A) op(B) + beta C with types that product_scale_type() has admitted.
void multiply(const ProductTypes& types, const ProductShape& shape, const void* alpha,
              const void* a, const void* b, const void* beta, void* c);
/// The same for each of `count` triples.
void multiply_batched(const ProductTypes& types, const ProductShape& shape, const void* alpha,
                      const void* const* a, const void* const* b, const void* beta, void* const* c,
                      int64_t count);
void multiply_strided(const ProductTypes& types, const ProductShape& shape, const void* alpha,
                      const void* a, int64_t stride_a, const void* b, int64_t stride_b,
                      const void* beta, void* c, int64_t stride_c, int64_t count);

/// A stored matrix of complex bytes as complex floats without gaps between columns.
std::unique_ptr<ComplexFloat[]> widen_complex_bytes(const void* matrix, int64_t rows,
                                                    int64_t columns, int64_t ld);

/// Expected time, for handle.h.
double product_ns(const ProductTypes& types, const ProductShape& shape);

}  // namespace guda::cublas
