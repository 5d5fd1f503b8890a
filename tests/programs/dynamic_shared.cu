// Dynamic shared memory: sized at launch, beside static arrays, cut by hand into arrays of several
// types, and above 48 KB after opting in.
#include "check.h"

extern __shared__ __align__(16) unsigned char pool[];

__global__ void carved(const double* in, double* out, int n) {
  __shared__ int fixed[32];
  double* doubles = reinterpret_cast<double*>(pool);
  float* floats = reinterpret_cast<float*>(doubles + n);
  short* shorts = reinterpret_cast<short*>(floats + n);
  const int t = threadIdx.x;
  if (t < 32) fixed[t] = t * 3;
  if (t < n) {
    doubles[t] = in[blockIdx.x * n + t];
    floats[t] = t * 0.5f;
    shorts[t] = -t;
  }
  __syncthreads();
  if (t < n) {
    const int other = n - 1 - t;
    out[blockIdx.x * n + t] = doubles[other] + floats[other] + shorts[other] + fixed[other % 32];
  }
}

__global__ void reverse_all(int* data, int n) {
  int* stage = reinterpret_cast<int*>(pool);
  for (int i = threadIdx.x; i < n; i += blockDim.x) stage[i] = data[i];
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) data[i] = stage[n - 1 - i];
}

__global__ void reported_size(unsigned* out) {
  unsigned bytes;
  asm volatile("mov.u32 %0, %%dynamic_smem_size;" : "=r"(bytes));
  if (threadIdx.x == 0) *out = bytes;
}

int main() {
  for (const int n : {1, 33, 100, 256}) {
    const int blocks = 7;
    std::vector<double> values(blocks * n);
    for (int i = 0; i < blocks * n; ++i) values[i] = i * 0.25;
    check::DeviceArray<double> in(values), out(blocks * n);
    carved<<<blocks, 256, n * (8 + 4 + 2)>>>(in, out, n);
    KERNEL_OK();
    const auto result = out.host();
    for (int i = 0; i < blocks * n; ++i) {
      const int other = n - 1 - i % n;
      EXPECT_EQ(result[i], values[i / n * n + other] + other * 0.5 - other + other % 32 * 3, "%d",
                i);
    }
  }

  const int big = 15000;  // 60 000 bytes
  std::vector<int> values(big);
  for (int i = 0; i < big; ++i) values[i] = i;
  check::DeviceArray<int> data(values);
  reverse_all<<<1, 512, big * sizeof(int)>>>(data, big);
  EXPECT_ERROR(cudaGetLastError(), cudaErrorInvalidValue);
  CUDA_OK(cudaFuncSetAttribute(reverse_all, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               big * sizeof(int)));
  reverse_all<<<1, 512, big * sizeof(int)>>>(data, big);
  KERNEL_OK();
  const auto result = data.host();
  for (int i = 0; i < big; ++i) EXPECT_EQ(result[i], big - 1 - i, "%d", i);

  check::DeviceArray<unsigned> size(1);
  reported_size<<<1, 32, 1234>>>(size);
  KERNEL_OK();
  EXPECT_EQ(size.host()[0], 1234u);
  return check::finish("dynamic_shared");
}
