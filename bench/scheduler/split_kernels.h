#pragma once

#include <cuda_runtime.h>

namespace bench {

struct SplitKernel {
  const char* name;
  void (*launch)(const float* in, float* out, int n, cudaStream_t stream);
  int elements;
};

const SplitKernel* split_kernels(int* count);

}  // namespace bench
