// The program whose time from start to exit is measured. With --first-launch it prints how long its
// first launch took, in milliseconds.
#include <cuda_runtime.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

__global__ void vector_add(const float* a, const float* b, float* c, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) c[i] = a[i] + b[i];
}

int main(int count, char** arguments) {
  const int n = 50000;
  const size_t bytes = n * sizeof(float);
  std::vector<float> a(n, 1.5f), b(n, 2.25f), c(n);
  float *device_a, *device_b, *device_c;
  if (cudaMalloc(&device_a, bytes) != cudaSuccess) return 1;
  cudaMalloc(&device_b, bytes);
  cudaMalloc(&device_c, bytes);
  cudaMemcpy(device_a, a.data(), bytes, cudaMemcpyHostToDevice);
  cudaMemcpy(device_b, b.data(), bytes, cudaMemcpyHostToDevice);
  const auto start = std::chrono::steady_clock::now();
  vector_add<<<(n + 255) / 256, 256>>>(device_a, device_b, device_c, n);
  cudaDeviceSynchronize();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  cudaMemcpy(c.data(), device_c, bytes, cudaMemcpyDeviceToHost);
  for (const float v : c) {
    if (v != 3.75f) return 1;
  }
  if (count > 1 && std::strcmp(arguments[1], "--first-launch") == 0)
    std::printf("%f\n", took.count());
  return 0;
}
