// f16 and bf16: one rounding, to nearest even, whatever the machine has.
#include <llvm/IR/Intrinsics.h>

#include <bit>
#include <cmath>

#include "compiler/target/lane_builder.h"
#include "compiler/target/lane_test.h"

namespace guda::target::testing {
namespace {

constexpr size_t kCount = 32 * 1024;

/// A 16-bit format by its significand and exponent range.
struct Small {
  int precision;  // with the hidden bit
  int minimum_exponent;
  int maximum_exponent;
  int mantissa_bits() const { return precision - 1; }
};
constexpr Small kHalf = {11, -14, 15};
constexpr Small kBfloat = {8, -126, 127};

double decode(Small format, uint16_t bits) {
  const int sign = bits >> 15 ? -1 : 1;
  const int exponent = (bits & 0x7fff) >> format.mantissa_bits();
  const int mantissa = bits & ((1 << format.mantissa_bits()) - 1);
  if (exponent == format.maximum_exponent * 2 + 1) return mantissa ? std::nan("") : sign * INFINITY;
  if (exponent == 0)
    return sign * std::ldexp(mantissa, format.minimum_exponent - format.mantissa_bits());
  return sign * std::ldexp(mantissa + (1 << format.mantissa_bits()),
                           exponent - format.maximum_exponent - format.mantissa_bits());
}

/// Nearest even of an exact value (given as the sum of two long doubles, the second tiny).
uint16_t encode(Small format, long double value, long double rest = 0) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const uint16_t infinity =
      static_cast<uint16_t>((format.maximum_exponent * 2 + 1) << format.mantissa_bits());
  if (std::isnan(value)) return 0x7fff;
  if (value == 0) return sign;
  long double magnitude = std::fabs(value);
  const long double rest_magnitude = sign ? -rest : rest;
  if (std::isinf(value)) return sign | infinity;
  const int exponent = std::max(std::ilogb(magnitude), format.minimum_exponent);
  const long double unit = std::ldexp(1.0L, exponent - format.mantissa_bits());
  long double count = std::floor(magnitude / unit);
  const long double left = magnitude - count * unit;
  const long double half = unit / 2;
  bool up = left > half || (left == half && rest_magnitude > 0);
  if (left == half && rest_magnitude == 0) up = std::fmod(count, 2) != 0;
  if (left == 0 && rest_magnitude < 0) up = false;  // just below: rounds back to it
  if (up) count += 1;
  const long double rounded = count * unit;
  if (std::ilogb(rounded) > format.maximum_exponent && rounded != 0) return sign | infinity;
  if (rounded == 0) return sign;
  const int rounded_exponent = std::max(std::ilogb(rounded), format.minimum_exponent);
  const uint64_t mantissa =
      static_cast<uint64_t>(rounded / std::ldexp(1.0L, rounded_exponent - format.mantissa_bits()));
  if (!(mantissa >> format.mantissa_bits())) return sign | static_cast<uint16_t>(mantissa);
  return static_cast<uint16_t>(
      sign | (rounded_exponent + format.maximum_exponent) << format.mantissa_bits() |
      (mantissa & ((1 << format.mantissa_bits()) - 1)));
}

bool is_nan(Small format, uint16_t bits) { return std::isnan(decode(format, bits)); }

void expect_small(const std::string& name, Small format, const Operation& operation,
                  const std::vector<Bytes>& inputs,
                  const std::function<uint16_t(size_t)>& expected) {
  for (const LaneRun& run : run_everywhere(operation, inputs, kCount)) {
    const std::vector<uint16_t> got = unpack<uint16_t>(run.result);
    for (size_t i = 0; i < kCount; ++i) {
      const uint16_t want = expected(i);
      if (got[i] == want || (is_nan(format, got[i]) && is_nan(format, want))) continue;
      std::string text;
      for (const Bytes& input : inputs) {
        const size_t size = input.size() / kCount;
        uint64_t bits = 0;
        std::memcpy(&bits, input.data() + i * size, size);
        text += " " + std::to_string(bits);
      }
      ADD_FAILURE() << name << " (" << run.configuration << ") lane " << i << text << " gave "
                    << got[i] << ", expected " << want;
      break;
    }
  }
}

std::vector<uint16_t> bit_patterns(uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<uint16_t> values(kCount);
  for (uint16_t& value : values) value = static_cast<uint16_t>(random());
  return values;
}

void check_arithmetic(const std::string& type, Small format, Element element) {
  const std::vector<uint16_t> x = bit_patterns(51), y = bit_patterns(52), z = bit_patterns(53);
  auto value = [&](const std::vector<uint16_t>& v, size_t i) -> long double {
    return decode(format, v[i]);
  };
  auto binary = [&](const std::string& name, llvm::Instruction::BinaryOps opcode, auto exact) {
    Operation operation{name, element, {element, element}};
    operation.build = [opcode](LaneBuilder& b, std::vector<llvm::Value*> v) {
      return b.CreateBinOp(opcode, v[0], v[1]);
    };
    expect_small(name + "." + type, format, operation, {pack(x), pack(y)},
                 [&](size_t i) { return encode(format, exact(value(x, i), value(y, i))); });
  };
  using L = long double;
  binary("add", llvm::Instruction::FAdd, [](L a, L b) { return a + b; });
  binary("mul", llvm::Instruction::FMul, [](L a, L b) { return a * b; });
  binary("div", llvm::Instruction::FDiv, [](L a, L b) { return a / b; });

  Operation fma{"fma", element, {element, element, element}};
  fma.build = [](LaneBuilder& b, std::vector<llvm::Value*> v) { return b.fma(v[0], v[1], v[2]); };
  expect_small("fma." + type, format, fma, {pack(x), pack(y), pack(z)}, [&](size_t i) {
    const L product = value(x, i) * value(y, i);  // exact in 64 bits
    const L addend = value(z, i);
    const L sum = product + addend;
    if (!std::isfinite(sum)) return encode(format, sum);
    const L part = sum - product;
    const L rest = (product - (sum - part)) + (addend - part);
    return encode(format, sum, rest);
  });
}

void check_narrowing(const std::string& type, Small format, Element element) {
  const std::vector<double> x = interesting_f64(kCount, 54);
  Operation operation{"fptrunc", element, {Element::f64}};
  operation.build = [element](LaneBuilder& b, std::vector<llvm::Value*> v) {
    return b.CreateFPTrunc(v[0],
                           b.shaped(element == Element::f16 ? b.getHalfTy() : b.getBFloatTy()));
  };
  expect_small("fptrunc." + type + ".f64", format, operation, {pack(x)},
               [&](size_t i) { return encode(format, x[i]); });
  const std::vector<float> y = interesting_f32(kCount, 55);
  expect_small("cvt.rn." + type + ".f32", format,
               {"cvt.rn." + type + ".f32", Element::i16, {Element::f32}}, {pack(y)},
               [&](size_t i) { return encode(format, y[i]); });
  expect_small("cvt.rn." + type + ".f64", format,
               {"cvt.rn." + type + ".f64", Element::i16, {Element::f64}}, {pack(x)},
               [&](size_t i) { return encode(format, x[i]); });
  const std::vector<int64_t> n = interesting_integers<int64_t>(kCount, 56);
  expect_small("cvt.rn." + type + ".s64", format,
               {"cvt.rn." + type + ".s64", Element::i16, {Element::i64}}, {pack(n)},
               [&](size_t i) { return encode(format, n[i]); });
}

}  // namespace

TEST(LaneSmallFloats, HalfArithmeticRoundsOnce) { check_arithmetic("f16", kHalf, Element::f16); }

TEST(LaneSmallFloats, BfloatArithmeticRoundsOnceAndKeepsSubnormals) {
  check_arithmetic("bf16", kBfloat, Element::bf16);
}

TEST(LaneSmallFloats, NarrowingRoundsOnce) {
  check_narrowing("f16", kHalf, Element::f16);
  check_narrowing("bf16", kBfloat, Element::bf16);
}

TEST(LaneSmallFloats, WideningIsExact) {
  const std::vector<uint16_t> x = bit_patterns(57);
  for (const auto& [type, format] : {std::pair{"f16", kHalf}, std::pair{"bf16", kBfloat}}) {
    expect_lanes<float>({std::string("cvt.f32.") + type, Element::f32, {Element::i16}}, {pack(x)},
                        kCount, [&](size_t i) { return static_cast<float>(decode(format, x[i])); });
  }
}

}  // namespace guda::target::testing
