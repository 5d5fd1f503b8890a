// Block sizes that are no multiple of a warp and lengths that end inside a warp: every thread that
// exists runs once, none that does not exist writes.
#include "check.h"

__global__ void mark(unsigned* counts, unsigned* lanes, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  atomicAdd(&counts[i], 1u);
  lanes[i] = threadIdx.x % warpSize;
}

__global__ void mark_all(unsigned char* touched) {
  touched[blockIdx.x * blockDim.x + threadIdx.x] += 1;
}

int main() {
  for (const int threads : {1, 2, 7, 31, 32, 33, 63, 65, 100, 257, 1000, 1023, 1024}) {
    for (const int n : {1, 2, 31, 32, 33, 255, 1000, 4097}) {
      check::DeviceArray<unsigned> counts(n + 64), lanes(n + 64);
      mark<<<(n + threads - 1) / threads, threads>>>(counts, lanes, n);
      KERNEL_OK();
      const auto count = counts.host(), lane = lanes.host();
      for (int i = 0; i < n + 64; ++i) {
        EXPECT_EQ(count[i], i < n ? 1u : 0u, "%d, n=%d, %d threads", i, n, threads);
        EXPECT_EQ(lane[i], i < n ? i % threads % 32u : 0u, "%d, n=%d, %d threads", i, n, threads);
      }
    }
    const int blocks = 5;
    check::DeviceArray<unsigned char> touched(blocks * threads + 64);
    mark_all<<<blocks, threads>>>(touched);
    KERNEL_OK();
    const auto seen = touched.host();
    for (int i = 0; i < blocks * threads + 64; ++i) {
      EXPECT_EQ(seen[i], i < blocks * threads ? 1 : 0, "%d, %d threads", i, threads);
    }
  }
  return check::finish("ragged_sizes");
}
