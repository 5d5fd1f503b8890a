// Many host threads use the runtime at once: own streams, shared streams, allocations, first launches
// of the same kernel at the same time, and launch configurations that stay per thread.
#include <thread>

#include "check.h"

__global__ void fill(int* p, int n, int v) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) p[i] = v * 1000 + i % 1000;
}

__global__ void count(int* counter) { atomicAdd(counter, 1); }

int main() {
  const int threads = 8, rounds = 25;
  check::DeviceArray<int> counter(1);
  cudaStream_t common;
  CUDA_OK(cudaStreamCreate(&common));
  std::vector<int> wrong(threads);
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      cudaStream_t stream;
      CUDA_OK(cudaSetDevice(0));
      CUDA_OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
      for (int r = 0; r < rounds; ++r) {
        const int n = 500 + 37 * t + r;
        int* p;
        CUDA_OK(cudaMalloc(&p, n * sizeof(int)));
        fill<<<(n + 63) / 64, 64, 0, stream>>>(p, n, t * 100 + r);
        count<<<1 + t, 32, 0, common>>>(counter);
        std::vector<int> host(n);
        CUDA_OK(cudaMemcpyAsync(host.data(), p, n * sizeof(int), cudaMemcpyDeviceToHost, stream));
        CUDA_OK(cudaStreamSynchronize(stream));
        for (int i = 0; i < n; ++i) wrong[t] += host[i] != (t * 100 + r) * 1000 + i % 1000;
        CUDA_OK(cudaFree(p));
      }
      CUDA_OK(cudaStreamDestroy(stream));
    });
  }
  for (auto& w : workers) w.join();
  CUDA_OK(cudaDeviceSynchronize());
  for (int t = 0; t < threads; ++t) EXPECT_EQ(wrong[t], 0, "thread %d", t);
  EXPECT_EQ(counter.host()[0], rounds * 32 * threads * (threads + 1) / 2);
  return check::finish("host_threads");
}
