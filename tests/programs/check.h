// Shared by the test programs: error checks, comparisons that print what differs, device arrays.
//
// A program ends with `return check::finish("name");`, which prints "PASS name" and gives exit
// code 0, or gives 1 after the differences have been printed.
#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

namespace check {

inline int failures = 0;
constexpr int kPrintedFailures = 12;

inline void fail(const char* file, int line, const std::string& what) {
  if (++failures <= kPrintedFailures) {
    std::printf("%s:%d: %s\n", file, line, what.c_str());
    std::fflush(stdout);
  }
}

inline std::string format(const char* pattern = "", ...) {
  char text[256];
  va_list args;
  va_start(args, pattern);
  std::vsnprintf(text, sizeof(text), pattern, args);
  va_end(args);
  return text[0] ? std::string(" at ") + text : std::string();
}

// Small integers print as numbers, enumerations as their value.
template <typename T>
std::string show(const T& value) {
  std::ostringstream out;
  out.precision(17);
  if constexpr (std::is_enum_v<T>) {
    out << static_cast<long long>(value);
  } else if constexpr (std::is_arithmetic_v<T>) {
    out << +value;
  } else {
    out << value;
  }
  return out.str();
}

inline void cuda_ok(const char* file, int line, const char* text, cudaError_t code) {
  if (code != cudaSuccess) {
    std::printf("%s:%d: %s returned %d (%s)\n", file, line, text, code, cudaGetErrorString(code));
    std::exit(1);
  }
}

template <typename A, typename E>
void equal(const char* file, int line, const char* text, const A& actual, const E& expected,
           const std::string& where = {}) {
  if (!(actual == expected)) {
    fail(file, line,
         std::string(text) + where + " is " + show(actual) + ", expected " + show(expected));
  }
}

// Bit equality: tells +0 from -0, and takes any NaN for any other.
template <typename T>
void same_bits(const char* file, int line, const char* text, T actual, T expected,
               const std::string& where = {}) {
  if (std::memcmp(&actual, &expected, sizeof(T)) != 0 &&
      !(actual != actual && expected != expected)) {
    char values[128];
    std::snprintf(values, sizeof(values), " is %.17g (%a), expected %.17g (%a)",
                  static_cast<double>(actual), static_cast<double>(actual),
                  static_cast<double>(expected), static_cast<double>(expected));
    fail(file, line, text + where + values);
  }
}

// |actual - expected| / (|expected| + floor) must not exceed the tolerance; both NaN is equal.
inline void near(const char* file, int line, const char* text, double actual, double expected,
                 double tolerance, const std::string& where = {}) {
  if ((std::isnan(actual) && std::isnan(expected)) || actual == expected) return;
  if (!(std::fabs(actual - expected) <= tolerance * (std::fabs(expected) + 1e-30))) {
    fail(file, line, text + where + " is " + show(actual) + ", expected about " + show(expected));
  }
}

// Distance in units of the last place of T around the exact value.
template <typename T>
double ulp_error(T actual, long double exact) {
  const T rounded = static_cast<T>(exact);
  if (std::isnan(actual) || std::isnan(rounded)) {
    return std::isnan(actual) == std::isnan(rounded) ? 0 : INFINITY;
  }
  if (std::isinf(actual) || std::isinf(rounded)) return actual == rounded ? 0 : INFINITY;
  const T magnitude = std::fabs(rounded);
  const T unit = std::nextafter(magnitude, static_cast<T>(INFINITY)) - magnitude;
  return static_cast<double>(std::fabs(static_cast<long double>(actual) - exact) / unit);
}

// a + b rounded to odd: rounding it once more, to a narrower type, is as good as rounding once.
inline double sum_to_odd(double a, double b) {
  volatile double sum = a + b;
  if (!std::isfinite(sum)) return sum;
  volatile double back = sum - a;
  volatile double lost = (a - (sum - back)) + (b - back);
  uint64_t bits;
  const double s = sum;
  std::memcpy(&bits, &s, 8);
  if (lost == 0 || bits & 1) return s;
  return std::nextafter(s, lost > 0 ? INFINITY : -INFINITY);
}

inline int finish(const char* name) {
  if (failures) {
    std::printf("FAIL %s: %d differences\n", name, failures);
    return 1;
  }
  std::printf("PASS %s\n", name);
  return 0;
}

// Owns device memory for n values.
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t n) : size_(n) {
    cuda_ok(__FILE__, __LINE__, "cudaMalloc", cudaMalloc(&data_, n * sizeof(T)));
    cuda_ok(__FILE__, __LINE__, "cudaMemset", cudaMemset(data_, 0, n * sizeof(T)));
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) { set(values); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() { cudaFree(data_); }

  operator T*() { return data_; }
  T* get() { return data_; }
  size_t size() const { return size_; }

  void set(const std::vector<T>& values) {
    cuda_ok(__FILE__, __LINE__, "cudaMemcpy to device",
            cudaMemcpy(data_, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice));
  }
  std::vector<T> host() {
    std::vector<T> values(size_);
    cuda_ok(__FILE__, __LINE__, "cudaMemcpy to host",
            cudaMemcpy(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  T* data_ = nullptr;
  size_t size_;
};

// A small reproducible generator (an LCG with an xorshift output), the same on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2654435769u + 1) {}
  uint32_t bits() {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    uint64_t x = state_;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9ull;
    return static_cast<uint32_t>(x >> 32);
  }
  uint64_t bits64() { return (static_cast<uint64_t>(bits()) << 32) | bits(); }
  uint32_t below(uint32_t n) { return static_cast<uint32_t>((uint64_t{bits()} * n) >> 32); }
  float unit() { return static_cast<float>(bits() >> 8) * 0x1p-24f; }
  float between(float low, float high) { return low + (high - low) * unit(); }

 private:
  uint64_t state_;
};

}  // namespace check

#define CUDA_OK(call) ::check::cuda_ok(__FILE__, __LINE__, #call, (call))
// After a launch: the launch itself and the execution both succeeded.
#define KERNEL_OK()                   \
  do {                                \
    CUDA_OK(cudaGetLastError());      \
    CUDA_OK(cudaDeviceSynchronize()); \
  } while (0)
#define EXPECT(condition)                                                         \
  do {                                                                            \
    if (!(condition)) ::check::fail(__FILE__, __LINE__, "not true: " #condition); \
  } while (0)
// The optional rest is a printf pattern with arguments that says where (an index, an input).
#define EXPECT_EQ(actual, expected, ...) \
  ::check::equal(__FILE__, __LINE__, #actual, (actual), (expected), ::check::format(__VA_ARGS__))
#define EXPECT_BITS(actual, expected, ...)                              \
  ::check::same_bits(__FILE__, __LINE__, #actual, (actual), (expected), \
                     ::check::format(__VA_ARGS__))
#define EXPECT_NEAR(actual, expected, tolerance, ...)                           \
  ::check::near(__FILE__, __LINE__, #actual, (actual), (expected), (tolerance), \
                ::check::format(__VA_ARGS__))
#define EXPECT_ERROR(call, code) EXPECT_EQ(static_cast<int>(call), static_cast<int>(code))
