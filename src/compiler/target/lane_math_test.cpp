// Error bounds of the approximate functions, over samples of all bit patterns.
#include <bit>
#include <cmath>
#include <limits>

#include "compiler/target/lane_test.h"

namespace guda::target::testing {
namespace {

/// Every 9973rd bit pattern, subnormal numbers, infinities and NaN among them.
std::vector<float> all_floats() {
  std::vector<float> values;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 9973)
    values.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  for (float special : {0.0f, -0.0f, 1.0f, -1.0f, 2.0f, 0x1p-149f, 0x1p-126f, -126.0f, -149.0f,
                        -150.0f, 127.99999f, 128.0f, std::numeric_limits<float>::infinity(),
                        -std::numeric_limits<float>::infinity(), std::nanf("")})
    values.push_back(special);
  while (values.size() % 32) values.push_back(1.0f);
  return values;
}

/// Numbers in [low, high].
std::vector<float> between(float low, float high, size_t count) {
  std::mt19937 random(21);
  std::uniform_real_distribution<float> distribution(low, high);
  std::vector<float> values(count);
  for (float& value : values) value = distribution(random);
  return values;
}

double ulp_of(double exact) {
  const int exponent = std::max(std::ilogb(exact), -126);
  return std::ldexp(1.0, exponent - 23);
}

/// Largest error in ulp of f32; wrong special values count as infinite.
void expect_ulp(const std::string& name, const std::vector<float>& x, double (*exact)(double),
                double bound) {
  for (const LaneRun& run :
       run_everywhere({name, Element::f32, {Element::f32}}, {pack(x)}, x.size())) {
    const std::vector<float> got = unpack<float>(run.result);
    double worst = 0;
    float worst_x = 0, worst_got = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double reference = exact(x[i]);
      const float rounded = static_cast<float>(reference);
      double error;
      if (std::isnan(reference))
        error = std::isnan(got[i]) ? 0 : INFINITY;
      else if (!std::isfinite(rounded) || reference == 0)
        error = got[i] == rounded ? 0 : INFINITY;
      else
        error = std::fabs(got[i] - reference) / ulp_of(reference);
      if (!(error <= worst)) {
        worst = error;
        worst_x = x[i];
        worst_got = got[i];
      }
    }
    EXPECT_LE(worst, bound) << name << " (" << run.configuration << ") at " << worst_x << " gave "
                            << worst_got << ", exact " << exact(worst_x);
    if (run.configuration == "native, 32 lanes")
      ::testing::Test::RecordProperty(name, std::to_string(worst));
  }
}

void expect_absolute(const std::string& name, const std::vector<float>& x, double (*exact)(double),
                     double bound) {
  for (const LaneRun& run :
       run_everywhere({name, Element::f32, {Element::f32}}, {pack(x)}, x.size())) {
    const std::vector<float> got = unpack<float>(run.result);
    double worst = 0;
    float worst_x = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double error = std::fabs(got[i] - exact(x[i]));
      if (!(error <= worst)) worst = error, worst_x = x[i];
    }
    EXPECT_LE(worst, bound) << name << " (" << run.configuration << ") at " << worst_x;
  }
}

}  // namespace

TEST(LaneMath, Exp2WithinTwoUlpEverywhere) {
  expect_ulp("ex2.approx.f32", all_floats(), [](double x) { return std::exp2(x); }, 2);
  expect_ulp(
      "ex2.approx.f32", between(-150, 129, 1 << 16), [](double x) { return std::exp2(x); }, 2);
}

TEST(LaneMath, Log2WithinBoundsEverywhere) {
  auto log2 = [](double x) { return std::log2(x); };
  expect_ulp("lg2.approx.f32", all_floats(), log2, 4);
  expect_absolute("lg2.approx.f32", between(0.5f, 2.0f, 1 << 16), log2, 0x1p-22);
  expect_ulp("lg2.approx.f32", between(0.999f, 1.001f, 1 << 16), log2, 4);
}

TEST(LaneMath, SineAndCosineWithinBounds) {
  auto sine = [](double x) { return std::sin(x); };
  auto cosine = [](double x) { return std::cos(x); };
  for (float range : {3.1416f, 6.2832f, 1000.0f, 100000.0f}) {
    const std::vector<float> x = between(-range, range, 1 << 16);
    expect_absolute("sin.approx.f32", x, sine, 0x1p-22);
    expect_absolute("cos.approx.f32", x, cosine, 0x1p-22);
  }
}

TEST(LaneMath, SineStaysBoundedAndMapsInfinityToNan) {
  const std::vector<float> x = all_floats();
  for (const LaneRun& run :
       run_everywhere({"sin.approx.f32", Element::f32, {Element::f32}}, {pack(x)}, x.size())) {
    const std::vector<float> got = unpack<float>(run.result);
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isfinite(x[i]))
        ASSERT_LE(std::fabs(got[i]), 1.0f) << run.configuration << " " << x[i];
      else
        ASSERT_TRUE(std::isnan(got[i])) << run.configuration << " " << x[i];
    }
  }
}

TEST(LaneMath, TanhWithinBoundEverywhere) {
  expect_ulp("tanh.approx.f32", all_floats(), [](double x) { return std::tanh(x); }, 8);
}

TEST(LaneMath, RootsAndReciprocals) {
  auto rsqrt = [](double x) { return 1 / std::sqrt(x); };
  expect_ulp("rsqrt.approx.f32", all_floats(), rsqrt, 2);
  expect_ulp("sqrt.approx.f32", all_floats(), [](double x) { return std::sqrt(x); }, 0.5);
  expect_ulp("rcp.approx.f32", all_floats(), [](double x) { return 1 / x; }, 0.5);
}

TEST(LaneMath, DoubleReciprocalRootWithinOneUlp) {
  const std::vector<double> x = interesting_f64(32 * 512, 32);
  for (const LaneRun& run :
       run_everywhere({"rsqrt.approx.f64", Element::f64, {Element::f64}}, {pack(x)}, x.size())) {
    const std::vector<double> got = unpack<double>(run.result);
    for (size_t i = 0; i < x.size(); ++i) {
      const long double exact = 1 / std::sqrt(static_cast<long double>(x[i]));
      if (std::isnan(exact) || std::isinf(exact) || exact == 0) {
        if (std::isnan(exact))
          ASSERT_TRUE(std::isnan(got[i])) << x[i];
        else
          ASSERT_EQ(got[i], static_cast<double>(exact)) << x[i];
        continue;
      }
      const long double ulp = std::ldexp(1.0L, std::ilogb(exact) - 52);
      ASSERT_LE(std::fabs(got[i] - exact) / ulp, 0.55L) << run.configuration << " " << x[i];
    }
  }
}

TEST(LaneMath, DoubleApproximationsFlush) {
  const std::vector<double> x = interesting_f64(32 * 64, 31);
  expect_lanes<double>(
      {"rcp.approx.ftz.f64", Element::f64, {Element::f64}}, {pack(x)}, x.size(), [&](size_t i) {
        const double in = std::fpclassify(x[i]) == FP_SUBNORMAL ? std::copysign(0.0, x[i]) : x[i];
        const double out = 1 / in;
        return std::fpclassify(out) == FP_SUBNORMAL ? std::copysign(0.0, out) : out;
      });
}

}  // namespace guda::target::testing
