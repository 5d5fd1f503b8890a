// Inclusive scan of a block: warp scans by shuffles, warp totals in shared memory, any block size.
#include "check.h"

__global__ void scan(const int* in, int* out, int* totals) {
  __shared__ int warp_total[32];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const unsigned active = __ballot_sync(__activemask(), 1);
  int value = in[i];
  for (int offset = 1; offset < 32; offset *= 2) {
    const int left = __shfl_up_sync(active, value, offset);
    if (lane >= offset) value += left;
  }
  const bool last = threadIdx.x == blockDim.x - 1 || lane == 31;
  if (last) warp_total[warp] = value;
  __syncthreads();
  if (warp == 0) {
    const int warps = (blockDim.x + 31) / 32;
    int total = lane < warps ? warp_total[lane] : 0;
    for (int offset = 1; offset < 32; offset *= 2) {
      const int left = __shfl_up_sync(active, total, offset);
      if (lane >= offset) total += left;
    }
    if (lane < warps) warp_total[lane] = total;
  }
  __syncthreads();
  if (warp > 0) value += warp_total[warp - 1];
  out[i] = value;
  if (threadIdx.x == blockDim.x - 1) totals[blockIdx.x] = value;
}

int main() {
  for (const int threads : {1, 17, 32, 64, 96, 130, 512, 1000, 1024}) {
    const int blocks = 3;
    std::vector<int> in(blocks * threads);
    check::Random random(threads);
    for (int& x : in) x = static_cast<int>(random.below(100)) - 50;
    check::DeviceArray<int> device(in), out(blocks * threads), totals(blocks);
    scan<<<blocks, threads>>>(device, out, totals);
    KERNEL_OK();
    const auto r = out.host(), t = totals.host();
    for (int b = 0; b < blocks; ++b) {
      int running = 0;
      for (int i = 0; i < threads; ++i) {
        running += in[b * threads + i];
        EXPECT_EQ(r[b * threads + i], running, "%d of %d", i, threads);
      }
      EXPECT_EQ(t[b], running, "block %d of %d threads", b, threads);
    }
  }
  return check::finish("block_scan");
}
