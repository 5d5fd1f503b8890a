// Single-pass prefix sum with decoupled look-back: every block waits for the blocks before it, which
// must therefore have started. Status and value travel in one 64-bit word.
#include "check.h"

constexpr unsigned long long kAggregate = 1ull << 62, kPrefix = 2ull << 62, kStatus = 3ull << 62;
constexpr int kThreads = 128, kItems = 4, kTile = kThreads * kItems;

__device__ int block_exclusive(int value, int* total) {
  __shared__ int warp_sums[kThreads / 32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int inclusive = value;
  for (int offset = 1; offset < 32; offset *= 2) {
    const int left = __shfl_up_sync(~0u, inclusive, offset);
    if (lane >= offset) inclusive += left;
  }
  if (lane == 31) warp_sums[warp] = inclusive;
  __syncthreads();
  int before = 0, all = 0;
  for (int w = 0; w < kThreads / 32; ++w) {
    if (w < warp) before += warp_sums[w];
    all += warp_sums[w];
  }
  *total = all;
  return before + inclusive - value;
}

__global__ void scan(const int* in, int* out, int n, unsigned long long* state, unsigned* ticket,
                     bool use_ticket) {
  __shared__ int tile_shared, prefix_shared;
  if (threadIdx.x == 0) tile_shared = use_ticket ? atomicAdd(ticket, 1u) : blockIdx.x;
  __syncthreads();
  const int tile = tile_shared;
  const int first = tile * kTile + threadIdx.x * kItems;
  int items[kItems], sum = 0;
  for (int k = 0; k < kItems; ++k) {
    items[k] = first + k < n ? in[first + k] : 0;
    sum += items[k];
  }
  int total;
  int exclusive = block_exclusive(sum, &total);
  if (threadIdx.x == 0) {
    volatile unsigned long long* words = state;
    int prefix = 0;
    if (tile > 0) {
      words[tile] = kAggregate | static_cast<unsigned>(total);
      __threadfence();
      for (int look = tile - 1;;) {
        unsigned long long word;
        do {
          word = words[look];
        } while ((word & kStatus) == 0);
        prefix += static_cast<int>(static_cast<unsigned>(word));
        if ((word & kStatus) == kPrefix) break;
        --look;
      }
    }
    words[tile] = kPrefix | static_cast<unsigned>(prefix + total);
    __threadfence();
    prefix_shared = prefix;
  }
  __syncthreads();
  exclusive += prefix_shared;
  for (int k = 0; k < kItems; ++k) {
    exclusive += items[k];
    if (first + k < n) out[first + k] = exclusive;
  }
}

int main() {
  check::Random random(61);
  for (const int n : {1, 511, 513, 20000, 150001}) {
    for (const bool use_ticket : {true, false}) {
      std::vector<int> in(n);
      for (int& x : in) x = static_cast<int>(random.below(21)) - 10;
      const int tiles = (n + kTile - 1) / kTile;
      check::DeviceArray<int> device(in), out(n);
      check::DeviceArray<unsigned long long> state(tiles);
      check::DeviceArray<unsigned> ticket(1);
      scan<<<tiles, kThreads>>>(device, out, n, state, ticket, use_ticket);
      KERNEL_OK();
      const auto r = out.host();
      int running = 0;
      for (int i = 0; i < n; ++i) {
        running += in[i];
        EXPECT_EQ(r[i], running, "%d of %d", i, n);
      }
    }
  }
  return check::finish("lookback_scan");
}
