#include <dlfcn.h>
#include <gtest/gtest.h>

#include <complex>
#include <cstring>
#include <string>
#include <vector>

#include "blas/level3.h"
#include "blas/reference_test.h"

using std::complex;

namespace {
std::string g_routine;
int64_t g_position = 0;
}  // namespace

// Programs replace the error handlers by defining them; these two do.
extern "C" {
__attribute__((visibility("default"))) void xerbla_(const char* name, const int32_t* info,
                                                    size_t length) {
  g_routine.assign(name, length);
  g_position = *info;
}
__attribute__((visibility("default"))) void cblas_xerbla(int32_t position, const char* routine,
                                                         const char*, ...) {
  g_routine = routine;
  g_position = position;
}

void sgemm_(const char*, const char*, const int32_t*, const int32_t*, const int32_t*, const float*,
            const float*, const int32_t*, const float*, const int32_t*, const float*, float*,
            const int32_t*);
void sgemm_64_(const char*, const char*, const int64_t*, const int64_t*, const int64_t*,
               const float*, const float*, const int64_t*, const float*, const int64_t*,
               const float*, float*, const int64_t*);
complex<float> cdotc_(const int32_t*, const complex<float>*, const int32_t*, const complex<float>*,
                      const int32_t*);
complex<double> zdotu_(const int32_t*, const complex<double>*, const int32_t*,
                       const complex<double>*, const int32_t*);
float snrm2_(const int32_t*, const float*, const int32_t*);
int32_t idamax_(const int32_t*, const double*, const int32_t*);
size_t cblas_idamax(int32_t, const double*, int32_t);
void cblas_zher2k(int, int, int, int32_t, int32_t, const void*, const void*, int32_t, const void*,
                  int32_t, double, void*, int32_t);
void cblas_dgemm(int, int, int, int32_t, int32_t, int32_t, double, const double*, int32_t,
                 const double*, int32_t, double, double*, int32_t);
void cblas_dgemm_64(int, int, int, int64_t, int64_t, int64_t, double, const double*, int64_t,
                    const double*, int64_t, double, double*, int64_t);
void cblas_cgemv(int, int, int32_t, int32_t, const void*, const void*, int32_t, const void*,
                 int32_t, const void*, void*, int32_t);
}

namespace {

constexpr int kRowMajor = 101, kColumnMajor = 102, kNo = 111, kAdjoint = 113, kUpper = 121;

TEST(BlasAbi, EveryFunctionOfTheTableIsExported) {
  static const char* const symbols[] = {
#include "blas_symbols.inc"
  };
  EXPECT_GT(std::size(symbols), 600u);
  for (const char* symbol : symbols) EXPECT_NE(dlsym(RTLD_DEFAULT, symbol), nullptr) << symbol;
}

TEST(BlasAbi, FortranTakesLowerCaseAndPointers) {
  const int32_t m = 2, n = 2, k = 3, lda = 3, ldb = 3, ldc = 2;
  const float alpha = 1, beta = 0;
  const float a[] = {1, 2, 3, 4, 5, 6}, b[] = {1, 0, 1, 0, 1, 1};
  float c[] = {NAN, NAN, NAN, NAN};
  sgemm_("t", "n", &m, &n, &k, &alpha, a, &lda, b, &ldb, &beta, c, &ldc);
  EXPECT_EQ(c[0], 4);
  EXPECT_EQ(c[1], 10);
  EXPECT_EQ(c[2], 5);
  EXPECT_EQ(c[3], 11);
  const int64_t m64 = 2, n64 = 2, k64 = 3, ld64 = 3, ldc64 = 2;
  float d[4];
  sgemm_64_("T", "N", &m64, &n64, &k64, &alpha, a, &ld64, b, &ld64, &beta, d, &ldc64);
  EXPECT_EQ(std::memcmp(c, d, sizeof(c)), 0);
}

TEST(BlasAbi, ComplexResultsComeByValue) {
  const complex<float> x[] = {{1, 2}, {3, -1}}, y[] = {{0, 1}, {2, 2}};
  const complex<double> u[] = {{1, 2}, {3, -1}}, v[] = {{0, 1}, {2, 2}};
  const int32_t n = 2, one = 1;
  EXPECT_EQ(cdotc_(&n, x, &one, y, &one), complex<float>(6, 9));
  EXPECT_EQ(zdotu_(&n, u, &one, v, &one), complex<double>(6, 5));
}

TEST(BlasAbi, IndicesCountFromOneInFortranAndFromZeroInC) {
  const double x[] = {1, -7, 3};
  const int32_t n = 3, none = 0, one = 1;
  EXPECT_EQ(idamax_(&n, x, &one), 2);
  EXPECT_EQ(idamax_(&none, x, &one), 0);
  EXPECT_EQ(cblas_idamax(3, x, 1), 1u);
  EXPECT_EQ(cblas_idamax(0, x, 1), 0u);
}

TEST(BlasAbi, BadArgumentsReachTheProgramsOwnHandler) {
  const int32_t m = 2, n = 2, k = 2, bad_ld = 1, ld = 2;
  const float one = 1;
  float a[4] = {}, c[4] = {5, 5, 5, 5};
  sgemm_("N", "N", &m, &n, &k, &one, a, &ld, a, &bad_ld, &one, c, &ld);
  EXPECT_EQ(g_routine, "SGEMM ");
  EXPECT_EQ(g_position, 10);
  sgemm_("N", "X", &m, &n, &k, &one, a, &ld, a, &bad_ld, &one, c, &ld);
  EXPECT_EQ(g_position, 2);
  double d[4] = {};
  cblas_dgemm(7, kNo, kNo, 2, 2, 2, 1, d, 2, d, 2, 0, d, 2);
  EXPECT_EQ(g_routine, "cblas_dgemm");
  EXPECT_EQ(g_position, 1);
  cblas_dgemm(kColumnMajor, kNo, kNo, -1, 2, 2, 1, d, 2, d, 2, 0, d, 2);
  EXPECT_EQ(g_position, 4);
  EXPECT_EQ(c[0], 5);
}

TEST(BlasAbi, RowMajorIsTheTransposedProblem) {
  // 2 x 3 times 3 x 2, with gaps between rows.
  const double a[] = {1, 2, 3, -1, 4, 5, 6, -1}, b[] = {1, 0, -1, 0, 1, -1, 1, 1, -1};
  double c[] = {0, 0, 9, 0, 0, 9}, d[] = {0, 0, 9, 0, 0, 9};
  cblas_dgemm(kRowMajor, kNo, kNo, 2, 2, 3, 1, a, 4, b, 3, 0, c, 3);
  const double expected[] = {4, 5, 9, 10, 11, 9};
  EXPECT_EQ(std::memcmp(c, expected, sizeof(c)), 0);
  cblas_dgemm_64(kRowMajor, kNo, kNo, 2, 2, 3, 1, a, 4, b, 3, 0, d, 3);
  EXPECT_EQ(std::memcmp(d, expected, sizeof(d)), 0);
}

TEST(BlasAbi, RowMajorAdjointNeverReadsWhatBetaZeroHides) {
  const complex<float> one = 1, zero = 0, nan(NAN, NAN);
  const complex<float> a[] = {{1, 1}, {2, 0}, {0, 3}, {4, -1}, {1, 0}, {0, 1}};  // 2 x 3
  const complex<float> x[] = {{1, 0}, {0, 2}};
  complex<float> y[] = {nan, nan, nan};
  cblas_cgemv(kRowMajor, kAdjoint, 2, 3, &one, a, 3, x, 1, &zero, y, 1);
  for (int j = 0; j < 3; ++j)
    EXPECT_EQ(y[j], std::conj(a[j]) * x[0] + std::conj(a[3 + j]) * x[1]) << j;
}

TEST(BlasAbi, RowMajorHermitianRankTwoKUpdate) {
  using T = complex<double>;
  constexpr int n = 5, k = 3;
  std::vector<T> a(n * k), b(n * k), c(n * n, T(0)), expected(n * n, T(0));
  for (T& value : a) value = guda::blas::test::random_value<T>();
  for (T& value : b) value = guda::blas::test::random_value<T>();
  const T alpha(0.5, -2);
  for (int i = 0; i < n; ++i)
    for (int j = i; j < n; ++j)
      for (int p = 0; p < k; ++p)
        expected[static_cast<size_t>(i * n + j)] +=
            alpha * a[static_cast<size_t>(i * k + p)] *
                std::conj(b[static_cast<size_t>(j * k + p)]) +
            std::conj(alpha) * b[static_cast<size_t>(i * k + p)] *
                std::conj(a[static_cast<size_t>(j * k + p)]);
  cblas_zher2k(kRowMajor, kUpper, kNo, n, k, &alpha, a.data(), k, b.data(), k, 0.0, c.data(), n);
  for (size_t i = 0; i < c.size(); ++i) EXPECT_LT(std::abs(c[i] - expected[i]), 1e-13) << i;
}

}  // namespace
