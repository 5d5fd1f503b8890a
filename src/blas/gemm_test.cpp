// Products against sums in a wider type, over shapes around every tile and block boundary; operands
// stand against guard pages, so that any access outside ends the test.
#include "blas/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "blas/guarded_memory.h"

namespace guda::blas {
namespace {

template <class T>
struct Wide {
  using type = double;
};
template <>
struct Wide<double> {
  using type = long double;
};
template <>
struct Wide<std::complex<float>> {
  using type = std::complex<double>;
};
template <>
struct Wide<std::complex<double>> {
  using type = std::complex<long double>;
};
template <class T>
using wide_t = typename Wide<T>::type;

template <class T>
T random_value(std::mt19937& random) {
  const auto part = [&] { return std::uniform_real_distribution<double>(-1, 1)(random); };
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(part());
  } else {
    using R = typename T::value_type;
    return T(static_cast<R>(part()), static_cast<R>(part()));
  }
}

template <class T>
wide_t<T> element(Transpose op, const T* x, int64_t ld, int64_t row, int64_t column) {
  if (op == Transpose::no) return wide_t<T>(x[row + column * ld]);
  const auto value = wide_t<T>(x[column + row * ld]);
  if constexpr (!std::is_floating_point_v<T>) {
    if (op == Transpose::conjugate) return std::conj(value);
  }
  return value;
}

// Without the tests for NaN that the language's complex product makes.
template <class W>
W product(W x, W y) {
  if constexpr (std::is_floating_point_v<W>) {
    return x * y;
  } else {
    return W(x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real());
  }
}

template <class T>
struct Case {
  Transpose a, b;
  int64_t m, n, k;
  int64_t pad_a = 0, pad_b = 0, pad_c = 0;
  T alpha = T(1);
  T beta = T(0);
  bool at_end = true;
};

template <class T>
void check(const Case<T>& test, std::mt19937& random) {
  const int64_t rows_a = test.a == Transpose::no ? test.m : test.k;
  const int64_t columns_a = test.a == Transpose::no ? test.k : test.m;
  const int64_t rows_b = test.b == Transpose::no ? test.k : test.n;
  const int64_t columns_b = test.b == Transpose::no ? test.n : test.k;
  const int64_t lda = rows_a + test.pad_a;
  const int64_t ldb = rows_b + test.pad_b;
  const int64_t ldc = test.m + test.pad_c;
  const auto size = [](int64_t rows, int64_t columns, int64_t ld) {
    return static_cast<size_t>(columns == 0 ? 0 : (columns - 1) * ld + rows);
  };
  Guarded<T> a(size(rows_a, columns_a, lda), test.at_end);
  Guarded<T> b(size(rows_b, columns_b, ldb), test.at_end);
  Guarded<T> c(size(test.m, test.n, ldc), test.at_end);
  for (size_t i = 0; i < a.size(); ++i) a.data()[i] = random_value<T>(random);
  for (size_t i = 0; i < b.size(); ++i) b.data()[i] = random_value<T>(random);
  std::vector<T> before(c.size());
  for (size_t i = 0; i < c.size(); ++i) before[i] = c.data()[i] = random_value<T>(random);
  if (test.beta == T(0)) {  // must not be read
    const auto nan = std::numeric_limits<decltype(std::abs(T()))>::quiet_NaN();
    for (int64_t j = 0; j < test.n; ++j) {
      for (int64_t i = 0; i < test.m; ++i) c.data()[i + j * ldc] = T(nan);
    }
  }
  set_thread_limit(1);
  std::vector<T> input(c.data(), c.data() + c.size());
  gemm<T>(test.a, test.b, test.m, test.n, test.k, test.alpha, a.data(), lda, b.data(), ldb,
          test.beta, c.data(), ldc);
  std::vector<T> one_thread(c.data(), c.data() + c.size());

  const double epsilon = std::numeric_limits<decltype(std::abs(T()))>::epsilon();
  for (int64_t j = 0; j < test.n; ++j) {
    for (int64_t i = 0; i < ldc && (j < test.n - 1 || i < test.m); ++i) {
      const T actual = c.data()[i + j * ldc];
      const T old = before[static_cast<size_t>(i + j * ldc)];
      if (i >= test.m) {
        ASSERT_EQ(actual, old) << "written between columns at " << i << ", " << j;
        continue;
      }
      wide_t<T> sum{};
      double magnitude = 0;
      for (int64_t p = 0; p < test.k; ++p) {
        const auto term =
            product(element(test.a, a.data(), lda, i, p), element(test.b, b.data(), ldb, p, j));
        sum += term;
        // |re| + |im|: no square root
        magnitude += static_cast<double>(std::abs(std::real(term)) + std::abs(std::imag(term)));
      }
      sum *= wide_t<T>(test.alpha);
      magnitude *= static_cast<double>(std::abs(test.alpha));
      if (test.beta != T(0)) {
        sum += wide_t<T>(test.beta) * wide_t<T>(old);
        magnitude += static_cast<double>(std::abs(test.beta) * std::abs(old));
      }
      const double error = static_cast<double>(std::abs(wide_t<T>(actual) - sum));
      const double bound =
          epsilon * (static_cast<double>(std::min<int64_t>(test.k, 64)) + 8) * magnitude;
      ASSERT_LE(error, bound) << "at " << i << ", " << j << " of " << test.m << " x " << test.n
                              << " x " << test.k << " ops " << static_cast<int>(test.a)
                              << static_cast<int>(test.b);
    }
  }
  if (gemm_threads() != 0 && test.m * test.n * test.k >= 64 * 64 * 64) {
    set_thread_limit(0);
    std::memcpy(static_cast<void*>(c.data()), input.data(), input.size() * sizeof(T));
    gemm<T>(test.a, test.b, test.m, test.n, test.k, test.alpha, a.data(), lda, b.data(), ldb,
            test.beta, c.data(), ldc);
    for (size_t i = 0; i < c.size(); ++i) {
      ASSERT_EQ(std::memcmp(&c.data()[i], &one_thread[i], sizeof(T)), 0)
          << "threads show in the result: " << c.data()[i] << " not " << one_thread[i] << " at "
          << i << " of " << test.m << " x " << test.n << " x " << test.k << " ops "
          << static_cast<int>(test.a) << static_cast<int>(test.b);
    }
  }
}

template <class T>
class GemmTest : public testing::Test {};
using Types = testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(GemmTest, Types);

constexpr Transpose kOps[] = {Transpose::no, Transpose::yes, Transpose::conjugate};

TYPED_TEST(GemmTest, EveryShapeAroundTheTiles) {
  using T = TypeParam;
  std::mt19937 random(1);
  const int64_t step = std::is_floating_point_v<T> ? 1 : 2;  // the reference takes its time
  for (int64_t m = 1; m <= 70; m += m < 36 ? step : 7) {
    for (int64_t n = 1; n <= 30; n += n < 16 ? step : 3) {
      for (const int64_t k : {1, 2, 7, 16}) {
        Case<T> test{kOps[random() % 3], kOps[random() % 3], m, n, k};
        test.pad_a = random() % 3;
        test.pad_b = random() % 3;
        test.pad_c = random() % 3;
        test.at_end = random() % 2 == 0;
        if (random() % 2 == 0) test.alpha = random_value<T>(random);
        if (random() % 2 == 0) test.beta = random_value<T>(random);
        check(test, random);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(GemmTest, BlockBoundaries) {
  using T = TypeParam;
  std::mt19937 random(2);
  struct {
    int64_t m, n, k;
  } const shapes[] = {{130, 131, 129}, {97, 20, 900},  {400, 30, 350}, {33, 200, 401},
                      {1, 300, 300},   {300, 1, 300},  {2, 2, 4100},   {8, 8, 2050},
                      {600, 30, 70},   {512, 16, 512}, {70, 70, 0},    {24, 500, 33}};
  for (const auto& shape : shapes) {
    for (const Transpose a : {Transpose::no, Transpose::conjugate}) {
      for (const Transpose b : {Transpose::no, Transpose::yes}) {
        if (!std::is_floating_point_v<T> && random() % 2 == 0) continue;
        Case<T> test{a, b, shape.m, shape.n, shape.k};
        test.alpha = random_value<T>(random);
        if (random() % 2 == 0) test.beta = random_value<T>(random);
        check(test, random);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(GemmTest, TallAndWide) {
  using T = TypeParam;
  std::mt19937 random(6);
  check(Case<T>{Transpose::no, Transpose::no, 1024, 16, 512}, random);
  for (const int64_t pad : {0, 3}) {
    Case<T> tall{Transpose::no, Transpose::no, 2048 - pad, 9, 130};
    tall.pad_a = pad;
    check(tall, random);
    Case<T> wide{Transpose::no, Transpose::no, 9, 600, 2048 - pad};
    wide.pad_b = pad;
    wide.n = 30;
    check(wide, random);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(GemmTest, LeadingDimensionsThatArePowersOfTwo) {
  using T = TypeParam;
  std::mt19937 random(3);
  for (const Transpose a : kOps) {
    for (const Transpose b : kOps) {
      Case<T> test{a, b, 100, 90, 80};
      test.pad_a = 1024 - (a == Transpose::no ? test.m : test.k);
      test.pad_b = 1024 - (b == Transpose::no ? test.k : test.n);
      test.pad_c = 1024 - test.m;
      check(test, random);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(GemmTest, ShortRowsAndLongSums) {
  using T = TypeParam;
  std::mt19937 random(4);
  for (int64_t m = 1; m <= 9; ++m) {
    for (const int64_t n : {1, 2, 3, 5, 8, 9, 17}) {
      for (const int64_t k : {64, 77, 300, 517}) {
        Case<T> test{kOps[random() % 3], kOps[random() % 3], m, n, k};
        test.pad_a = random() % 2;
        test.pad_b = random() % 2;
        test.at_end = random() % 2 == 0;
        test.alpha = random_value<T>(random);
        if (random() % 2 == 0) test.beta = random_value<T>(random);
        check(test, random);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(GemmTest, ThreadsDoNotShowInTheResult) {
  using T = TypeParam;
  std::mt19937 random(7);
  constexpr int64_t kSize = 130;
  std::vector<T> a(kSize * kSize);
  std::vector<T> b(kSize * kSize);
  for (T& x : a) x = random_value<T>(random);
  for (T& x : b) x = random_value<T>(random);
  for (const Transpose op : kOps) {
    const auto product = [&](int threads) {
      set_thread_limit(threads);
      std::vector<T> c(kSize * kSize, T(1));
      gemm<T>(op, Transpose::no, kSize, kSize, kSize, T(3), a.data(), kSize, b.data(), kSize, T(2),
              c.data(), kSize);
      set_thread_limit(0);
      return c;
    };
    const std::vector<T> expected = product(1);
    for (int repeat = 0; repeat < 100; ++repeat) ASSERT_EQ(product(0), expected) << repeat;
  }
}

TYPED_TEST(GemmTest, BatchesAreTheirProducts) {
  using T = TypeParam;
  std::mt19937 random(5);
  constexpr int64_t kSize = 20;
  constexpr int64_t kCount = 100;
  constexpr int64_t kElements = kSize * kSize;
  std::vector<T> a(kElements * kCount);
  std::vector<T> b(kElements);
  for (T& x : a) x = random_value<T>(random);
  for (T& x : b) x = random_value<T>(random);
  std::vector<T> expected(a.size());
  std::vector<const T*> a_list;
  std::vector<const T*> b_list;
  std::vector<T*> c_list;
  std::vector<T> strided(a.size());
  std::vector<T> listed(a.size());
  for (int64_t i = 0; i < kCount; ++i) {
    gemm<T>(Transpose::yes, Transpose::no, kSize, kSize, kSize, T(2), a.data() + i * kElements,
            kSize, b.data(), kSize, T(0), expected.data() + i * kElements, kSize);
    a_list.push_back(a.data() + i * kElements);
    b_list.push_back(b.data());
    c_list.push_back(listed.data() + i * kElements);
  }
  gemm_strided_batched<T>(Transpose::yes, Transpose::no, kSize, kSize, kSize, T(2), a.data(), kSize,
                          kElements, b.data(), kSize, 0, T(0), strided.data(), kSize, kElements,
                          kCount);
  gemm_batched<T>(Transpose::yes, Transpose::no, kSize, kSize, kSize, T(2), a_list.data(), kSize,
                  b_list.data(), kSize, T(0), c_list.data(), kSize, kCount);
  EXPECT_EQ(strided, expected);
  EXPECT_EQ(listed, expected);
}

TYPED_TEST(GemmTest, ZeroAlphaReadsNeitherAnorB) {
  using T = TypeParam;
  std::vector<T> c = {T(1), T(2), T(3), T(4)};
  gemm<T>(Transpose::no, Transpose::no, 2, 2, 5, T(0), nullptr, 2, nullptr, 5, T(2), c.data(), 2);
  EXPECT_EQ(c, (std::vector<T>{T(2), T(4), T(6), T(8)}));
  gemm<T>(Transpose::no, Transpose::no, 2, 2, 0, T(1), nullptr, 2, nullptr, 5, T(3), c.data(), 2);
  EXPECT_EQ(c, (std::vector<T>{T(6), T(12), T(18), T(24)}));
  c[3] = T(std::numeric_limits<float>::quiet_NaN());
  gemm<T>(Transpose::no, Transpose::no, 2, 2, 5, T(0), nullptr, 2, nullptr, 5, T(0), c.data(), 2);
  EXPECT_EQ(c, (std::vector<T>(4, T(0))));
}

TYPED_TEST(GemmTest, NotANumberAndInfinityReachTheResult) {
  using T = TypeParam;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const int64_t size : {3, 40, 150}) {
    const auto count = static_cast<size_t>(size * size);
    std::vector<T> a(count, T(1));
    std::vector<T> b(count, T(1));
    std::vector<T> c(count, T(0));
    a[static_cast<size_t>(1 + 2 * size)] = T(nan);  // row 1
    b[static_cast<size_t>(0 + 2 * size)] = T(infinity);  // column 2
    gemm<T>(Transpose::no, Transpose::no, size, size, size, T(1), a.data(), size, b.data(), size,
            T(0), c.data(), size);
    for (int64_t j = 0; j < size; ++j) {
      for (int64_t i = 0; i < size; ++i) {
        const auto value = std::real(c[static_cast<size_t>(i + j * size)]);
        if (i == 1) {
          ASSERT_TRUE(std::isnan(value));
        } else if (j == 2) {
          ASSERT_EQ(value, infinity);
        } else {
          ASSERT_EQ(value, static_cast<float>(size));
        }
      }
    }
  }
}

}  // namespace
}  // namespace guda::blas
