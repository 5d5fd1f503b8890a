#include <gtest/gtest.h>

#include <numeric>

#include "ptx_host.h"

namespace {

ptx::PtxModule& module() {
  static auto* m = [] {
    auto* loaded = new ptx::PtxModule(GUDA_PTX_DIR "/blocks.ptx",
                                      {"transpose", "block_sum", "scan", "histogram", "relay"});
    loaded->finish();
    return loaded;
  }();
  return *m;
}

TEST(PtxBlocks, TransposeThroughSharedMemory) {
  const int width = 70, height = 41;
  std::vector<float> in(width * height);
  std::iota(in.begin(), in.end(), 0.0f);
  ptx::Array<float> device(in), out(width * height);
  ASSERT_EQ(module().launch("transpose", {(width + 15) / 16, (height + 15) / 16}, {16, 16}, 0,
                            device.get(), out.get(), width, height),
            0);
  const auto r = out.host();
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x)
      ASSERT_EQ(r[x * height + y], in[y * width + x]) << x << "," << y;
  }
}

TEST(PtxBlocks, SumByShufflesAndDynamicSharedMemory) {
  const int n = 12345, blocks = 5;
  std::vector<int> in(n);
  for (int i = 0; i < n; ++i) in[i] = i % 101 - 50;
  ptx::Array<int> device(in), out(blocks);
  ASSERT_EQ(
      module().launch("block_sum", {blocks}, {192}, 6 * sizeof(int), device.get(), out.get(), n),
      0);
  const auto r = out.host();
  EXPECT_EQ(std::accumulate(r.begin(), r.end(), 0), std::accumulate(in.begin(), in.end(), 0));
}

TEST(PtxBlocks, ScanWithABarrierInALoop) {
  std::vector<int> in(256);
  for (int i = 0; i < 256; ++i) in[i] = i % 9;
  ptx::Array<int> device(in);
  ASSERT_EQ(module().launch("scan", {1}, {256}, 0, device.get(), 8), 0);
  std::vector<int> expected(256);
  std::partial_sum(in.begin(), in.end(), expected.begin());
  EXPECT_EQ(device.host(), expected);
}

TEST(PtxBlocks, HistogramWithSharedAtomics) {
  const int n = 20000;
  std::vector<unsigned char> in(n);
  std::vector<unsigned> expected(256);
  for (int i = 0; i < n; ++i) {
    in[i] = static_cast<unsigned char>(i * i >> 3);
    ++expected[in[i]];
  }
  ptx::Array<unsigned char> device(in);
  ptx::Array<unsigned> bins(256);
  ASSERT_EQ(module().launch("histogram", {4}, {160}, 0, device.get(), n, bins.get()), 0);
  EXPECT_EQ(bins.host(), expected);
}

TEST(PtxBlocks, BlocksWaitForEarlierBlocks) {
  const int blocks = 64;
  ptx::Array<int> baton(1), out(blocks);
  ASSERT_EQ(module().launch("relay", {blocks}, {32}, 0, baton.get(), out.get()), 0);
  const auto r = out.host();
  for (int b = 0; b < blocks; ++b) EXPECT_EQ(r[b], b * (b + 1)) << b;
}

}  // namespace
