#include "blas/factorization.h"

#include <numeric>

#include "blas/level3.h"
#include "blas/reference_test.h"

namespace guda::blas::test {
namespace {

template <class T>
class Factorization : public ::testing::Test {};
TYPED_TEST_SUITE(Factorization, ElementTypes);

template <class T>
long double epsilon() {
  return static_cast<long double>(std::numeric_limits<Real<T>>::epsilon());
}

void expect_equal(const WideMatrix& a, const WideMatrix& b, long double bound) {
  ASSERT_EQ(a.rows, b.rows);
  ASSERT_EQ(a.columns, b.columns);
  for (int64_t j = 0; j < a.columns; ++j)
    for (int64_t i = 0; i < a.rows; ++i)
      ASSERT_LE(std::abs(a.at(i, j) - b.at(i, j)), bound) << i << ", " << j;
}

WideMatrix identity(int64_t n) {
  WideMatrix result(n, n);
  for (int64_t i = 0; i < n; ++i) result.at(i, i) = 1;
  return result;
}

// A square matrix far from singular: random, with a shifted diagonal in random places.
template <class T>
void make_regular(TestMatrix<T>& a, int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random_bits());
  for (int64_t j = 0; j < n; ++j) a.at(order[static_cast<size_t>(j)], j) += T(Real<T>(n));
}

TYPED_TEST(Factorization, LuFactorsMultiplyToTheMatrix) {
  using T = TypeParam;
  for (const auto& [m, n] : std::vector<std::pair<int64_t, int64_t>>{{0, 0},
                                                                     {1, 1},
                                                                     {2, 2},
                                                                     {3, 3},
                                                                     {7, 5},
                                                                     {5, 7},
                                                                     {16, 16},
                                                                     {33, 20},
                                                                     {20, 41},
                                                                     {100, 100},
                                                                     {9, 200}}) {
    TestMatrix<T> a(m, n, m + 2);
    const WideMatrix before = a.wide();
    const int64_t steps = std::min(m, n);
    GuardedArray<int> pivots(steps);
    EXPECT_EQ(getrf(m, n, a.data(), a.ld(), pivots.data()), 0);
    a.expect_untouched([](int64_t, int64_t) { return true; });
    WideMatrix lower(m, steps), upper(steps, n);
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < steps; ++j)
        lower.at(i, j) = i == j ? Wide(1) : i > j ? widen(a.at(i, j)) : Wide(0);
    for (int64_t i = 0; i < steps; ++i)
      for (int64_t j = i; j < n; ++j) upper.at(i, j) = widen(a.at(i, j));
    WideMatrix made = lower.times(upper);
    for (int64_t i = steps - 1; i >= 0; --i) {
      ASSERT_GE(pivots[i], i + 1);
      ASSERT_LE(pivots[i], m);
      for (int64_t j = 0; j < n; ++j) std::swap(made.at(i, j), made.at(pivots[i] - 1, j));
    }
    expect_equal(made, before, static_cast<long double>(20 * steps) * epsilon<T>());
    // Pivots are the largest of their column: no factor is larger than 1 (by BLAS's absolute value).
    for (int64_t j = 0; j < steps; ++j)
      for (int64_t i = j + 1; i < m; ++i) ASSERT_LE(std::abs(widen(a.at(i, j))), 1.5L);
    if (this->HasFatalFailure()) FAIL() << m << " x " << n;
  }
}

TYPED_TEST(Factorization, SolvesAndInverts) {
  using T = TypeParam;
  for (const int64_t n : {1, 2, 5, 17, 32, 70}) {
    TestMatrix<T> a(n, n, n + 1), inverse(n, n, n + 3, true);
    make_regular(a, n);
    const WideMatrix before = a.wide();
    std::vector<int> pivots(static_cast<size_t>(n));
    ASSERT_EQ(getrf(n, n, a.data(), a.ld(), pivots.data()), 0);
    const long double bound = static_cast<long double>(40 * n) * epsilon<T>();
    ASSERT_EQ(getri(n, a.data(), a.ld(), pivots.data(), inverse.data(), inverse.ld()), 0);
    expect_equal(before.times(inverse.wide()), identity(n), bound);
    for (const Transpose trans : {Transpose::no, Transpose::yes, Transpose::conjugate}) {
      TestMatrix<T> b(n, 3, n + 1);
      const WideMatrix right = b.wide();
      getrs(trans, n, 3, a.data(), a.ld(), pivots.data(), b.data(), b.ld());
      expect_equal(before.applied(trans).times(b.wide()), right, bound);
    }
    if (this->HasFatalFailure()) FAIL() << n;
  }
}

TYPED_TEST(Factorization, SingularMatricesAreReported) {
  using T = TypeParam;
  TestMatrix<T> a(12, 12, 12), c(12, 12, 12);
  for (int64_t i = 0; i < 12; ++i) a.at(i, 9) = T(0);
  int pivots[12];
  EXPECT_EQ(getrf(12, 12, a.data(), 12, pivots), 10);
  EXPECT_EQ(getri(12, a.data(), 12, pivots, c.data(), 12), 10);
}

TYPED_TEST(Factorization, WithoutPivotsRowsStay) {
  using T = TypeParam;
  const int64_t n = 21;
  TestMatrix<T> a(n, n, n), c(n, n, n);
  for (int64_t i = 0; i < n; ++i) a.at(i, i) += T(Real<T>(n));
  const WideMatrix before = a.wide();
  ASSERT_EQ(getrf<T>(n, n, a.data(), n, nullptr), 0);
  ASSERT_EQ(getri<T>(n, a.data(), n, nullptr, c.data(), n), 0);
  expect_equal(before.times(c.wide()), identity(n),
               100 * static_cast<long double>(n) * epsilon<T>());
}

TYPED_TEST(Factorization, QrFactorsMultiplyToTheMatrix) {
  using T = TypeParam;
  for (const auto& [m, n] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {3, 3}, {7, 5}, {5, 7}, {32, 32}, {70, 40}, {40, 90}, {65, 65}}) {
    TestMatrix<T> a(m, n, m + 2);
    const WideMatrix before = a.wide();
    const int64_t steps = std::min(m, n);
    GuardedArray<T> tau(steps);
    geqrf(m, n, a.data(), a.ld(), tau.data());
    a.expect_untouched([](int64_t, int64_t) { return true; });
    // Q R = H_1 (H_2 (... R)), H = I - tau v v^H.
    WideMatrix made(m, n);
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i <= std::min(j, m - 1); ++i) made.at(i, j) = widen(a.at(i, j));
    for (int64_t k = steps - 1; k >= 0; --k) {
      for (int64_t j = 0; j < n; ++j) {
        const auto v = [&](int64_t i) { return i == k ? Wide(1) : widen(a.at(i, k)); };
        Wide sum = 0;
        for (int64_t i = k; i < m; ++i) sum += std::conj(v(i)) * made.at(i, j);
        for (int64_t i = k; i < m; ++i) made.at(i, j) -= widen(tau[k]) * v(i) * sum;
      }
    }
    expect_equal(made, before, static_cast<long double>(10 * m) * epsilon<T>());
    if (this->HasFatalFailure()) FAIL() << m << " x " << n;
  }
}

TYPED_TEST(Factorization, LeastSquaresAndLeastNorm) {
  using T = TypeParam;
  for (const auto& [m, n] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {6, 6}, {40, 7}, {7, 40}, {90, 50}, {50, 90}}) {
    for (const Transpose trans : {Transpose::no, Transpose::yes, Transpose::conjugate}) {
      TestMatrix<T> a(m, n, m + 1);
      for (int64_t i = 0; i < std::min(m, n); ++i) a.at(i, i) += T(Real<T>(4));
      const WideMatrix op = a.wide().applied(trans);
      TestMatrix<T> b(std::max(m, n), 2, std::max(m, n) + 1);
      const WideMatrix right = b.wide();
      ASSERT_EQ(gels(trans, m, n, 2, a.data(), a.ld(), b.data(), b.ld()), 0);
      WideMatrix x(op.columns, 2), residual(op.rows, 2);
      for (int64_t j = 0; j < 2; ++j)
        for (int64_t i = 0; i < op.columns; ++i) x.at(i, j) = widen(b.at(i, j));
      residual = op.times(x);
      for (int64_t j = 0; j < 2; ++j)
        for (int64_t i = 0; i < op.rows; ++i) residual.at(i, j) -= right.at(i, j);
      const long double bound = static_cast<long double>(400 * (m + n)) * epsilon<T>();
      const WideMatrix adjoint = op.applied(Transpose::conjugate);
      if (op.rows >= op.columns) {
        expect_equal(adjoint.times(residual), WideMatrix(op.columns, 2), bound);
      } else {
        expect_equal(residual, WideMatrix(op.rows, 2), bound);
        // Of least norm: nothing of x is in the null space. A solution w of (A A^H) w = A x gives
        // it back; checked by projecting with gels itself on the tall problem A^H w = x.
        TestMatrix<T> tall(op.columns, op.rows, op.columns), w(op.columns, 2, op.columns);
        for (int64_t j = 0; j < op.rows; ++j)
          for (int64_t i = 0; i < op.columns; ++i) {
            const Wide value = adjoint.at(i, j);
            if constexpr (is_complex<T>)
              tall.at(i, j) =
                  T(static_cast<Real<T>>(value.real()), static_cast<Real<T>>(value.imag()));
            else
              tall.at(i, j) = static_cast<T>(value.real());
          }
        for (int64_t j = 0; j < 2; ++j)
          for (int64_t i = 0; i < op.columns; ++i) w.at(i, j) = b.at(i, j);
        ASSERT_EQ(
            gels(Transpose::no, op.columns, op.rows, 2, tall.data(), tall.ld(), w.data(), w.ld()),
            0);
        WideMatrix short_w(op.rows, 2);
        for (int64_t j = 0; j < 2; ++j)
          for (int64_t i = 0; i < op.rows; ++i) short_w.at(i, j) = widen(w.at(i, j));
        expect_equal(adjoint.times(short_w), x, bound);
      }
      if (this->HasFatalFailure()) FAIL() << m << " x " << n << " trans " << int(trans);
    }
  }
}

TYPED_TEST(Factorization, BatchesDoWhatSingleMatricesDo) {
  using T = TypeParam;
  constexpr int64_t n = 20, count = 30, square = n * n;
  std::vector<T> a(square * count), factors, inverse(square * count), direct(square * count);
  for (T& value : a) value = random_value<T>();
  for (int64_t b = 0; b < count; ++b)
    for (int64_t i = 0; i < n; ++i)
      a[static_cast<size_t>(b * square + i * (n + 1))] += T(Real<T>(n));
  factors = a;
  std::vector<T*> pf, pi, pd;
  std::vector<const T*> pa, pcf;
  for (int64_t b = 0; b < count; ++b) {
    pa.push_back(a.data() + b * square);
    pf.push_back(factors.data() + b * square);
    pcf.push_back(factors.data() + b * square);
    pi.push_back(inverse.data() + b * square);
    pd.push_back(direct.data() + b * square);
  }
  std::vector<int> pivots(n * count), info(count, -1), direct_info(count, -1);
  getrf_batched(n, pf.data(), n, pivots.data(), info.data(), count);
  EXPECT_EQ(std::count(info.begin(), info.end(), 0), count);
  getri_batched(n, pcf.data(), n, pivots.data(), pi.data(), n, info.data(), count);
  matinv_batched(n, pa.data(), n, pd.data(), n, direct_info.data(), count);
  EXPECT_EQ(info, direct_info);
  for (int64_t b = 0; b < count; ++b) {
    std::vector<T> one(a.begin() + b * square, a.begin() + (b + 1) * square);
    std::vector<int> one_pivots(n);
    getrf(n, n, one.data(), n, one_pivots.data());
    for (int64_t i = 0; i < square; ++i) {
      ASSERT_TRUE(same_bits(one[static_cast<size_t>(i)], pf[static_cast<size_t>(b)][i]));
      ASSERT_TRUE(same_bits(pi[static_cast<size_t>(b)][i], pd[static_cast<size_t>(b)][i]));
    }
  }
  // Solving with the inverse's columns gives the identity back.
  std::vector<T> right = inverse;
  std::vector<T*> pr;
  for (int64_t b = 0; b < count; ++b) pr.push_back(right.data() + b * square);
  trsm_batched(Side::left, Triangle::upper, Transpose::no, Diagonal::stored, n, n, T(2), pcf.data(),
               n, pr.data(), n, count);
  std::vector<T> single = inverse;
  trsm(Side::left, Triangle::upper, Transpose::no, Diagonal::stored, n, n, T(2), pcf[7], n,
       single.data() + 7 * square, n);
  for (int64_t i = 7 * square; i < 8 * square; ++i)
    ASSERT_TRUE(same_bits(single[static_cast<size_t>(i)], right[static_cast<size_t>(i)]));
}

}  // namespace
}  // namespace guda::blas::test
