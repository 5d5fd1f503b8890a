#include "blas/level1.h"

#include "blas/reference_test.h"

namespace guda::blas::test {
namespace {

template <class T>
class Level1 : public ::testing::Test {};
TYPED_TEST_SUITE(Level1, ElementTypes);
template <class T>
class RealLevel1 : public ::testing::Test {};
using RealTypes = ::testing::Types<float, double>;
TYPED_TEST_SUITE(RealLevel1, RealTypes);

constexpr int kRounds = 150;
int64_t random_size(int round) {
  if (round % 50 == 49) return 70001 + pick_below(100);  // several blocks of a sum
  return pick({0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 127, 130, 259, 1023});
}

TYPED_TEST(Level1, AxpyAxpbyScalCopySwap) {
  using T = TypeParam;
  for (int round = 0; round < 5 * kRounds; ++round) {
    const int64_t n = random_size(round / 5), incx = random_increment();
    const int64_t incy = pick_below(2) == 0 ? incx : random_increment();
    const T alpha = random_factor<T>(), beta = random_factor<T>();
    const int kind = round % 5;
    TestVector<T> x(n, incx, (kind < 2) && alpha == T(0));
    TestVector<T> y(n, incy, kind == 1 && beta == T(0));
    switch (kind) {
      case 0: axpy(n, alpha, x.data(), incx, y.data(), incy); break;
      case 1: axpby(n, alpha, x.data(), incx, beta, y.data(), incy); break;
      case 2: scal(n, alpha, x.data(), incx); break;
      case 3: copy(n, x.data(), incx, y.data(), incy); break;
      default: swap(n, x.data(), incx, y.data(), incy);
    }
    x.expect_untouched(kind != 2 && kind != 4);
    y.expect_untouched(kind == 2);
    if (kind == 2 && incx < 1) x.expect_untouched(true);
    for (int64_t i = 0; i < n; ++i) {
      const Wide wx = alpha == T(0) ? Wide(0) : widen(alpha) * x.before(i);
      switch (kind) {
        case 0: expect_close(y[i], y.before(i) + wx, 1); break;
        case 1:
          expect_close(y[i], wx + (beta == T(0) ? Wide(0) : widen(beta) * y.before(i)), 2);
          break;
        case 2:
          if (incx >= 1) expect_close(x[i], wx, 1);
          break;
        case 3: ASSERT_EQ(y.wide(i), x.before(i)); break;
        default: ASSERT_EQ(y.wide(i), x.before(i)); ASSERT_EQ(x.wide(i), y.before(i));
      }
    }
    if (this->HasFatalFailure())
      FAIL() << "kind " << kind << " n " << n << " inc " << incx << "," << incy;
  }
}

TYPED_TEST(Level1, Dot) {
  using T = TypeParam;
  for (int round = 0; round < kRounds; ++round) {
    const int64_t n = random_size(round), incx = random_increment();
    const int64_t incy = pick_below(2) == 0 ? incx : random_increment();
    TestVector<T> x(n, incx), y(n, incy);
    Wide plain = 0, conjugated = 0;
    for (int64_t i = 0; i < n; ++i) {
      plain += x.wide(i) * y.wide(i);
      conjugated += std::conj(x.wide(i)) * y.wide(i);
    }
    expect_close(dot(n, x.data(), incx, y.data(), incy), plain, n);
    expect_close(dotc(n, x.data(), incx, y.data(), incy), conjugated, n);
    if constexpr (std::is_same_v<T, float>) {
      ASSERT_NEAR(dsdot(n, x.data(), incx, y.data(), incy), static_cast<double>(plain.real()),
                  static_cast<double>(n + 1) * 1e-16);
      ASSERT_FLOAT_EQ(sdsdot(n, 3.0f, x.data(), incx, y.data(), incy),
                      static_cast<float>(3 + plain.real()));
    }
    if (this->HasFatalFailure()) FAIL() << "n " << n << " inc " << incx << "," << incy;
  }
}

TYPED_TEST(Level1, NormsAndSums) {
  using T = TypeParam;
  using R = Real<T>;
  for (int round = 0; round < kRounds; ++round) {
    const int64_t n = random_size(round), incx = pick({1, 1, 2, 5});
    TestVector<T> x(n, incx);
    // Far below, within, and far beyond the range in which squares are exact.
    const R size =
        std::ldexp(R(1), static_cast<int>(pick({0, 0, std::numeric_limits<R>::max_exponent - 12,
                                                std::numeric_limits<R>::min_exponent + 8,
                                                std::numeric_limits<R>::min_exponent / 2})));
    for (int64_t i = 0; i < n; ++i) x[i] *= size;
    long double squares = 0, sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      squares += std::norm(x.wide(i));
      sum += std::abs(x.wide(i).real()) + std::abs(x.wide(i).imag());
    }
    const auto eps = static_cast<long double>(std::numeric_limits<R>::epsilon());
    ASSERT_NEAR(static_cast<long double>(nrm2(n, x.data(), incx)), std::sqrt(squares),
                (n + 4) * eps * std::sqrt(squares))
        << n << " size " << size;
    if (n < 4000) {  // longer ones may overflow
      ASSERT_NEAR(static_cast<long double>(asum(n, x.data(), incx)), sum, (n + 4) * eps * sum) << n;
    }
    ASSERT_EQ(asum(n, x.data(), -1), R(0));
  }
}

TYPED_TEST(Level1, Nrm2OfInfinitiesAndNaN) {
  using T = TypeParam;
  using R = Real<T>;
  const R infinity = std::numeric_limits<R>::infinity();
  for (const int64_t n : {1, 5, 40, 100}) {
    TestVector<T> x(n, 1);
    x[n / 2] = T(-infinity);
    EXPECT_EQ(nrm2(n, x.data(), 1), infinity);
    x[0] = poison<T>();
    EXPECT_TRUE(std::isnan(nrm2(n, x.data(), 1)));
    for (int64_t i = 0; i < n; ++i) x[i] = T(0);
    EXPECT_EQ(nrm2(n, x.data(), 1), R(0));
    x[n - 1] = T(std::numeric_limits<R>::denorm_min());
    EXPECT_EQ(nrm2(n, x.data(), 1), std::numeric_limits<R>::denorm_min());
  }
}

TYPED_TEST(Level1, IndexOfExtremes) {
  using T = TypeParam;
  for (int round = 0; round < 2 * kRounds; ++round) {
    const int64_t n = random_size(round), incx = pick({1, 1, 3});
    TestVector<T> x(n, incx);
    for (int64_t i = 0; i < n && round % 2 == 1; ++i)  // many equal values: the first must win
      x[i] = T(static_cast<Real<T>>(pick({-2, -1, 1, 2})));
    int64_t largest = n > 0 ? 0 : -1, smallest = largest;
    for (int64_t i = 1; i < n; ++i) {
      if (absolute_sum(x[i]) > absolute_sum(x[largest])) largest = i;
      if (absolute_sum(x[i]) < absolute_sum(x[smallest])) smallest = i;
    }
    ASSERT_EQ(iamax(n, x.data(), incx), largest) << n;
    ASSERT_EQ(iamin(n, x.data(), incx), smallest) << n;
    ASSERT_EQ(iamax(n, x.data(), 0), -1);
  }
}

TYPED_TEST(Level1, IndexOfExtremesPassesOverNaN) {
  using T = TypeParam;
  for (const int64_t n : {3, 50, 70000}) {
    TestVector<T> x(n, 1);
    for (int64_t i = 0; i < n; ++i) x[i] = T(1);
    x[1] = poison<T>();
    x[n - 1] = T(5);
    EXPECT_EQ(iamax(n, x.data(), 1), n - 1);
    EXPECT_EQ(iamin(n, x.data(), 1), 0);
    x[0] = poison<T>();
    EXPECT_EQ(iamax(n, x.data(), 1), 0);
    EXPECT_EQ(iamin(n, x.data(), 1), 0);
  }
}

TYPED_TEST(Level1, ScalKeepsNaN) {
  using T = TypeParam;
  TestVector<T> x(21, 1);
  x[20] = poison<T>();
  scal(21, T(0), x.data(), 1);
  EXPECT_TRUE(std::isnan(real_part(x[20])));
  EXPECT_EQ(x[19], T(0));
}

TYPED_TEST(Level1, Rot) {
  using T = TypeParam;
  using R = Real<T>;
  for (int round = 0; round < kRounds; ++round) {
    const int64_t n = random_size(round), incx = random_increment();
    const int64_t incy = pick_below(2) == 0 ? incx : random_increment();
    TestVector<T> x(n, incx), y(n, incy);
    const R c = random_value<R>();
    T s = random_value<T>();
    if (round % 2 == 0) {
      s = T(real_part(s));
      if constexpr (is_complex<T>)
        rot<T, R>(n, x.data(), incx, y.data(), incy, c, s.real());
      else
        rot<T, T>(n, x.data(), incx, y.data(), incy, c, s);
    } else {
      rot<T, T>(n, x.data(), incx, y.data(), incy, c, s);
    }
    x.expect_untouched(false);
    y.expect_untouched(false);
    for (int64_t i = 0; i < n; ++i) {
      expect_close(x[i], widen(c) * x.before(i) + widen(s) * y.before(i), 2);
      expect_close(y[i], widen(c) * y.before(i) - std::conj(widen(s)) * x.before(i), 2);
    }
    if (this->HasFatalFailure()) FAIL() << "n " << n;
  }
}

TYPED_TEST(Level1, RotgRotatesTheSecondAway) {
  using T = TypeParam;
  using R = Real<T>;
  const int far = std::numeric_limits<R>::max_exponent - 3;
  for (int round = 0; round < 400; ++round) {
    const auto scaled = [&](T z) {
      return z * std::ldexp(R(1), static_cast<int>(pick({0, 0, far, -far + 6, 3})));
    };
    const T a = round % 7 == 0 ? T(0) : scaled(random_value<T>());
    const T b = round % 5 == 0 ? T(0) : scaled(random_value<T>());
    T r = a, z = b, s;
    R c;
    rotg(&r, &z, &c, &s);
    const auto eps = static_cast<long double>(std::numeric_limits<R>::epsilon());
    const long double size = std::hypot(std::abs(widen(a)), std::abs(widen(b)));
    const long double tolerance = 16 * eps * size + 8 * std::numeric_limits<R>::denorm_min();
    ASSERT_LE(std::abs(widen(c) * widen(a) + widen(s) * widen(b) - widen(r)), tolerance) << a << b;
    ASSERT_LE(std::abs(-std::conj(widen(s)) * widen(a) + widen(c) * widen(b)), tolerance) << a << b;
    ASSERT_NEAR(static_cast<long double>(c) * c + std::norm(widen(s)), 1.0L, 16 * eps) << a << b;
    if constexpr (!is_complex<T>) {
      // z tells c and s.
      if (std::abs(z) < 1) {
        EXPECT_NEAR(s, z, 4 * eps);
      } else if (std::abs(z) > 1) {
        EXPECT_NEAR(c, 1 / z, 4 * eps);
      } else {
        EXPECT_EQ(c, 0);
      }
    }
  }
}

TYPED_TEST(RealLevel1, RotmgZerosTheSecondComponent) {
  using T = TypeParam;
  for (int round = 0; round < 2000; ++round) {
    const auto scaled = [&](T v) {
      return std::ldexp(v, static_cast<int>(pick({0, 0, 0, -30, 30})));
    };
    const T d1 = scaled(std::abs(random_value<T>())), d2 = scaled(random_value<T>());
    const T x1 = scaled(random_value<T>()), y1 = round % 9 == 0 ? T(0) : scaled(random_value<T>());
    T nd1 = d1, nd2 = d2, nx1 = x1, param[5] = {9, 9, 9, 9, 9};
    rotmg(&nd1, &nd2, &nx1, y1, param);
    T x[1] = {x1}, y[1] = {y1};
    rotm(1, x, 1, y, 1, param);
    if (param[0] == T(-2)) {
      EXPECT_EQ(d2 * y1, T(0));
      continue;
    }
    if (nd1 == T(0) && nd2 == T(0) && nx1 == T(0)) continue;  // no such rotation
    const T eps = std::numeric_limits<T>::epsilon();
    // H (x1; y1) = (x1'; 0), and d1' x1'^2 is d1 x1^2 + d2 y1^2.
    const T bound = 16 * eps * (std::abs(x1) + std::abs(y1)) * T(4096 * 4096);
    EXPECT_NEAR(y[0], 0,
                bound * (param[0] == T(-1) ? 1 : 1 / T(4096 * 4096)) *
                    std::max<T>(1, std::max(std::abs(param[2]), std::abs(param[4]))));
    const long double before =
        static_cast<long double>(d1) * x1 * x1 + static_cast<long double>(d2) * y1 * y1;
    const long double after = static_cast<long double>(nd1) * nx1 * nx1;
    const long double terms = std::abs(static_cast<long double>(d1) * x1 * x1) +
                              std::abs(static_cast<long double>(d2) * y1 * y1);
    EXPECT_NEAR(before, after, 64 * eps * terms) << d1 << " " << d2 << " " << x1 << " " << y1;
  }
}

TYPED_TEST(RealLevel1, RotmTakesEveryFlag) {
  using T = TypeParam;
  for (const T flag : {T(-2), T(-1), T(0), T(1)}) {
    const T param[5] = {flag, T(2), T(3), T(5), T(7)};
    const T h11 = flag == 0 || flag == -2 ? T(1) : T(2),
            h22 = flag == 0 || flag == -2 ? T(1) : T(7);
    const T h21 = flag == -2 ? T(0) : flag == 1 ? T(-1) : T(3);
    const T h12 = flag == -2 ? T(0) : flag == 1 ? T(1) : T(5);
    for (const int64_t inc : {1, 2, -1}) {
      TestVector<T> x(37, inc), y(37, 1);
      rotm(37, x.data(), inc, y.data(), 1, param);
      for (int64_t i = 0; i < 37; ++i) {
        expect_close(x[i], widen(h11) * x.before(i) + widen(h12) * y.before(i), 8);
        expect_close(y[i], widen(h21) * x.before(i) + widen(h22) * y.before(i), 8);
      }
    }
  }
}

}  // namespace
}  // namespace guda::blas::test
