// f32 products by oneDNN on CPUs without AVX-512.
#pragma once

#include "blas/gemm.h"

namespace guda::blas {

/// Smaller products are faster with GUDA's own tiles.
inline constexpr int64_t kSmallestForOneDnn = 48;

/// gemm<float> by oneDNN, where that is the faster way or GUDA_ONEDNN=always; m, n, k > 0. False: it was not
/// done, C is as it was. The parts that threads take depend on the shape alone, so the result is bitwise the
/// same for any number of threads.
bool multiply_by_onednn(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, float alpha,
                        const float* A, int64_t lda, const float* B, int64_t ldb, float beta,
                        float* C, int64_t ldc);

}  // namespace guda::blas
