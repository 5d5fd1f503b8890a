// The occupancy calculator: at least one block of any legal size fits, more shared memory never fits
// more, a suggested block size is legal, and impossible sizes give zero.
#include "check.h"

__global__ void kernel(float* p) { p[threadIdx.x] *= 2; }

__global__ void shared_kernel(float* p) {
  __shared__ float s[4096];
  s[threadIdx.x] = *p;
  __syncthreads();
  *p = s[0];
}

struct BytesPerBlock {
  __host__ __device__ size_t operator()(int threads) const { return size_t(threads) * 16; }
};

int main() {
  cudaDeviceProp p;
  CUDA_OK(cudaGetDeviceProperties(&p, 0));
  int before = 1 << 30;
  for (const int shared : {0, 1024, 8192, 16384, 40000}) {
    int blocks = -1;
    CUDA_OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, 256, shared));
    EXPECT(blocks >= 1 && blocks <= before);
    EXPECT(blocks * 256 <= p.maxThreadsPerMultiProcessor);
    before = blocks;
  }
  int blocks = -1;
  CUDA_OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, 1024, 0));
  EXPECT(blocks >= 1 && blocks <= p.maxThreadsPerMultiProcessor / 1024);
  int with_static = -1;
  CUDA_OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&with_static, shared_kernel, 64, 0));
  EXPECT(with_static >= 1);
  EXPECT(with_static <= int(p.sharedMemPerMultiprocessor / (4096 * 4)));
  CUDA_OK(cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(&blocks, kernel, 128, 0,
                                                                 cudaOccupancyDefault));
  EXPECT(blocks >= 1);

  int grid = 0, block = 0;
  CUDA_OK(cudaOccupancyMaxPotentialBlockSize(&grid, &block, kernel, 0, 0));
  EXPECT(block >= 32 && block <= 1024 && block % 32 == 0);
  EXPECT(grid >= p.multiProcessorCount);
  CUDA_OK(cudaOccupancyMaxPotentialBlockSize(&grid, &block, kernel, 1000, 128));
  EXPECT(block >= 32 && block <= 128);
  CUDA_OK(cudaOccupancyMaxPotentialBlockSizeVariableSMem(&grid, &block, kernel, BytesPerBlock{}));
  EXPECT(block >= 32 && block <= 1024);
  size_t bytes = 0;
  CUDA_OK(cudaOccupancyAvailableDynamicSMemPerBlock(&bytes, kernel, 1, 256));
  EXPECT(bytes >= 16384);
  return check::finish("occupancy");
}
