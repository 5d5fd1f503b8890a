// __syncthreads_count, _and and _or give every thread the block's answer, in ragged blocks too.
#include "check.h"

__global__ void reduce(const int* in, int* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const int v = in[i];
  const int count = __syncthreads_count(v > 0);
  const int all = __syncthreads_and(v > -100);
  const int some = __syncthreads_or(v == 77);
  int passes = 0;
  for (int k = 0; k < 5; ++k) passes = passes * 3 + __syncthreads_count(v > k) % 3;
  out[i * 4] = count;
  out[i * 4 + 1] = all != 0;
  out[i * 4 + 2] = some != 0;
  out[i * 4 + 3] = passes;
}

int main() {
  for (const int threads : {1, 32, 45, 256, 999}) {
    const int blocks = 6;
    std::vector<int> v(blocks * threads);
    check::Random random(threads);
    for (int i = 0; i < blocks * threads; ++i) {
      v[i] = static_cast<int>(random.below(20)) - 10;
      if (i / threads == 2) v[i] = -100 + i % 2;
      if (i == 3 * threads + threads / 2) v[i] = 77;
      if (i / threads == 4) v[i] = 5;
    }
    check::DeviceArray<int> in(v), out(blocks * threads * 4);
    reduce<<<blocks, threads>>>(in, out);
    KERNEL_OK();
    const auto result = out.host();
    for (int b = 0; b < blocks; ++b) {
      int count = 0, all = 1, some = 0, passes = 0;
      for (int k = 0; k < 5; ++k) {
        int above = 0;
        for (int t = 0; t < threads; ++t) above += v[b * threads + t] > k;
        passes = passes * 3 + above % 3;
      }
      for (int t = 0; t < threads; ++t) {
        const int x = v[b * threads + t];
        count += x > 0;
        all &= x > -100;
        some |= x == 77;
      }
      for (int t = 0; t < threads; ++t) {
        const int* row = &result[(b * threads + t) * 4];
        EXPECT_EQ(row[0], count, "block %d thread %d of %d", b, t, threads);
        EXPECT_EQ(row[1], all, "block %d thread %d of %d", b, t, threads);
        EXPECT_EQ(row[2], some, "block %d thread %d of %d", b, t, threads);
        EXPECT_EQ(row[3], passes, "block %d thread %d of %d", b, t, threads);
      }
    }
  }
  return check::finish("barrier_reduce");
}
