// Floating-point atomics: add in f32, f64, half2 and half, exchange, and old values returned.
#include <cuda_fp16.h>

#include "check.h"

__global__ void contend(float* f, double* d, __half2* h2, __half* h, float* exchanged, float* old) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(f, 0.25f);
  atomicAdd(d, 0.125);
  if (i < 256) {
    atomicAdd(h2, __floats2half2_rn(1.0f, -0.5f));
    atomicAdd(h, __float2half(0.5f));
    atomicAdd(h + 1, __float2half(-1.0f));
  }
  old[i] = atomicExch(exchanged, float(i + 1));
  atomicAdd(&f[1 + i % 3], float(i % 4));
}

int main() {
  const int blocks = 10, threads = 96, n = blocks * threads;
  check::DeviceArray<float> f(4), exchanged(1), old(n);
  check::DeviceArray<double> d(1);
  check::DeviceArray<__half2> h2(1);
  check::DeviceArray<__half> h(2);
  contend<<<blocks, threads>>>(f, d, h2, h, exchanged, old);
  KERNEL_OK();
  const auto floats = f.host();
  EXPECT_EQ(floats[0], n * 0.25f);
  float expected[3] = {};
  for (int i = 0; i < n; ++i) expected[i % 3] += i % 4;
  for (int k = 0; k < 3; ++k) EXPECT_EQ(floats[1 + k], expected[k], "%d", k);
  EXPECT_EQ(d.host()[0], n * 0.125);
  const __half2 pair = h2.host()[0];
  EXPECT_EQ(__half2float(__low2half(pair)), 256.0f);
  EXPECT_EQ(__half2float(__high2half(pair)), -128.0f);
  const auto halves = h.host();
  EXPECT_EQ(__half2float(halves[0]), 128.0f);
  EXPECT_EQ(__half2float(halves[1]), -256.0f);
  // The old values and the final one are a permutation of 0 .. n.
  std::vector<int> seen(n + 1);
  for (const float v : old.host()) ++seen[static_cast<int>(v)];
  ++seen[static_cast<int>(exchanged.host()[0])];
  for (int i = 0; i <= n; ++i) EXPECT_EQ(seen[i], 1, "%d", i);
  return check::finish("atomics_float");
}
