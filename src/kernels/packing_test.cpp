// Packing on every instruction set of the machine: panels as gemm_kernels.h defines them, and nothing
// written beyond, for panels that stand side by side are packed by different threads.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "blas/cpu_features.h"
#include "kernels/gemm_kernels.h"

namespace guda::kernels {
namespace {

/// `group` steps of k and `corrections` further rows as the tiles of that packing have them.
template <class From, class To>
void expect_exact(const Packing<From, To>& packing, int64_t panel, int group = 1,
                  int corrections = 0) {
  constexpr int64_t kGuard = 64;
  for (int64_t width = 1; width <= panel; ++width) {
    for (const int64_t k : {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 64}) {
      const int64_t ld = std::max(width, k) + 3;
      std::vector<From> x(static_cast<size_t>(ld * std::max(width, k)));
      for (size_t i = 0; i < x.size(); ++i) {
        std::memset(static_cast<void*>(&x[i]), static_cast<int>(i % 61 + 1), sizeof(From));
      }
      const int64_t size = panel * ((k + group - 1) / group + corrections);
      for (const bool transpose : {false, true}) {
        std::vector<To> out(static_cast<size_t>(size + kGuard));
        std::memset(static_cast<void*>(out.data()), 0x5a, out.size() * sizeof(To));
        (transpose ? packing.transpose : packing.copy)(width, k, x.data(), ld, out.data(), panel);
        const auto* bytes = reinterpret_cast<const unsigned char*>(out.data() + size);
        for (size_t i = 0; i < kGuard * sizeof(To); ++i) {
          ASSERT_EQ(bytes[i], 0x5a) << "byte " << i << " beyond; width " << width << ", k " << k
                                    << (transpose ? ", transposed" : "");
        }
        if constexpr (std::is_same_v<From, To>) {
          for (int64_t p = 0; p < k; ++p) {
            for (int64_t i = 0; i < panel; ++i) {
              const From expected =
                  i >= width ? From(0)
                             : x[static_cast<size_t>(transpose ? i * ld + p : i + p * ld)];
              ASSERT_EQ(
                  std::memcmp(&out[static_cast<size_t>(p * panel + i)], &expected, sizeof(To)), 0)
                  << i << ", " << p << " of width " << width << ", k " << k;
            }
          }
        }
      }
    }
  }
}

template <class T>
void expect_exact(const GemmKernels<T>& set) {
  expect_exact(set.packing, set.columns);
  expect_exact(set.packing, set.lanes * set.vectors);
}

using blas::cpu_features;
using blas::InstructionSet;

TEST(PackingTest, Portable) {
  expect_exact(portable::gemm_f32);
  expect_exact(portable::gemm_f64);
  expect_exact(portable::gemm_c32);
  expect_exact(portable::gemm_c64);
  expect_exact(portable::widen_bf16, 12);
  expect_exact(portable::widen_f16, 12);
}

TEST(PackingTest, Avx2) {
  if (cpu_features().level < InstructionSet::avx2) GTEST_SKIP() << "no AVX2";
  expect_exact(avx2::gemm_f32);
  expect_exact(avx2::gemm_f64);
  expect_exact(avx2::gemm_c32);
  expect_exact(avx2::gemm_c64);
  expect_exact(avx2::pairs8_signed, avx2::gemm_pairs8.columns, 2);
  expect_exact(avx2::pairs8_unsigned, 16, 2);
  for (const int64_t panel : {6, 16}) {
    expect_exact(avx2::widen_bf16, panel);
    expect_exact(avx2::widen_f16, panel);
    expect_exact(avx2::widen_e4m3, panel);
    expect_exact(avx2::widen_e5m2, panel);
  }
}

TEST(PackingTest, Avx512) {
  if (cpu_features().level < InstructionSet::avx512) GTEST_SKIP() << "no AVX-512";
  expect_exact(avx512::gemm_f32);
  expect_exact(avx512::gemm_f64);
  expect_exact(avx512::gemm_c32);
  expect_exact(avx512::gemm_c64);
  for (const int64_t panel : {8, 48}) {
    expect_exact(avx512::widen_bf16, panel);
    expect_exact(avx512::widen_f16, panel);
    expect_exact(avx512::bf16_pairs, panel, 2);
    expect_exact(avx512::widen_e4m3, panel);
    expect_exact(avx512::widen_e5m2, panel);
    expect_exact(avx512::e4m3_pairs, panel, 2);
    expect_exact(avx512::e5m2_pairs, panel, 2);
    expect_exact(avx512::dot8_unsigned_a, panel, 4);
    expect_exact(avx512::dot8_signed_a, panel, 4);
    expect_exact(avx512::dot8_b, panel, 4, 1);
    expect_exact(avx512::dot8_corrected_b, panel, 4, 1);
  }
}

}  // namespace
}  // namespace guda::kernels
