#include <gtest/gtest.h>

#include <cmath>

#include "ptx_host.h"

namespace {

ptx::PtxModule& module() {
  static auto* m = [] {
    auto* loaded = new ptx::PtxModule(GUDA_PTX_DIR "/arithmetic.ptx",
                                      {"vector_add", "saxpy", "integers", "functions"});
    loaded->finish();
    return loaded;
  }();
  return *m;
}

TEST(PtxArithmetic, VectorAddOfRaggedLength) {
  const int n = 10007;
  std::vector<float> a(n), b(n);
  for (int i = 0; i < n; ++i) {
    a[i] = i * 0.5f;
    b[i] = 1000.0f - i;
  }
  ptx::Array<float> da(a), db(b), dc(n);
  ASSERT_EQ(
      module().launch("vector_add", {(n + 255) / 256}, {256}, 0, da.get(), db.get(), dc.get(), n),
      0);
  const auto c = dc.host();
  for (int i = 0; i < n; ++i) ASSERT_EQ(c[i], a[i] + b[i]) << i;
}

TEST(PtxArithmetic, SaxpyStridesOverTheGridAndFuses) {
  const int n = 5001;
  const float a = 1.0f / 3;
  std::vector<float> x(n), y(n);
  for (int i = 0; i < n; ++i) {
    x[i] = i * 0.37f;
    y[i] = 5 - i * 0.11f;
  }
  ptx::Array<float> dx(x), dy(y);
  ASSERT_EQ(module().launch("saxpy", {3}, {96}, 0, n, a, dx.get(), dy.get()), 0);
  const auto result = dy.host();
  for (int i = 0; i < n; ++i) ASSERT_EQ(result[i], std::fma(a, x[i], y[i])) << i;
}

TEST(PtxArithmetic, IntegerOperations) {
  const int n = 300;
  std::vector<int> a(n), b(n);
  for (int i = 0; i < n; ++i) {
    a[i] = static_cast<int>(i * 2654435761u) ^ i;
    b[i] = static_cast<int>((i + 1) * 40503u) * (i % 2 ? -1 : 1);
  }
  ptx::Array<int> da(a), db(b), out(n * 8);
  ASSERT_EQ(module().launch("integers", {3}, {128}, 0, da.get(), db.get(), out.get(), n), 0);
  const auto r = out.host();
  for (int i = 0; i < n; ++i) {
    const int x = a[i], y = b[i];
    const auto ux = static_cast<unsigned>(x), uy = static_cast<unsigned>(y);
    int dot = 7;
    for (int k = 0; k < 32; k += 8) {
      dot += static_cast<int8_t>(ux >> k) * static_cast<int8_t>(uy >> k);
    }
    const int expected[] = {x / y,
                            x % y,
                            __builtin_popcount(ux) + (uy ? __builtin_clz(uy) : 32),
                            static_cast<int>(static_cast<int64_t>(x) * y >> 32),
                            x >> (y & 31),
                            static_cast<int>(ux >> (y & 31)),
                            static_cast<int>(uy << 5 | ux >> 27),
                            dot};
    for (int k = 0; k < 8; ++k) ASSERT_EQ(r[i * 8 + k], expected[k]) << i << " operation " << k;
  }
}

TEST(PtxArithmetic, MathematicalFunctions) {
  const int n = 1000;
  std::vector<float> in(n);
  for (int i = 0; i < n; ++i) in[i] = (i - 500) * 0.05f;
  ptx::Array<float> device(in), out(n * 4);
  ASSERT_EQ(module().launch("functions", {8}, {128}, 0, device.get(), out.get(), n), 0);
  const auto r = out.host();
  for (int i = 0; i < n; ++i) {
    const double x = in[i];
    EXPECT_NEAR(r[i * 4], std::exp(x), std::exp(x) * 3e-7) << i;
    EXPECT_NEAR(r[i * 4 + 1], std::sin(x), 2e-7) << i;
    EXPECT_EQ(r[i * 4 + 2], std::sqrt(std::fabs(in[i]))) << i;
    EXPECT_EQ(r[i * 4 + 3], in[i] / 3.0f) << i;
  }
}

}  // namespace
