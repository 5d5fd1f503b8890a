// Asynchronous copies and memsets keep their place between kernels of a stream, on two streams at a
// time, with pinned and with pageable memory, and cudaMemcpyDefault finds the direction.
#include "check.h"

__global__ void increment(int* p, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) ++p[i];
}

int main() {
  const int n = 1 << 16, blocks = n / 256;
  int *pinned[2], *result[2];
  cudaStream_t streams[2];
  check::DeviceArray<int> a(n), b(n);
  int* device[2] = {a, b};
  for (int s = 0; s < 2; ++s) {
    CUDA_OK(cudaStreamCreateWithFlags(&streams[s], cudaStreamNonBlocking));
    CUDA_OK(cudaMallocHost(&pinned[s], n * sizeof(int)));
    CUDA_OK(cudaHostAlloc(&result[s], n * sizeof(int), cudaHostAllocDefault));
    for (int i = 0; i < n; ++i) pinned[s][i] = i * (s + 1);
  }
  for (int s = 0; s < 2; ++s) {
    CUDA_OK(cudaMemcpyAsync(device[s], pinned[s], n * 4, cudaMemcpyHostToDevice, streams[s]));
    for (int k = 0; k < 5; ++k) increment<<<blocks, 256, 0, streams[s]>>>(device[s], n);
    CUDA_OK(cudaMemsetAsync(device[s] + n / 2, 0xff, 100 * 4, streams[s]));
    increment<<<blocks, 256, 0, streams[s]>>>(device[s], n);
    CUDA_OK(cudaMemcpyAsync(result[s], device[s], n * 4, cudaMemcpyDeviceToHost, streams[s]));
  }
  for (int s = 0; s < 2; ++s) {
    CUDA_OK(cudaStreamSynchronize(streams[s]));
    for (int i = 0; i < n; ++i) {
      const bool set = i >= n / 2 && i < n / 2 + 100;
      EXPECT_EQ(result[s][i], set ? 0 : i * (s + 1) + 6, "%d of stream %d", i, s);
    }
  }

  std::vector<int> pageable(n, 3), back(n);
  CUDA_OK(cudaMemcpyAsync(a, pageable.data(), n * 4, cudaMemcpyDefault, streams[0]));
  increment<<<blocks, 256, 0, streams[0]>>>(a, n);
  CUDA_OK(cudaMemcpyAsync(b, a, n * 4, cudaMemcpyDeviceToDevice, streams[0]));
  CUDA_OK(cudaMemcpyAsync(back.data(), b, n * 4, cudaMemcpyDefault, streams[0]));
  CUDA_OK(cudaStreamSynchronize(streams[0]));
  for (int i = 0; i < n; ++i) EXPECT_EQ(back[i], 4, "%d", i);

  // Host to host, overlapping directions, and a copy of one byte at an odd address.
  CUDA_OK(cudaMemcpy(pageable.data(), result[0], n * 4, cudaMemcpyHostToHost));
  EXPECT(std::memcmp(pageable.data(), result[0], n * 4) == 0);
  char one = 'q';
  CUDA_OK(cudaMemcpy(reinterpret_cast<char*>(a.get()) + 5, &one, 1, cudaMemcpyHostToDevice));
  EXPECT_EQ(a.host()[1], 4 | 'q' << 8);
  for (int s = 0; s < 2; ++s) {
    CUDA_OK(cudaFreeHost(pinned[s]));
    CUDA_OK(cudaFreeHost(result[s]));
    CUDA_OK(cudaStreamDestroy(streams[s]));
  }
  return check::finish("async_copies");
}
