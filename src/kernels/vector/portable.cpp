// For every processor that g++ or clang compiles for: 16-byte vectors, which both break down where the
// processor has none.
#include <utility>

#include "kernels/vector/vector_kernels.h"

namespace guda::kernels {
namespace {

template <int columns>
struct Width {};

template <class R>
struct Simd;

template <class R, class Integer>
struct SmallVector {
  // Not aliases: g++ drops the attribute of a dependent type there.
  typedef R V __attribute__((vector_size(16)));
  typedef Integer I __attribute__((vector_size(16)));
  typedef R Unaligned __attribute__((vector_size(16), aligned(sizeof(R)), may_alias));
  static constexpr int lanes = 16 / sizeof(R);
  static constexpr int registers = 16;

  static V max(V a, V b) { return a > b ? a : b; }
  static V min(V a, V b) { return a < b ? a : b; }
  static int count_equal(V a, V b) {
    const I equal = a == b;
    int count = 0;
    for (int i = 0; i < lanes; ++i) count += equal[i] != 0;
    return count;
  }
  static V load(const R* p) { return *reinterpret_cast<const Unaligned*>(p); }
  static V load(const R* p, int64_t n) {
    V v{};
    for (int64_t i = 0; i < n; ++i) v[i] = p[i];
    return v;
  }
  struct Mask {
    int64_t from, to;
  };
  static V load_masked(const R* p, Mask mask) {
    V v{};
    for (int64_t i = mask.from; i < mask.to; ++i) v[i] = p[i];
    return v;
  }
  static void store_masked(R* p, V v, Mask mask) {
    for (int64_t i = mask.from; i < mask.to; ++i) p[i] = v[i];
  }
  static V select(Mask mask, V a, V b) {
    for (int64_t i = mask.from; i < mask.to; ++i) b[i] = a[i];
    return b;
  }
  static Mask range(int64_t from, int64_t to) { return {from < 0 ? 0 : from, to}; }
  template <int i>
  static V broadcast_lane(V v) {
    return v[i] - V{};
  }
  static Mask both(Mask a, Mask b) {
    return {a.from > b.from ? a.from : b.from, a.to < b.to ? a.to : b.to};
  }
  static void sum_eight(const V* v, R* sums) {
    for (int c = 0; c < 8; ++c) {
      sums[c] = v[c][0];
      for (int i = 1; i < lanes; ++i) sums[c] += v[c][i];
    }
  }
  static void sum_pairs(V v, R* sums) {
    sums[0] = v[0];
    sums[1] = v[1];
    for (int i = 2; i < lanes; ++i) sums[i % 2] += v[i];
  }
  static void store(R* p, V v) { *reinterpret_cast<Unaligned*>(p) = v; }
  static void store(R* p, V v, int64_t n) {
    for (int64_t i = 0; i < n; ++i) p[i] = v[i];
  }
};

template <>
struct Simd<float> : SmallVector<float, int32_t> {
  using Half = float __attribute__((vector_size(8), aligned(4), may_alias));
  static constexpr int32_t kAbsoluteMask = 0x7fffffff;
  static constexpr float kInfinity = __builtin_inff();
  static V swap_pairs(V v) { return __builtin_shufflevector(v, v, 1, 0, 3, 2); }
  static float sum(V v) { return (v[0] + v[1]) + (v[2] + v[3]); }
};

template <>
struct Simd<double> : SmallVector<double, int64_t> {
  static constexpr int64_t kAbsoluteMask = 0x7fffffffffffffff;
  static constexpr double kInfinity = __builtin_inf();
  static V swap_pairs(V v) { return __builtin_shufflevector(v, v, 1, 0); }
  static double sum(V v) { return v[0] + v[1]; }
};

#include "kernels/vector/vector_kernels_impl.h"
// After what it uses.
#include "kernels/vector/triangle_kernels_impl.h"

bool supported() { return true; }

}  // namespace

const VectorKernelSet kPortableVectorKernels = {
    "portable",
    supported,
    {&Kernels<float>::table, &TriangleKernels<float>::table},
    {&Kernels<double>::table, &TriangleKernels<double>::table},
    {&Kernels<std::complex<float>>::table, &TriangleKernels<std::complex<float>>::table},
    {&Kernels<std::complex<double>>::table, &TriangleKernels<std::complex<double>>::table},
    &kWideTable,
};

}  // namespace guda::kernels
