// Cooperative groups inside a block: thread_block, tiled_partition of every size, coalesced groups,
// labelled partitions, and collectives on them.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>

#include "check.h"

namespace cg = cooperative_groups;

__global__ void block_group(int* out) {
  __shared__ int stage[96];
  cg::thread_block block = cg::this_thread_block();
  stage[block.thread_rank()] = block.size() + block.group_index().x;
  block.sync();
  out[blockIdx.x * 96 + block.thread_rank()] =
      stage[95 - block.thread_rank()] + block.thread_index().x;
}

template <int kSize>
__device__ void tile_row(int* row, int value) {
  auto tile = cg::tiled_partition<kSize>(cg::this_thread_block());
  int sum = value;
  for (int offset = kSize / 2; offset > 0; offset /= 2) sum += tile.shfl_xor(sum, offset);
  row[0] = sum;
  row[1] = tile.thread_rank() + 100 * tile.meta_group_rank();
  row[2] = cg::reduce(tile, value, cg::greater<int>());
  row[3] = cg::inclusive_scan(tile, value, cg::plus<int>());
  row[4] = tile.ballot(value & 1);
  row[5] = tile.any(value == 7) + 2 * tile.all(value >= 0);
  tile.sync();
}

__global__ void tiles(const int* in, int* out) {
  const int t = threadIdx.x;
  tile_row<2>(out + t * 30, in[t]);
  tile_row<4>(out + t * 30 + 6, in[t]);
  tile_row<8>(out + t * 30 + 12, in[t]);
  tile_row<16>(out + t * 30 + 18, in[t]);
  tile_row<32>(out + t * 30 + 24, in[t]);
}

// The classic aggregated atomic: one per set of active lanes.
__global__ void filter(const int* in, int n, int* out, int* count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n || in[i] % 3) return;
  auto active = cg::coalesced_threads();
  int base = 0;
  if (active.thread_rank() == 0) base = atomicAdd(count, static_cast<int>(active.size()));
  out[active.shfl(base, 0) + active.thread_rank()] = in[i];
}

__global__ void partitions(const int* labels, int* out) {
  auto warp = cg::tiled_partition<32>(cg::this_thread_block());
  auto same = cg::labeled_partition(warp, labels[threadIdx.x]);
  out[threadIdx.x * 2] = same.size();
  out[threadIdx.x * 2 + 1] = cg::reduce(same, static_cast<int>(threadIdx.x), cg::plus<int>());
}

int main() {
  check::DeviceArray<int> blocks(2 * 96);
  block_group<<<2, 96>>>(blocks);
  KERNEL_OK();
  auto r = blocks.host();
  for (int i = 0; i < 192; ++i) EXPECT_EQ(r[i], 96 + i / 96 + i % 96, "%d", i);

  std::vector<int> in(64);
  check::Random random(81);
  for (int& x : in) x = random.below(50);
  check::DeviceArray<int> device(in), out(64 * 30);
  tiles<<<1, 64>>>(device, out);
  KERNEL_OK();
  r = out.host();
  for (int level = 0; level < 5; ++level) {
    const int size = 2 << level;
    for (int t = 0; t < 64; ++t) {
      const int first = t / size * size;
      int sum = 0, most = 0, scan = 0, any = 0, all = 1;
      unsigned ballot = 0;
      for (int k = 0; k < size; ++k) {
        const int v = in[first + k];
        sum += v;
        most = std::max(most, v);
        if (first + k <= t) scan += v;
        ballot |= unsigned(v & 1) << k;
        any |= v == 7;
        all &= v >= 0;
      }
      const int expected[] = {
          sum, t - first + 100 * (first / size), most, scan, int(ballot), any + 2 * all};
      for (int k = 0; k < 6; ++k) {
        EXPECT_EQ(r[t * 30 + level * 6 + k], expected[k], "thread %d size %d value %d", t, size, k);
      }
    }
  }

  const int n = 1000;
  std::vector<int> values(n);
  long long sum = 0;
  int kept = 0;
  for (int& x : values) {
    x = random.below(3000);
    if (x % 3 == 0) {
      sum += x;
      ++kept;
    }
  }
  check::DeviceArray<int> device_values(values), filtered(n), count(1);
  filter<<<8, 128>>>(device_values, n, filtered, count);
  KERNEL_OK();
  EXPECT_EQ(count.host()[0], kept);
  r = filtered.host();
  for (int i = 0; i < n; ++i) sum -= r[i];
  EXPECT_EQ(sum, 0ll);

  std::vector<int> labels(64);
  for (int i = 0; i < 64; ++i) labels[i] = i * i % 5;
  check::DeviceArray<int> device_labels(labels), parts(128);
  partitions<<<1, 64>>>(device_labels, parts);
  KERNEL_OK();
  r = parts.host();
  for (int t = 0; t < 64; ++t) {
    int size = 0, total = 0;
    for (int k = t / 32 * 32; k < t / 32 * 32 + 32; ++k) {
      if (labels[k] == labels[t]) {
        ++size;
        total += k;
      }
    }
    EXPECT_EQ(r[t * 2], size, "%d", t);
    EXPECT_EQ(r[t * 2 + 1], total, "%d", t);
  }
  return check::finish("cooperative_groups");
}
