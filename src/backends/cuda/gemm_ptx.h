// PTX of matrix products, for machines with NVIDIA's driver but without its BLAS.
//
// One kernel per combination of types: square tiles in shared memory, a square of results per thread, the next tile's
// loads under way while the present one is multiplied. Tensor cores are not used.
#pragma once

#include "backends/device.h"

#include <cstdint>
#include <string>

namespace guda::backend::cuda {

/// Parameters of the kernel, as PTX lays them out. op(A)(i, l) stands at a + i * a_row + l * a_depth, op(B)(l, j) at
/// b + l * b_depth + j * b_column, C(i, j) at c + i + j * ldc; in elements.
struct GemmParameters {
  const void* a;
  const void* b;
  void* c;
  int64_t a_row, a_depth, b_depth, b_column, ldc;
  /// Real and imaginary part, each of the sum's type in the first bytes of a slot.
  uint64_t alpha[2], beta[2];
  int32_t m, n, k;
  uint32_t flags;
};

enum GemmFlags : uint32_t {
  kDepthFirstA = 1,  // a_depth is 1: neighbours in memory differ in l
  kDepthFirstB = 2,
  kConjugateA = 4,
  kConjugateB = 8,
  kReadC = 16,  // beta is not zero
};

struct GemmTypes {
  ElementType input = ElementType::f32;
  bool sums_out = true;  // C has the type of the sums, else of the input
};

inline constexpr const char* kGemmKernel = "guda_gemm";
inline constexpr unsigned kGemmThreads = 256;

/// Rows and columns of C for each block.
unsigned gemm_tile(GemmTypes types);
/// A module with kGemmKernel for these types.
std::string gemm_ptx(GemmTypes types);

}  // namespace guda::backend::cuda
