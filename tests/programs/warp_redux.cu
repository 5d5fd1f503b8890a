// redux.sync: add, min, max (signed and unsigned), and, or, xor over full and partial masks.
#include "check.h"

__global__ void reduce(const int* in, unsigned mask, unsigned* out) {
  const int lane = threadIdx.x;
  if (!(mask >> lane & 1)) return;
  const int v = in[lane];
  unsigned* row = out + lane * 8;
  row[0] = __reduce_add_sync(mask, unsigned(v));
  row[1] = __reduce_add_sync(mask, v);
  row[2] = __reduce_min_sync(mask, v);
  row[3] = __reduce_max_sync(mask, v);
  row[4] = __reduce_min_sync(mask, unsigned(v));
  row[5] = __reduce_max_sync(mask, unsigned(v));
  row[6] = __reduce_and_sync(mask, unsigned(v)) ^ __reduce_or_sync(mask, unsigned(v)) << 1;
  row[7] = __reduce_xor_sync(mask, unsigned(v));
}

int main() {
  check::Random random(5);
  for (const unsigned mask : {~0u, 0x1u, 0xffff0000u, 0x12345678u}) {
    std::vector<int> v(32);
    for (int& x : v) x = static_cast<int>(random.bits());
    check::DeviceArray<int> in(v);
    check::DeviceArray<unsigned> out(32 * 8);
    reduce<<<1, 32>>>(in, mask, out);
    KERNEL_OK();
    unsigned sum = 0, low = ~0u, high = 0, all = ~0u, any = 0, parity = 0;
    int least = INT32_MAX, most = INT32_MIN;
    for (int i = 0; i < 32; ++i) {
      if (!(mask >> i & 1)) continue;
      const unsigned u = v[i];
      sum += u;
      low = std::min(low, u);
      high = std::max(high, u);
      least = std::min(least, v[i]);
      most = std::max(most, v[i]);
      all &= u;
      any |= u;
      parity ^= u;
    }
    const unsigned expected[] = {sum, sum,  unsigned(least), unsigned(most),
                                 low, high, all ^ any << 1,  parity};
    const auto result = out.host();
    for (int lane = 0; lane < 32; ++lane) {
      for (int k = 0; k < 8; ++k) {
        EXPECT_EQ(result[lane * 8 + k], mask >> lane & 1 ? expected[k] : 0u, "lane %d op %d", lane,
                  k);
      }
    }
  }
  return check::finish("warp_redux");
}
