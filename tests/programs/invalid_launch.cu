// Impossible launch configurations are refused at once with cudaErrorInvalidValue, leave no sticky
// error, and the kernel does not run.
#include "check.h"

__global__ void mark(int* p) { *p = 1; }
__global__ void __launch_bounds__(128) bounded(int* p) { *p = 1; }
__global__ void too_static(int* p) {
  __shared__ int pool[12000];
  pool[threadIdx.x] = *p;
  __syncthreads();
  *p = pool[0] + 1;
}

int main() {
  check::DeviceArray<int> flag(1);
  const auto refused = [&](dim3 grid, dim3 block, size_t shared) {
    mark<<<grid, block, shared>>>(flag);
    EXPECT_ERROR(cudaPeekAtLastError(), cudaErrorInvalidValue);
    EXPECT_ERROR(cudaGetLastError(), cudaErrorInvalidValue);
    EXPECT_ERROR(cudaGetLastError(), cudaSuccess);
    EXPECT_ERROR(cudaDeviceSynchronize(), cudaSuccess);
  };
  refused(1, 1025, 0);
  refused(1, dim3(32, 32, 2), 0);
  refused(1, dim3(1, 1, 65), 0);
  refused(1, 0, 0);
  refused(0, 32, 0);
  refused(dim3(1, 70000), 32, 0);
  refused(dim3(1, 1, 65536), 32, 0);
  refused(1, 32, 1 << 20);
  EXPECT_EQ(flag.host()[0], 0);

  bounded<<<1, 129>>>(flag);
  EXPECT_ERROR(cudaGetLastError(), cudaErrorInvalidValue);
  bounded<<<1, 128>>>(flag);
  EXPECT_ERROR(cudaGetLastError(), cudaSuccess);
  CUDA_OK(cudaDeviceSynchronize());
  EXPECT_EQ(flag.host()[0], 1);

  too_static<<<1, 32, 4096>>>(flag);  // 48 000 static and 4 096 dynamic bytes
  EXPECT_ERROR(cudaGetLastError(), cudaErrorInvalidValue);

  int not_a_kernel = 0;
  EXPECT_ERROR(cudaLaunchKernel(&not_a_kernel, dim3(1), dim3(1), nullptr, 0, nullptr),
               cudaErrorInvalidResourceHandle);
  cudaGetLastError();
  mark<<<1, 1>>>(flag);
  KERNEL_OK();
  return check::finish("invalid_launch");
}
