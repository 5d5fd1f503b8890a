#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>

#include "kernels.h"

namespace bench {
namespace {

__global__ void empty() {}

__global__ void small(float* data) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  data[i] = data[i] * 0.5f + 1.0f;
}

void check(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(code));
  std::exit(1);
}

}  // namespace

void launch_empty() { empty<<<1, 32>>>(); }

void launch_small(float* data) { small<<<4, 128>>>(data); }

float* allocate(int count) {
  float* data = nullptr;
  check(cudaMalloc(&data, count * sizeof(float)), "cudaMalloc");
  check(cudaMemset(data, 0, count * sizeof(float)), "cudaMemset");
  return data;
}

void synchronise() {
  check(cudaGetLastError(), "launch");
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

}  // namespace bench
