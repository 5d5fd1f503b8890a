#include <gtest/gtest.h>

#include "ptx_host.h"

namespace {

int counter_shadow, weights_shadow[4];
float table_shadow[6];

ptx::PtxModule& module() {
  static auto* m = [] {
    auto* loaded =
        new ptx::PtxModule(GUDA_PTX_DIR "/memory.ptx",
                           {"read_symbols", "by_value", "local_array", "vectors", "far_store"});
    loaded->variable(&counter_shadow, "counter", sizeof(counter_shadow), false);
    loaded->variable(table_shadow, "table", sizeof(table_shadow), false);
    loaded->variable(weights_shadow, "weights", sizeof(weights_shadow), true);
    loaded->finish();
    return loaded;
  }();
  return *m;
}

TEST(PtxMemory, VariablesHaveInitialValuesAndCopies) {
  module();
  const int weights[] = {10, 20, 30, 40};
  ASSERT_EQ(
      ptx::cudaMemcpyToSymbol(weights_shadow, weights, sizeof(weights), 0, ptx::kHostToDevice), 0);
  ptx::Array<int> out(32);
  ASSERT_EQ(module().launch("read_symbols", {1}, {32}, 0, out.get()), 0);
  const auto r = out.host();
  for (int t = 0; t < 32; ++t) EXPECT_EQ(r[t], 8000 + weights[t % 4] + t % 6 + 1) << t;
  int counter = 0;
  ASSERT_EQ(ptx::cudaMemcpyFromSymbol(&counter, &counter_shadow, 4, 0, ptx::kDeviceToHost), 0);
  EXPECT_EQ(counter, 8);
}

TEST(PtxMemory, StructureByValue) {
  struct {
    char tag;
    double scale;
    short offsets[3];
  } parameters = {'a', 0.5, {-2, 100, 7}};
  ptx::Array<double> out(32);
  ASSERT_EQ(module().launch("by_value", {1}, {32}, 0, parameters, out.get()), 0);
  const auto r = out.host();
  for (int t = 0; t < 32; ++t) EXPECT_EQ(r[t], 'a' + 0.5 * parameters.offsets[t % 3]) << t;
}

TEST(PtxMemory, LocalArrayIndexedByData) {
  std::vector<int> index(32);
  for (int i = 0; i < 32; ++i) index[i] = i * 7 % 32;
  ptx::Array<int> device(index), out(96);
  ASSERT_EQ(module().launch("local_array", {1}, {96}, 0, device.get(), out.get()), 0);
  const auto r = out.host();
  for (int t = 0; t < 96; ++t) {
    int values[32];
    for (int i = 0; i < 32; ++i) values[i] = i * i + t;
    for (int i = 0; i < 32; ++i) values[index[(t + i) & 31]] += i;
    EXPECT_EQ(r[t], values[index[t & 31]]) << t;
  }
}

TEST(PtxMemory, VectorLoadsAndStores) {
  std::vector<float> in(40 * 4);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i);
  ptx::Array<float> device(in), out(40 * 4);
  ASSERT_EQ(module().launch("vectors", {1}, {40}, 0, device.get(), out.get()), 0);
  const auto r = out.host();
  for (int t = 0; t < 40; ++t) {
    for (int k = 0; k < 4; ++k) EXPECT_EQ(r[(39 - t) * 4 + k], in[t * 4 + 3 - k]) << t;
  }
}

// Last: the fault stays with the context.
TEST(PtxMemoryFault, StoreFarOutsideIsAnIllegalAddress) {
  ptx::Array<int> data(4);
  EXPECT_EQ(module().launch("far_store", {1}, {1}, 0, data.get(), 1ll << 41), 700);
  EXPECT_EQ(ptx::cudaDeviceSynchronize(), 700);
}

}  // namespace
