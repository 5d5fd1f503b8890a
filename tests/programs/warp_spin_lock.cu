// A spin lock that lanes of one warp fight over: without independent thread scheduling the lane that
// spins would keep the lane that holds the lock from running.
#include "check.h"

__device__ int lock = 0;
__device__ int guarded = 0;

__global__ void critical(int rounds) {
  for (int r = 0; r < rounds; ++r) {
    while (atomicCAS(&lock, 0, 1) != 0) {
    }
    __threadfence();
    const int v = *reinterpret_cast<volatile int*>(&guarded);
    *reinterpret_cast<volatile int*>(&guarded) = v + 1;
    __threadfence();
    atomicExch(&lock, 0);
  }
}

// Lane i waits for lane i + 1 of its own warp: strictly against the order of lanes.
__global__ void chain(int* out) {
  __shared__ volatile int done[64];
  const int t = threadIdx.x;
  done[t] = 0;
  __syncthreads();
  if (t % 32 != 31) {
    while (done[t + 1] == 0) {
    }
  }
  out[t] = t % 32 == 31 ? 1 : done[t + 1] + 1;
  __threadfence_block();
  done[t] = t % 32 == 31 ? 1 : done[t + 1] + 1;
}

int main() {
  critical<<<2, 64>>>(3);
  KERNEL_OK();
  int value = 0;
  CUDA_OK(cudaMemcpyFromSymbol(&value, guarded, sizeof(value)));
  EXPECT_EQ(value, 2 * 64 * 3);

  check::DeviceArray<int> out(64);
  chain<<<1, 64>>>(out);
  KERNEL_OK();
  const auto r = out.host();
  for (int t = 0; t < 64; ++t) EXPECT_EQ(r[t], 32 - t % 32, "%d", t);
  return check::finish("warp_spin_lock");
}
