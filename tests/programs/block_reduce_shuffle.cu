// Block-wide sums with shuffles inside warps and shared memory between them; one atomic per block.
#include "check.h"

template <typename T>
__device__ T warp_sum(T value) {
  for (int offset = 16; offset > 0; offset /= 2) {
    value += __shfl_down_sync(0xffffffffu, value, offset);
  }
  return value;
}

template <typename T>
__device__ T block_sum(T value) {
  __shared__ T partial[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  value = warp_sum(value);
  if (lane == 0) partial[warp] = value;
  __syncthreads();
  value = threadIdx.x < blockDim.x / 32 ? partial[lane] : T(0);
  if (warp == 0) value = warp_sum(value);
  return value;
}

template <typename T>
__global__ void reduce(const T* in, T* per_block, int n) {
  T sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    sum += in[i];
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) per_block[blockIdx.x] = sum;
}

template <typename T>
void run(int n, int blocks, int threads) {
  std::vector<T> values(n);
  check::Random random(n);
  T expected = 0;
  for (T& v : values) {
    v = static_cast<T>(static_cast<int>(random.below(201)) - 100);  // exact in every type
    expected += v;
  }
  check::DeviceArray<T> in(values), out(blocks);
  reduce<T><<<blocks, threads>>>(in, out, n);
  KERNEL_OK();
  T total = 0;
  for (const T v : out.host()) total += v;
  EXPECT_EQ(total, expected, "n=%d %dx%d", n, blocks, threads);
}

int main() {
  for (const int threads : {32, 64, 128, 256, 1024}) {
    for (const int n : {1, 31, 1000, 20011}) {
      run<int>(n, 3, threads);
      run<float>(n, 5, threads);
      run<double>(n, 2, threads);
      run<long long>(n, 4, threads);
    }
  }
  return check::finish("block_reduce_shuffle");
}
