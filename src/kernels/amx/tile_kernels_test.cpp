// Tiles in memory against the definition of their arithmetic, the processor's tiles against tiles in memory,
// and packed panels against the elements they are made of.
#include "kernels/amx/tile_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "kernels/amx/software_tiles.h"

namespace guda::kernels::amx {
namespace {

bool same_number(float x, float y) {
  return std::bit_cast<uint32_t>(x) == std::bit_cast<uint32_t>(y) ||
         (std::isnan(x) && std::isnan(y));
}
bool same_number(int32_t x, int32_t y) { return x == y; }

#if defined(__x86_64__)
__attribute__((target("fma"))) float processors_fma(float x, float y, float z) {
  const unsigned saved = _mm_getcsr();
  _mm_setcsr(saved | 0x8040);  // subnormals count as zero, on the way in and out
  __m128 result = _mm_fmadd_ss(_mm_set_ss(x), _mm_set_ss(y), _mm_set_ss(z));
  asm volatile("" : "+x"(result));
  _mm_setcsr(saved);
  return _mm_cvtss_f32(result);
}

// bf16 factors; sums near each other, near the smallest normal number, or anything.
TEST(SoftwareTilesTest, MultiplyAddRoundsOnceAndFlushes) {
  if (!__builtin_cpu_supports("fma")) GTEST_SKIP() << "no FMA";
  std::mt19937 random(1);
  const auto number = [&](uint32_t low_exponent, uint32_t exponents) {
    return (random() & 0x807fffffu) | ((low_exponent + random() % exponents) << 23);
  };
  for (int i = 0; i < 400'000; ++i) {
    uint32_t x = random(), y = random(), z = random();
    if (i % 4 == 1) x = number(60, 8), y = number(60, 8), z = number(0, 6);
    if (i % 4 == 2) x = number(120, 8), y = number(120, 8), z = number(100, 40);
    if (i % 4 == 3) x = number(120, 2), y = number(1, 2), z = (x ^ y ^ number(0, 3)) | 0x80000000u;
    const auto a = std::bit_cast<float>(x & 0xffff0000u);
    const auto b = std::bit_cast<float>(y & 0xffff0000u);
    const auto c = std::bit_cast<float>(z);
    ASSERT_TRUE(same_number(fused_multiply_add(a, b, c), processors_fma(a, b, c)))
        << a << " * " << b << " + " << c << ": " << fused_multiply_add(a, b, c) << ", not "
        << processors_fma(a, b, c);
  }
}
#endif

TEST(SoftwareTilesTest, PairsAreSummedBeforeTheyAreAdded) {
  // Even products: 2^24, then 1 - which is lost; odd: the same; then both together, then C.
  alignas(64) uint16_t a[512] = {};
  alignas(64) uint16_t b[512] = {};
  alignas(64) float c[256] = {};
  const auto bf16 = [](float x) { return static_cast<uint16_t>(std::bit_cast<uint32_t>(x) >> 16); };
  a[0] = bf16(0x1p24f);
  a[2] = bf16(1);
  a[3] = bf16(3);
  for (int pair = 0; pair < 2; ++pair) b[32 * pair] = b[32 * pair + 1] = bf16(1);
  c[0] = -0x1p24f;
  SoftwareTiles tiles;
  tiles.load<0>(c, 64);
  tiles.load<1>(a, 64);
  tiles.load<2>(b, 64);
  tiles.dot<Dot::bf16, 0, 1, 2>();
  tiles.store<0>(c, 64);
  EXPECT_EQ(c[0], 4.0f);  // 2^24 + 3 rounds to 2^24 + 4
}

// Random words that all kinds of elements have ordinary values for: bf16 and f16 of moderate size.
template <class From>
std::vector<From> random_elements(std::mt19937& random, size_t count) {
  std::vector<From> elements(count);
  for (From& x : elements) {
    if constexpr (std::is_same_v<From, float>)
      x = std::uniform_real_distribution<float>(-2, 2)(random);
    else if constexpr (std::is_same_v<From, uint16_t>)
      x = static_cast<uint16_t>(0x3c00u + (random() & 0x83ffu));
    else
      x = static_cast<From>(random());
  }
  return elements;
}

struct Panels {
  std::vector<std::byte> rows, columns;
  MagnitudeRange row_range, column_range;
};

template <class From, class Sum>
Panels pack(const TileKernels<From, Sum>& kernels, const std::vector<From>& a,
            const std::vector<From>& b, int64_t m, int64_t n, int64_t k, bool along_a,
            bool along_b) {
  const auto bytes =
      static_cast<size_t>((k + kernels.depth - 1) / kernels.depth * kernels.parts * kStepBytes);
  Panels panels{std::vector<std::byte>(bytes, std::byte{0xff}),
                std::vector<std::byte>(bytes, std::byte{0xff}),
                {},
                {}};
  (along_b ? kernels.rows.along : kernels.rows.across)(n, k, b.data(), along_b ? k : n,
                                                       panels.rows.data(), panels.row_range);
  (along_a ? kernels.columns.along : kernels.columns.across)(
      m, k, a.data(), along_a ? k : m, panels.columns.data(), panels.column_range);
  return panels;
}

template <class From, class Sum>
std::vector<Sum> multiply(const TileKernels<From, Sum>& kernels, const Panels& panels,
                          std::vector<Sum> c, int64_t m, int64_t n, int64_t k, Sum alpha,
                          Sum beta) {
  LineStream later;
  std::vector<Sum> sums(kPanel * kPanel);
  BlockArguments<Sum> block{};
  block.steps = (k + kernels.depth - 1) / kernels.depth;
  block.rows = panels.rows.data();
  block.columns = panels.columns.data();
  block.next_columns = block.columns;
  block.sums = sums.data();
  block.ld = kPanel;
  block.m = m;
  block.n = n;
  block.later = &later;
  kernels.acquire_tiles();
  kernels.multiply(block);
  kernels.release_tiles();
  kernels.update({m, n, sums.data(), kPanel, c.data(), m, alpha, beta});
  return c;
}

struct Shape {
  int64_t m, n, k;
};
constexpr Shape kShapes[] = {{32, 32, 64}, {32, 32, 200}, {16, 32, 64}, {32, 16, 130}, {1, 1, 1},
                             {17, 5, 3},   {7, 31, 33},   {32, 32, 1},  {20, 16, 256}};

double value(float x) { return x; }
double value_bf16(uint16_t x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }
double value_f16(uint16_t x) { return static_cast<double>(std::bit_cast<_Float16>(x)); }
double value_s8(uint8_t x) { return static_cast<int8_t>(x); }
double value_u8(uint8_t x) { return x; }

// Sums of m x n products, each next to the sum of magnitudes that its error is measured by.
template <class From, class Sum>
void check_products(const TileKernels<From, Sum>& kernels, double (*left)(From),
                    double (*right)(From), double tolerance) {
  std::mt19937 random(3);
  for (const Shape& s : kShapes) {
    for (int form = 0; form < 4; ++form) {
      const bool along_a = form % 2 == 1;
      const bool along_b = form / 2 == 1;
      const auto a = random_elements<From>(random, static_cast<size_t>(s.m * s.k));
      const auto b = random_elements<From>(random, static_cast<size_t>(s.n * s.k));
      const auto panels = pack(kernels, a, b, s.m, s.n, s.k, along_a, along_b);
      const std::vector<Sum> start(static_cast<size_t>(s.m * s.n), Sum(5));
      for (const Sum beta : {Sum(0), Sum(1), Sum(3)}) {
        const Sum alpha = Sum(form == 3 ? 2 : 1);
        const auto c = multiply(kernels, panels, start, s.m, s.n, s.k, alpha, beta);
        for (int64_t j = 0; j < s.n; ++j) {
          for (int64_t i = 0; i < s.m; ++i) {
            double sum = 0;
            double magnitude = 0;
            for (int64_t p = 0; p < s.k; ++p) {
              const double x = left(a[static_cast<size_t>(along_a ? i * s.k + p : i + p * s.m)]);
              const double y = right(b[static_cast<size_t>(along_b ? j * s.k + p : j + p * s.n)]);
              sum += x * y;
              magnitude += std::abs(x * y);
            }
            sum = static_cast<double>(alpha) * sum + 5 * static_cast<double>(beta);
            ASSERT_NEAR(static_cast<double>(c[static_cast<size_t>(i + j * s.m)]), sum,
                        tolerance * (2 * magnitude + 15))
                << s.m << " x " << s.n << " x " << s.k << " form " << form << " at " << i << ", "
                << j;
          }
        }
      }
    }
  }
}

TEST(TileKernelsTest, BlocksAreProducts) {
  check_products(software.bf16, value_bf16, value_bf16, 1e-6);
  check_products(software.f16, value_f16, value_f16, 1e-6);
  check_products(software.s8s8, value_s8, value_s8, 0);
  check_products(software.u8s8, value_u8, value_s8, 0);
  check_products(software.s8u8, value_s8, value_u8, 0);
  check_products(software.u8u8, value_u8, value_u8, 0);
  const double tolerance[] = {0x1p-8, 0x1p-15, 1e-6, 1e-6};
  for (int i = 0; i < 4; ++i) check_products(software.f32[i], value, value, tolerance[i]);
}

TEST(TileKernelsTest, PackingSeesMagnitudes) {
  std::vector<float> a(32 * 70, 1.0f);
  a[40] = -0x1p-130f;
  a[1000] = -300;
  a[1001] = 0;
  const auto panels = pack(software.f32[2], a, a, 32, 32, 70, true, false);
  EXPECT_EQ(panels.column_range.least, std::bit_cast<uint32_t>(0x1p-130f));
  EXPECT_EQ(panels.column_range.greatest, std::bit_cast<uint32_t>(300.0f));
  a[2] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(pack(software.f32[2], a, a, 32, 32, 70, true, false).row_range.greatest, 0x7f800000u);
  // Of 16-bit floats, infinity and NaN are beyond the greatest number.
  std::vector<uint16_t> half(32 * 32, 0x3c00);
  half[7] = 0xfbff;  // the greatest number
  auto range = pack(software.f16, half, half, 32, 32, 32, true, false).row_range;
  EXPECT_EQ(std::bit_cast<float>(range.greatest), software.f16.largest);
  half[7] = 0xfc00;
  range = pack(software.f16, half, half, 32, 32, 32, true, false).row_range;
  EXPECT_GT(std::bit_cast<float>(range.greatest), software.f16.largest);
}

template <class From, class Sum>
void check_same(const TileKernels<From, Sum>& one, const TileKernels<From, Sum>& other,
                bool products) {
  std::mt19937 random(4);
  for (const Shape& s : kShapes) {
    for (int form = 0; form < 4; ++form) {
      auto a = random_elements<From>(random, static_cast<size_t>(s.m * s.k));
      auto b = random_elements<From>(random, static_cast<size_t>(s.n * s.k));
      if (form == 3 && s.k > 1) {  // any bits: subnormal, infinite, not a number
        for (From& x : a) {
          const uint32_t bits = random();
          std::memcpy(&x, &bits, sizeof(x));
        }
      }
      const auto x = pack(one, a, b, s.m, s.n, s.k, form % 2 == 1, form / 2 == 1);
      const auto y = pack(other, a, b, s.m, s.n, s.k, form % 2 == 1, form / 2 == 1);
      ASSERT_EQ(x.rows, y.rows);
      ASSERT_EQ(x.columns, y.columns);
      EXPECT_EQ(x.row_range.least, y.row_range.least);
      EXPECT_EQ(x.row_range.greatest, y.row_range.greatest);
      if (!products) continue;
      const std::vector<Sum> start(static_cast<size_t>(s.m * s.n), Sum(7));
      for (const Sum beta : {Sum(0), Sum(1), Sum(3)}) {
        const Sum alpha = Sum(form == 2 ? 2 : 1);
        const auto c = multiply(one, x, start, s.m, s.n, s.k, alpha, beta);
        const auto d = multiply(other, y, start, s.m, s.n, s.k, alpha, beta);
        for (size_t i = 0; i < c.size(); ++i)
          ASSERT_TRUE(same_number(c[i], d[i])) << c[i] << " and " << d[i] << " at " << i;
      }
    }
  }
}

void check_all_same(bool products) {
  check_same(hardware.bf16, software.bf16, products);
  check_same(hardware.f16, software.f16, products);
  check_same(hardware.s8s8, software.s8s8, products);
  check_same(hardware.u8s8, software.u8s8, products);
  check_same(hardware.s8u8, software.s8u8, products);
  check_same(hardware.u8u8, software.u8u8, products);
  for (int i = 0; i < 4; ++i) check_same(hardware.f32[i], software.f32[i], products);
}

#if defined(__x86_64__)
TEST(TileKernelsTest, PackingIsTheSameWithAvx512) {
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("avx512vbmi"))
    GTEST_SKIP() << "no AVX-512";
  check_all_same(false);
}
#endif

TEST(TileKernelsTest, TilesOfTheProcessorGiveTheSameBits) {
  if (!request_tiles()) GTEST_SKIP() << "no AMX";
  check_all_same(true);
}

}  // namespace
}  // namespace guda::kernels::amx
