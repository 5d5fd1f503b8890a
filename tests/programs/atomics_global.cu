// Integer atomics on global memory: results of every operation under contention from all lanes, and
// the returned old values, in 32 and 64 bits.
#include <algorithm>

#include "check.h"

struct Cells {
  int add, sub, min, max;
  unsigned umin, umax, inc, dec, land, lor, lxor, exch, uadd;
  unsigned pad;
  unsigned long long wide_add, wide_min, wide_max, wide_and, wide_or, wide_xor, wide_exch;
  long long signed_min, signed_max;
};

__global__ void contend(Cells* c) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(&c->add, i % 7 - 3);
  atomicSub(&c->sub, i % 5);
  atomicMin(&c->min, -(i * 13 % 1009));
  atomicMax(&c->max, i * 13 % 1009);
  atomicMin(&c->umin, 4000000000u - i);
  atomicMax(&c->umax, 4000000000u + i);
  atomicInc(&c->inc, 99);
  atomicDec(&c->dec, 99);
  atomicAnd(&c->land, ~(1u << i % 24));
  atomicOr(&c->lor, 1u << i % 24);
  atomicXor(&c->lxor, i * 2654435761u);
  atomicExch(&c->exch, i + 1);
  atomicAdd(&c->uadd, 3u);
  atomicAdd(&c->wide_add, 1ull << 33);
  atomicMin(&c->wide_min, ~0ull - i);
  atomicMax(&c->wide_max, (1ull << 40) + i);
  atomicAnd(&c->wide_and, ~(1ull << (i % 50 + 10)));
  atomicOr(&c->wide_or, 1ull << (i % 50 + 10));
  atomicXor(&c->wide_xor, 0x9e3779b97f4a7c15ull * i);
  atomicExch(&c->wide_exch, (1ull << 40) + i);
  atomicMin(&c->signed_min, -(1ll << 40) - i);
  atomicMax(&c->signed_max, -(1ll << 40) + i);
}

// Every old value is handed out exactly once.
__global__ void tickets(unsigned* counter, unsigned* taken, unsigned* inc, unsigned* inc_seen,
                        unsigned* dec, unsigned* dec_seen) {
  taken[atomicAdd(counter, 1u)] = 1;
  atomicAdd(&inc_seen[atomicInc(inc, 9)], 1u);
  atomicAdd(&dec_seen[atomicDec(dec, 9)], 1u);
}

// One address per lane group, so lanes of a warp partly collide.
__global__ void scattered(int* bins, const int* keys, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(&bins[keys[i]], i);
}

int main() {
  const int blocks = 20, threads = 100, n = blocks * threads;
  Cells start{};
  start.umin = ~0u;
  start.dec = 50;
  start.land = ~0u;
  start.wide_min = ~0ull;
  start.wide_and = ~0ull;
  start.signed_max = INT64_MIN;
  check::DeviceArray<Cells> cells(std::vector<Cells>(1, start));
  contend<<<blocks, threads>>>(cells);
  KERNEL_OK();
  const Cells c = cells.host()[0];
  Cells e = start;
  for (int i = 0; i < n; ++i) {
    e.add += i % 7 - 3;
    e.sub -= i % 5;
    e.min = std::min(e.min, -(i * 13 % 1009));
    e.max = std::max(e.max, i * 13 % 1009);
    e.umin = std::min(e.umin, 4000000000u - i);
    e.umax = std::max(e.umax, 4000000000u + i);
    e.inc = e.inc >= 99 ? 0 : e.inc + 1;
    e.dec = e.dec == 0 || e.dec > 99 ? 99 : e.dec - 1;
    e.land &= ~(1u << i % 24);
    e.lor |= 1u << i % 24;
    e.lxor ^= i * 2654435761u;
    e.uadd += 3;
    e.wide_add += 1ull << 33;
    e.wide_min = std::min<unsigned long long>(e.wide_min, ~0ull - i);
    e.wide_max = std::max<unsigned long long>(e.wide_max, (1ull << 40) + i);
    e.wide_and &= ~(1ull << (i % 50 + 10));
    e.wide_or |= 1ull << (i % 50 + 10);
    e.wide_xor ^= 0x9e3779b97f4a7c15ull * i;
    e.signed_min = std::min(e.signed_min, -(1ll << 40) - i);
    e.signed_max = std::max(e.signed_max, -(1ll << 40) + i);
  }
  EXPECT_EQ(c.add, e.add);
  EXPECT_EQ(c.sub, e.sub);
  EXPECT_EQ(c.min, e.min);
  EXPECT_EQ(c.max, e.max);
  EXPECT_EQ(c.umin, e.umin);
  EXPECT_EQ(c.umax, e.umax);
  EXPECT_EQ(c.inc, e.inc);
  EXPECT_EQ(c.dec, e.dec);
  EXPECT_EQ(c.land, e.land);
  EXPECT_EQ(c.lor, e.lor);
  EXPECT_EQ(c.lxor, e.lxor);
  EXPECT_EQ(c.uadd, e.uadd);
  EXPECT(c.exch >= 1 && c.exch <= unsigned(n));
  EXPECT_EQ(c.wide_add, e.wide_add);
  EXPECT_EQ(c.wide_min, e.wide_min);
  EXPECT_EQ(c.wide_max, e.wide_max);
  EXPECT_EQ(c.wide_and, e.wide_and);
  EXPECT_EQ(c.wide_or, e.wide_or);
  EXPECT_EQ(c.wide_xor, e.wide_xor);
  EXPECT(c.wide_exch >= 1ull << 40 && c.wide_exch < (1ull << 40) + n);
  EXPECT_EQ(c.signed_min, e.signed_min);
  EXPECT_EQ(c.signed_max, e.signed_max);

  check::DeviceArray<unsigned> counter(1), taken(n + 1), inc(1), inc_seen(10), dec(1), dec_seen(10);
  tickets<<<blocks, threads>>>(counter, taken, inc, inc_seen, dec, dec_seen);
  KERNEL_OK();
  const auto t = taken.host(), up = inc_seen.host(), down = dec_seen.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(t[i], 1u, "%d", i);
  EXPECT_EQ(t[n], 0u);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(up[i], unsigned(n / 10), "%d", i);
    EXPECT_EQ(down[i], unsigned(n / 10), "%d", i);
  }

  std::vector<int> keys(n), expected(37);
  for (int i = 0; i < n; ++i) keys[i] = i * i % 37;
  for (int i = 0; i < n; ++i) expected[keys[i]] += i;
  check::DeviceArray<int> bins(37), device_keys(keys);
  scattered<<<blocks, threads>>>(bins, device_keys, n);
  KERNEL_OK();
  const auto sums = bins.host();
  for (int i = 0; i < 37; ++i) EXPECT_EQ(sums[i], expected[i], "%d", i);
  return check::finish("atomics_global");
}
