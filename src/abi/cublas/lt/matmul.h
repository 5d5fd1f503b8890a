// D = epilogue(alpha op(A) op(B) + beta C) with all that cublasLt can say about it.
#pragma once

#include "abi/cublas/lt/descriptors.h"

namespace guda::cublas::lt {

/// A checked problem, copied from the program's descriptors.
struct Problem {
  MatmulDescriptor operation;
  Layout a, b, c, d;
  int64_t m, n, k;
  DataType bias_type;
  DataType auxiliary_type;
};

/// kInvalidValue for what contradicts itself, kNotSupported for what NVIDIA's table does not have. The device
/// stands for compute capability 8.9: no block scaling, 8-bit floats in the form A^T B only.
Result make_problem(const MatmulDescriptor* operation, const Layout* a, const Layout* b,
                    const Layout* c, const Layout* d, Problem* out);

/// The largest magnitudes of D (before its scale) and of the auxiliary output, where they are asked for.
struct Maxima {
  float d = 0, auxiliary = 0;
};

/// Computes one matrix of the batch, on several threads when that pays. `alpha` and `beta` point to a scalar
/// or a vector of the scale type, and can be read; beta may be null when it is zero by the scalar mode.
Maxima run(const Problem& problem, const void* alpha, const void* a, const void* b,
           const void* beta, const void* c, void* d, int64_t batch_index);

}  // namespace guda::cublas::lt
