// Threads that have returned no longer count at a barrier: whole warps and single lanes may leave
// before it, and between two barriers.
#include "check.h"

__global__ void leave_early(const int* in, int* out, int n) {
  __shared__ int stage[256];
  const int t = threadIdx.x;
  stage[t] = -1;
  const int i = blockIdx.x * blockDim.x + t;
  if (i >= n) return;
  stage[t] = in[i];
  __syncthreads();
  const int left = t > 0 ? stage[t - 1] : 0;
  if (in[i] % 5 == 0) return;  // some lanes of every warp
  __syncthreads();
  stage[t] = left + 1000;
  __syncthreads();
  out[i] = stage[t];
}

__global__ void warps_leave(int* out) {
  __shared__ int order[8];
  const int warp = threadIdx.x / 32;
  for (int round = 0; round < 8; ++round) {
    if (warp == round && warp != 7) return;
    if (threadIdx.x % 32 == 0 && warp == 7) order[round] = round * round;
    __syncthreads();
  }
  if (threadIdx.x % 32 < 8) out[threadIdx.x % 32] = order[threadIdx.x % 32];
}

int main() {
  const int n = 1000;
  std::vector<int> values(n);
  for (int i = 0; i < n; ++i) values[i] = i * 3 + 1;
  check::DeviceArray<int> in(values), out(n);
  leave_early<<<(n + 255) / 256, 256>>>(in, out, n);
  KERNEL_OK();
  const auto result = out.host();
  for (int i = 0; i < n; ++i) {
    const int expected = values[i] % 5 == 0 ? 0 : (i % 256 ? values[i - 1] : 0) + 1000;
    EXPECT_EQ(result[i], expected, "%d", i);
  }
  check::DeviceArray<int> order(8);
  warps_leave<<<1, 256>>>(order);
  KERNEL_OK();
  const auto squares = order.host();
  for (int i = 0; i < 8; ++i) EXPECT_EQ(squares[i], i * i, "%d", i);
  return check::finish("early_exit_barrier");
}
