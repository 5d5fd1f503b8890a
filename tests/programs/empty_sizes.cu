// Sizes of zero: allocations, copies, memsets and symbols of no bytes succeed and do nothing.
#include "check.h"

__global__ void nothing() {}
__global__ void no_parameters_used(int, float*, double) {}

int main() {
  void* p = reinterpret_cast<void*>(1);
  CUDA_OK(cudaMalloc(&p, 0));
  EXPECT(p == nullptr);
  CUDA_OK(cudaFree(p));
  check::DeviceArray<int> data(4);
  int host[4] = {1, 2, 3, 4};
  data.set({9, 8, 7, 6});
  CUDA_OK(cudaMemcpy(data, host, 0, cudaMemcpyHostToDevice));
  CUDA_OK(cudaMemcpy(nullptr, nullptr, 0, cudaMemcpyDeviceToHost));
  CUDA_OK(cudaMemcpyAsync(data, host, 0, cudaMemcpyHostToDevice, 0));
  CUDA_OK(cudaMemset(data, 1, 0));
  CUDA_OK(cudaMemcpy2D(data, 16, host, 16, 0, 1, cudaMemcpyHostToDevice));
  CUDA_OK(cudaMemcpy2D(data, 16, host, 16, 16, 0, cudaMemcpyHostToDevice));
  const auto values = data.host();
  EXPECT(values[0] == 9 && values[3] == 6);
  nothing<<<1, 1>>>();
  nothing<<<1000, 1024>>>();
  no_parameters_used<<<3, 33>>>(1, nullptr, 2.0);
  KERNEL_OK();
  CUDA_OK(cudaStreamSynchronize(nullptr));
  CUDA_OK(cudaFree(nullptr));
  return check::finish("empty_sizes");
}
