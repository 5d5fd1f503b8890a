#pragma once

namespace bench {

struct SplitKernel {
  const char* name;
  void (*launch)(const float* in, float* out, int n);
  int elements;
};

const SplitKernel* split_kernels(int* count);

}  // namespace bench
