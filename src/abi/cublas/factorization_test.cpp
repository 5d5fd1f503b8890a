// Batched factorisations and solvers: the factors multiply to the matrix, the solutions satisfy the system.
#include "abi/cublas/cublas_test.h"

namespace guda::cublas::test {
namespace {

constexpr int kOrder = 6, kBatch = 4, kRight = 2, kTall = 9;

/// A batch of matrices and the array of pointers to them.
template <class T>
struct Batch {
  int rows, columns;
  Array<T> values;
  Array<T*> pointers;
  Batch(int r, int c, bool random = true)
      : rows(r), columns(c), values(r * c * kBatch), pointers(kBatch) {
    for (size_t i = 0; random && i < values.size(); ++i) values[i] = random_value<T>();
    for (int i = 0; i < kBatch; ++i) pointers[i] = values.get() + i * r * c;
  }
  Dense<T> matrix(int i) const { return read_dense(pointers[i], rows, columns, rows); }
};

template <class T>
Dense<T> product(const Dense<T>& a, const Dense<T>& b) {
  return multiply_add(T(1), a, b, T(0), Dense<T>(a.rows, b.columns));
}
template <class T>
Dense<T> identity(int n) {
  Dense<T> result(n, n);
  for (int i = 0; i < n; ++i) result(i, i) = T(1);
  return result;
}

template <class T>
void lu() {
  Cublas cublas;
  Batch<T> a(kOrder, kOrder), inverse(kOrder, kOrder), b(kOrder, kRight);
  auto originals = a.values.values(), rights = b.values.values();
  Array<int> pivots(kOrder * kBatch), info(kBatch, -1);
  int n = kOrder, count = kBatch, nrhs = kRight;
  ASSERT_EQ(call(name_of<T>("getrfBatched"), cublas.handle, n, a.pointers.get(), n, pivots.get(),
                 info.get(), count),
            0);
  synchronize();
  for (int p = 0; p < kBatch; ++p) {
    EXPECT_EQ(info[p], 0);
    auto factors = a.matrix(p);
    auto lower = expand(Shape::triangular, kLower, kUnit, factors);
    auto upper = expand(Shape::triangular, kUpper, kNonUnit, factors);
    auto original = read_dense(originals.data() + p * n * n, n, n, n);
    for (int i = 0; i < n; ++i) {
      int other = pivots[p * n + i] - 1;
      for (int j = 0; j < n; ++j) std::swap(original(i, j), original(other, j));
    }
    expect_near(original.values, product(lower, upper).values, "P L U");
  }
  ASSERT_EQ(call(name_of<T>("getriBatched"), cublas.handle, n, a.pointers.get(), n, pivots.get(),
                 inverse.pointers.get(), n, info.get(), count),
            0);
  for (Op op : {kN, kT, kC}) {
    for (size_t i = 0; i < rights.size(); ++i) b.values[i] = rights[i];
    int host_info = -1;
    ASSERT_EQ(call(name_of<T>("getrsBatched"), cublas.handle, op, n, nrhs, a.pointers.get(), n,
                   pivots.get(), b.pointers.get(), n, &host_info, count),
              0);
    EXPECT_EQ(host_info, 0);
    synchronize();
    for (int p = 0; p < kBatch; ++p) {
      auto original = read_dense(originals.data() + p * n * n, n, n, n);
      auto right = read_dense(rights.data() + p * n * nrhs, n, nrhs, n);
      expect_near(right.values, product(applied(op, original), b.matrix(p)).values, "getrs");
      if (op == kN)
        expect_near(identity<T>(n).values, product(original, inverse.matrix(p)).values, "getri");
    }
  }
  int host_info = 0;
  EXPECT_EQ(call(name_of<T>("getrsBatched"), cublas.handle, kN, -1, nrhs, a.pointers.get(), n,
                 pivots.get(), b.pointers.get(), n, &host_info, count),
            kInvalidValue);
  EXPECT_EQ(host_info, -2);
  // matinv, which keeps A.
  for (size_t i = 0; i < originals.size(); ++i) a.values[i] = originals[i];
  ASSERT_EQ(call(name_of<T>("matinvBatched"), cublas.handle, n, a.pointers.get(), n,
                 inverse.pointers.get(), n, info.get(), count),
            0);
  synchronize();
  for (int p = 0; p < kBatch; ++p) {
    expect_near(identity<T>(n).values, product(a.matrix(p), inverse.matrix(p)).values, "matinv");
  }
  EXPECT_EQ(call(name_of<T>("matinvBatched"), cublas.handle, 33, a.pointers.get(), 33,
                 inverse.pointers.get(), 33, info.get(), count),
            kInvalidValue)
      << "up to 32 x 32";
}

TEST(CublasFactorization, FactorsSolveAndInvert) {
  lu<float>();
  lu<double>();
  lu<ComplexFloat>();
  lu<ComplexDouble>();
}

TEST(CublasFactorization, SingularMatricesAreReported) {
  Cublas cublas;
  Batch<double> a(2, 2, false);
  for (int i = 0; i < kBatch * 4; ++i) a.values[i] = i < 4 ? 1 : (i % 4 == 0 || i % 4 == 3);
  Array<int> pivots(2 * kBatch), info(kBatch, -1);
  ASSERT_EQ(call("cublasDgetrfBatched", cublas.handle, 2, a.pointers.get(), 2, pivots.get(),
                 info.get(), kBatch),
            0);
  synchronize();
  EXPECT_EQ(info[0], 2);
  EXPECT_EQ(info[1], 0);
}

template <class T>
void qr() {
  Cublas cublas;
  Batch<T> a(kTall, kOrder), tau(kOrder, 1);
  auto originals = a.values.values();
  int info = -1, m = kTall, n = kOrder, count = kBatch, nrhs = kRight;
  ASSERT_EQ(call(name_of<T>("geqrfBatched"), cublas.handle, m, n, a.pointers.get(), m,
                 tau.pointers.get(), &info, count),
            0);
  EXPECT_EQ(info, 0);
  synchronize();
  for (int p = 0; p < kBatch; ++p) {
    // R^H R = A^H A.
    auto factors = a.matrix(p);
    Dense<T> r(n, n);
    for (int j = 0; j < n; ++j)
      for (int i = 0; i <= j; ++i) r(i, j) = factors(i, j);
    auto original = read_dense(originals.data() + p * m * n, m, n, m);
    expect_near(product(applied(kC, original), original).values, product(applied(kC, r), r).values,
                "geqrf");
  }
  // The residual of least squares is orthogonal to the columns.
  for (size_t i = 0; i < originals.size(); ++i) a.values[i] = originals[i];
  Batch<T> c(kTall, kRight);
  auto rights = c.values.values();
  Array<int> device_info(kBatch, -1);
  ASSERT_EQ(call(name_of<T>("gelsBatched"), cublas.handle, kN, m, n, nrhs, a.pointers.get(), m,
                 c.pointers.get(), m, &info, device_info.get(), count),
            0);
  EXPECT_EQ(info, 0);
  synchronize();
  for (int p = 0; p < kBatch; ++p) {
    EXPECT_EQ(device_info[p], 0);
    auto original = read_dense(originals.data() + p * m * n, m, n, m);
    Dense<T> x(n, nrhs);
    for (int j = 0; j < nrhs; ++j)
      for (int i = 0; i < n; ++i) x(i, j) = c.pointers[p][i + j * m];
    auto residual = multiply_add(T(-1), original, x, T(1),
                                 read_dense(rights.data() + p * m * nrhs, m, nrhs, m));
    expect_near(std::vector<T>(n * nrhs), product(applied(kC, original), residual).values, "gels");
  }
  EXPECT_EQ(call(name_of<T>("gelsBatched"), cublas.handle, kT, m, n, nrhs, a.pointers.get(), m,
                 c.pointers.get(), m, &info, device_info.get(), count),
            kNotSupported);
}

TEST(CublasFactorization, OrthogonalFactorsAndLeastSquares) {
  qr<float>();
  qr<double>();
  qr<ComplexFloat>();
  qr<ComplexDouble>();
}

template <class T, class Int>
void triangular_solves() {
  Cublas cublas;
  Batch<T> a(kOrder, kOrder), b(kOrder, kRight);
  for (int p = 0; p < kBatch; ++p)
    for (int i = 0; i < kOrder; ++i) a.pointers[p][i * (kOrder + 1)] += T(3);
  auto rights = b.values.values();
  Int n = kOrder, nrhs = kRight, count = kBatch;
  T alpha = T(2);
  ASSERT_EQ(call(name_of<T>("trsmBatched") + suffix<Int>(), cublas.handle, kLeft, kUpper, kN,
                 kNonUnit, n, nrhs, &alpha, a.pointers.get(), n, b.pointers.get(), n, count),
            0);
  synchronize();
  for (int p = 0; p < kBatch; ++p) {
    auto full = expand(Shape::triangular, kUpper, kNonUnit, a.matrix(p));
    auto right = read_dense(rights.data() + p * kOrder * kRight, kOrder, kRight, kOrder);
    for (T& value : right.values) value *= alpha;
    expect_near(right.values, product(full, b.matrix(p)).values, "trsmBatched");
  }
}

TEST(CublasFactorization, BatchesOfTriangularSystems) {
  GUDA_FOR_TYPES(triangular_solves, float, double, ComplexFloat, ComplexDouble);
}

}  // namespace
}  // namespace guda::cublas::test
