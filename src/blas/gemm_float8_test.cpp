// Products of 8-bit floats: every code, special values, all shapes of operands.
#include "blas/gemm_float8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "blas/guarded_memory.h"
#include "blas/worker_pool.h"

namespace guda::blas {
namespace {

// By the formats' definition, not by the table that the code uses.
double value(Float8 format, uint8_t code) {
  const int mantissa_bits = format == Float8::e4m3 ? 3 : 2;
  const int bias = format == Float8::e4m3 ? 7 : 15;
  const int exponent = (code & 0x7f) >> mantissa_bits;
  const double fraction = std::ldexp(code & ((1 << mantissa_bits) - 1), -mantissa_bits);
  double magnitude =
      exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias);
  if (format == Float8::e4m3 && (code & 0x7f) == 0x7f) magnitude = NAN;
  if (format == Float8::e5m2 && exponent == 31) magnitude = fraction == 0 ? INFINITY : NAN;
  return code & 0x80 ? -magnitude : magnitude;
}

constexpr Float8 kFormats[] = {Float8::e4m3, Float8::e5m2};
constexpr Transpose kOps[] = {Transpose::no, Transpose::yes};

void expect_value(float got, double expected, const std::string& where) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(got)) << where << ": " << got;
  } else {
    EXPECT_EQ(got, static_cast<float>(expected)) << where;
  }
}

// A column of all codes times 1, and 1 times a row of them: in panels, and alone.
TEST(GemmFloat8Test, EveryCodeIsItsValue) {
  std::vector<uint8_t> codes(256);
  for (size_t i = 0; i < 256; ++i) codes[i] = static_cast<uint8_t>(i);
  const uint8_t one_e4m3 = 0x38, one_e5m2 = 0x3c;
  for (const Float8 format : kFormats) {
    for (const Float8 other : kFormats) {
      const uint8_t* one = other == Float8::e4m3 ? &one_e4m3 : &one_e5m2;
      for (const Transpose op : kOps) {
        // The codes are a column or a row, whatever op makes of them.
        const int64_t ld_a = op == Transpose::no ? 256 : 1, ld_b = op == Transpose::no ? 1 : 256;
        std::vector<float> from_a(256), from_b(256);
        gemm_float8(op, Transpose::no, 256, 1, 1, 1, format, codes.data(), ld_a, other, one, 1, 0,
                    from_a.data(), 256);
        gemm_float8(Transpose::no, op, 1, 256, 1, 1, other, one, 1, format, codes.data(), ld_b, 0,
                    from_b.data(), 1);
        for (size_t i = 0; i < 256; ++i) {
          const std::string where = "code " + std::to_string(i) + " of format " +
                                    std::to_string(static_cast<int>(format));
          expect_value(from_a[i], value(format, codes[i]), where);
          expect_value(from_b[i], value(format, codes[i]), where);
        }
      }
    }
  }
}

TEST(GemmFloat8Test, SumsAgreeWithDouble) {
  std::mt19937 random(5);
  struct Shape {
    int64_t m, n, k;
  };
  for (const Shape s : {Shape{1, 1, 1},
                        {3, 5, 7},
                        {17, 9, 5},
                        {48, 8, 64},
                        {49, 33, 65},
                        {70, 23, 131},
                        {5, 200, 31},
                        {200, 3, 600},
                        {64, 64, 64},
                        {130, 70, 300}}) {
    for (const Transpose a_op : kOps) {
      for (const Transpose b_op : kOps) {
        const Float8 format_a = kFormats[random() % 2], format_b = kFormats[random() % 2];
        const int64_t lda = (a_op == Transpose::no ? s.m : s.k) + random() % 3;
        const int64_t ldb = (b_op == Transpose::no ? s.k : s.n) + random() % 3;
        const auto size = [](int64_t rows, int64_t columns, int64_t ld) {
          return static_cast<size_t>((columns - 1) * ld + rows);
        };
        const bool at_end = random() % 2 == 0;
        Guarded<uint8_t> a(a_op == Transpose::no ? size(s.m, s.k, lda) : size(s.k, s.m, lda),
                           at_end);
        Guarded<uint8_t> b(b_op == Transpose::no ? size(s.k, s.n, ldb) : size(s.n, s.k, ldb),
                           at_end);
        Guarded<float> c(static_cast<size_t>(s.m * s.n), at_end);
        const auto finite = [&](Float8 format) {
          for (;;) {
            const auto code = static_cast<uint8_t>(random());
            if (std::abs(value(format, code)) <= 16) return code;
          }
        };
        for (size_t i = 0; i < a.size(); ++i) a.data()[i] = finite(format_a);
        for (size_t i = 0; i < b.size(); ++i) b.data()[i] = finite(format_b);
        for (size_t i = 0; i < c.size(); ++i) c.data()[i] = NAN;
        gemm_float8(a_op, b_op, s.m, s.n, s.k, 0.5f, format_a, a.data(), lda, format_b, b.data(),
                    ldb, 0, c.data(), s.m);
        set_worker_limit(1);
        std::vector<float> alone(c.size());
        gemm_float8(a_op, b_op, s.m, s.n, s.k, 0.5f, format_a, a.data(), lda, format_b, b.data(),
                    ldb, 0, alone.data(), s.m);
        set_worker_limit(0);
        for (int64_t j = 0; j < s.n; ++j) {
          for (int64_t i = 0; i < s.m; ++i) {
            double sum = 0, magnitude = 0;
            for (int64_t p = 0; p < s.k; ++p) {
              const double x =
                  value(format_a, a.data()[a_op == Transpose::no ? i + p * lda : p + i * lda]) *
                  value(format_b, b.data()[b_op == Transpose::no ? p + j * ldb : j + p * ldb]);
              sum += x;
              magnitude += std::abs(x);
            }
            const float got = c.data()[i + j * s.m];
            ASSERT_NEAR(got, sum / 2, magnitude * 64 * 1.2e-7 + 1e-12)
                << s.m << " x " << s.n << " x " << s.k << " at " << i << ", " << j;
            ASSERT_EQ(got, alone[static_cast<size_t>(i + j * s.m)]) << "one thread";
          }
        }
      }
    }
  }
}

TEST(GemmFloat8Test, FactorsOfZeroReadNothing) {
  float c[4] = {NAN, 1, 2, 3};
  const uint8_t nan = 0x7f;
  gemm_float8(Transpose::no, Transpose::no, 1, 1, 1, 0, Float8::e4m3, &nan, 1, Float8::e4m3, &nan,
              1, 0, c, 1);
  EXPECT_EQ(c[0], 0);
  gemm_float8(Transpose::no, Transpose::no, 1, 1, 0, 1, Float8::e4m3, nullptr, 1, Float8::e4m3,
              nullptr, 1, 2, c + 1, 1);
  EXPECT_EQ(c[1], 2);
}

}  // namespace
}  // namespace guda::blas
