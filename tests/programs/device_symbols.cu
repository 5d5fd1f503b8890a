// __device__ variables: initial values, addresses inside initialisers, copies to and from, symbol
// address and size, static ones of equal names, and that they keep their values between launches.
#include "check.h"

__device__ int counter = 40;
__device__ float table[4][3] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}};
__device__ double zero_filled[1000];
__device__ int pointed = 99;
__device__ int* pointer = &pointed;
__device__ int* inside = &pointed;
__device__ long long wide = -(1ll << 45);
__device__ unsigned char bytes[7] = {1, 2, 3, 4, 5, 6, 7};

namespace {
__device__ int hidden = 5;
}

__global__ void step(int* out) {
  if (threadIdx.x == 0) {
    ++counter;
    hidden *= 2;
    *pointer += 1;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    out[0] = counter;
    out[1] = hidden;
    out[2] = *inside;
    out[3] = static_cast<int>(table[1][2] * 10 + table[3][1]);
    out[4] = zero_filled[999] == 0 && zero_filled[0] == 0;
    out[5] = static_cast<int>(wide >> 40);
    out[6] = bytes[6] * 10 + bytes[0];
  }
}

int main() {
  check::DeviceArray<int> out(7);
  for (int launch = 1; launch <= 3; ++launch) {
    step<<<1, 32>>>(out);
    KERNEL_OK();
    const auto r = out.host();
    const int expected[] = {40 + launch, 5 << launch, 99 + launch, 60, 1, -32, 71};
    for (int i = 0; i < 7; ++i) EXPECT_EQ(r[i], expected[i], "%d, launch %d", i, launch);
  }
  int value = 0;
  CUDA_OK(cudaMemcpyFromSymbol(&value, counter, sizeof(value)));
  EXPECT_EQ(value, 43);
  value = 1000;
  CUDA_OK(cudaMemcpyToSymbol(counter, &value, sizeof(value)));
  step<<<1, 32>>>(out);
  KERNEL_OK();
  EXPECT_EQ(out.host()[0], 1001);

  void* address = nullptr;
  CUDA_OK(cudaGetSymbolAddress(&address, table));
  float row[3];
  CUDA_OK(cudaMemcpy(row, static_cast<float*>(address) + 6, sizeof(row), cudaMemcpyDeviceToHost));
  EXPECT_EQ(row[0] + row[1] + row[2], 24.0f);
  size_t size = 0;
  CUDA_OK(cudaGetSymbolSize(&size, zero_filled));
  EXPECT_EQ(size, size_t{8000});
  CUDA_OK(cudaGetSymbolSize(&size, bytes));
  EXPECT_EQ(size, size_t{7});
  return check::finish("device_symbols");
}
