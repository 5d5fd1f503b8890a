// Roundings to narrow types, against their definitions.
#include "abi/cublas/element.h"
#include "kernels/float8.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace guda::cublas {
namespace {

/// Numbers of every size and sign, the neighbours of what matters, and special ones.
std::vector<float> numbers() {
  std::vector<float> result;
  auto add = [&](float x) {
    for (float y : {x, std::nextafter(x, -INFINITY), std::nextafter(x, INFINITY)}) {
      result.push_back(y);
      result.push_back(-y);
    }
  };
  for (int e = -30; e <= 18; ++e)
    for (int eighths = 8; eighths < 16; ++eighths) {
      add(std::ldexp(static_cast<float>(eighths), e - 3));
      add(std::ldexp(static_cast<float>(2 * eighths + 1), e - 4));
    }
  for (uint32_t half = 0; half < 0x7c00; ++half) add(widen(float16{static_cast<uint16_t>(half)}));
  std::mt19937 engine(7);
  for (int i = 0; i < 100000; ++i) result.push_back(std::bit_cast<float>(uint32_t(engine())));
  for (float x : {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 448.0f, 464.0f, 480.0f, 57344.0f, 61440.0f,
                  65504.0f, 65519.0f, 65520.0f, 3e38f, 1e-40f, -1e-45f})
    add(x);
  return result;
}

/// The code whose value is nearest, ties to the even one; saturated.
template <class T>
void check_float8(const std::array<float, 256>& values, int largest) {
  for (float x : numbers()) {
    uint8_t code = narrow<T>(x).bits;
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(values[code]));
      continue;
    }
    ASSERT_EQ(code >> 7, std::signbit(x));
    // Far beyond the largest, all distances would be the same.
    double magnitude = std::min(std::fabs(static_cast<double>(x)), 1e6);
    int best = 0;
    for (int c = 1; c <= largest; ++c) {
      double distance = std::fabs(values[c] - magnitude),
             before = std::fabs(values[best] - magnitude);
      if (distance < before || (distance == before && c % 2 == 0)) best = c;
    }
    ASSERT_EQ(code & 0x7f, best) << x;
  }
}

TEST(Element, EightBitFloatsAreTheNearest) {
  check_float8<float8_e4m3>(kernels::kE4m3Values, 0x7e);
  check_float8<float8_e5m2>(kernels::kE5m2Values, 0x7b);
}

TEST(Element, HalfPrecisionIsTheCompilers) {
  for (float x : numbers()) {
    auto expected = std::bit_cast<uint16_t>(static_cast<_Float16>(x));
    if (std::isnan(x))
      ASSERT_TRUE(std::isnan(widen(narrow<float16>(x))));
    else
      ASSERT_EQ(narrow<float16>(x).bits, expected) << x;
  }
}

TEST(Element, BytesSaturateAndRoundToEven) {
  for (float x : numbers()) {
    double whole = std::isnan(x) ? 0 : std::nearbyint(static_cast<double>(x));
    ASSERT_EQ(narrow<int8_t>(x), static_cast<int>(std::clamp(whole, -128.0, 127.0))) << x;
    ASSERT_EQ(narrow<uint8_t>(x), static_cast<int>(std::clamp(whole, 0.0, 255.0))) << x;
    ASSERT_EQ(narrow<int8_t>(static_cast<double>(x)), narrow<int8_t>(x));
  }
  EXPECT_EQ(narrow<int8_t>(2.5f), 2);
  EXPECT_EQ(narrow<int8_t>(3.5f), 4);
}

}  // namespace
}  // namespace guda::cublas
