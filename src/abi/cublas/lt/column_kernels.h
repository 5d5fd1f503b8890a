// What happens to runs of elements between a product's sums and D, compiled for each instruction set.
#pragma once

#include "abi/cublas/types.h"

namespace guda::cublas::lt {

/// All work on `n` consecutive elements; `values` are changed in place.
struct ColumnKernels {
  /// Elements of a real type as floats, and the nearest elements to floats.
  void (*widen)(DataType type, const void* elements, int64_t n, float* values);
  void (*narrow)(DataType type, const float* values, int64_t n, void* elements);
  /// values = factor sums, and with a factor for each element.
  void (*scale)(const float* sums, float factor, int64_t n, float* values);
  void (*scale_each)(const float* sums, const float* factors, int64_t n, float* values);
  void (*scale_whole)(const int32_t* sums, float factor, int64_t n, float* values);
  void (*scale_whole_each)(const int32_t* sums, const float* factors, int64_t n, float* values);
  /// values += factor x.
  void (*add)(const float* x, float factor, int64_t n, float* values);
  void (*add_each)(const float* x, const float* factors, int64_t n, float* values);
  /// Negative values become 0; NaN stays.
  void (*relu)(int64_t n, float* values);
  /// One bit for each value: whether it is >= 0. Whole bytes: n is a multiple of 8.
  void (*not_negative)(const float* values, int64_t n, uint8_t* bits);
  /// Values without a bit become 0.
  void (*keep)(const uint8_t* bits, int64_t n, float* values);
  /// GELU in its tanh form, as cuBLASLt has it, and values *= its derivative at x.
  void (*gelu)(int64_t n, float* values);
  void (*times_gelu_gradient)(const float* x, int64_t n, float* values);
  /// The largest magnitude, NaN aside, and `least` at least.
  float (*largest)(const float* values, int64_t n, float least);
};

extern const ColumnKernels kAvx512ColumnKernels, kAvx2ColumnKernels, kPortableColumnKernels;

/// Those for this processor, or what the option GUDA_CPU leaves of it.
const ColumnKernels& column_kernels();

}  // namespace guda::cublas::lt
