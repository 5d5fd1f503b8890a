// Runs lane operations as the compiled kernels do: expanded, generated, linked and opened with
// dlopen, for every CPU that this machine can execute and several numbers of lanes.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace llvm {
class Value;
class Type;
}  // namespace llvm

namespace guda::target {
class LaneBuilder;
}

namespace guda::target::testing {

enum class Element : uint8_t { i8, i16, i32, i64, f32, f64, f16, bf16 };

size_t element_bytes(Element element);

/// One operation: `ptx.<name>(arguments)`, or whatever `build` emits.
struct Operation {
  std::string name;
  Element result;
  std::vector<Element> arguments;
  /// Constant last argument (prmt selectors): replaces the value that would be loaded.
  std::optional<uint32_t> last_constant = std::nullopt;
  /// Emits instructions instead of a ptx call.
  std::function<llvm::Value*(LaneBuilder&, std::vector<llvm::Value*>)> build = nullptr;
};

/// Raw values, element after element.
using Bytes = std::vector<std::byte>;

template <typename T>
Bytes pack(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <typename T>
std::vector<T> unpack(const Bytes& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// Result of one configuration.
struct LaneRun {
  std::string configuration;  // "native, 16 lanes"
  Bytes result;
};

/// Executes the operation on `count` lanes' worth of input (a multiple of 32) in every configuration.
std::vector<LaneRun> run_everywhere(const Operation& operation, const std::vector<Bytes>& inputs,
                                    size_t count);

/// run_everywhere, and every lane equal to `expected(i)` bit by bit (NaN equals NaN).
template <typename R>
void expect_lanes(const Operation& operation, const std::vector<Bytes>& inputs, size_t count,
                  const std::function<R(size_t)>& expected) {
  std::vector<R> reference(count);
  for (size_t i = 0; i < count; ++i) reference[i] = expected(i);
  for (const LaneRun& run : run_everywhere(operation, inputs, count)) {
    const std::vector<R> got = unpack<R>(run.result);
    ASSERT_EQ(got.size(), count);
    for (size_t i = 0; i < count; ++i) {
      if (std::memcmp(&got[i], &reference[i], sizeof(R)) == 0) continue;
      if constexpr (std::is_floating_point_v<R>)
        if (got[i] != got[i] && reference[i] != reference[i]) continue;
      std::string text;
      for (size_t a = 0; a < inputs.size(); ++a) {
        const size_t size = inputs[a].size() / count;
        uint64_t bits = 0;
        std::memcpy(&bits, inputs[a].data() + i * size, size);
        char hex[32];
        std::snprintf(hex, sizeof hex, " 0x%llx", static_cast<unsigned long long>(bits));
        text += hex;
      }
      ADD_FAILURE() << operation.name << " (" << run.configuration << ") lane " << i << ":" << text
                    << " gave " << +got[i] << ", expected " << +reference[i];
      break;
    }
  }
}

/// Values of interest (zeros, ones, subnormals, extremes, infinities, NaN, halves) and random bit
/// patterns; the length is a multiple of 32.
std::vector<float> interesting_f32(size_t count, uint64_t seed);
std::vector<double> interesting_f64(size_t count, uint64_t seed);
template <typename T>
std::vector<T> interesting_integers(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  const uint64_t corners[] = {0,
                              1,
                              2,
                              3,
                              7,
                              10,
                              uint64_t(-1),
                              uint64_t(-2),
                              uint64_t{1} << (sizeof(T) * 8 - 1),
                              (uint64_t{1} << (sizeof(T) * 8 - 1)) - 1};
  std::vector<T> values(count);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t bits = random();
    // Of every size, for quotients that are not all 0 or 1.
    const uint64_t scaled = bits >> (random() % (sizeof(T) * 8));
    values[i] = static_cast<T>(random() % 4 == 0 ? corners[random() % std::size(corners)]
                                                 : (sizeof(T) == 8 ? scaled : scaled >> 0));
  }
  return values;
}

}  // namespace guda::target::testing
