// A histogram of bytes: private bins in shared memory, merged with global atomics, skewed data too.
#include "check.h"

__global__ void histogram(const unsigned* words, int n, unsigned* bins) {
  __shared__ unsigned local[256];
  for (int i = threadIdx.x; i < 256; i += blockDim.x) local[i] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) {
    const unsigned w = words[i];
    atomicAdd(&local[w & 255], 1u);
    atomicAdd(&local[w >> 8 & 255], 1u);
    atomicAdd(&local[w >> 16 & 255], 1u);
    atomicAdd(&local[w >> 24], 1u);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += blockDim.x) {
    if (local[i]) atomicAdd(&bins[i], local[i]);
  }
}

int main() {
  const int n = 30011;
  for (int kind = 0; kind < 3; ++kind) {
    check::Random random(kind);
    std::vector<unsigned> words(n), expected(256);
    for (unsigned& w : words) {
      w = kind == 0 ? random.bits() : kind == 1 ? 0x07070707u : random.bits() & 0x03030303u;
      for (int b = 0; b < 32; b += 8) ++expected[w >> b & 255];
    }
    check::DeviceArray<unsigned> in(words), bins(256);
    histogram<<<6, 192>>>(in, n, bins);
    KERNEL_OK();
    const auto result = bins.host();
    for (int i = 0; i < 256; ++i) EXPECT_EQ(result[i], expected[i], "bin %d of kind %d", i, kind);
  }
  return check::finish("histogram");
}
