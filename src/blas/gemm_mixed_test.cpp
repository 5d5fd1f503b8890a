// Products of narrow types: integers exactly, floats against sums in double.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <random>
#include <vector>

#include "blas/cpu_features.h"
#include "blas/gemm.h"
#include "blas/guarded_memory.h"

namespace guda::blas {
namespace {

constexpr Transpose kOps[] = {Transpose::no, Transpose::yes};

double value(bfloat16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16); }
double value(float16 x) { return static_cast<double>(std::bit_cast<_Float16>(x.bits)); }
double value(float x) { return x; }
template <class T>
T random_narrow(std::mt19937& random) {
  const float x = std::uniform_real_distribution<float>(-2, 2)(random);
  if constexpr (std::is_same_v<T, bfloat16>) {
    return {static_cast<uint16_t>(std::bit_cast<uint32_t>(x) >> 16)};
  } else {
    return {std::bit_cast<uint16_t>(static_cast<_Float16>(x))};
  }
}

struct Shape {
  int64_t m, n, k;
};
const Shape kShapes[] = {{1, 1, 1},     {3, 5, 7},      {16, 8, 4},    {17, 9, 5},
                         {48, 8, 64},   {49, 33, 65},   {70, 23, 130}, {5, 200, 31},
                         {200, 3, 600}, {50, 60, 2100}, {64, 64, 64},  {96, 7, 1030}};

template <class In, class Out>
void check_floats() {
  std::mt19937 random(1);
  for (const Shape& s : kShapes) {
    for (const Transpose a_op : kOps) {
      for (const Transpose b_op : kOps) {
        const int64_t lda = (a_op == Transpose::no ? s.m : s.k) + random() % 2;
        const int64_t ldb = (b_op == Transpose::no ? s.k : s.n) + random() % 2;
        const auto size = [](int64_t rows, int64_t columns, int64_t ld) {
          return static_cast<size_t>((columns - 1) * ld + rows);
        };
        const bool at_end = random() % 2 == 0;
        Guarded<In> a(a_op == Transpose::no ? size(s.m, s.k, lda) : size(s.k, s.m, lda), at_end);
        Guarded<In> b(b_op == Transpose::no ? size(s.k, s.n, ldb) : size(s.n, s.k, ldb), at_end);
        Guarded<Out> c(static_cast<size_t>(s.m * s.n), at_end);
        for (size_t i = 0; i < a.size(); ++i) a.data()[i] = random_narrow<In>(random);
        for (size_t i = 0; i < b.size(); ++i) b.data()[i] = random_narrow<In>(random);
        for (size_t i = 0; i < c.size(); ++i) c.data()[i] = Out{};
        gemm_mixed<In, Out, float>(a_op, b_op, s.m, s.n, s.k, 0.5f, a.data(), lda, b.data(), ldb,
                                   0.0f, c.data(), s.m);
        gemm_mixed<In, Out, float>(a_op, b_op, s.m, s.n, s.k, 1.0f, a.data(), lda, b.data(), ldb,
                                   2.0f, c.data(), s.m);
        for (int64_t j = 0; j < s.n; ++j) {
          for (int64_t i = 0; i < s.m; ++i) {
            double sum = 0;
            double magnitude = 0;
            for (int64_t p = 0; p < s.k; ++p) {
              const double x = value(a.data()[a_op == Transpose::no ? i + p * lda : p + i * lda]) *
                               value(b.data()[b_op == Transpose::no ? p + j * ldb : j + p * ldb]);
              sum += x;
              magnitude += std::abs(x);
            }
            // Half of it, doubled, and once more.
            const double expected = 2 * sum;
            double bound = 2 * magnitude * 64 * 1.2e-7;
            if (sizeof(Out) == 2)
              bound += std::abs(expected) * 2 * (std::is_same_v<In, float16> ? 1e-3 : 8e-3);
            ASSERT_NEAR(value(c.data()[i + j * s.m]), expected, bound + 1e-6)
                << s.m << " x " << s.n << " x " << s.k << " at " << i << ", " << j;
          }
        }
      }
    }
  }
}

TEST(GemmMixedTest, Bfloat16) {
  check_floats<bfloat16, float>();
  check_floats<bfloat16, bfloat16>();
}

TEST(GemmMixedTest, Float16) {
  check_floats<float16, float>();
  check_floats<float16, float16>();
}

// One product, C with a leading dimension of its own: what is between its columns stays.
template <class A, class Out, class Scale, class Multiply>
void check_integer_product(Multiply multiply, const Shape& s, Transpose a_op, Transpose b_op,
                           Scale alpha, Scale beta, std::mt19937& random) {
  const int64_t lda = (a_op == Transpose::no ? s.m : s.k) + random() % 4;
  const int64_t ldb = (b_op == Transpose::no ? s.k : s.n) + random() % 4;
  const int64_t ldc = s.m + random() % 3;
  const auto size = [](int64_t rows, int64_t columns, int64_t ld) {
    return static_cast<size_t>((columns - 1) * ld + rows);
  };
  const bool at_end = random() % 2 == 0;
  Guarded<A> a(a_op == Transpose::no ? size(s.m, s.k, lda) : size(s.k, s.m, lda), at_end);
  Guarded<int8_t> b(b_op == Transpose::no ? size(s.k, s.n, ldb) : size(s.n, s.k, ldb), at_end);
  Guarded<Out> c(size(s.m, s.n, ldc), at_end);
  // Extremes often: that is where narrow sums would overflow.
  const auto byte = [&] {
    const uint32_t x = random();
    return x % 4 == 0 ? (x & 0x100 ? 0x80 : (x & 0x200 ? 0x7f : 0xff)) : x >> 24;
  };
  for (size_t i = 0; i < a.size(); ++i) a.data()[i] = static_cast<A>(byte());
  for (size_t i = 0; i < b.size(); ++i) b.data()[i] = static_cast<int8_t>(byte());
  for (size_t i = 0; i < c.size(); ++i) c.data()[i] = static_cast<Out>(i % 100);
  multiply(a_op, b_op, s.m, s.n, s.k, alpha, a.data(), lda, b.data(), ldb, beta, c.data(), ldc);
  for (int64_t at = 0; at < static_cast<int64_t>(c.size()); ++at) {
    const int64_t i = at % ldc;
    const int64_t j = at / ldc;
    auto expected = static_cast<Scale>(at % 100);
    if (i < s.m) {
      int64_t sum = 0;
      for (int64_t p = 0; p < s.k; ++p) {
        sum += int64_t{a.data()[a_op == Transpose::no ? i + p * lda : p + i * lda]} *
               b.data()[b_op == Transpose::no ? p + j * ldb : j + p * ldb];
      }
      expected = alpha * static_cast<Scale>(sum) + beta * static_cast<Scale>(at % 100);
    }
    ASSERT_EQ(c.data()[at], static_cast<Out>(expected))
        << s.m << " x " << s.n << " x " << s.k << " at " << i << ", " << j << " ops "
        << static_cast<int>(a_op) << static_cast<int>(b_op);
  }
}

template <class A, class Out, class Scale, class Multiply>
void check_integers(Multiply multiply, Scale alpha, Scale beta) {
  std::mt19937 random(2);
  std::vector<Shape> shapes(std::begin(kShapes), std::end(kShapes));
  // Vectors: the edges of vectors and blocks, and random ones; the largest for several threads.
  for (const int64_t k : {1, 3, 4, 63, 64, 65, 255, 256, 257}) {
    for (const int64_t rows : {1, 4, 7, 63, 64, 65, 130}) {
      shapes.push_back({rows, 1, k});
      shapes.push_back({1, rows, k});
    }
  }
  for (int i = 0; i < 20; ++i) {
    const int64_t rows = 1 + random() % 600;
    const int64_t k = 1 + random() % 600;
    shapes.push_back(i % 2 == 0 ? Shape{rows, 1, k} : Shape{1, rows, k});
  }
  for (const Shape& s : {Shape{4999, 1, 301}, Shape{1, 4999, 301}, Shape{2048, 1, 97}}) {
    shapes.push_back(s);
  }
  for (const Shape& s : shapes) {
    for (const Transpose a_op : kOps) {
      for (const Transpose b_op : kOps) {
        check_integer_product<A, Out, Scale>(multiply, s, a_op, b_op, alpha, beta, random);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

TEST(GemmMixedTest, SignedBytes) {
  check_integers<int8_t, int32_t, int32_t>(gemm_mixed<int8_t, int32_t, int32_t>, 1, 0);
  check_integers<int8_t, int32_t, int32_t>(gemm_mixed<int8_t, int32_t, int32_t>, -3, 7);
}

TEST(GemmMixedTest, SignedBytesToFloat) {
  check_integers<int8_t, float, float>(gemm_mixed<int8_t, float, float>, 1, 0);
  check_integers<int8_t, float, float>(gemm_mixed<int8_t, float, float>, 0.5f, 2);
}

TEST(GemmMixedTest, UnsignedTimesSignedBytes) {
  check_integers<uint8_t, int32_t, int32_t>(gemm_u8s8, 1, 0);
  check_integers<uint8_t, int32_t, int32_t>(gemm_u8s8, 2, -1);
}

// beta == 0 does not read C.
TEST(GemmMixedTest, VectorOfBytesOverwritesNaN) {
  const std::vector<int8_t> a(64 * 64, 1);
  const std::vector<int8_t> x(64, -2);
  for (const Transpose op : kOps) {
    std::vector<float> y(64, std::numeric_limits<float>::quiet_NaN());
    gemm_mixed<int8_t, float, float>(op, Transpose::no, 64, 1, 64, 1, a.data(), 64, x.data(), 64, 0,
                                     y.data(), 64);
    EXPECT_EQ(y, std::vector<float>(64, -128.0f));
  }
}

// Sums, scaled sums and results beyond 32 bits are exact modulo 2^32.
TEST(GemmMixedTest, VectorOfBytesWraps) {
  constexpr int64_t k = 140000;  // 128^2 k > 2^31
  const std::vector<int8_t> a(k, -128);
  const std::vector<int8_t> x(k, -128);
  const auto sum = static_cast<uint32_t>(int64_t{128} * 128 * k);
  for (const Transpose op : kOps) {
    int32_t y = 2000000000;
    gemm_mixed<int8_t, int32_t, int32_t>(op, Transpose::no, 1, 1, k, 5, a.data(),
                                         op == Transpose::no ? 1 : k, x.data(), k, 3, &y, 1);
    EXPECT_EQ(static_cast<uint32_t>(y), 5 * sum + 3 * 2000000000u);
  }
}

TEST(GemmMixedTest, SpecialValuesSurviveWidening) {
  const uint16_t infinity = 0x7f80;
  std::vector<bfloat16> a(64, {0x3f80});  // 1
  std::vector<bfloat16> b(64, {0x3f80});
  a[3] = {0x7fc0};      // NaN in row 3
  b[8] = {infinity};    // column 1
  b[16] = {0x0001};     // column 2: a subnormal, lost beside 1
  std::vector<float> c(64);
  gemm_mixed<bfloat16, float, float>(Transpose::no, Transpose::no, 8, 8, 8, 1, a.data(), 8,
                                     b.data(), 8, 0, c.data(), 8);
  EXPECT_TRUE(std::isnan(c[3]));
  EXPECT_EQ(c[8], std::numeric_limits<float>::infinity());
  EXPECT_EQ(c[16], 7.0f);
  // Alone it is kept where bf16 is widened; the processors' own bf16 instructions flush it.
  std::vector<float> one(1);
  const bfloat16 x{0x3f80};
  const bfloat16 tiny{0x0001};
  gemm_mixed<bfloat16, float, float>(Transpose::no, Transpose::no, 1, 1, 1, 1, &x, 1, &tiny, 1, 0,
                                     one.data(), 1);
  EXPECT_EQ(one[0], cpu_features().fast_bf16 ? 0.0f : std::bit_cast<float>(0x00010000u));
}

}  // namespace
}  // namespace guda::blas
