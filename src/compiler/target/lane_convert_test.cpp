// ptx.cvt against the PTX ISA's rules, written down once more in plain C++.
#include <cfenv>
#include <cmath>
#include <limits>

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

class Rounded {
 public:
  explicit Rounded(int control) : before_(fegetround()) { fesetround(control); }
  ~Rounded() { fesetround(before_); }

 private:
  int before_;
};

/// Saturating conversion: NaN is 0.
template <typename I, typename F>
I to_integer(F value, int control) {
  if (std::isnan(value)) return 0;
  const Rounded scope(control);
  const long double rounded = std::nearbyint(static_cast<volatile F&>(value));
  if (rounded <= static_cast<long double>(std::numeric_limits<I>::min()))
    return std::numeric_limits<I>::min();
  if (rounded >= static_cast<long double>(std::numeric_limits<I>::max()))
    return std::numeric_limits<I>::max();
  return static_cast<I>(rounded);
}

template <typename I, typename F>
void check_to_integer(const std::string& to, Element to_element, const std::string& from,
                      Element from_element, const std::vector<F>& x) {
  for (const Mode& mode : kModes) {
    const std::string name = "cvt." + std::string(mode.name) + "i." + to + "." + from;
    expect_lanes<I>({name, to_element, {from_element}}, {pack(x)}, x.size(),
                    [&](size_t i) { return to_integer<I>(x[i], mode.control); });
  }
}

template <typename F>
void check_from(const std::string& from, Element element, const std::vector<F>& x) {
  check_to_integer<int8_t>("s8", Element::i8, from, element, x);
  check_to_integer<uint8_t>("u8", Element::i8, from, element, x);
  check_to_integer<int16_t>("s16", Element::i16, from, element, x);
  check_to_integer<uint16_t>("u16", Element::i16, from, element, x);
  check_to_integer<int32_t>("s32", Element::i32, from, element, x);
  check_to_integer<uint32_t>("u32", Element::i32, from, element, x);
  check_to_integer<int64_t>("s64", Element::i64, from, element, x);
  check_to_integer<uint64_t>("u64", Element::i64, from, element, x);
}

template <typename I>
void check_to_real(const std::string& from, Element element) {
  const std::vector<I> x = interesting_integers<I>(kCount, 11);
  for (const Mode& mode : kModes) {
    const std::string rounding = mode.name;
    expect_lanes<float>({"cvt." + rounding + ".f32." + from, Element::f32, {element}}, {pack(x)},
                        kCount, [&](size_t i) {
                          const Rounded scope(mode.control);
                          volatile I value = x[i];
                          volatile float result = static_cast<float>(value);
                          return static_cast<float>(result);
                        });
    expect_lanes<double>({"cvt." + rounding + ".f64." + from, Element::f64, {element}}, {pack(x)},
                         kCount, [&](size_t i) {
                           const Rounded scope(mode.control);
                           volatile I value = x[i];
                           volatile double result = static_cast<double>(value);
                           return static_cast<double>(result);
                         });
  }
}

}  // namespace

TEST(LaneConvert, SingleToIntegerSaturates) {
  check_from<float>("f32", Element::f32, interesting_f32(kCount, 12));
}

TEST(LaneConvert, DoubleToIntegerSaturates) {
  check_from<double>("f64", Element::f64, interesting_f64(kCount, 13));
}

TEST(LaneConvert, IntegerToRealRoundsAsTold) {
  check_to_real<int32_t>("s32", Element::i32);
  check_to_real<uint32_t>("u32", Element::i32);
  check_to_real<int64_t>("s64", Element::i64);
  check_to_real<uint64_t>("u64", Element::i64);
  check_to_real<int16_t>("s16", Element::i16);
  check_to_real<uint8_t>("u8", Element::i8);
}

TEST(LaneConvert, DoubleToSingleRoundsAsTold) {
  const std::vector<double> x = interesting_f64(kCount, 14);
  for (const Mode& mode : kModes) {
    expect_lanes<float>(
        {"cvt." + std::string(mode.name) + ".f32.f64", Element::f32, {Element::f64}}, {pack(x)},
        kCount, [&](size_t i) {
          const Rounded scope(mode.control);
          volatile double value = x[i];
          volatile float result = static_cast<float>(value);
          return static_cast<float>(result);
        });
  }
}

TEST(LaneConvert, SaturationClampsToUnitInterval) {
  const std::vector<float> x = interesting_f32(kCount, 15);
  expect_lanes<float>({"cvt.sat.f32.f32", Element::f32, {Element::f32}}, {pack(x)}, kCount,
                      [&](size_t i) { return x[i] > 0 ? std::min(x[i], 1.0f) : 0.0f; });
}

TEST(LaneConvert, IntegersSaturateBetweenRanges) {
  const std::vector<int32_t> x = interesting_integers<int32_t>(kCount, 16);
  expect_lanes<uint8_t>({"cvt.sat.u8.s32", Element::i8, {Element::i32}}, {pack(x)}, kCount,
                        [&](size_t i) { return std::clamp(x[i], 0, 255); });
  expect_lanes<int16_t>({"cvt.sat.s16.s32", Element::i16, {Element::i32}}, {pack(x)}, kCount,
                        [&](size_t i) { return std::clamp(x[i], -32768, 32767); });
  expect_lanes<int32_t>({"cvt.sat.s32.u32", Element::i32, {Element::i32}}, {pack(x)}, kCount,
                        [&](size_t i) { return x[i] < 0 ? 0x7fffffff : x[i]; });
}

}  // namespace guda::target::testing
