// OpenCL C of matrix products: one kernel per combination of types, transposes and device, C = alpha op(A) op(B) +
// beta C, whatever the sizes.
//
// Two ways to multiply. On a core of a CPU a work-group is one work-item: a block of A is packed into panels of a few
// vectors, products of panels stay in registers, sums of a block of C in local memory until all of k is done. On a
// GPU the work-items of a group share tiles of A and B in local memory, and each has a square of results.
#pragma once

#include "backends/device.h"

#include <cstdint>
#include <string>

namespace guda::backend::opencl {

struct GemmTypes {
  ElementType input = ElementType::f32;
  bool sums_out = true;  // C has the type of the sums, else of the input
  Transpose transpose_a = Transpose::none, transpose_b = Transpose::none;
};

/// How the product is cut for a device.
struct GemmShape {
  bool one_item = false;  // work-groups of one work-item: for CPUs
  uint32_t rows = 0, columns = 0;  // of C, at most, for a group
  uint32_t row_step = 1, column_step = 1;  // of the panels; of one_item
  uint32_t depth = 0;  // of k, at a time
  uint32_t vector = 1;  // elements of a vector; of one_item
  uint32_t across = 1;  // work-items along each side of a group
};

/// What the choice of a shape depends on.
struct GemmDevice {
  bool cpu = false;
  uint32_t vector_bytes = 16;  // of the widest vector that is fast
  uint64_t local_memory = 32 << 10;
  uint64_t work_group = 256;
};

GemmShape gemm_shape(ElementType input, const GemmDevice& device);

/// Arguments in order: for each of A, B, C its buffer and the displacement in bytes (ulong); lda, ldb, ldc (long); m, n,
/// k (int); alpha and beta, real and imaginary part each, of the sums' type; whether C is read (int); rows and columns
/// of C for each group (int, multiples of the steps).
std::string gemm_source(const GemmTypes& types, const GemmShape& shape);

inline constexpr const char* kGemmKernel = "guda_gemm";

}  // namespace guda::backend::opencl
