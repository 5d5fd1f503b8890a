// vote (all, any, uni, ballot), match (any, all) and activemask, under full and partial masks and
// inside divergent code.
#include "check.h"

__global__ void votes(const int* in, unsigned* out) {
  const int lane = threadIdx.x;
  const int v = in[blockIdx.x * 32 + lane];
  unsigned* row = out + (blockIdx.x * 32 + lane) * 8;
  row[0] = __all_sync(~0u, v > 0);
  row[1] = __any_sync(~0u, v > 5);
  row[2] = __ballot_sync(~0u, v & 1);
  row[3] = __uni_sync(~0u, v > 2);
  row[4] = __match_any_sync(~0u, v);
  int agree;
  row[5] = __match_all_sync(~0u, v, &agree);
  row[6] = agree;
  row[7] = __match_any_sync(~0u, (long long)v << 33);
}

__global__ void divergent(unsigned* out) {
  const int lane = threadIdx.x;
  unsigned* row = out + lane * 4;
  if (lane % 3 == 0) {
    row[0] = __activemask();
    row[1] = __ballot_sync(0x49249249u, lane > 10);
  } else if (lane < 20) {
    const unsigned mask = 0x000fffffu & ~0x49249249u;
    row[0] = __activemask() & mask;
    row[1] = __ballot_sync(mask, lane > 10);
    row[2] = __all_sync(mask, lane < 20);
    row[3] = __match_any_sync(mask, lane % 4);
  } else {
    const unsigned mask = 0xfff00000u & ~0x49249249u;
    row[0] = __activemask() & mask;
    row[1] = __any_sync(mask, lane == 20);
  }
}

__global__ void partial_warp(unsigned* out) { out[threadIdx.x] = __activemask(); }

__global__ void lane_masks(unsigned* out) {
  unsigned* row = out + threadIdx.x * 6;
  asm volatile("mov.u32 %0, %%lanemask_lt;" : "=r"(row[0]));
  asm volatile("mov.u32 %0, %%lanemask_le;" : "=r"(row[1]));
  asm volatile("mov.u32 %0, %%lanemask_eq;" : "=r"(row[2]));
  asm volatile("mov.u32 %0, %%lanemask_ge;" : "=r"(row[3]));
  asm volatile("mov.u32 %0, %%lanemask_gt;" : "=r"(row[4]));
  asm volatile("mov.u32 %0, %%laneid;" : "=r"(row[5]));
}

int main() {
  const int warps = 6;
  std::vector<int> values(warps * 32);
  for (int i = 0; i < warps * 32; ++i) {
    const int lane = i % 32;
    const int rows[] = {1, lane, lane % 5, lane / 16, 7, lane == 17 ? 9 : 4};
    values[i] = rows[i / 32];
  }
  check::DeviceArray<int> in(values);
  check::DeviceArray<unsigned> out(warps * 32 * 8);
  votes<<<warps, 32>>>(in, out);
  KERNEL_OK();
  const auto result = out.host();
  for (int w = 0; w < warps; ++w) {
    const int* v = &values[w * 32];
    unsigned positive = 0, above5 = 0, odd = 0, above2 = 0, same = 0;
    for (int i = 0; i < 32; ++i) {
      positive += v[i] > 0;
      above5 += v[i] > 5;
      odd |= unsigned(v[i] & 1) << i;
      above2 += v[i] > 2;
      same += v[i] == v[0];
    }
    for (int lane = 0; lane < 32; ++lane) {
      unsigned match = 0;
      for (int i = 0; i < 32; ++i) match |= unsigned(v[i] == v[lane]) << i;
      const unsigned* row = &result[(w * 32 + lane) * 8];
      EXPECT_EQ(row[0] != 0, positive == 32, "warp %d lane %d", w, lane);
      EXPECT_EQ(row[1] != 0, above5 > 0, "warp %d lane %d", w, lane);
      EXPECT_EQ(row[2], odd, "warp %d lane %d", w, lane);
      EXPECT_EQ(row[3] != 0, above2 == 0 || above2 == 32, "warp %d lane %d", w, lane);
      EXPECT_EQ(row[4], match, "warp %d lane %d", w, lane);
      EXPECT_EQ(row[5], same == 32 ? ~0u : 0u, "warp %d lane %d", w, lane);
      EXPECT_EQ(row[6] != 0, same == 32, "warp %d lane %d", w, lane);
      EXPECT_EQ(row[7], match, "warp %d lane %d", w, lane);
    }
  }

  check::DeviceArray<unsigned> rows(32 * 4);
  divergent<<<1, 32>>>(rows);
  KERNEL_OK();
  const auto r = rows.host();
  const unsigned third = 0x49249249u, middle = 0x000fffffu & ~third, upper = 0xfff00000u & ~third;
  for (int lane = 0; lane < 32; ++lane) {
    const unsigned bit = 1u << lane;
    // activemask promises only that the lane itself is active and no lane of another branch is.
    EXPECT((r[lane * 4] & bit) != 0);
    if (third & bit) {
      EXPECT_EQ(r[lane * 4] & ~third, 0u, "lane %d", lane);
      EXPECT_EQ(r[lane * 4 + 1], third & ~0x7ffu, "lane %d", lane);
    } else if (middle & bit) {
      unsigned same = 0;
      for (int i = 0; i < 20; ++i) same |= unsigned(i % 4 == lane % 4) << i;
      EXPECT_EQ(r[lane * 4 + 1], middle & ~0x7ffu, "lane %d", lane);
      EXPECT_EQ(r[lane * 4 + 2], 1u, "lane %d", lane);
      EXPECT_EQ(r[lane * 4 + 3], same & middle, "lane %d", lane);
    } else {
      EXPECT_EQ(r[lane * 4 + 1], (upper >> 20 & 1), "lane %d", lane);
    }
  }

  check::DeviceArray<unsigned> masks(45);
  partial_warp<<<1, 45>>>(masks);
  KERNEL_OK();
  const auto active = masks.host();
  for (int i = 0; i < 45; ++i) EXPECT_EQ(active[i], i < 32 ? ~0u : (1u << 13) - 1, "%d", i);

  check::DeviceArray<unsigned> special(64 * 6);
  lane_masks<<<1, 64>>>(special);
  KERNEL_OK();
  const auto s = special.host();
  for (int i = 0; i < 64; ++i) {
    const unsigned eq = 1u << i % 32;
    const unsigned expected[] = {eq - 1, eq | (eq - 1), eq, ~(eq - 1), ~(eq | (eq - 1)), i % 32u};
    for (int k = 0; k < 6; ++k) EXPECT_EQ(s[i * 6 + k], expected[k], "%d, mask %d", i, k);
  }
  return check::finish("vote_match");
}
