// Stream-ordered allocation: cudaMallocAsync, use and cudaFreeAsync in stream order, reuse, the
// default pool's attributes and a pool of one's own.
#include "check.h"

__global__ void fill(int* p, int n, int v) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) p[i] = v + i;
}

int main() {
  int supported = 0;
  CUDA_OK(cudaDeviceGetAttribute(&supported, cudaDevAttrMemoryPoolsSupported, 0));
  EXPECT_EQ(supported, 1);
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  std::vector<int> host(5000);
  for (int round = 0; round < 20; ++round) {
    const int n = 100 + round * 200;
    int *p, *q;
    CUDA_OK(cudaMallocAsync(&p, n * sizeof(int), stream));
    CUDA_OK(cudaMallocAsync(&q, n * sizeof(int), stream));
    fill<<<(n + 127) / 128, 128, 0, stream>>>(p, n, round);
    CUDA_OK(cudaMemcpyAsync(q, p, n * sizeof(int), cudaMemcpyDeviceToDevice, stream));
    CUDA_OK(cudaFreeAsync(p, stream));
    CUDA_OK(cudaMemcpyAsync(host.data(), q, n * sizeof(int), cudaMemcpyDeviceToHost, stream));
    CUDA_OK(cudaFreeAsync(q, stream));
    CUDA_OK(cudaStreamSynchronize(stream));
    for (int i = 0; i < n; ++i) EXPECT_EQ(host[i], round + i, "%d", i);
  }
  cudaMemPool_t pool;
  CUDA_OK(cudaDeviceGetDefaultMemPool(&pool, 0));
  unsigned long long threshold = ~0ull;
  CUDA_OK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold));
  unsigned long long back = 0;
  CUDA_OK(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &back));
  EXPECT_EQ(back, threshold);
  CUDA_OK(cudaMemPoolTrimTo(pool, 0));

  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  properties.location.id = 0;
  cudaMemPool_t own;
  CUDA_OK(cudaMemPoolCreate(&own, &properties));
  int* p;
  CUDA_OK(cudaMallocFromPoolAsync(&p, 1000 * sizeof(int), own, stream));
  fill<<<8, 128, 0, stream>>>(p, 1000, 3);
  CUDA_OK(cudaMemcpyAsync(host.data(), p, 4000, cudaMemcpyDeviceToHost, stream));
  CUDA_OK(cudaFreeAsync(p, stream));
  CUDA_OK(cudaStreamSynchronize(stream));
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(host[i], 3 + i, "%d", i);
  CUDA_OK(cudaMemPoolDestroy(own));
  return check::finish("memory_pool");
}
