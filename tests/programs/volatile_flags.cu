// volatile accesses happen: one warp waits for flags that another warp of the block sets, and a block
// polls a flag that an earlier block sets.
#include "check.h"

__global__ void warps_talk(int* out) {
  __shared__ volatile int flag;
  __shared__ volatile int message[32];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (threadIdx.x == 0) flag = 0;
  __syncthreads();
  if (warp == 0) {
    message[lane] = lane * lane;
    __threadfence_block();
    __syncwarp();
    if (lane == 0) flag = 1;
  } else {
    while (flag == 0) {
    }
    __threadfence_block();
    out[(warp - 1) * 32 + lane] = message[31 - lane] + warp;
  }
}

// Block b waits for block b - 1: blocks start in ascending order.
__global__ void relay(volatile int* baton, int* order) {
  if (threadIdx.x == 0) {
    while (*baton != static_cast<int>(blockIdx.x)) {
    }
    order[blockIdx.x] = blockIdx.x * 3;
    __threadfence();
    *baton = blockIdx.x + 1;
  }
}

int main() {
  check::DeviceArray<int> out(96);
  warps_talk<<<1, 128>>>(out);
  KERNEL_OK();
  const auto r = out.host();
  for (int i = 0; i < 96; ++i) EXPECT_EQ(r[i], (31 - i % 32) * (31 - i % 32) + i / 32 + 1, "%d", i);

  const int blocks = 100;
  check::DeviceArray<int> baton(1), order(blocks);
  relay<<<blocks, 64>>>(baton, order);
  KERNEL_OK();
  EXPECT_EQ(baton.host()[0], blocks);
  const auto seen = order.host();
  for (int i = 0; i < blocks; ++i) EXPECT_EQ(seen[i], i * 3, "%d", i);
  return check::finish("volatile_flags");
}
