// Directed rounding against the host's own, under fesetround.
#include <cfenv>
#include <cmath>

#include "compiler/target/lane_test.h"

namespace guda::target::testing {
namespace {

constexpr size_t kCount = 32 * 256;

struct Mode {
  const char* name;
  int control;
};
constexpr Mode kModes[] = {
    {"rn", FE_TONEAREST}, {"rm", FE_DOWNWARD}, {"rp", FE_UPWARD}, {"rz", FE_TOWARDZERO}};

template <typename T, typename F>
T under(int control, F compute) {
  const int before = fegetround();
  fesetround(control);
  volatile T result = compute();
  fesetround(before);
  return result;
}

template <typename T>
void check_all(Element element, const std::string& type, const std::vector<T>& x,
               const std::vector<T>& y, const std::vector<T>& z) {
  for (const Mode& mode : kModes) {
    const std::string suffix = "." + std::string(mode.name) + "." + type;
    auto binary = [&](const std::string& name, auto operation) {
      expect_lanes<T>({name + suffix, element, {element, element}}, {pack(x), pack(y)}, kCount,
                      [&](size_t i) {
                        volatile T a = x[i], b = y[i];
                        return under<T>(mode.control, [&] { return T(operation(a, b)); });
                      });
    };
    binary("add", [](T a, T b) { return a + b; });
    binary("sub", [](T a, T b) { return a - b; });
    binary("mul", [](T a, T b) { return a * b; });
    binary("div", [](T a, T b) { return a / b; });
    expect_lanes<T>({"fma" + suffix, element, {element, element, element}},
                    {pack(x), pack(y), pack(z)}, kCount, [&](size_t i) {
                      volatile T a = x[i], b = y[i], c = z[i];
                      return under<T>(mode.control, [&] { return T(std::fma(a, b, c)); });
                    });
    expect_lanes<T>({"sqrt" + suffix, element, {element}}, {pack(x)}, kCount, [&](size_t i) {
      volatile T a = x[i];
      return under<T>(mode.control, [&] { return T(std::sqrt(a)); });
    });
    expect_lanes<T>({"rcp" + suffix, element, {element}}, {pack(x)}, kCount, [&](size_t i) {
      volatile T a = x[i];
      volatile T one = 1;
      return under<T>(mode.control, [&] { return T(one / a); });
    });
  }
}

}  // namespace

TEST(LaneRounding, SingleArithmeticRoundsAsTold) {
  check_all<float>(Element::f32, "f32", interesting_f32(kCount, 1), interesting_f32(kCount, 2),
                   interesting_f32(kCount, 3));
}

TEST(LaneRounding, DoubleArithmeticRoundsAsTold) {
  check_all<double>(Element::f64, "f64", interesting_f64(kCount, 4), interesting_f64(kCount, 5),
                    interesting_f64(kCount, 6));
}

TEST(LaneRounding, FlushKeepsSignsAndNormalNumbers) {
  const std::vector<float> x = interesting_f32(kCount, 7);
  expect_lanes<float>({"ftz.f32", Element::f32, {Element::f32}}, {pack(x)}, kCount, [&](size_t i) {
    return std::fpclassify(x[i]) == FP_SUBNORMAL ? std::copysign(0.0f, x[i]) : x[i];
  });
}

}  // namespace guda::target::testing
