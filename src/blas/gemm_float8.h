// Products of 8-bit floats.
#pragma once

#include "blas/gemm.h"

namespace guda::blas {

/// The formats of OCP and CUDA: kernels/float8.h.
enum class Float8 : uint8_t { e4m3, e5m2 };

/// C = alpha op(A) op(B) + beta C with sums in float; the formats of A and B may differ. They are widened while
/// they are packed, which is exact. The rest is as in gemm.h.
void gemm_float8(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, float alpha,
                 Float8 format_a, const uint8_t* A, int64_t lda, Float8 format_b, const uint8_t* B,
                 int64_t ldb, float beta, float* C, int64_t ldc);

}  // namespace guda::blas
