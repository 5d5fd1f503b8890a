// Products on tiles, in memory unless the processor has them: every way to cut them gives the same bits, which
// are right; and f32 by bf16 parts is as exact as it says, also for values that parts cannot stand for.
#include "blas/tile_product.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "blas/gemm.h"
#include "blas/guarded_memory.h"
#include "blas/tile_engines.h"

namespace guda::blas {
namespace {

namespace amx = kernels::amx;
using amx::SplitProducts;

struct Form {
  int64_t m, n, k;
  bool transpose_a, transpose_b;
  int64_t pad = 0;
};

int64_t rows_a(const Form& f) { return f.transpose_a ? f.k : f.m; }
int64_t rows_b(const Form& f) { return f.transpose_b ? f.n : f.k; }

template <class From, class Sum>
GemmProblem<From, Sum, Sum> problem_of(const Form& f, const From* a, const From* b, Sum* c,
                                       Sum alpha, Sum beta) {
  GemmProblem<From, Sum, Sum> p{};
  p.m = f.m;
  p.n = f.n;
  p.k = f.k;
  p.a = a;
  p.lda = rows_a(f) + f.pad;
  p.transpose_a = f.transpose_a;
  p.b = b;
  p.ldb = rows_b(f) + f.pad;
  p.transpose_b = f.transpose_b;
  p.c = c;
  p.ldc = f.m + f.pad;
  p.alpha = alpha;
  p.beta = beta;
  return p;
}

size_t size_of(int64_t rows, int64_t columns, int64_t pad) {
  return static_cast<size_t>((columns - 1) * (rows + pad) + rows);
}

template <class From>
From random_element(std::mt19937& random) {
  if constexpr (std::is_same_v<From, float>)
    return std::uniform_real_distribution<float>(-2, 2)(random);
  else if constexpr (std::is_same_v<From, uint16_t>)
    return static_cast<uint16_t>(0x3c00u + (random() & 0x83ffu));
  else
    return static_cast<From>(random());
}

double value_bf16(uint16_t x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }
double value_f16(uint16_t x) { return static_cast<double>(std::bit_cast<_Float16>(x)); }
double value_f32(float x) { return x; }
double value_s8(uint8_t x) { return static_cast<int8_t>(x); }
double value_u8(uint8_t x) { return x; }

constexpr TileBlocking kSmallChunks{2, 2, 1 << 30};

constexpr Form kForms[] = {
    {100, 70, 150, false, false, 3}, {64, 96, 64, true, false},  {33, 129, 40, false, true, 1},
    {100, 40, 200, true, true, 2},   {1, 200, 70, false, false}, {200, 1, 33, true, true},
    {32, 32, 353, false, false},     {100, 66, 70, false, true},
};

/// Compares C, element (i, j) of which was (index of it in memory) % 7, to sums in double.
template <class From, class Sum>
void expect_product(const Form& f, const From* a, const From* b, Sum alpha, Sum beta,
                    double (*left)(From), double (*right)(From), double tolerance,
                    const std::vector<Sum>& c) {
  const int64_t lda = rows_a(f) + f.pad;
  const int64_t ldb = rows_b(f) + f.pad;
  const int64_t ldc = f.m + f.pad;
  for (int64_t at = 0; at < static_cast<int64_t>(c.size()); ++at) {
    const int64_t i = at % ldc;
    const int64_t j = at / ldc;
    const auto result = static_cast<double>(c[static_cast<size_t>(at)]);
    const auto before = static_cast<double>(at % 7);
    if (i >= f.m) {
      ASSERT_EQ(result, before) << "between columns";
      continue;
    }
    double sum = 0;
    double magnitude = 1;
    for (int64_t p = 0; p < f.k; ++p) {
      const double x = left(a[f.transpose_a ? p + i * lda : i + p * lda]) *
                       right(b[f.transpose_b ? j + p * ldb : p + j * ldb]);
      sum += x;
      magnitude += std::abs(x);
    }
    const double expected = static_cast<double>(alpha) * sum + static_cast<double>(beta) * before;
    ASSERT_NEAR(result, expected, tolerance * (2 * magnitude + 21))
        << f.m << " x " << f.n << " x " << f.k << " at " << i << ", " << j;
  }
}

// Every way to cut a product, on one and on several threads.
template <class From, class Sum>
void check(const TileEngine<From, Sum>& engine, double (*left)(From), double (*right)(From),
           double tolerance) {
  std::mt19937 random(5);
  for (const Form& f : kForms) {
    const bool at_end = random() % 2 == 0;
    Guarded<From> a(size_of(rows_a(f), f.transpose_a ? f.m : f.k, f.pad), at_end);
    Guarded<From> b(size_of(rows_b(f), f.transpose_b ? f.k : f.n, f.pad), at_end);
    for (size_t i = 0; i < a.size(); ++i) a.data()[i] = random_element<From>(random);
    for (size_t i = 0; i < b.size(); ++i) b.data()[i] = random_element<From>(random);
    const int scale = static_cast<int>(random() % 3);
    const Sum alpha = scale == 0 ? Sum(1) : Sum(2);
    const Sum beta = scale == 2 ? Sum(3) : Sum(scale);
    // How often sums are added to C may show in the last bits, nothing else may.
    for (const int64_t chunk : {2, 4, 100}) {
      const struct {
        TileBlocking blocking;
        int threads;
      } ways[] = {{{chunk, 1, 1 << 30}, 1}, {{chunk, 2, 1 << 30}, 2}, {{chunk, 3, 30000}, 5}};
      std::vector<Sum> first;
      for (const auto& way : ways) {
        Guarded<Sum> c(size_of(f.m, f.n, f.pad), at_end);
        for (size_t i = 0; i < c.size(); ++i) c.data()[i] = Sum(static_cast<int>(i % 7));
        ASSERT_TRUE(multiply_on_tiles(engine,
                                      problem_of(f, a.data(), b.data(), c.data(), alpha, beta),
                                      way.blocking, way.threads, Wake::always));
        const std::vector<Sum> result(c.data(), c.data() + c.size());
        if (first.empty()) {
          first = result;
          expect_product(f, a.data(), b.data(), alpha, beta, left, right, tolerance, result);
          continue;
        }
        ASSERT_EQ(std::memcmp(first.data(), result.data(), result.size() * sizeof(Sum)), 0)
            << f.m << " x " << f.n << " x " << f.k << ": " << way.threads << " threads, chunks of "
            << way.blocking.chunk_steps;
      }
    }
  }
}

const amx::TileKernelSet& tiles() {
  static const bool on_processor = amx::request_tiles();
  return on_processor ? amx::hardware : amx::software;
}

TEST(TileProductTest, Bfloat16) { check(bf16_engine_on(tiles()), value_bf16, value_bf16, 2e-7); }
TEST(TileProductTest, Float16) { check(f16_engine_on(tiles()), value_f16, value_f16, 2e-7); }

TEST(TileProductTest, Bytes) {
  using Engine = TileEngine<uint8_t, int32_t>;
  check(Engine{&tiles().s8s8, nullptr}, value_s8, value_s8, 0);
  check(Engine{&tiles().u8s8, nullptr}, value_u8, value_s8, 0);
  check(Engine{&tiles().s8u8, nullptr}, value_s8, value_u8, 0);
  check(Engine{&tiles().u8u8, nullptr}, value_u8, value_u8, 0);
}

TEST(TileProductTest, FloatsBySplitting) {
  const double tolerance[] = {0x1p-8, 0x1p-15, 2e-7, 2e-7};
  for (int i = 0; i < 4; ++i) {
    check(split_engine_on(tiles(), static_cast<SplitProducts>(i)), value_f32, value_f32,
          tolerance[i]);
  }
}

// Relative error in the Frobenius norm, of products of n x n x k random numbers.
double error_of(int64_t n, int64_t k, const std::vector<float>& a, const std::vector<float>& b,
                const std::vector<float>& c) {
  double error = 0;
  double norm = 0;
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = 0; i < n; ++i) {
      double sum = 0;
      for (int64_t p = 0; p < k; ++p) {
        sum += static_cast<double>(a[static_cast<size_t>(i * k + p)]) *
               b[static_cast<size_t>(p + j * k)];
      }
      const double difference = c[static_cast<size_t>(i + j * n)] - sum;
      error += difference * difference;
      norm += sum * sum;
    }
  }
  return std::sqrt(error / norm);
}

TEST(TileProductTest, SixProductsAreAsExactAsFloatArithmetic) {
  constexpr int64_t n = 40;
  constexpr int64_t k = 4096;
  std::mt19937 random(6);
  std::vector<float> a(n * k);
  std::vector<float> b(n * k);
  std::vector<float> c(n * n);
  std::normal_distribution<float> normal;
  for (float& x : a) x = normal(random);
  for (float& x : b) x = normal(random);
  double errors[4];
  for (int i = 0; i < 4; ++i) {
    const auto engine = split_engine_on(tiles(), static_cast<SplitProducts>(i));
    const auto way = choose_tile_blocking(engine.kernels->parts, k / engine.kernels->depth);
    const Form form{n, n, k, true, false};
    ASSERT_TRUE(multiply_on_tiles(
        engine, problem_of(form, a.data(), b.data(), c.data(), 1.0f, 0.0f), way, 1, Wake::always));
    errors[i] = error_of(n, k, a, b, c);
  }
  // A chain of multiply-adds in f32, k in order.
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = 0; i < n; ++i) {
      float sum = 0;
      for (int64_t p = 0; p < k; ++p) {
        sum = std::fma(a[static_cast<size_t>(i * k + p)], b[static_cast<size_t>(p + j * k)], sum);
      }
      c[static_cast<size_t>(i + j * n)] = sum;
    }
  }
  const double plain = error_of(n, k, a, b, c);
  std::printf("one %.1e, three %.1e, six %.1e, nine %.1e; f32 %.1e\n", errors[0], errors[1],
              errors[2], errors[3], plain);
  EXPECT_LT(errors[0], 5e-3);
  EXPECT_LT(errors[1], 1e-5);
  EXPECT_LE(errors[2], plain);
  EXPECT_LE(errors[3], plain);
}

// What f32 arithmetic gives: elements alike when the values are exact, infinities and NaNs in the same places.
TEST(TileProductTest, SpecialValuesAreThoseOfFloatArithmetic) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const float specials[] = {kInfinity, -kInfinity, kNan,       0x1p120f,  -0x1p120f,
                            0x1p-126f, 0x1p-140f,  -0x1p-149f, 0x1p-100f, 0x1.fffffep-60f};
  std::mt19937 random(7);
  for (int round = 0; round < 12; ++round) {
    const Form f{70, 90, 200, round % 2 == 1, round % 4 >= 2};
    std::vector<float> a(static_cast<size_t>(f.m * f.k));
    std::vector<float> b(static_cast<size_t>(f.n * f.k));
    // Powers of two: sums are exact in any order.
    const auto power = [&] {
      return std::ldexp(random() % 2 ? 1.0f : -1.0f, static_cast<int>(random() % 3));
    };
    for (float& x : a) x = power();
    for (float& x : b) x = power();
    for (int i = 0; i < 5; ++i) {
      a[random() % a.size()] = specials[random() % 10];
      b[random() % b.size()] = specials[random() % 10];
    }
    if (round >= 8) {  // only tiny ones: all of the sums are subnormal
      for (float& x : a) x = std::ldexp(power(), -70);
      for (float& x : b) x = std::ldexp(power(), -66);
    }
    for (const float beta : {0.0f, 1.0f}) {
      std::vector<float> expected(static_cast<size_t>(f.m * f.n), 0x1p-131f);
      std::vector<float> c = expected;
      const auto op = [](bool t) { return t ? Transpose::yes : Transpose::no; };
      gemm<float>(op(f.transpose_a), op(f.transpose_b), f.m, f.n, f.k, 1, a.data(), rows_a(f),
                  b.data(), rows_b(f), beta, expected.data(), f.m);
      std::vector<double> magnitude(c.size(), 0x1p-131);
      for (int64_t j = 0; j < f.n; ++j) {
        for (int64_t i = 0; i < f.m; ++i) {
          for (int64_t p = 0; p < f.k; ++p) {
            const double x = a[static_cast<size_t>(f.transpose_a ? p + i * f.k : i + p * f.m)];
            const double y = b[static_cast<size_t>(f.transpose_b ? j + p * f.n : p + j * f.k)];
            magnitude[static_cast<size_t>(i + j * f.m)] += std::abs(x * y);
          }
        }
      }
      const auto engine = split_engine_on(tiles(), round % 3 == 0   ? SplitProducts::six
                                                   : round % 3 == 1 ? SplitProducts::nine
                                                                    : SplitProducts::three);
      ASSERT_TRUE(multiply_on_tiles(engine, problem_of(f, a.data(), b.data(), c.data(), 1.0f, beta),
                                    kSmallChunks, 2, Wake::always));
      for (size_t i = 0; i < c.size(); ++i) {
        if (std::isnan(expected[i]))
          ASSERT_TRUE(std::isnan(c[i])) << i << ": " << c[i];
        else if (std::isinf(expected[i]))
          ASSERT_EQ(c[i], expected[i]) << i;
        else
          ASSERT_NEAR(c[i], expected[i], 4e-6 * magnitude[i]) << i << " round " << round;
      }
    }
  }
}

TEST(TileProductTest, TheLargestNumberIsKept) {
  constexpr int64_t n = 32;
  std::vector<float> a(n * n);
  std::vector<float> b(n * n, 1.0f);
  std::vector<float> c(n * n);
  a[7] = std::numeric_limits<float>::max();  // as bf16 it would be infinite
  const Form form{n, n, n, false, false};
  const auto engine = split_engine_on(tiles(), SplitProducts::three);
  ASSERT_TRUE(multiply_on_tiles(engine, problem_of(form, a.data(), b.data(), c.data(), 1.0f, 0.0f),
                                kSmallChunks, 1, Wake::always));
  EXPECT_EQ(c[7], std::numeric_limits<float>::max());
}

TEST(TileProductTest, ZerosLeaveSubnormalSumsAlone) {
  constexpr int64_t n = 64;
  std::vector<float> a(n * n);
  std::vector<float> b(n * n, 1.0f);
  std::vector<float> c(n * n, 0x1p-140f);
  const auto engine = split_engine_on(tiles(), SplitProducts::six);
  a[5] = 1;  // the panel is not all zero
  const Form form{n, n, n, false, false};
  ASSERT_TRUE(multiply_on_tiles(engine, problem_of(form, a.data(), b.data(), c.data(), 1.0f, 1.0f),
                                kSmallChunks, 1, Wake::always));
  EXPECT_EQ(c[4], 0x1p-140f);
  EXPECT_EQ(c[5], 1.0f);
}

TEST(TileProductTest, HalfPrecisionKeepsInfinities) {
  constexpr int64_t n = 48;
  std::vector<uint16_t> a(n * n, 0x3c00);
  std::vector<uint16_t> b(n * n, 0x3c00);
  std::vector<float> c(n * n);
  a[3] = 0x7c00;
  b[n * 7 + 1] = 0x0001;  // subnormal
  const Form form{n, n, n, false, false};
  ASSERT_TRUE(multiply_on_tiles(f16_engine_on(tiles()),
                                problem_of(form, a.data(), b.data(), c.data(), 1.0f, 0.0f),
                                kSmallChunks, 1, Wake::always));
  EXPECT_EQ(c[3], std::numeric_limits<float>::infinity());
  EXPECT_EQ(c[4], 48.0f);
  EXPECT_EQ(c[n * 7 + 4], 47.0f + 0x1p-24f);
  EXPECT_EQ(c[n * 8 + 3], std::numeric_limits<float>::infinity());
}

// Through the interface, where the machine has tiles or not.
TEST(TileProductTest, PermissionsNeverChangeMoreThanTheirErrors) {
  constexpr int64_t n = 160;
  std::mt19937 random(8);
  std::vector<float> a(n * n);
  std::vector<float> b(n * n);
  for (float& x : a) x = random_element<float>(random);
  for (float& x : b) x = random_element<float>(random);
  std::vector<float> exact(n * n);
  gemm<float>(Transpose::no, Transpose::no, n, n, n, 1, a.data(), n, b.data(), n, 0, exact.data(),
              n);
  const FloatProducts kinds[] = {FloatProducts::full, FloatProducts::bf16, FloatProducts::bf16x3,
                                 FloatProducts::bf16x6, FloatProducts::bf16x9};
  const double tolerance[] = {0, 1.0, 1e-2, 1e-4, 1e-4};
  for (int i = 0; i < 5; ++i) {
    std::vector<float> c(2 * n * n);
    gemm_f32_strided_batched(kinds[i], Transpose::no, Transpose::no, n, n, n, 1, a.data(), n, 0,
                             b.data(), n, 0, 0, c.data(), n, n * n, 2);
    for (size_t j = 0; j < c.size(); ++j)
      ASSERT_NEAR(c[j], exact[j % exact.size()], tolerance[i]) << i;
  }
}

}  // namespace
}  // namespace guda::blas
