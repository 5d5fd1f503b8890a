#include "blas/level2.h"

#include "blas/reference_test.h"

namespace guda::blas::test {
namespace {

template <class T>
class Level2 : public ::testing::Test {};
TYPED_TEST_SUITE(Level2, ElementTypes);

constexpr int kRounds = 120;

int64_t random_size() {
  return pick({0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 65, 130, 259});
}

// y = alpha A x + beta y was done; A is the whole matrix as applied.
template <class T>
void check_product(const WideMatrix& a, T alpha, TestVector<T>& x, T beta, TestVector<T>& y) {
  if (a.rows == 0 || a.columns == 0) return y.expect_untouched(true);
  y.expect_untouched(false);
  x.expect_untouched(true);
  for (int64_t i = 0; i < a.rows; ++i) {
    Wide sum = 0;
    if (alpha != T(0))
      for (int64_t j = 0; j < a.columns; ++j) sum += a.at(i, j) * x.wide(j);
    Wide expected = widen(alpha) * sum;
    if (beta != T(0)) expected += widen(beta) * y.before(i);
    expect_close(y[i], expected, a.columns);
  }
}

TYPED_TEST(Level2, Gemv) {
  using T = TypeParam;
  for (int round = 0; round < kRounds; ++round) {
    const int64_t m = random_size(), n = random_size();
    const Transpose trans = random_transpose();
    const bool plain = trans == Transpose::no;
    const T alpha = random_factor<T>(), beta = random_factor<T>();
    TestMatrix<T> a(m, n, std::max<int64_t>(1, m) + pick({0, 1, 5}), alpha == T(0));
    TestVector<T> x(plain ? n : m, random_increment(), alpha == T(0));
    TestVector<T> y(plain ? m : n, random_increment(), beta == T(0));
    gemv(trans, m, n, alpha, a.data(), a.ld(), x.data(), x.increment(), beta, y.data(),
         y.increment());
    check_product(a.wide().applied(trans), alpha, x, beta, y);
    a.expect_untouched();
    if (this->HasFatalFailure()) FAIL() << m << " x " << n << " trans " << int(trans);
  }
}

TYPED_TEST(Level2, GemvOfLongVectors) {
  using T = TypeParam;
  for (const auto& [m, n] :
       std::vector<std::pair<int64_t, int64_t>>{{5003, 37}, {37, 5003}, {9001, 3}}) {
    for (const Transpose trans : {Transpose::no, Transpose::yes, Transpose::conjugate}) {
      TestMatrix<T> a(m, n, m + 3);
      TestVector<T> x(trans == Transpose::no ? n : m, 1), y(trans == Transpose::no ? m : n, 1);
      gemv(trans, m, n, T(2), a.data(), a.ld(), x.data(), 1, T(1), y.data(), 1);
      check_product(a.wide().applied(trans), T(2), x, T(1), y);
    }
  }
}

// Dense m x n, but zero outside the band.
template <class T>
WideMatrix random_band(int64_t m, int64_t n, int64_t kl, int64_t ku) {
  WideMatrix a(m, n);
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = std::max<int64_t>(0, j - ku); i < std::min(m, j + kl + 1); ++i)
      a.at(i, j) = widen(random_value<T>());
  return a;
}
template <class T>
T narrow(Wide value) {
  if constexpr (is_complex<T>)
    return T(static_cast<Real<T>>(value.real()), static_cast<Real<T>>(value.imag()));
  else
    return static_cast<T>(value.real());
}
// Rows `offset` + i - j of the storage hold (i, j); the rest stays poisoned.
template <class T>
void store_band(const WideMatrix& a, int64_t kl, int64_t ku, int64_t offset,
                TestMatrix<T>& storage) {
  for (int64_t j = 0; j < a.columns; ++j)
    for (int64_t i = std::max<int64_t>(0, j - ku); i < std::min(a.rows, j + kl + 1); ++i)
      storage.at(offset + i - j, j) = narrow<T>(a.at(i, j));
  storage.remember();
}

TYPED_TEST(Level2, Gbmv) {
  using T = TypeParam;
  for (int round = 0; round < kRounds; ++round) {
    const int64_t m = random_size(), n = random_size();
    const int64_t kl = pick({0, 1, 3, 9, 40}), ku = pick({0, 1, 2, 11, 70});
    const Transpose trans = random_transpose();
    const bool plain = trans == Transpose::no;
    const T alpha = random_factor<T>(), beta = random_factor<T>();
    const WideMatrix whole = random_band<T>(m, n, kl, ku);
    TestMatrix<T> a(kl + ku + 1, n, kl + ku + 1 + pick({0, 2}), true);
    store_band(whole, kl, ku, ku, a);
    TestVector<T> x(plain ? n : m, random_increment(), alpha == T(0));
    TestVector<T> y(plain ? m : n, random_increment(), beta == T(0));
    gbmv(trans, m, n, kl, ku, alpha, a.data(), a.ld(), x.data(), x.increment(), beta, y.data(),
         y.increment());
    check_product(whole.applied(trans), alpha, x, beta, y);
    if (this->HasFatalFailure())
      FAIL() << m << " x " << n << " band " << kl << "," << ku << " trans " << int(trans);
  }
}

// One triangle in each kind of storage.
enum class Storage { dense, band, packed };

template <class T>
struct StoredTriangle {
  Triangle uplo;
  int64_t n, k;
  WideMatrix whole;  // only the triangle is set
  TestMatrix<T> storage;
  Storage kind;

  StoredTriangle(Storage storage_kind, Triangle triangle, int64_t order, int64_t bandwidth,
                 bool poison_diagonal = false)
      : uplo(triangle),
        n(order),
        k(storage_kind == Storage::band ? bandwidth : std::max<int64_t>(0, order - 1)),
        whole(random_band<T>(order, order, triangle == Triangle::lower ? k : 0,
                             triangle == Triangle::upper ? k : 0)),
        storage(storage_kind == Storage::dense ? TestMatrix<T>(n, n, n + 3, true)
                : storage_kind == Storage::packed
                    ? TestMatrix<T>(n * (n + 1) / 2, n > 0, n * (n + 1) / 2 + 1, true)
                    : TestMatrix<T>(k + 1, n, k + 2, true)),
        kind(storage_kind) {
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < n; ++i)
        if (stored(uplo, i, j) && std::abs(i - j) <= k && !(poison_diagonal && i == j))
          storage.data()[place(i, j)] = narrow<T>(whole.at(i, j));
    storage.remember();
  }
  int64_t place(int64_t i, int64_t j) const {
    switch (kind) {
      case Storage::dense: return i + j * storage.ld();
      case Storage::band: return (uplo == Triangle::upper ? k : 0) + i - j + j * storage.ld();
      default: return uplo == Triangle::upper ? i + j * (j + 1) / 2 : i + j * (2 * n - j - 1) / 2;
    }
  }
};

TYPED_TEST(Level2, SymmetricProducts) {
  using T = TypeParam;
  for (int round = 0; round < 3 * kRounds; ++round) {
    const int64_t n = random_size();
    const bool hermitian = round % 2 == 0;
    const auto kind = static_cast<Storage>(pick_below(3));
    StoredTriangle<T> a(kind, random_triangle(), n, pick({0, 1, 2, 5, 12, 90}));
    const T alpha = random_factor<T>(), beta = random_factor<T>();
    TestVector<T> x(n, random_increment(), alpha == T(0)), y(n, random_increment(), beta == T(0));
    T* p = a.storage.data();
    const int64_t ld = a.storage.ld(), incx = x.increment(), incy = y.increment();
    switch (kind) {
      case Storage::dense:
        (hermitian ? hemv<T> : symv<T>)(a.uplo, n, alpha, p, ld, x.data(), incx, beta, y.data(),
                                        incy);
        break;
      case Storage::band:
        (hermitian ? hbmv<T> : sbmv<T>)(a.uplo, n, a.k, alpha, p, ld, x.data(), incx, beta,
                                        y.data(), incy);
        break;
      case Storage::packed:
        (hermitian ? hpmv<T> : spmv<T>)(a.uplo, n, alpha, p, x.data(), incx, beta, y.data(), incy);
        break;
    }
    check_product(
        completed(a.whole, a.uplo, hermitian ? Structure::hermitian : Structure::symmetric), alpha,
        x, beta, y);
    if (this->HasFatalFailure())
      FAIL() << "n " << n << " k " << a.k << " storage " << int(kind) << " uplo " << int(a.uplo);
  }
}

TYPED_TEST(Level2, TriangularProductsAndSolutions) {
  using T = TypeParam;
  for (int round = 0; round < 4 * kRounds; ++round) {
    const int64_t n = random_size();
    const bool solve = round % 2 == 0;
    const auto kind = static_cast<Storage>(pick_below(3));
    const Diagonal diag = random_diagonal();
    const Transpose trans = random_transpose();
    StoredTriangle<T> a(kind, random_triangle(), n, pick({0, 1, 2, 5, 12, 90}),
                        diag == Diagonal::unit);
    // Solutions must not grow: a dominant diagonal, or small elements beside a unit one.
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t i = 0; i < n; ++i) {
        Wide& value = a.whole.at(i, j);
        if (value == Wide(0) || (i == j && diag == Diagonal::unit)) continue;
        const T small = narrow<T>(value / static_cast<long double>(n));
        const T element = i == j ? narrow<T>(value / std::abs(value)) : small;
        a.storage.data()[a.place(i, j)] = element;
        value = widen(element);
      }
    }
    TestVector<T> x(n, random_increment());
    T* p = a.storage.data();
    const int64_t ld = a.storage.ld(), incx = x.increment();
    switch (kind) {
      case Storage::dense:
        (solve ? trsv<T> : trmv<T>)(a.uplo, trans, diag, n, p, ld, x.data(), incx);
        break;
      case Storage::band:
        (solve ? tbsv<T> : tbmv<T>)(a.uplo, trans, diag, n, a.k, p, ld, x.data(), incx);
        break;
      case Storage::packed:
        (solve ? tpsv<T> : tpmv<T>)(a.uplo, trans, diag, n, p, x.data(), incx);
        break;
    }
    x.expect_untouched(false);
    // The product: A x0 = x1. The solution: A x1 = x0.
    const WideMatrix whole = completed(a.whole, a.uplo, Structure::triangular, diag).applied(trans);
    for (int64_t i = 0; i < n; ++i) {
      Wide sum = 0;
      for (int64_t j = 0; j < n; ++j) sum += whole.at(i, j) * (solve ? x.wide(j) : x.before(j));
      if (solve)
        expect_close(narrow<T>(x.before(i)), sum, 3 * n, 2);
      else
        expect_close(x[i], sum, n);
    }
    if (this->HasFatalFailure())
      FAIL() << "n " << n << " k " << a.k << " storage " << int(kind) << " uplo " << int(a.uplo)
             << " trans " << int(trans) << " solve " << solve;
  }
}

// An infinite element of x reaches the rows that its column has, and makes no NaN elsewhere.
TYPED_TEST(Level2, InfinitiesStayInTheirRows) {
  using T = TypeParam;
  const T infinity(std::numeric_limits<Real<T>>::infinity());
  for (const int64_t n : {1, 5, 16, 17, 40, 64, 90}) {
    const std::vector<T> a(static_cast<size_t>(n * n), T(1));
    for (int64_t j = 0; j < n; ++j) {
      for (const Triangle uplo : {Triangle::lower, Triangle::upper}) {
        for (const Transpose trans : {Transpose::no, Transpose::yes}) {
          std::vector<T> x(static_cast<size_t>(n), T(1));
          x[static_cast<size_t>(j)] = infinity;
          trmv(uplo, trans, Diagonal::stored, n, a.data(), n, x.data(), 1);
          const bool later = (uplo == Triangle::lower) == (trans == Transpose::no);
          for (int64_t i = 0; i < n; ++i) {
            const bool reached = later ? i >= j : i <= j;
            ASSERT_EQ(std::isfinite(real_part(x[static_cast<size_t>(i)])), !reached)
                << i << " of " << n << ", infinite " << j << " uplo " << int(uplo) << " trans "
                << int(trans);
          }
        }
      }
      const int64_t k = std::min<int64_t>(3, n - 1);
      std::vector<T> x(static_cast<size_t>(n), T(1)), y(static_cast<size_t>(n), T(1));
      x[static_cast<size_t>(j)] = infinity;
      const std::vector<T> band(static_cast<size_t>(n * (2 * k + 1)), T(1));
      gbmv(Transpose::no, n, n, k, k, T(1), band.data(), 2 * k + 1, x.data(), 1, T(1), y.data(), 1);
      for (int64_t i = 0; i < n; ++i)
        ASSERT_EQ(std::isfinite(real_part(y[static_cast<size_t>(i)])), std::abs(i - j) > k)
            << "band, " << i << " of " << n << ", infinite " << j;
    }
  }
}

// Diagonals whose reciprocals overflow or are subnormal.
TYPED_TEST(Level2, SolutionsWithExtremeDiagonals) {
  using T = TypeParam;
  using R = Real<T>;
  const R tiny = std::numeric_limits<R>::denorm_min() * 64,
          huge = std::numeric_limits<R>::max() / 8;
  for (const R d : {tiny, huge}) {
    for (const int64_t n : {1, 16, 24, 37}) {
      std::vector<T> a(static_cast<size_t>(n * n), T(0));
      for (int64_t i = 0; i < n; ++i)
        a[static_cast<size_t>(i * (n + 1))] = T(i % 3 == 0 ? d : R(1));
      for (const Triangle uplo : {Triangle::lower, Triangle::upper}) {
        for (const Transpose trans : {Transpose::no, Transpose::yes}) {
          std::vector<T> x(static_cast<size_t>(n));
          for (int64_t i = 0; i < n; ++i) x[static_cast<size_t>(i)] = T(i % 3 == 0 ? d * 2 : R(3));
          trsv(uplo, trans, Diagonal::stored, n, a.data(), n, x.data(), 1);
          for (int64_t i = 0; i < n; ++i)
            ASSERT_EQ(real_part(x[static_cast<size_t>(i)]), i % 3 == 0 ? R(2) : R(3))
                << i << " of " << n << ", diagonal " << d;
        }
      }
    }
  }
}

TYPED_TEST(Level2, Ger) {
  using T = TypeParam;
  for (int round = 0; round < kRounds; ++round) {
    const int64_t m = random_size(), n = random_size();
    const bool conjugated = round % 2 == 0;
    const T alpha = random_factor<T>();
    TestMatrix<T> a(m, n, std::max<int64_t>(1, m) + pick({0, 1, 5}));
    TestVector<T> x(m, random_increment(), alpha == T(0)), y(n, random_increment(), alpha == T(0));
    (conjugated ? gerc<T> : ger<T>)(m, n, alpha, x.data(), x.increment(), y.data(), y.increment(),
                                    a.data(), a.ld());
    const bool nothing = alpha == T(0);
    a.expect_untouched([&](int64_t, int64_t) { return !nothing; });
    for (int64_t j = 0; j < n && !nothing; ++j)
      for (int64_t i = 0; i < m; ++i)
        expect_close(a.at(i, j),
                     widen(a.before(i, j)) +
                         widen(alpha) * x.wide(i) * (conjugated ? std::conj(y.wide(j)) : y.wide(j)),
                     2);
    if (this->HasFatalFailure()) FAIL() << m << " x " << n;
  }
}

TYPED_TEST(Level2, SymmetricUpdates) {
  using T = TypeParam;
  for (int round = 0; round < 4 * kRounds; ++round) {
    const int64_t n = random_size();
    const bool hermitian = round % 2 == 0, two = round % 4 < 2;
    const auto kind = pick_below(2) == 0 ? Storage::dense : Storage::packed;
    StoredTriangle<T> a(kind, random_triangle(), n, 0);
    const T alpha = hermitian && !two ? T(real_part(random_factor<T>())) : random_factor<T>();
    const bool nothing = alpha == T(0);
    TestVector<T> x(n, random_increment(), nothing), y(n, random_increment(), nothing);
    T* p = a.storage.data();
    const int64_t ld = a.storage.ld(), incx = x.increment(), incy = y.increment();
    const std::vector<T> before(
        p, p + a.place(std::max<int64_t>(0, n - 1), std::max<int64_t>(0, n - 1)) + (n > 0));
    if (two && kind == Storage::dense)
      (hermitian ? her2<T> : syr2<T>)(a.uplo, n, alpha, x.data(), incx, y.data(), incy, p, ld);
    else if (two)
      (hermitian ? hpr2<T> : spr2<T>)(a.uplo, n, alpha, x.data(), incx, y.data(), incy, p);
    else if (kind == Storage::dense && hermitian)
      her(a.uplo, n, real_part(alpha), x.data(), incx, p, ld);
    else if (kind == Storage::dense)
      syr(a.uplo, n, alpha, x.data(), incx, p, ld);
    else if (hermitian)
      hpr(a.uplo, n, real_part(alpha), x.data(), incx, p);
    else
      spr(a.uplo, n, alpha, x.data(), incx, p);
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t i = 0; i < n; ++i) {
        const auto conj = [&](Wide value) { return hermitian ? std::conj(value) : value; };
        const int64_t place = a.place(i, j);
        if (!stored(a.uplo, i, j)) {
          if (kind == Storage::dense) {
            ASSERT_TRUE(same_bits(p[place], poison<T>()));
          }
          continue;
        }
        if (nothing) {
          ASSERT_TRUE(same_bits(p[place], before[static_cast<size_t>(place)]));
          continue;
        }
        Wide expected = widen(before[static_cast<size_t>(place)]);
        if (hermitian && i == j) expected = expected.real();
        if (two)
          expected += widen(alpha) * x.wide(i) * conj(y.wide(j)) +
                      conj(widen(alpha)) * y.wide(i) * conj(x.wide(j));
        else
          expected += widen(alpha) * x.wide(i) * conj(x.wide(j));
        if (hermitian && i == j) {
          expected = expected.real();
          if constexpr (is_complex<T>) {
            ASSERT_EQ(p[place].imag(), 0);
          }
        }
        expect_close(p[place], expected, 4);
      }
    }
    if (this->HasFatalFailure())
      FAIL() << "n " << n << " storage " << int(kind) << " uplo " << int(a.uplo) << " two " << two;
  }
}

}  // namespace
}  // namespace guda::blas::test
