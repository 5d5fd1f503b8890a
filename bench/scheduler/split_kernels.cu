// Kernels whose launches may be divided among engines: five in which each thread writes one place of its own, and two that
// count in memory that all blocks share.
#include <cuda_runtime.h>

#include "split_kernels.h"

namespace bench {
namespace {

constexpr int kThreads = 128;

/// A polynomial of degree 256 per element.
__global__ void polynomial(const float* in, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float x = in[i];
  float sum = 0;
  for (int k = 0; k < 256; ++k) sum = sum * x + 0.001f * static_cast<float>(k);
  out[i] = sum;
}

/// Forces of 2048 bodies on each element.
__global__ void forces(const float* in, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float x = in[i];
  float force = 0;
  for (int k = 0; k < 2048; ++k) {
    const float d = in[k] - x;
    force += d / (d * d + 0.01f);
  }
  out[i] = force;
}

/// Steps of a logistic map.
__global__ void logistic(const float* in, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float x = in[i] * 0.001f;
  for (int k = 0; k < 400; ++k) x = 3.7f * x * (1.0f - x);
  out[i] = x;
}

/// A stencil of 33 points, applied to the same place 8 times.
__global__ void stencil(const float* in, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < 16 || i >= n - 16) return;
  float sum = 0;
  for (int round = 0; round < 8; ++round) {
    for (int k = -16; k <= 16; ++k) sum += in[i + k] * (0.01f * static_cast<float>(k + round));
  }
  out[i] = sum;
}

/// 32-bit hashing, integers only.
__global__ void hashing(const float* in, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  unsigned h = __float_as_uint(in[i]);
  for (int k = 0; k < 200; ++k) {
    h ^= h >> 15;
    h *= 0x2c1b3c6du;
    h ^= h >> 12;
    h += 0x9e3779b9u;
  }
  out[i] = static_cast<float>(h >> 8);
}

/// Bytes are counted in the block's own bins first.
__global__ void histogram(const float* in, float* out, int n) {
  __shared__ unsigned local[256];
  for (int i = threadIdx.x; i < 256; i += blockDim.x) local[i] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    const unsigned word = __float_as_uint(in[i]);
    for (int shift = 0; shift < 32; shift += 8) atomicAdd(&local[word >> shift & 255], 1u);
  }
  __syncthreads();
  auto* bins = reinterpret_cast<unsigned*>(out);
  for (int i = threadIdx.x; i < 256; i += blockDim.x) atomicAdd(&bins[i], local[i]);
}

/// Values of a polynomial are counted in 65536 bins of global memory.
__global__ void counting(const float* in, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float x = in[i];
  float sum = 0;
  for (int k = 0; k < 256; ++k) sum = sum * x + 0.001f * static_cast<float>(k);
  auto* bins = reinterpret_cast<unsigned*>(out);
  atomicAdd(&bins[__float_as_uint(sum) >> 8 & 65535u], 1u);
}

using Kernel = void (*)(const float*, float*, int);

template <Kernel kernel>
void launch(const float* in, float* out, int n, cudaStream_t stream) {
  kernel<<<(n + kThreads - 1) / kThreads, kThreads, 0, stream>>>(in, out, n);
}

void launch_histogram(const float* in, float* out, int n, cudaStream_t stream) {
  histogram<<<512, kThreads, 0, stream>>>(in, out, n);
}

const SplitKernel kKernels[] = {
    {"polynomial", launch<polynomial>, 1 << 20}, {"forces", launch<forces>, 1 << 17},
    {"logistic", launch<logistic>, 1 << 18},     {"stencil", launch<stencil>, 1 << 21},
    {"hashing", launch<hashing>, 1 << 18},       {"histogram", launch_histogram, 1 << 22},
    {"counting", launch<counting>, 1 << 20},
};

}  // namespace

const SplitKernel* split_kernels(int* count) {
  *count = sizeof kKernels / sizeof kKernels[0];
  return kKernels;
}

}  // namespace bench
