#include <gtest/gtest.h>
#include <guda/blas.h>
#include <guda/cblas.h>

#include <functional>
#include <vector>

#include "blas/reference_test.h"

namespace guda::blas::test {
namespace {

template <class T>
class CppInterface : public ::testing::Test {};
TYPED_TEST_SUITE(CppInterface, ElementTypes);

TYPED_TEST(CppInterface, RowMajorProductsAreThoseOfTheTransposes) {
  using T = TypeParam;
  const int64_t m = 7, n = 5, k = 9;
  for (const Transpose ta : {Transpose::no, Transpose::yes, Transpose::conjugate}) {
    for (const Transpose tb : {Transpose::no, Transpose::yes, Transpose::conjugate}) {
      // As row-major matrices: columns and rows exchanged in storage.
      const bool plain_a = ta == Transpose::no, plain_b = tb == Transpose::no;
      TestMatrix<T> a(plain_a ? k : m, plain_a ? m : k, 11),
          b(plain_b ? n : k, plain_b ? k : n, 12);
      TestMatrix<T> c(n, m, 8);
      const WideMatrix wide_a = a.wide().applied(Transpose::yes).applied(ta);
      const WideMatrix expected = wide_a.times(b.wide().applied(Transpose::yes).applied(tb));
      ASSERT_EQ(gemm<T>({}, Layout::row_major, ta, tb, m, n, k, T(2), a.data(), 11, b.data(), 12,
                        T(0), c.data(), 8),
                0);
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) expect_close(c.at(j, i), 2.0L * expected.at(i, j), 2 * k);
    }
  }
}

TYPED_TEST(CppInterface, RowMajorTriangularSolutions) {
  using T = TypeParam;
  const int64_t n = 20;
  for (const Transpose trans : {Transpose::no, Transpose::yes, Transpose::conjugate}) {
    TestMatrix<T> a(n, n, n);
    for (int64_t i = 0; i < n; ++i) a.at(i, i) += T(Real<T>(n));
    const WideMatrix whole =
        completed(a.wide().applied(Transpose::yes), Triangle::upper, Structure::triangular)
            .applied(trans);
    TestVector<T> x(n, -2);
    ASSERT_EQ(trsv<T>({}, Layout::row_major, Triangle::upper, trans, Diagonal::stored, n, a.data(),
                      n, x.data(), -2),
              0);
    for (int64_t i = 0; i < n; ++i) {
      Wide sum = 0;
      for (int64_t j = 0; j < n; ++j) sum += whole.at(i, j) * x.wide(j);
      ASSERT_LT(std::abs(sum - x.before(i)), 100 * std::numeric_limits<Real<T>>::epsilon());
    }
  }
}

TYPED_TEST(CppInterface, BadArgumentsAreCountedAndChangeNothing) {
  using T = TypeParam;
  T a[4] = {T(1), T(2), T(3), T(4)}, y[2] = {T(5), T(6)};
  EXPECT_EQ(gemv<T>({}, Layout::column_major, Transpose::no, -1, 2, T(1), a, 2, a, 1, T(0), y, 1),
            3);
  EXPECT_EQ(gemv<T>({}, Layout::column_major, Transpose::no, 2, 1, T(1), a, 1, a, 1, T(0), y, 1),
            7);
  EXPECT_EQ(gemv<T>({}, Layout::row_major, Transpose::no, 2, 1, T(1), a, 1, a, 1, T(0), y, 0), 12);
  EXPECT_EQ(y[0], T(5));
  EXPECT_EQ(gemm_batched<T>({}, Layout::row_major, Transpose::no, Transpose::no, 2, 3, 2, T(1),
                            nullptr, 1, nullptr, 3, T(0), nullptr, 3, 0),
            9);
}

TYPED_TEST(CppInterface, SumsComeThroughTheLastArgument) {
  using T = TypeParam;
  const std::vector<T> x = {T(3), T(-4)};
  T sum;
  Real<T> norm;
  int64_t index;
  EXPECT_EQ(dot<T>({}, 2, x.data(), 1, x.data(), 1, &sum), 0);
  EXPECT_EQ(sum, T(25));
  EXPECT_EQ(nrm2<T>({}, 2, x.data(), 1, &norm), 0);
  EXPECT_EQ(norm, Real<T>(5));
  EXPECT_EQ(iamax<T>({}, 2, x.data(), 1, &index), 0);
  EXPECT_EQ(index, 1);
  EXPECT_EQ(iamax<T>({}, 0, x.data(), 1, &index), 0);
  EXPECT_EQ(index, -1);
}

TYPED_TEST(CppInterface, BatchesInBothLayouts) {
  using T = TypeParam;
  const int64_t m = 3, n = 4, k = 2, count = 5;
  for (const Layout layout : {Layout::column_major, Layout::row_major}) {
    const bool row_major = layout == Layout::row_major;
    const int64_t lda = row_major ? k : m, ldb = row_major ? n : k, ldc = row_major ? n : m;
    std::vector<T> a(m * k * count), b(k * n), c(m * n * count), d(m * n * count);
    for (T& value : a) value = random_value<T>();
    for (T& value : b) value = random_value<T>();
    ASSERT_EQ(gemm_strided_batched<T>({.threads = 1}, layout, Transpose::no, Transpose::no, m, n, k,
                                      T(1), a.data(), lda, m * k, b.data(), ldb, 0, T(0), c.data(),
                                      ldc, m * n, count),
              0);
    std::vector<const T*> pa, pb;
    std::vector<T*> pd;
    for (int64_t i = 0; i < count; ++i) {
      pa.push_back(a.data() + i * m * k);
      pb.push_back(b.data());
      pd.push_back(d.data() + i * m * n);
    }
    ASSERT_EQ(gemm_batched<T>({}, layout, Transpose::no, Transpose::no, m, n, k, T(1), pa.data(),
                              lda, pb.data(), ldb, T(0), pd.data(), ldc, count),
              0);
    for (int64_t i = 0; i < count; ++i) {
      std::vector<T> one(m * n);
      ASSERT_EQ(gemm<T>({}, layout, Transpose::no, Transpose::no, m, n, k, T(1),
                        pa[static_cast<size_t>(i)], lda, b.data(), ldb, T(0), one.data(), ldc),
                0);
      for (int64_t e = 0; e < m * n; ++e) {
        expect_close(c[static_cast<size_t>(i * m * n + e)], widen(one[static_cast<size_t>(e)]), k);
        expect_close(d[static_cast<size_t>(i * m * n + e)], widen(one[static_cast<size_t>(e)]), k);
      }
    }
  }
}

// A stream: calls wait here until somebody runs them.
struct Stream {
  std::vector<std::function<void()>> calls;
  int error = 0;
};
int enqueue(void* stream, void (*call)(void*), void* argument) {
  auto* self = static_cast<Stream*>(stream);
  if (self->error == 0) self->calls.push_back([=] { call(argument); });
  return self->error;
}

TEST(CppInterface, CallsOnAStreamRunInItsOrder) {
  Stream stream;
  const Execution execution{.threads = 1, .stream = &stream, .enqueue = enqueue};
  double x[] = {1, 2}, sum = -1;
  EXPECT_EQ(scal(execution, 2, 3.0, x, 1), 0);
  EXPECT_EQ(asum<double>(execution, 2, x, 1, &sum), 0);
  EXPECT_EQ(x[0], 1);
  EXPECT_EQ(sum, -1);
  for (const auto& call : stream.calls) call();
  EXPECT_EQ(x[1], 6);
  EXPECT_EQ(sum, 9);
  stream.error = 700;
  EXPECT_EQ(scal(execution, 2, 3.0, x, 1), -700);
}

TEST(CppInterface, ThreadLimitsEndWithTheCall) {
  guda_blas_set_threads(1);
  EXPECT_EQ(guda_blas_get_threads(), 1);
  guda_blas_set_threads(0);
  const int all = guda_blas_get_threads();
  float x = 1, y = 2, sum;
  EXPECT_EQ(dot<float>({.threads = 1}, 1, &x, 1, &y, 1, &sum), 0);
  EXPECT_EQ(guda_blas_get_threads(), all);
}

TEST(CppInterface, TheCHeaderDeclaresWhatIsExported) {
  const float a[] = {1, 2, 3, 4}, x[] = {1, 1};
  float y[2];
  cblas_sgemv(CblasRowMajor, CblasNoTrans, 2, 2, 1, a, 2, x, 1, 0, y, 1);
  EXPECT_EQ(y[1], 7);
  const std::complex<double> z[] = {{1, 2}, {0, 1}};
  std::complex<double> dot;
  cblas_zdotc_sub_64(2, z, 1, z, 1, &dot);
  EXPECT_EQ(dot, std::complex<double>(6, 0));
}

}  // namespace
}  // namespace guda::blas::test
