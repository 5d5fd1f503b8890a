// Barriers reached from different branches by different warps: legal where each barrier number is
// met by the right number of threads, whichever instruction it comes from.
#include "check.h"

__global__ void two_sides(int* out) {
  __shared__ int stage[128];
  const int t = threadIdx.x;
  // All warps arrive at barrier 0, some from one branch, some from the other.
  if (t / 32 % 2 == 0) {
    stage[t] = t * 2;
    asm volatile("bar.sync 0;" ::: "memory");
    out[t] = stage[127 - t] + 1;
  } else {
    stage[t] = t * 3;
    asm volatile("bar.sync 0;" ::: "memory");
    out[t] = stage[127 - t] + 2;
  }
}

// Warps run different numbers of iterations around the same total number of barriers.
__global__ void unequal_paths(int* out) {
  __shared__ int counter[4];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (lane == 0) counter[warp] = 0;
  if (warp < 2) {
    for (int i = 0; i < 6; ++i) {
      asm volatile("bar.sync 0;" ::: "memory");
      if (lane == 0) counter[warp] += i;
    }
  } else {
    for (int i = 0; i < 3; ++i) {
      asm volatile("bar.sync 0;" ::: "memory");
      if (lane == 0) counter[warp] += 10;
      asm volatile("bar.sync 0;" ::: "memory");
      if (lane == 0) counter[warp] += 100;
    }
  }
  __syncthreads();
  out[threadIdx.x] = counter[lane % 4];
}

int main() {
  check::DeviceArray<int> out(128);
  two_sides<<<1, 128>>>(out);
  KERNEL_OK();
  auto result = out.host();
  for (int t = 0; t < 128; ++t) {
    const int other = 127 - t;
    EXPECT_EQ(result[t], other * (other / 32 % 2 ? 3 : 2) + (t / 32 % 2 ? 2 : 1), "%d", t);
  }
  unequal_paths<<<1, 128>>>(out);
  KERNEL_OK();
  result = out.host();
  for (int t = 0; t < 128; ++t) EXPECT_EQ(result[t], t % 4 < 2 ? 15 : 330, "%d", t);
  return check::finish("divergent_barrier");
}
