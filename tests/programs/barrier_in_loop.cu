// Barriers inside loops whose trip count the data decides (the same for the whole block), values
// that live across them, and a loop with two barriers and an exit in the middle.
#include "check.h"

__global__ void relax(int* data, int n, int* rounds) {
  extern __shared__ int shared[];
  const int t = threadIdx.x;
  for (int i = t; i < n; i += blockDim.x) shared[i] = data[blockIdx.x * n + i];
  int round = 0;
  int moved = 1;
  // Odd-even transposition sort until nothing moves.
  while (__syncthreads_or(moved)) {
    moved = 0;
    for (int parity = 0; parity < 2; ++parity) {
      for (int i = 2 * t + parity; i + 1 < n; i += 2 * blockDim.x) {
        if (shared[i] > shared[i + 1]) {
          const int swap = shared[i];
          shared[i] = shared[i + 1];
          shared[i + 1] = swap;
          moved = 1;
        }
      }
      __syncthreads();
    }
    ++round;
  }
  for (int i = t; i < n; i += blockDim.x) data[blockIdx.x * n + i] = shared[i];
  if (t == 0) rounds[blockIdx.x] = round;
}

__global__ void exit_in_middle(const int* limits, int* out) {
  __shared__ int turn;
  const int limit = limits[blockIdx.x];
  int sum = threadIdx.x;
  if (threadIdx.x == 0) turn = 0;
  __syncthreads();
  for (;;) {
    const int now = turn;
    sum += now * (threadIdx.x + 1);
    __syncthreads();
    if (now >= limit) break;
    if (threadIdx.x == now % blockDim.x) turn = now + 1;
    __syncthreads();
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

// Hillis-Steele scan: the loop bound is a launch parameter.
__global__ void scan(int* data, int steps) {
  __shared__ int buffer[2][256];
  const int t = threadIdx.x;
  int from = 0;
  buffer[0][t] = data[t];
  for (int s = 0; s < steps; ++s) {
    __syncthreads();
    const int offset = 1 << s;
    buffer[1 - from][t] = buffer[from][t] + (t >= offset ? buffer[from][t - offset] : 0);
    from = 1 - from;
  }
  data[t] = buffer[from][t];
}

int main() {
  const int n = 150, blocks = 4;
  std::vector<int> values(blocks * n);
  check::Random random(11);
  for (int b = 0; b < blocks; ++b) {
    for (int i = 0; i < n; ++i) values[b * n + i] = b == 1 ? i : random.below(1000);
  }
  check::DeviceArray<int> data(values), rounds(blocks);
  relax<<<blocks, 48, n * sizeof(int)>>>(data, n, rounds);
  KERNEL_OK();
  const auto sorted = data.host();
  for (int b = 0; b < blocks; ++b) {
    long long before = 0, after = 0;
    for (int i = 0; i < n; ++i) {
      before += values[b * n + i];
      after += sorted[b * n + i];
      if (i) EXPECT(sorted[b * n + i - 1] <= sorted[b * n + i]);
    }
    EXPECT_EQ(after, before, "block %d", b);
  }
  EXPECT_EQ(rounds.host()[1], 1);

  const std::vector<int> limits = {0, 1, 17, 100};
  check::DeviceArray<int> device_limits(limits), sums(4 * 70);
  exit_in_middle<<<4, 70>>>(device_limits, sums);
  KERNEL_OK();
  const auto sum = sums.host();
  for (int b = 0; b < 4; ++b) {
    for (int t = 0; t < 70; ++t) {
      EXPECT_EQ(sum[b * 70 + t], t + limits[b] * (limits[b] + 1) / 2 * (t + 1), "%d,%d", b, t);
    }
  }

  std::vector<int> ones(256);
  for (int i = 0; i < 256; ++i) ones[i] = i % 7;
  check::DeviceArray<int> scanned(ones);
  scan<<<1, 256>>>(scanned, 8);
  KERNEL_OK();
  const auto prefix = scanned.host();
  int running = 0;
  for (int i = 0; i < 256; ++i) {
    running += ones[i];
    EXPECT_EQ(prefix[i], running, "%d", i);
  }
  return check::finish("barrier_in_loop");
}
