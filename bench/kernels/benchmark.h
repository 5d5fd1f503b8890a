// One kernel and the same algorithm in plain C++, over the same input.
//
// The device half stands in a .cu file that nvcc compiles; the native half in native_*.cpp, which the
// host compiler builds with -O3 -march=native and OpenMP. Each half keeps its own memory.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace bench {

class Benchmark {
 public:
  virtual ~Benchmark() = default;
  virtual const char* name() const = 0;
  /// Allocates and fills both halves; called once, before everything else.
  virtual void prepare() = 0;
  /// Enqueues the kernel or kernels; the caller synchronises.
  virtual void device() = 0;
  virtual void native() = 0;
  /// Largest difference between the halves' results after one run of each, relative to magnitude.
  virtual double difference() = 0;
  /// What difference() may be.
  virtual double tolerance() const { return 1e-5; }
};

using BenchmarkList = std::vector<std::unique_ptr<Benchmark>>;

// One function per .cu file.
void add_streaming(BenchmarkList& list);
void add_stencils(BenchmarkList& list);
void add_arithmetic(BenchmarkList& list);
void add_tiles(BenchmarkList& list);
void add_reductions(BenchmarkList& list);
void add_rows(BenchmarkList& list);
void add_graphs(BenchmarkList& list);
void add_integers(BenchmarkList& list);

/// Reproducible input: a multiplicative congruential generator with mixed output.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}
  uint32_t bits() {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    const uint64_t x = (state_ ^ (state_ >> 31)) * 0xbf58476d1ce4e5b9ull;
    return static_cast<uint32_t>(x >> 32);
  }
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(uint64_t{bits()} * n >> 32); }
  float between(float low, float high) {
    return low + (high - low) * static_cast<float>(bits() >> 8) * 0x1p-24f;
  }

 private:
  uint64_t state_;
};

inline std::vector<float> random_floats(size_t n, uint64_t seed, float low, float high) {
  Random random(seed);
  std::vector<float> values(n);
  for (float& v : values) v = random.between(low, high);
  return values;
}

template <typename T>
double max_difference(const std::vector<T>& a, const std::vector<T>& b, double floor = 1e-3) {
  if (a.size() != b.size()) return INFINITY;
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    const double d = std::fabs(x - y) / (std::fabs(y) + floor);
    if (!(d <= worst)) worst = d;
  }
  return worst;
}

}  // namespace bench
