// Built with --default-stream per-thread: a plain launch goes to the calling thread's own stream, so
// one thread's waiting kernel does not hold up another's, and the legacy stream still exists.
#include <thread>

#include "check.h"

__global__ void wait_for(volatile int* flag, int* out) {
  while (*flag == 0) {
  }
  *out = 1;
}

__global__ void set(int* p, int v) { *p = v; }

int main() {
  int *flag, *results;
  CUDA_OK(cudaMallocHost(&flag, sizeof(int)));
  CUDA_OK(cudaMallocHost(&results, 4 * sizeof(int)));
  *flag = 0;
  std::memset(results, 0, 16);
  set<<<1, 1>>>(results + 3, 5);  // compiled and loaded before anything waits
  CUDA_OK(cudaStreamSynchronize(0));
  EXPECT_EQ(results[3], 5);
  wait_for<<<1, 1>>>(flag, results);
  std::thread([&] {
    set<<<1, 1>>>(results + 1, 42);
    CUDA_OK(cudaStreamSynchronize(cudaStreamPerThread));
    EXPECT_EQ(results[1], 42);
    set<<<1, 1>>>(results + 2, 43);
    CUDA_OK(cudaStreamSynchronize(0));  // in this build, 0 is the per-thread stream
    EXPECT_EQ(results[2], 43);
  }).join();
  EXPECT_EQ(results[0], 0);
  EXPECT_ERROR(cudaStreamQuery(cudaStreamPerThread), cudaErrorNotReady);
  cudaGetLastError();
  *reinterpret_cast<volatile int*>(flag) = 1;
  CUDA_OK(cudaStreamSynchronize(0));
  EXPECT_EQ(results[0], 1);

  int* device;
  CUDA_OK(cudaMalloc(&device, sizeof(int)));
  set<<<1, 1, 0, cudaStreamLegacy>>>(device, 6);
  int host = 0;
  CUDA_OK(cudaMemcpyAsync(&host, device, sizeof(int), cudaMemcpyDeviceToHost, cudaStreamLegacy));
  CUDA_OK(cudaStreamSynchronize(cudaStreamLegacy));
  EXPECT_EQ(host, 6);
  set<<<1, 1>>>(device, 7);
  CUDA_OK(cudaMemcpy(&host, device, sizeof(int), cudaMemcpyDeviceToHost));
  EXPECT_EQ(host, 7);
  return check::finish("per_thread_stream");
}
