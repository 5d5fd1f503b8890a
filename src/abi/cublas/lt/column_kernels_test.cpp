// The kernels of every instruction set of this machine against double precision.
#include "abi/cublas/lt/column_kernels.h"

#include "abi/cublas/element.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace guda::cublas::lt {
namespace {

std::vector<std::pair<const char*, const ColumnKernels*>> available() {
  std::vector<std::pair<const char*, const ColumnKernels*>> result{
      {"portable", &kPortableColumnKernels}};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    result.push_back({"avx2", &kAvx2ColumnKernels});
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    result.push_back({"avx512", &kAvx512ColumnKernels});
#endif
  return result;
}

constexpr double kInner = 0.7978845608028654, kCubic = 0.044715;

std::vector<float> arguments() {
  std::vector<float> x{0.0f,   -0.0f, 1e-30f, -1e-30f, 1e-4f, 1e20f,
                       -1e20f, 50.0f, -50.0f, 5.0f,    -5.0f};
  for (float step = -12; step < 12; step += 0.0037f) x.push_back(step);
  return x;
}

TEST(ColumnKernels, GeluIsExactToSinglePrecision) {
  for (auto [name, kernels] : available()) {
    auto x = arguments();
    auto y = x;
    kernels->gelu(static_cast<int64_t>(y.size()), y.data());
    for (size_t i = 0; i < x.size(); ++i) {
      double u = kInner * (x[i] + kCubic * double(x[i]) * x[i] * x[i]);
      double expected = x[i] / (1 + std::exp(-2 * u));
      if (u < -43) expected = 0;
      // The argument of e is rounded, too.
      double relative = 5e-7 + 2.5e-7 * std::min(std::abs(2 * u), 90.0);
      ASSERT_NEAR(y[i], expected, relative * std::abs(expected) + 1e-30) << name << " " << x[i];
    }
  }
}

TEST(ColumnKernels, GradientOfGelu) {
  for (auto [name, kernels] : available()) {
    auto x = arguments();
    std::vector<float> y(x.size(), 2.0f);
    kernels->times_gelu_gradient(x.data(), static_cast<int64_t>(y.size()), y.data());
    for (size_t i = 0; i < x.size(); ++i) {
      double u = kInner * (x[i] + kCubic * double(x[i]) * x[i] * x[i]);
      double s = 1 / (1 + std::exp(-2 * u)), rest = 1 / (1 + std::exp(2 * u));
      double slope =
          s == 0 || rest == 0 ? 0 : 2 * x[i] * s * rest * kInner * (1 + 3 * kCubic * x[i] * x[i]);
      ASSERT_NEAR(y[i], 2 * (s + slope), 4e-6 * (1 + std::abs(slope))) << name << " " << x[i];
    }
  }
}

/// NaN stays, and the gradients far out are those of lines.
TEST(ColumnKernels, SpecialValues) {
  for (auto [name, kernels] : available()) {
    std::vector<float> values{NAN, INFINITY, -INFINITY, -0.0f, -1.0f, 3.0f, NAN, 2.0f};
    EXPECT_EQ(kernels->largest(values.data(), 8, 0), INFINITY) << name;
    EXPECT_EQ(kernels->largest(values.data() + 3, 5, 2.5f), 3.0f) << name;
    uint8_t bits = 0;
    kernels->not_negative(values.data(), 8, &bits);
    EXPECT_EQ(bits, 0b10101010) << name;
    auto y = values;
    kernels->relu(8, y.data());
    EXPECT_TRUE(std::isnan(y[0]) && y[1] == INFINITY && y[2] == 0 && y[4] == 0 && y[5] == 3)
        << name;
    uint8_t few = 0b00101;
    kernels->keep(&few, 5, values.data());
    EXPECT_TRUE(std::isnan(values[0]) && values[1] == 0 && values[2] == -INFINITY &&
                values[4] == 0 && values[5] == 3)
        << name;
    float x[2] = {INFINITY, -INFINITY}, gradient[2] = {2, 2};
    kernels->times_gelu_gradient(x, 2, gradient);
    EXPECT_EQ(gradient[0], 2) << name;
    EXPECT_EQ(gradient[1], 0) << name;
  }
}

/// All codes of a type there and back, and odd counts: nothing beyond them is touched.
TEST(ColumnKernels, ElementsThereAndBack) {
  for (auto [name, kernels] : available()) {
    auto round_trip = [&]<class E>(TypeTag<E>, DataType type) {
      std::vector<E> from(sizeof(E) == 1 ? 256 : 65536), to(from.size() + 1);
      for (size_t i = 0; i < from.size(); ++i)
        from[i] =
            std::bit_cast<E>(static_cast<std::conditional_t<sizeof(E) == 1, uint8_t, uint16_t>>(i));
      for (size_t count : {from.size(), from.size() - 3, size_t{7}}) {
        std::vector<float> values(from.size(), 77.0f);
        kernels->widen(type, from.data(), static_cast<int64_t>(count), values.data());
        if (count < from.size()) {
          EXPECT_EQ(values[count], 77.0f) << name;
        }
        kernels->narrow(type, values.data(), static_cast<int64_t>(count), to.data());
        for (size_t i = 0; i < count; ++i) {
          float expected = widen(from[i]);
          if (std::isnan(expected)) {
            ASSERT_TRUE(std::isnan(values[i])) << name << " " << type << " " << i;
            ASSERT_TRUE(std::isnan(widen(to[i]))) << name << " " << type << " " << i;
          } else {
            ASSERT_EQ(values[i], expected) << name << " " << type << " " << i;
            if (!std::isinf(expected) || sizeof(E) == 2) {
              ASSERT_EQ(std::memcmp(&to[i], &from[i], sizeof(E)), 0)
                  << name << " " << type << " " << i;
            }
          }
        }
      }
    };
    round_trip(TypeTag<float16>(), kR16F);
    round_trip(TypeTag<bfloat16>(), kR16BF);
    round_trip(TypeTag<float8_e4m3>(), kR8E4M3);
    round_trip(TypeTag<float8_e5m2>(), kR8E5M2);
    round_trip(TypeTag<int8_t>(), kR8I);
  }
}

}  // namespace
}  // namespace guda::cublas::lt
