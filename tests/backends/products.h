// Matrix products with known results, for the conformance suite.
#pragma once

#include "backends/device.h"

#include <fmt/format.h>

#include <cmath>
#include <complex>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace guda::backend::conformance {

struct Bfloat16 {
  uint16_t bits = 0;
  Bfloat16() = default;
  explicit Bfloat16(double value) {
    auto single = static_cast<float>(value);
    uint32_t wide = 0;
    std::memcpy(&wide, &single, 4);
    bits = static_cast<uint16_t>((wide + 0x7fff + (wide >> 16 & 1)) >> 16);
  }
  explicit operator double() const {
    uint32_t wide = uint32_t{bits} << 16;
    float single = 0;
    std::memcpy(&single, &wide, 4);
    return static_cast<double>(single);
  }
};

/// Operands are small whole numbers, so that sums are exact in every type and only storing them rounds.
template <typename In, typename Out, typename Sum>
class Product {
 public:
  struct Sizes {
    int64_t m, n, k;
  };

  Product(Transpose ta, Transpose tb, Sizes sizes, bool reads_c)
      : ta_(ta), tb_(tb), sizes_(sizes), reads_c_(reads_c) {
    const auto [m, n, k] = sizes;
    const bool plain_a = ta == Transpose::none, plain_b = tb == Transpose::none;
    lda_ = (plain_a ? m : k) + 3;
    ldb_ = (plain_b ? k : n) + 1;
    ldc_ = m + 2;
    fill(a, lda_ * (plain_a ? k : m) + 1, 1);
    fill(b, ldb_ * (plain_b ? n : k) + 1, 5);
    fill(c, ldc_ * n, 9);
    alpha_ = narrow<Sum>({2, 1});
    if (reads_c) {
      beta_ = narrow<Sum>({-1, 3});
    } else if constexpr (!std::is_integral_v<Out>) {
      // What is in C must not matter.
      for (int64_t j = 0; j < n; ++j)
        for (int64_t i = 0; i < m; ++i)
          c[static_cast<size_t>(i + j * ldc_)] =
              narrow<Out>({std::numeric_limits<double>::quiet_NaN(), 0});
    }
  }

  GemmProblem problem(ElementType type, const void* at_a, const void* at_b, void* at_c) const {
    GemmProblem p;
    p.input = p.output = type;
    p.sums_out = !std::is_same_v<In, Out>;
    if (p.sums_out && std::is_same_v<Out, float>) p.output = ElementType::f32;
    p.transpose_a = ta_;
    p.transpose_b = tb_;
    p.m = sizes_.m;
    p.n = sizes_.n;
    p.k = sizes_.k;
    p.alpha = &alpha_;
    p.beta = &beta_;
    p.a = at_a;
    p.b = at_b;
    p.c = at_c;
    p.lda = lda_;
    p.ldb = ldb_;
    p.ldc = ldc_;
    return p;
  }

  /// What is wrong with the result; empty: nothing.
  std::string wrong(const Out* result) const {
    constexpr double kTolerance = sizeof(Out) > 2                 ? 0
                                  : std::is_same_v<Out, Bfloat16> ? 0.008
                                                                  : 1e-3;
    for (int64_t j = 0; j < sizes_.n; ++j) {
      for (int64_t i = 0; i < ldc_; ++i) {
        const auto at = static_cast<size_t>(i + j * ldc_);
        Wide expected = wide(c[at]);
        if (i < sizes_.m)
          expected = wide(alpha_) * sum(i, j) + (reads_c_ ? wide(beta_) * expected : 0);
        // A NaN fails, too.
        if (!(std::abs(wide(result[at]) - expected) <= kTolerance * std::abs(expected)))
          return fmt::format("({}, {}) of {} x {} x {}, transposes {} {}{}: {} for {}", i, j,
                             sizes_.m, sizes_.n, sizes_.k, static_cast<int>(ta_),
                             static_cast<int>(tb_), reads_c_ ? "" : ", C overwritten",
                             wide(result[at]).real(), expected.real());
      }
    }
    return {};
  }

  std::vector<In> a, b;
  std::vector<Out> c;

 private:
  using Wide = std::complex<double>;

  template <typename T>
  static Wide wide(T value) {
    if constexpr (requires { value.real(); })
      return {static_cast<double>(value.real()), static_cast<double>(value.imag())};
    else
      return {static_cast<double>(value), 0};
  }
  template <typename T>
  static T narrow(Wide value) {
    if constexpr (requires(T t) { t.real(); })
      return T(static_cast<typename T::value_type>(value.real()),
               static_cast<typename T::value_type>(value.imag()));
    else
      return static_cast<T>(value.real());
  }
  template <typename T>
  static void fill(std::vector<T>& matrix, int64_t size, int64_t seed) {
    matrix.resize(static_cast<size_t>(size));
    for (int64_t i = 0; i < size; ++i)
      matrix[static_cast<size_t>(i)] = narrow<T>({static_cast<double>((i + seed) * 37 % 17 - 8),
                                                  static_cast<double>((i + seed) * 11 % 7 - 3)});
  }
  Wide sum(int64_t i, int64_t j) const {
    Wide result = 0;
    for (int64_t l = 0; l < sizes_.k; ++l) {
      const bool plain_a = ta_ == Transpose::none, plain_b = tb_ == Transpose::none;
      Wide x = wide(a[static_cast<size_t>(plain_a ? i + l * lda_ : l + i * lda_)]);
      Wide y = wide(b[static_cast<size_t>(plain_b ? l + j * ldb_ : j + l * ldb_)]);
      if (ta_ == Transpose::conjugate) x = std::conj(x);
      if (tb_ == Transpose::conjugate) y = std::conj(y);
      result += x * y;
    }
    return result;
  }

  Transpose ta_, tb_;
  Sizes sizes_;
  bool reads_c_;
  int64_t lda_ = 0, ldb_ = 0, ldc_ = 0;
  Sum alpha_{}, beta_{};
};

}  // namespace guda::backend::conformance
