// __trap() ends the kernel with cudaErrorLaunchFailure (719), which sticks.
#include "check.h"

__global__ void trap_if(const int* flags) {
  if (flags[threadIdx.x]) __trap();
}

int main() {
  std::vector<int> flags(64, 0);
  check::DeviceArray<int> data(flags);
  trap_if<<<2, 64>>>(data);
  KERNEL_OK();
  flags[40] = 1;
  data.set(flags);
  trap_if<<<2, 64>>>(data);
  EXPECT_ERROR(cudaGetLastError(), cudaSuccess);
  EXPECT_ERROR(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  EXPECT_ERROR(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  EXPECT_ERROR(cudaFree(nullptr), cudaErrorLaunchFailure);
  return check::finish("trap_fault");
}
