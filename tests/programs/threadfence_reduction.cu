// The last block to finish adds up what the others have published: __threadfence, an atomic ticket
// and a second phase in the same kernel, which also resets its own counter.
#include "check.h"

__device__ unsigned finished = 0;
__device__ volatile float partial[64];

__global__ void sum(const float* in, int n, float* result) {
  __shared__ float stage[128];
  __shared__ bool last;
  float s = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    s += in[i];
  stage[threadIdx.x] = s;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) stage[threadIdx.x] += stage[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = stage[0];
    __threadfence();
    last = atomicInc(&finished, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last) return;
  stage[threadIdx.x] = threadIdx.x < gridDim.x ? partial[threadIdx.x] : 0;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) stage[threadIdx.x] += stage[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) *result = stage[0];
}

int main() {
  const int n = 40000;
  std::vector<float> in(n);
  double expected = 0;
  for (int i = 0; i < n; ++i) {
    in[i] = i % 17;
    expected += in[i];
  }
  check::DeviceArray<float> device(in), result(1);
  for (const int blocks : {1, 5, 64, 33}) {
    result.set({-1});
    sum<<<blocks, 128>>>(device, n, result);
    KERNEL_OK();
    EXPECT_EQ(double(result.host()[0]), expected, "%d blocks", blocks);
  }
  return check::finish("threadfence_reduction");
}
