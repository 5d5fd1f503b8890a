// Results do not depend on the number of threads: routines that divide their work, at sizes where they do.
#include <gtest/gtest.h>

#include "blas/level1.h"
#include "blas/level2.h"
#include "blas/level3.h"
#include "blas/reference_test.h"
#include "blas/worker_pool.h"

namespace guda::blas::test {
namespace {

template <class T>
class Threads : public ::testing::Test {
 protected:
  // Calls compute(result) on one thread and on all, with results that began alike.
  template <class Compute>
  void expect_same(const std::vector<T>& start, Compute compute) {
    std::vector<T> one = start, all = start;
    set_worker_limit(1);
    compute(one.data());
    set_worker_limit(0);
    compute(all.data());
    for (size_t i = 0; i < start.size(); ++i)
      ASSERT_TRUE(same_bits(one[i], all[i])) << i << " of " << start.size();
  }
  static std::vector<T> random_values(int64_t n) {
    std::vector<T> values(static_cast<size_t>(n));
    for (T& value : values) value = random_value<T>();
    return values;
  }
};
TYPED_TEST_SUITE(Threads, ElementTypes);

TYPED_TEST(Threads, Sums) {
  using T = TypeParam;
  const int64_t n = 400'003;
  const std::vector<T> x = this->random_values(n), y = this->random_values(n);
  this->expect_same(std::vector<T>(5), [&](T* result) {
    result[0] = dot(n, x.data(), 1, y.data(), 1);
    result[1] = dotc(n, x.data(), 1, y.data(), 1);
    result[2] = T(nrm2(n, x.data(), 1));
    result[3] = T(asum(n, x.data(), 1));
    result[4] = T(static_cast<Real<T>>(iamax(n, x.data(), 1)));
  });
}

TYPED_TEST(Threads, MatrixTimesVector) {
  using T = TypeParam;
  const int64_t m = 1003, n = 507;
  const std::vector<T> a = this->random_values(m * n), x = this->random_values(m + n);
  for (const Transpose trans : {Transpose::no, Transpose::yes, Transpose::conjugate})
    this->expect_same(this->random_values(m),
                      [&](T* y) { gemv(trans, m, n, T(2), a.data(), m, x.data(), 1, T(1), y, 1); });
}

TYPED_TEST(Threads, SymmetricTimesVector) {
  using T = TypeParam;
  const int64_t n = 1103;
  const std::vector<T> a = this->random_values(n * n), x = this->random_values(n);
  const std::vector<T> start = this->random_values(n);
  for (const Triangle uplo : {Triangle::lower, Triangle::upper}) {
    this->expect_same(start,
                      [&](T* y) { hemv(uplo, n, T(2), a.data(), n, x.data(), 1, T(1), y, 1); });
    this->expect_same(start, [&](T* y) { spmv(uplo, n, T(2), a.data(), x.data(), 1, T(1), y, 1); });
    // Against the whole matrix.
    std::vector<T> whole = a, got = start, expected = start;
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < n; ++i)
        if (!stored(uplo, i, j))
          whole[static_cast<size_t>(i + j * n)] = a[static_cast<size_t>(j + i * n)];
    symv(uplo, n, T(2), a.data(), n, x.data(), 1, T(1), got.data(), 1);
    gemv(Transpose::no, n, n, T(2), whole.data(), n, x.data(), 1, T(1), expected.data(), 1);
    for (size_t i = 0; i < got.size(); ++i) expect_close(got[i], widen(expected[i]), n, 4);
  }
}

TYPED_TEST(Threads, TrianglesAndVectors) {
  using T = TypeParam;
  const int64_t n = 1103;
  std::vector<T> a = this->random_values(n * n);
  for (T& value : a) value /= T(Real<T>(n));
  for (int64_t i = 0; i < n; ++i) a[static_cast<size_t>(i * (n + 1))] += T(1);
  const std::vector<T> start = this->random_values(n);
  for (const Triangle uplo : {Triangle::lower, Triangle::upper}) {
    for (const Transpose trans : {Transpose::no, Transpose::yes, Transpose::conjugate}) {
      for (const Diagonal diag : {Diagonal::stored, Diagonal::unit}) {
        this->expect_same(start, [&](T* x) { trmv(uplo, trans, diag, n, a.data(), n, x, 1); });
        this->expect_same(start, [&](T* x) { trsv(uplo, trans, diag, n, a.data(), n, x, 1); });
        this->expect_same(start,
                          [&](T* x) { tbsv(uplo, trans, diag, n, 700, a.data(), 800, x, 1); });
        // What one does the other undoes.
        std::vector<T> x = start;
        trmv(uplo, trans, diag, n, a.data(), n, x.data(), 1);
        trsv(uplo, trans, diag, n, a.data(), n, x.data(), 1);
        for (size_t i = 0; i < x.size(); ++i) expect_close(x[i], widen(start[i]), 200, 4);
      }
    }
  }
}

TYPED_TEST(Threads, Updates) {
  using T = TypeParam;
  const int64_t n = 601;
  const std::vector<T> x = this->random_values(n), y = this->random_values(n);
  const std::vector<T> a = this->random_values(n * n);
  this->expect_same(a, [&](T* c) { ger(n, n, T(2), x.data(), 1, y.data(), 1, c, n); });
  this->expect_same(a, [&](T* c) { her(Triangle::lower, n, Real<T>(2), x.data(), 1, c, n); });
  this->expect_same(a,
                    [&](T* c) { syr2(Triangle::upper, n, T(2), x.data(), 1, y.data(), 1, c, n); });
}

TYPED_TEST(Threads, Level3) {
  using T = TypeParam;
  const int64_t n = 333;
  std::vector<T> a = this->random_values(n * n);
  const std::vector<T> b = this->random_values(n * n);
  for (int64_t i = 0; i < n; ++i) a[static_cast<size_t>(i * (n + 1))] += T(Real<T>(n));
  this->expect_same(b, [&](T* c) {
    trsm(Side::left, Triangle::lower, Transpose::no, Diagonal::stored, n, n, T(1), a.data(), n, c,
         n);
  });
  this->expect_same(b, [&](T* c) {
    trmm(Side::right, Triangle::upper, Transpose::yes, Diagonal::unit, n, n, T(1), a.data(), n, c,
         n);
  });
  this->expect_same(
      b, [&](T* c) { syrk(Triangle::lower, Transpose::no, n, n, T(1), a.data(), n, T(1), c, n); });
  this->expect_same(b, [&](T* c) {
    hemm(Side::left, Triangle::upper, n, n, T(1), a.data(), n, b.data(), n, T(0), c, n);
  });
}

}  // namespace
}  // namespace guda::blas::test
