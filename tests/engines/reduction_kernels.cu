#include "reduction_kernels.h"

#include <cuda_runtime.h>

namespace {

using namespace reductions;

/// As programs do it: bins of a block in shared memory, then one atomic per bin.
__global__ void histogram_shared(const unsigned* in, unsigned* bins, int n) {
  __shared__ unsigned local[256];
  for (int i = threadIdx.x; i < 256; i += blockDim.x) local[i] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x)
    atomicAdd(&local[in[i] >> 24], 1u);
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += blockDim.x) atomicAdd(&bins[i], local[i]);
}

/// Where it counts follows from the data.
__global__ void histogram_global(const unsigned* in, unsigned* bins, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(&bins[in[i] % kBins], in[i] & 7);
}

/// Fields of one structure: adjacent, of different widths.
__global__ void sums(const unsigned* in, Sums* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const unsigned x = in[i];
  if (x & 1) atomicAdd(&out->count, 1u);
  atomicAdd(&out->squares, static_cast<unsigned long long>(x) * x);
}

__global__ void least(const unsigned* in, int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicMin(&out[i % 7], static_cast<int>(in[i]));
}

__global__ void largest(const unsigned* in, long long* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicMax(&out[i % 5], static_cast<long long>(in[i]) - 3000000000ll);
}

__global__ void bits(const unsigned* in, unsigned* any, unsigned* all, unsigned long long* parity,
                     int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  atomicOr(&any[i % 3], in[i] & 0x00ff00ff);
  atomicAnd(&all[i % 3], in[i] | 0xffff0000);
  atomicXor(&parity[i % 3], static_cast<unsigned long long>(in[i]) << (i % 32));
}

/// Rows are written, columns counted.
__global__ void rows_and_columns(const unsigned* in, unsigned* squares, unsigned* columns) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y;
  const unsigned value = in[y * kColumns + x];
  squares[y * kColumns + x] = value * value;
  atomicAdd(&columns[x], value & 3);
}

/// A kernel that goes on with sums that others have made.
__global__ void scale(unsigned* bins, int n, unsigned factor) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) bins[i] *= factor;
}

constexpr int kThreads = 128;
int blocks(int n) { return (n + kThreads - 1) / kThreads; }

}  // namespace

namespace reductions {

void launch_histogram_shared(const unsigned* in, unsigned* bins, int n) {
  histogram_shared<<<24, 192>>>(in, bins, n);
}
void launch_histogram_global(const unsigned* in, unsigned* bins, int n) {
  histogram_global<<<blocks(n), kThreads>>>(in, bins, n);
}
void launch_sums(const unsigned* in, Sums* out, int n) {
  sums<<<blocks(n), kThreads>>>(in, out, n);
}
void launch_least(const unsigned* in, int* out, int n) {
  least<<<blocks(n), kThreads>>>(in, out, n);
}
void launch_largest(const unsigned* in, long long* out, int n) {
  largest<<<blocks(n), kThreads>>>(in, out, n);
}
void launch_bits(const unsigned* in, unsigned* any, unsigned* all, unsigned long long* parity,
                 int n) {
  bits<<<blocks(n), kThreads>>>(in, any, all, parity, n);
}
void launch_rows_and_columns(const unsigned* in, unsigned* squares, unsigned* columns, int rows) {
  rows_and_columns<<<dim3(kColumns / 64, static_cast<unsigned>(rows)), 64>>>(in, squares, columns);
}
void launch_scale(unsigned* bins, int n, unsigned factor) {
  scale<<<blocks(n), kThreads>>>(bins, n, factor);
}

}  // namespace reductions
