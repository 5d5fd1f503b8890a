// cudaFuncGetAttributes and cudaFuncSetAttribute: sizes of shared, constant and local memory, thread
// limits, PTX version, and names.
#include "check.h"

__constant__ int constants[10];

__global__ void plain(int* p) { p[threadIdx.x] = constants[threadIdx.x % 10]; }

__global__ void __launch_bounds__(192) with_shared(int* p) {
  __shared__ double stage[300];
  stage[threadIdx.x] = p[threadIdx.x];
  __syncthreads();
  p[threadIdx.x] = static_cast<int>(stage[blockDim.x - 1 - threadIdx.x]);
}

__global__ void with_local(int* p, int n) {
  int values[100];
  for (int i = 0; i < 100; ++i) values[(i * 7 + n) % 100] = i;
  p[threadIdx.x] = values[p[threadIdx.x]];
}

template <typename T>
__global__ void templated(T* p) {
  *p += T(1);
}

int main() {
  cudaFuncAttributes a;
  CUDA_OK(cudaFuncGetAttributes(&a, plain));
  EXPECT_EQ(a.sharedSizeBytes, size_t{0});
  EXPECT_EQ(a.localSizeBytes, size_t{0});
  EXPECT_EQ(a.maxThreadsPerBlock, 1024);
  EXPECT(a.numRegs > 0 && a.numRegs <= 255);
  EXPECT(a.ptxVersion >= 75 && a.ptxVersion < 200);
  EXPECT(a.binaryVersion >= 70);
  CUDA_OK(cudaFuncGetAttributes(&a, with_shared));
  EXPECT_EQ(a.sharedSizeBytes, size_t{2400});
  EXPECT(a.maxThreadsPerBlock >= 192 && a.maxThreadsPerBlock <= 1024);
  CUDA_OK(cudaFuncGetAttributes(&a, with_local));
  EXPECT(a.localSizeBytes >= 400);
  CUDA_OK(cudaFuncGetAttributes(&a, templated<double>));
  EXPECT_EQ(a.maxThreadsPerBlock, 1024);

  CUDA_OK(cudaFuncSetAttribute(plain, cudaFuncAttributeMaxDynamicSharedMemorySize, 60000));
  CUDA_OK(cudaFuncGetAttributes(&a, plain));
  EXPECT_EQ(a.maxDynamicSharedSizeBytes, 60000);
  CUDA_OK(cudaFuncSetAttribute(plain, cudaFuncAttributePreferredSharedMemoryCarveout, 50));
  CUDA_OK(cudaFuncSetCacheConfig(plain, cudaFuncCachePreferShared));
  EXPECT_ERROR(cudaFuncSetAttribute(plain, cudaFuncAttributeMaxDynamicSharedMemorySize, 1 << 28),
               cudaErrorInvalidValue);
  cudaGetLastError();
  int dummy;
  EXPECT_ERROR(cudaFuncGetAttributes(&a, &dummy), cudaErrorInvalidResourceHandle);
  cudaGetLastError();
  const char* name = nullptr;
  CUDA_OK(cudaFuncGetName(&name, reinterpret_cast<const void*>(&plain)));
  EXPECT_EQ(std::string(name), std::string("_Z5plainPi"));
  return check::finish("function_attributes");
}
