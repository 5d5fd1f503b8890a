// An ordinary CUDA program: adds two vectors on device 0 and checks the sum on the host.
//
//   nvcc -cudart shared -o vector_add vector_add.cu
#include <cuda_runtime.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#define CHECK(call)                                                      \
  do {                                                                   \
    const cudaError_t status = (call);                                   \
    if (status != cudaSuccess) {                                         \
      std::fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, \
                   cudaGetErrorString(status));                          \
      std::exit(1);                                                      \
    }                                                                    \
  } while (false)

__global__ void vector_add(const float* a, const float* b, float* sum, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) sum[i] = a[i] + b[i];
}

int main() {
  cudaDeviceProp device;
  CHECK(cudaGetDeviceProperties(&device, 0));
  std::printf("Device 0: %s, compute capability %d.%d, %d multiprocessors, %.1f GiB\n", device.name,
              device.major, device.minor, device.multiProcessorCount,
              static_cast<double>(device.totalGlobalMem) / (1 << 30));

  const int count = 10'000'019;  // not a multiple of the block size: the last block is ragged
  const size_t bytes = count * sizeof(float);
  std::vector<float> a(count), b(count), sum(count);
  for (int i = 0; i < count; ++i) {
    a[i] = std::sin(0.001f * static_cast<float>(i));
    b[i] = std::cos(0.001f * static_cast<float>(i));
  }

  float *device_a, *device_b, *device_sum;
  CHECK(cudaMalloc(&device_a, bytes));
  CHECK(cudaMalloc(&device_b, bytes));
  CHECK(cudaMalloc(&device_sum, bytes));
  CHECK(cudaMemcpy(device_a, a.data(), bytes, cudaMemcpyHostToDevice));
  CHECK(cudaMemcpy(device_b, b.data(), bytes, cudaMemcpyHostToDevice));

  const int threads = 256;
  const int blocks = (count + threads - 1) / threads;
  const auto launch = [&] {
    const auto start = std::chrono::steady_clock::now();
    vector_add<<<blocks, threads>>>(device_a, device_b, device_sum, count);
    CHECK(cudaGetLastError());
    CHECK(cudaDeviceSynchronize());
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
        .count();
  };
  const double first = launch();
  const double second = launch();

  CHECK(cudaMemcpy(sum.data(), device_sum, bytes, cudaMemcpyDeviceToHost));
  CHECK(cudaFree(device_a));
  CHECK(cudaFree(device_b));
  CHECK(cudaFree(device_sum));

  for (int i = 0; i < count; ++i) {
    if (sum[i] != a[i] + b[i]) {
      std::printf("Wrong: sum[%d] is %g, expected %g\n", i, sum[i], a[i] + b[i]);
      return 1;
    }
  }
  std::printf("%d sums by %d blocks of %d threads: all correct\n", count, blocks, threads);
  std::printf("First launch %.2f ms, second %.2f ms (%.1f GB/s)\n", first, second,
              3e-6 * static_cast<double>(bytes) / second);
  return 0;
}
