// *_sync and __syncwarp from diverged code: halves of a warp that exchange values in separate
// branches, and lanes that meet at the same full-mask exchange from different instructions.
#include "check.h"

__global__ void separate_branches(int* out) {
  const int lane = threadIdx.x % 32;
  int v = threadIdx.x;
  if (lane < 16) {
    for (int k = 0; k < 3; ++k) v += __shfl_xor_sync(0x0000ffffu, v, 1 << k);
    v += 1000 * __popc(__ballot_sync(0x0000ffffu, v & 1));
  } else if (lane < 24) {
    v = __shfl_sync(0x00ff0000u, v, 16 + (lane + 3) % 8);
    __syncwarp(0x00ff0000u);
    v *= 2;
  } else {
    const int all = __all_sync(0xff000000u, lane > 23);
    v = -v - all;
  }
  __syncwarp();
  out[threadIdx.x] = v + __shfl_sync(~0u, v, 0);
}

// Both branches name the full mask: the exchange completes across them.
__global__ void across_branches(int* out) {
  const int lane = threadIdx.x;
  int v;
  if (lane & 1) {
    v = __shfl_xor_sync(~0u, lane * 10, 1);
  } else {
    v = __shfl_xor_sync(~0u, lane * 100, 1);
  }
  out[lane] = v;
}

// Groups of lanes loop for different lengths, synchronising within the group.
__global__ void groups(int* out) {
  const int lane = threadIdx.x % 32, group = lane / 8;
  const unsigned mask = 0xffu << group * 8;
  int v = lane;
  for (int i = 0; i <= group; ++i) {
    const int sum = v + __shfl_xor_sync(mask, v, 4);
    v = sum + i;
  }
  out[threadIdx.x] = v;
}

__global__ void through_memory(int* out) {
  __shared__ int stage[64];
  const int t = threadIdx.x;
  if (t % 2) stage[t] = t * t;
  __syncwarp();
  if (t % 2 == 0) stage[t] = stage[t + 1] + 1;
  __syncwarp();
  out[t] = stage[t ^ 2];
}

int main() {
  check::DeviceArray<int> out(64);
  separate_branches<<<1, 64>>>(out);
  KERNEL_OK();
  auto r = out.host();
  for (int w = 0; w < 2; ++w) {
    int v[32];
    for (int i = 0; i < 32; ++i) v[i] = w * 32 + i;
    for (int k = 0; k < 3; ++k) {
      int before[16];
      std::copy(v, v + 16, before);
      for (int i = 0; i < 16; ++i) v[i] += before[i ^ (1 << k)];
    }
    int odd = 0;
    for (int i = 0; i < 16; ++i) odd += v[i] & 1;
    for (int i = 0; i < 16; ++i) v[i] += 1000 * odd;
    for (int i = 16; i < 24; ++i) v[i] = 2 * (w * 32 + 16 + (i + 3) % 8);
    for (int i = 24; i < 32; ++i) v[i] = -(w * 32 + i) - 1;
    for (int i = 0; i < 32; ++i) EXPECT_EQ(r[w * 32 + i], v[i] + v[0], "%d", w * 32 + i);
  }
  across_branches<<<1, 32>>>(out);
  KERNEL_OK();
  r = out.host();
  for (int i = 0; i < 32; ++i) EXPECT_EQ(r[i], i & 1 ? (i - 1) * 100 : (i + 1) * 10, "%d", i);
  groups<<<1, 64>>>(out);
  KERNEL_OK();
  r = out.host();
  for (int t = 0; t < 64; ++t) {
    int v[32];
    for (int i = 0; i < 32; ++i) v[i] = i;
    const int lane = t % 32;
    for (int i = 0; i <= lane / 8; ++i) {
      int before[32];
      std::copy(v, v + 32, before);
      for (int k = 0; k < 32; ++k) v[k] = before[k] + before[k ^ 4] + i;
    }
    EXPECT_EQ(r[t], v[lane], "%d", t);
  }
  through_memory<<<1, 64>>>(out);
  KERNEL_OK();
  r = out.host();
  for (int t = 0; t < 64; ++t) {
    const int from = t ^ 2;
    EXPECT_EQ(r[t], from % 2 ? from * from : (from + 1) * (from + 1) + 1, "%d", t);
  }
  return check::finish("divergent_warp_sync");
}
