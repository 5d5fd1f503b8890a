// Integer division without traps, byte permutation, packed dot products.
#include <array>
#include <limits>
#include <map>

#include "compiler/target/lane_test.h"

namespace guda::target::testing {
namespace {

constexpr size_t kCount = 32 * 512;

template <typename T>
void check_division(const std::string& type, Element element) {
  std::vector<T> x = interesting_integers<T>(kCount, 41);
  std::vector<T> y = interesting_integers<T>(kCount, 42);
  // Multiples and their neighbours, where an estimate is most easily off by one.
  for (size_t i = 0; i < kCount; i += 3)
    x[i] = static_cast<T>(static_cast<uint64_t>(x[i]) * static_cast<uint64_t>(y[i]) + i % 5 - 2);
  auto divide = [&](size_t i) -> T {
    if (y[i] == 0) return static_cast<T>(-1);
    if (std::is_signed_v<T> && y[i] == static_cast<T>(-1))
      return static_cast<T>(0 - static_cast<uint64_t>(x[i]));
    return static_cast<T>(x[i] / y[i]);
  };
  expect_lanes<T>({"div." + type, element, {element, element}}, {pack(x), pack(y)}, kCount, divide);
  expect_lanes<T>({"rem." + type, element, {element, element}}, {pack(x), pack(y)}, kCount,
                  [&](size_t i) -> T {
                    if (y[i] == 0) return x[i];
                    if (std::is_signed_v<T> && y[i] == static_cast<T>(-1)) return 0;
                    return static_cast<T>(x[i] % y[i]);
                  });
}

uint32_t permute(uint32_t x, uint32_t y, uint32_t selector) {
  const uint64_t pair = uint64_t{y} << 32 | x;
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    const uint32_t nibble = selector >> (4 * i) & 15;
    uint32_t byte = static_cast<uint32_t>(pair >> (8 * (nibble & 7))) & 0xff;
    if (nibble & 8) byte = byte & 0x80 ? 0xff : 0;
    result |= byte << (8 * i);
  }
  return result;
}

uint32_t mode_selector(const std::string& mode, uint32_t c) {
  // PTX ISA, table of prmt modes, bytes d.b3 ... d.b0.
  static const std::map<std::string, std::array<uint32_t, 4>> kTable = {
      {"f4e", {0x3210, 0x4321, 0x5432, 0x6543}}, {"b4e", {0x5670, 0x6701, 0x7012, 0x0123}},
      {"rc8", {0x0000, 0x1111, 0x2222, 0x3333}}, {"ecl", {0x3210, 0x3211, 0x3222, 0x3333}},
      {"ecr", {0x0000, 0x1110, 0x2210, 0x3210}}, {"rc16", {0x1010, 0x3232, 0x1010, 0x3232}}};
  return kTable.at(mode)[c & 3];
}

}  // namespace

TEST(LaneInteger, DivisionIsExactAndNeverTraps) {
  check_division<int16_t>("s16", Element::i16);
  check_division<uint16_t>("u16", Element::i16);
  check_division<int32_t>("s32", Element::i32);
  check_division<uint32_t>("u32", Element::i32);
  check_division<int64_t>("s64", Element::i64);
  check_division<uint64_t>("u64", Element::i64);
}

TEST(LaneInteger, PermuteTakesAnySelector) {
  const std::vector<uint32_t> x = interesting_integers<uint32_t>(kCount, 43);
  const std::vector<uint32_t> y = interesting_integers<uint32_t>(kCount, 44);
  std::mt19937 random(45);
  std::vector<uint32_t> c(kCount);
  for (uint32_t& selector : c) selector = random();
  expect_lanes<uint32_t>({"prmt.b32", Element::i32, {Element::i32, Element::i32, Element::i32}},
                         {pack(x), pack(y), pack(c)}, kCount,
                         [&](size_t i) { return permute(x[i], y[i], c[i]); });
  for (uint32_t selector : {0x3210u, 0x0123u, 0x5410u, 0x7632u, 0x1032u, 0x4440u, 0xba98u, 0x9180u})
    expect_lanes<uint32_t>({"prmt.b32", Element::i32, {Element::i32, Element::i32}, selector},
                           {pack(x), pack(y)}, kCount,
                           [&](size_t i) { return permute(x[i], y[i], selector); });
  for (const char* mode : {"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"})
    expect_lanes<uint32_t>(
        {std::string("prmt.b32.") + mode, Element::i32, {Element::i32, Element::i32, Element::i32}},
        {pack(x), pack(y), pack(c)}, kCount,
        [&](size_t i) { return permute(x[i], y[i], mode_selector(mode, c[i])); });
}

TEST(LaneInteger, PermuteLanesWithinEachGroup) {
  const std::vector<uint32_t> x = interesting_integers<uint32_t>(kCount, 49);
  std::mt19937 random(50);
  std::vector<uint32_t> lane(kCount);
  for (uint32_t& index : lane) index = random();
  const Operation operation{"permute.b32", Element::i32, {Element::i32, Element::i32}};
  for (const LaneRun& run : run_everywhere(operation, {pack(x), pack(lane)}, kCount)) {
    const size_t lanes = std::stoul(run.configuration.substr(run.configuration.find(", ") + 2));
    const std::vector<uint32_t> got = unpack<uint32_t>(run.result);
    for (size_t i = 0; lanes && i < kCount; ++i)
      ASSERT_EQ(got[i], x[i / lanes * lanes + lane[i] % lanes]) << run.configuration << " " << i;
  }
}

TEST(LaneInteger, FindsTheNthSetBit) {
  const std::vector<uint32_t> mask = interesting_integers<uint32_t>(kCount, 51);
  std::mt19937 random(52);
  std::vector<uint32_t> base(kCount), offset(kCount);
  for (uint32_t& value : base) value = random() % 32;
  for (uint32_t& value : offset) value = random() % 40 - 20;
  expect_lanes<uint32_t>({"fns.b32", Element::i32, {Element::i32, Element::i32, Element::i32}},
                         {pack(mask), pack(base), pack(offset)}, kCount, [&](size_t i) {
                           const int n = static_cast<int>(offset[i]);
                           int position = static_cast<int>(base[i]);
                           if (n == 0) return mask[i] >> position & 1 ? base[i] : 0xffffffffu;
                           int left = std::abs(n) - 1;
                           for (; position >= 0 && position < 32; position += n > 0 ? 1 : -1)
                             if (mask[i] >> position & 1 && left-- == 0)
                               return static_cast<uint32_t>(position);
                           return 0xffffffffu;
                         });
}

TEST(LaneInteger, PackedDotProducts) {
  const std::vector<uint32_t> x = interesting_integers<uint32_t>(kCount, 46);
  const std::vector<uint32_t> y = interesting_integers<uint32_t>(kCount, 47);
  const std::vector<uint32_t> z = interesting_integers<uint32_t>(kCount, 48);
  const std::vector<Element> arguments(3, Element::i32);
  auto byte = [](uint32_t value, int i, bool is_signed) -> uint32_t {
    const uint8_t bits = static_cast<uint8_t>(value >> (8 * i));
    return is_signed ? static_cast<uint32_t>(static_cast<int8_t>(bits)) : bits;
  };
  auto half = [](uint32_t value, int i, bool is_signed) -> uint32_t {
    const uint16_t bits = static_cast<uint16_t>(value >> (16 * i));
    return is_signed ? static_cast<uint32_t>(static_cast<int16_t>(bits)) : bits;
  };
  for (bool x_signed : {false, true}) {
    for (bool y_signed : {false, true}) {
      const std::string types =
          std::string(x_signed ? ".s32" : ".u32") + (y_signed ? ".s32" : ".u32");
      expect_lanes<uint32_t>({"dp4a" + types, Element::i32, arguments}, {pack(x), pack(y), pack(z)},
                             kCount, [&](size_t i) {
                               uint32_t sum = z[i];
                               for (int k = 0; k < 4; ++k)
                                 sum += byte(x[i], k, x_signed) * byte(y[i], k, y_signed);
                               return sum;
                             });
      for (int first : {0, 2})
        expect_lanes<uint32_t>({(first ? "dp2a.hi" : "dp2a.lo") + types, Element::i32, arguments},
                               {pack(x), pack(y), pack(z)}, kCount, [&](size_t i) {
                                 return z[i] +
                                        half(x[i], 0, x_signed) * byte(y[i], first, y_signed) +
                                        half(x[i], 1, x_signed) * byte(y[i], first + 1, y_signed);
                               });
    }
  }
}

}  // namespace guda::target::testing
