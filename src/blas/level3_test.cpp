#include "blas/level3.h"

#include "blas/reference_test.h"

namespace guda::blas::test {
namespace {

template <class T>
class Level3 : public ::testing::Test {};
TYPED_TEST_SUITE(Level3, ElementTypes);

int64_t random_size() { return pick({0, 1, 2, 3, 5, 8, 15, 17, 33, 64, 65, 100, 131, 150}); }
// The same, and orders beyond the blocks that the routines write out.
int64_t random_order(int round) { return round % 25 == 24 ? 300 : random_size(); }
int64_t random_ld(int64_t rows) { return std::max<int64_t>(1, rows) + pick({0, 1, 7}); }

constexpr int kRounds = 50;

// C = alpha AB + beta C was done where `inside` says so.
template <class T, class Inside>
void check_product(const WideMatrix& ab, int64_t terms, T alpha, T beta, TestMatrix<T>& c,
                   Inside inside) {
  c.expect_untouched(inside);
  for (int64_t j = 0; j < ab.columns; ++j)
    for (int64_t i = 0; i < ab.rows; ++i) {
      if (!inside(i, j)) continue;
      Wide expected = 0;
      if (alpha != T(0)) expected += widen(alpha) * ab.at(i, j);
      if (beta != T(0)) expected += widen(beta) * widen(c.before(i, j));
      expect_close(c.at(i, j), expected, terms);
    }
}

TYPED_TEST(Level3, SymmAndHemm) {
  using T = TypeParam;
  for (int round = 0; round < kRounds; ++round) {
    const Side side = random_side();
    const Triangle uplo = random_triangle();
    const bool hermitian = round % 2 == 0;
    const int64_t order = random_order(round), other = random_size();
    const int64_t m = side == Side::left ? order : other, n = side == Side::left ? other : order;
    const T alpha = random_factor<T>(), beta = random_factor<T>();
    TestMatrix<T> a(order, order, random_ld(order), alpha == T(0));
    TestMatrix<T> b(m, n, random_ld(m), alpha == T(0)), c(m, n, random_ld(m), beta == T(0));
    const WideMatrix whole =
        completed(a.wide(), uplo, hermitian ? Structure::hermitian : Structure::symmetric);
    a.poison_other_triangle(uplo, false);
    (hermitian ? hemm<T> : symm<T>)(side, uplo, m, n, alpha, a.data(), a.ld(), b.data(), b.ld(),
                                    beta, c.data(), c.ld());
    const WideMatrix ab = side == Side::left ? whole.times(b.wide()) : b.wide().times(whole);
    check_product(ab, order, alpha, beta, c, [](int64_t, int64_t) { return true; });
    if (this->HasFatalFailure())
      FAIL() << m << " x " << n << " side " << int(side) << " uplo " << int(uplo);
  }
}

TYPED_TEST(Level3, Gemmt) {
  using T = TypeParam;
  for (int round = 0; round < kRounds; ++round) {
    const Triangle uplo = random_triangle();
    const Transpose ta = random_transpose(), tb = random_transpose();
    const int64_t n = random_order(round), k = random_size();
    const T alpha = random_factor<T>(), beta = random_factor<T>();
    const bool plain_a = ta == Transpose::no, plain_b = tb == Transpose::no;
    TestMatrix<T> a(plain_a ? n : k, plain_a ? k : n, random_ld(plain_a ? n : k), alpha == T(0));
    TestMatrix<T> b(plain_b ? k : n, plain_b ? n : k, random_ld(plain_b ? k : n), alpha == T(0));
    TestMatrix<T> c(n, n, random_ld(n), beta == T(0));
    gemmt(uplo, ta, tb, n, k, alpha, a.data(), a.ld(), b.data(), b.ld(), beta, c.data(), c.ld());
    check_product(a.wide().applied(ta).times(b.wide().applied(tb)), k, alpha, beta, c,
                  [&](int64_t i, int64_t j) {
                    return stored(uplo, i, j) && !((alpha == T(0) || k == 0) && beta == T(1));
                  });
    if (this->HasFatalFailure()) FAIL() << "n " << n << " k " << k << " uplo " << int(uplo);
  }
}

// All six updates: C += alpha op(A) op(B)^T, perhaps with a second product, perhaps Hermitian.
TYPED_TEST(Level3, RankKUpdates) {
  using T = TypeParam;
  using R = Real<T>;
  for (int round = 0; round < 6 * kRounds; ++round) {
    const int kind = round % 6;  // syrk syrkx syr2k herk herkx her2k
    const bool hermitian = kind >= 3, two = kind % 3 == 2, same = kind % 3 == 0;
    const Triangle uplo = random_triangle();
    const Transpose flipped = hermitian ? Transpose::conjugate : Transpose::yes;
    const Transpose trans = pick_below(2) == 0 ? Transpose::no : flipped;
    const int64_t n = random_order(round / 6), k = random_size();
    T alpha = random_factor<T>(), beta = random_factor<T>();
    if (hermitian) beta = T(real_part(beta));
    if (kind == 3) alpha = T(real_part(alpha));
    const bool plain = trans == Transpose::no;
    TestMatrix<T> a(plain ? n : k, plain ? k : n, random_ld(plain ? n : k), alpha == T(0));
    TestMatrix<T> other(plain ? n : k, plain ? k : n, random_ld(plain ? n : k), alpha == T(0));
    TestMatrix<T>& b = same ? a : other;
    TestMatrix<T> c(n, n, random_ld(n), beta == T(0));
    const T* pa = a.data();
    const T* pb = b.data();
    switch (kind) {
      case 0: syrk(uplo, trans, n, k, alpha, pa, a.ld(), beta, c.data(), c.ld()); break;
      case 1:
        syrkx(uplo, trans, n, k, alpha, pa, a.ld(), pb, b.ld(), beta, c.data(), c.ld());
        break;
      case 2:
        syr2k(uplo, trans, n, k, alpha, pa, a.ld(), pb, b.ld(), beta, c.data(), c.ld());
        break;
      case 3:
        herk(uplo, trans, n, k, real_part(alpha), pa, a.ld(), real_part(beta), c.data(), c.ld());
        break;
      case 4:
        herkx(uplo, trans, n, k, alpha, pa, a.ld(), pb, b.ld(), real_part(beta), c.data(), c.ld());
        break;
      default:
        her2k(uplo, trans, n, k, alpha, pa, a.ld(), pb, b.ld(), real_part(beta), c.data(), c.ld());
    }
    const WideMatrix op_a = a.wide().applied(trans), op_b = b.wide().applied(trans);
    const WideMatrix ab = op_a.times(op_b.applied(flipped)), ba = op_b.times(op_a.applied(flipped));
    const bool nothing = alpha == T(0) || k == 0;
    const auto inside = [&](int64_t i, int64_t j) { return stored(uplo, i, j); };
    c.expect_untouched(
        [&](int64_t i, int64_t j) { return inside(i, j) && !(nothing && beta == T(1)); });
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t i = 0; i < n; ++i) {
        if (!inside(i, j) || (nothing && beta == T(1))) continue;
        Wide expected = 0;
        if (beta != T(0)) expected = widen(beta) * widen(c.before(i, j));
        if (!nothing) expected += widen(alpha) * ab.at(i, j);
        if (!nothing && two)
          expected += (hermitian ? std::conj(widen(alpha)) : widen(alpha)) * ba.at(i, j);
        if (hermitian && i == j) {
          expected = expected.real();
          if constexpr (is_complex<T>) {
            ASSERT_EQ(c.at(i, j).imag(), R(0));
          }
        }
        expect_close(c.at(i, j), expected, 2 * k);
      }
    }
    if (this->HasFatalFailure())
      FAIL() << "kind " << kind << " n " << n << " k " << k << " uplo " << int(uplo) << " trans "
             << int(trans);
  }
}

TYPED_TEST(Level3, TrmmAndTrsm) {
  using T = TypeParam;
  for (int round = 0; round < 4 * kRounds; ++round) {
    const bool solve = round % 2 == 0;
    const Side side = random_side();
    const Triangle uplo = random_triangle();
    const Transpose trans = random_transpose();
    const Diagonal diag = random_diagonal();
    const int64_t order = random_order(round / 2), other = random_size();
    const int64_t m = side == Side::left ? order : other, n = side == Side::left ? other : order;
    const T alpha = random_factor<T>();
    TestMatrix<T> a(order, order, random_ld(order), alpha == T(0));
    TestMatrix<T> b(m, n, random_ld(m), alpha == T(0));
    if (alpha != T(0)) {
      for (int64_t j = 0; j < order; ++j)
        for (int64_t i = 0; i < order; ++i)
          if (i != j)
            a.at(i, j) /= static_cast<Real<T>>(order);
          else
            a.at(i, j) /= std::abs(a.at(i, j));
    }
    const WideMatrix whole = completed(a.wide(), uplo, Structure::triangular, diag).applied(trans);
    const WideMatrix old = b.wide();
    a.poison_other_triangle(uplo, diag == Diagonal::unit);
    if (solve)
      trsm(side, uplo, trans, diag, m, n, alpha, a.data(), a.ld(), b.data(), b.ld());
    else
      trmm(side, uplo, trans, diag, m, n, alpha, a.data(), a.ld(), b.data(), b.ld());
    b.expect_untouched([](int64_t, int64_t) { return true; });
    a.expect_untouched();
    const WideMatrix& factor = solve ? b.wide() : old;
    const WideMatrix made = side == Side::left ? whole.times(factor) : factor.times(whole);
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t i = 0; i < m; ++i) {
        if (alpha == T(0)) {
          ASSERT_EQ(b.at(i, j), T(0));
        } else if (solve) {
          ASSERT_LE(
              std::abs(made.at(i, j) - widen(alpha) * old.at(i, j)),
              static_cast<long double>(6 * order + 16) * std::numeric_limits<Real<T>>::epsilon());
        } else {
          expect_close(b.at(i, j), widen(alpha) * made.at(i, j), order);
        }
      }
    }
    if (this->HasFatalFailure())
      FAIL() << m << " x " << n << " side " << int(side) << " uplo " << int(uplo) << " trans "
             << int(trans) << " solve " << solve;
  }
}

TYPED_TEST(Level3, TrmmIntoAnotherMatrixLeavesTheFirst) {
  using T = TypeParam;
  const int64_t m = 70, n = 33;
  TestMatrix<T> a(m, m, m), b(m, n, m + 1), c(m, n, m + 5, true);
  trmm(Side::left, Triangle::upper, Transpose::no, Diagonal::stored, m, n, T(1), a.data(), a.ld(),
       b.data(), b.ld(), c.data(), c.ld());
  b.expect_untouched();
  const WideMatrix expected =
      completed(a.wide(), Triangle::upper, Structure::triangular).times(b.wide());
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < m; ++i) expect_close(c.at(i, j), expected.at(i, j), m);
}

TYPED_TEST(Level3, Geam) {
  using T = TypeParam;
  for (int round = 0; round < 2 * kRounds; ++round) {
    const int64_t m = random_size(), n = random_size();
    const Transpose ta = random_transpose(), tb = random_transpose();
    const T alpha = random_factor<T>(), beta = random_factor<T>();
    const bool plain_a = ta == Transpose::no, plain_b = tb == Transpose::no;
    TestMatrix<T> a(plain_a ? m : n, plain_a ? n : m, random_ld(plain_a ? m : n), alpha == T(0));
    TestMatrix<T> b(plain_b ? m : n, plain_b ? n : m, random_ld(plain_b ? m : n), beta == T(0));
    TestMatrix<T> c(m, n, random_ld(m), true);
    geam(ta, tb, m, n, alpha, a.data(), a.ld(), beta, b.data(), b.ld(), c.data(), c.ld());
    c.expect_untouched([](int64_t, int64_t) { return true; });
    const WideMatrix wide_a = a.wide().applied(ta), wide_b = b.wide().applied(tb);
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < m; ++i) {
        Wide expected = 0;
        if (alpha != T(0)) expected += widen(alpha) * wide_a.at(i, j);
        if (beta != T(0)) expected += widen(beta) * wide_b.at(i, j);
        expect_close(c.at(i, j), expected, 1);
      }
    if (this->HasFatalFailure()) FAIL() << m << " x " << n;
  }
}

TYPED_TEST(Level3, DgmmAndPackedStorage) {
  using T = TypeParam;
  for (int round = 0; round < kRounds; ++round) {
    const int64_t m = random_size(), n = random_size();
    const Side side = random_side();
    TestMatrix<T> a(m, n, random_ld(m)), c(m, n, random_ld(m), true);
    TestVector<T> x(side == Side::left ? m : n, random_increment());
    dgmm(side, m, n, a.data(), a.ld(), x.data(), x.increment(), c.data(), c.ld());
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < m; ++i)
        expect_close(c.at(i, j), widen(a.at(i, j)) * x.wide(side == Side::left ? i : j), 1);

    const Triangle uplo = random_triangle();
    TestMatrix<T> from(n, n, random_ld(n)), to(n, n, random_ld(n), true);
    GuardedArray<T> packed(n * (n + 1) / 2);
    trttp(uplo, n, from.data(), from.ld(), packed.data());
    tpttr(uplo, n, packed.data(), to.data(), to.ld());
    to.expect_untouched([&](int64_t i, int64_t j) { return stored(uplo, i, j); });
    int64_t place = 0;
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < n; ++i)
        if (stored(uplo, i, j)) {
          ASSERT_EQ(packed[place++], from.at(i, j));
          ASSERT_EQ(to.at(i, j), from.at(i, j));
        }
    if (this->HasFatalFailure()) FAIL() << m << " x " << n;
  }
}

}  // namespace
}  // namespace guda::blas::test
