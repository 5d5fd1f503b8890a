// After a kernel has faulted, every later call that needs the context returns the fault's code, on
// other streams and threads too; cudaGetLastError does not heal it.
#include <thread>

#include "check.h"

__global__ void fault(int* p) { p[1ll << 41] = 1; }
__global__ void fine(int* p) { *p = 1; }

int main() {
  int* p;
  CUDA_OK(cudaMalloc(&p, 256));
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  fault<<<1, 1, 0, stream>>>(p);
  EXPECT_ERROR(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
  EXPECT_ERROR(cudaGetLastError(), cudaErrorIllegalAddress);
  EXPECT_ERROR(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  int host;
  EXPECT_ERROR(cudaMemcpy(&host, p, 4, cudaMemcpyDeviceToHost), cudaErrorIllegalAddress);
  void* q;
  EXPECT_ERROR(cudaMalloc(&q, 16), cudaErrorIllegalAddress);
  EXPECT_ERROR(cudaStreamQuery(stream), cudaErrorIllegalAddress);
  cudaEvent_t event;
  EXPECT_ERROR(cudaEventCreate(&event), cudaErrorIllegalAddress);
  fine<<<1, 1>>>(p);
  EXPECT_ERROR(cudaGetLastError(), cudaErrorIllegalAddress);
  std::thread([&] {
    EXPECT_ERROR(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
    fine<<<1, 1>>>(p);
    EXPECT_ERROR(cudaGetLastError(), cudaErrorIllegalAddress);
  }).join();
  int count = 0;
  EXPECT_ERROR(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT(count >= 1);
  return check::finish("sticky_error");
}
