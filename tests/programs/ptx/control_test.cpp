#include <gtest/gtest.h>

#include "ptx_host.h"

namespace {

ptx::PtxModule& module() {
  static auto* m = [] {
    auto* loaded = new ptx::PtxModule(GUDA_PTX_DIR "/control.ptx",
                                      {"collatz", "choose", "recurse", "warp_votes"});
    loaded->finish();
    return loaded;
  }();
  return *m;
}

TEST(PtxControl, LoopsOfDifferentLengthPerLane) {
  const int n = 900;
  ptx::Array<int> out(n);
  ASSERT_EQ(module().launch("collatz", {8}, {128}, 0, out.get(), n), 0);
  const auto r = out.host();
  for (int i = 0; i < n; ++i) {
    unsigned v = i + 1;
    int steps = 0;
    while (v != 1) {
      v = v & 1 ? 3 * v + 1 : v / 2;
      if (++steps > 400) break;
    }
    ASSERT_EQ(r[i], steps) << i;
  }
}

TEST(PtxControl, SwitchPerLane) {
  const int n = 500;
  std::vector<int> operation(n), in(n);
  for (int i = 0; i < n; ++i) {
    operation[i] = i % 8 - 1;
    in[i] = i * 31 - 4000;
  }
  ptx::Array<int> dop(operation), din(in), out(n);
  ASSERT_EQ(module().launch("choose", {4}, {128}, 0, dop.get(), din.get(), out.get(), n), 0);
  const auto r = out.host();
  for (int i = 0; i < n; ++i) {
    const int x = in[i];
    const int by_operation[] = {0, x + 1, x * x, -x, x * 8, x ^ 0x5555, x / 3, 0};
    ASSERT_EQ(r[i], by_operation[i % 8]) << i;
  }
}

TEST(PtxControl, Recursion) {
  ptx::Array<int> out(64);
  ASSERT_EQ(module().launch("recurse", {1}, {64}, 0, out.get()), 0);
  const int fibonacci[] = {0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89};
  const auto r = out.host();
  for (int i = 0; i < 64; ++i) EXPECT_EQ(r[i], fibonacci[i % 12]) << i;
}

TEST(PtxControl, VotesAndMatch) {
  std::vector<int> in(32);
  unsigned odd = 0;
  for (int i = 0; i < 32; ++i) {
    in[i] = i * i / 3;
    odd |= (in[i] & 1u) << i;
  }
  ptx::Array<int> device(in);
  ptx::Array<unsigned> out(96);
  ASSERT_EQ(module().launch("warp_votes", {1}, {32}, 0, device.get(), out.get()), 0);
  const auto r = out.host();
  for (int i = 0; i < 32; ++i) {
    unsigned match = 0;
    for (int k = 0; k < 32; ++k) match |= unsigned(in[k] % 4 == in[i] % 4) << k;
    EXPECT_EQ(r[i * 3], odd) << i;
    if (!(in[i] & 1)) {
      EXPECT_EQ(r[i * 3 + 1], 0u) << i;
    }
    EXPECT_EQ(r[i * 3 + 2], match) << i;
  }
}

}  // namespace
