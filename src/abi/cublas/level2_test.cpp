// Every function of level 2, for all fills, operations and storages, and its form in cublas.h.
#include "abi/cublas/cublas_test.h"

namespace guda::cublas::test {
namespace {

constexpr int kRows = 9, kColumns = 7, kOrder = 8, kBand = 2, kPadding = 3;

/// y = alpha M x + beta y into every second element of y.
template <class T>
std::vector<T> product_into(T alpha, const Dense<T>& m, const std::vector<T>& x, T beta,
                            const std::vector<T>& y0) {
  std::vector<T> y = y0;
  auto product = multiply_add(alpha, m, column(x), T(0), Dense<T>(m.rows, 1));
  for (int64_t i = 0; i < m.rows; ++i) y[2 * i] = product(i, 0) + beta * y0[2 * i];
  return y;
}

template <class T, class Int>
void general() {
  std::string s = suffix<Int>();
  bool has_old = sizeof(Int) == 4;
  Int m = kRows, n = kColumns, lda = kRows + kPadding, incx = -1, incy = 2;
  Int kl = 2, ku = 1, band_ld = kl + ku + 1;
  T alpha = random_value<T>(), beta = random_value<T>();
  Place<T> alpha_at(alpha), beta_at(beta);
  Array<T> a(random_values<T>(lda * n));
  auto dense = read_dense(a.get(), m, n, lda);
  auto banded = dense;
  Array<T> stored(band(banded, kl, ku));
  for (Op op : {kN, kT, kC}) {
    Int inputs = op == kN ? n : m, outputs = op == kN ? m : n;
    Array<T> x(random_values<T>(inputs));
    auto xs = gather(x.get(), inputs, incx);
    auto y0 = random_values<T>(2 * outputs);
    three_ways<T>(
        "gemv", y0, product_into(alpha, applied(op, dense), xs, beta, y0), has_old,
        [&](void* handle, T* y, bool device) {
          return call(name_of<T>("gemv_v2" + s), handle, op, m, n, alpha_at.at(device), a.get(),
                      lda, x.get(), incx, beta_at.at(device), y, incy);
        },
        [&](T* y) {
          call_as<void>(name_of<T>("gemv"), character(op), int(m), int(n), alpha, a.get(), int(lda),
                        x.get(), -1, beta, y, 2);
        });
    three_ways<T>(
        "gbmv", y0, product_into(alpha, applied(op, banded), xs, beta, y0), has_old,
        [&](void* handle, T* y, bool device) {
          return call(name_of<T>("gbmv_v2" + s), handle, op, m, n, kl, ku, alpha_at.at(device),
                      stored.get(), band_ld, x.get(), incx, beta_at.at(device), y, incy);
        },
        [&](T* y) {
          call_as<void>(name_of<T>("gbmv"), character(op), int(m), int(n), int(kl), int(ku), alpha,
                        stored.get(), int(band_ld), x.get(), -1, beta, y, 2);
        });
  }
  // Rank one.
  Array<T> x(random_values<T>(m)), y(random_values<T>(2 * n));
  auto xs = gather(x.get(), m, incx), ys = gather(y.get(), n, 2);
  auto rank_one = [&](const std::string& routine, bool conjugated) {
    auto expected = a.values();
    for (Int j = 0; j < n; ++j)
      for (Int i = 0; i < m; ++i)
        expected[i + j * lda] += alpha * xs[i] * (conjugated ? blas::conjugate(ys[j]) : ys[j]);
    three_ways<T>(
        routine, a.values(), expected, has_old,
        [&](void* handle, T* out, bool device) {
          return call(name_of<T>(routine + "_v2" + s), handle, m, n, alpha_at.at(device), x.get(),
                      incx, y.get(), incy, out, lda);
        },
        [&](T* out) {
          call_as<void>(name_of<T>(routine), int(m), int(n), alpha, x.get(), -1, y.get(), 2, out,
                        int(lda));
        });
  };
  if (is_complex<T>) {
    rank_one("geru", false);
    rank_one("gerc", true);
  } else {
    rank_one("ger", false);
  }
}

TEST(CublasLevel2, GeneralMatricesMultiplyVectors) {
  GUDA_FOR_TYPES(general, float, double, ComplexFloat, ComplexDouble);
}

template <class T, class Int>
void symmetric_products(Shape shape) {
  std::string s = suffix<Int>();
  Int n = kOrder, k = kBand, lda = kOrder + kPadding, incx = 1, incy = 2, band_ld = kBand + 1;
  T alpha = random_value<T>(), beta = random_value<T>();
  Place<T> alpha_at(alpha), beta_at(beta);
  bool hermitian = shape == Shape::hermitian;
  for (Fill fill : {kLower, kUpper}) {
    Array<T> a(random_values<T>(lda * n)), x(random_values<T>(n));
    auto xs = x.values(), y0 = random_values<T>(2 * n);
    auto stored = read_dense(a.get(), n, n, lda);
    // cublas.h has no complex symv.
    bool has_old = sizeof(Int) == 4 && (hermitian || !is_complex<T>);
    std::string dense = hermitian ? "hemv" : "symv";
    three_ways<T>(
        dense, y0, product_into(alpha, expand(shape, fill, kNonUnit, stored), xs, beta, y0),
        has_old,
        [&](void* handle, T* y, bool device) {
          return call(name_of<T>(dense + "_v2" + s), handle, fill, n, alpha_at.at(device), a.get(),
                      lda, x.get(), incx, beta_at.at(device), y, incy);
        },
        [&](T* y) {
          call_as<void>(name_of<T>(dense), character(fill), int(n), alpha, a.get(), int(lda),
                        x.get(), 1, beta, y, 2);
        });
    if (is_complex<T> && !hermitian) continue;
    Array<T> packed(pack(fill, stored));
    std::string packed_name = hermitian ? "hpmv" : "spmv";
    three_ways<T>(
        packed_name, y0, product_into(alpha, expand(shape, fill, kNonUnit, stored), xs, beta, y0),
        has_old,
        [&](void* handle, T* y, bool device) {
          return call(name_of<T>(packed_name + "_v2" + s), handle, fill, n, alpha_at.at(device),
                      packed.get(), x.get(), incx, beta_at.at(device), y, incy);
        },
        [&](T* y) {
          call_as<void>(name_of<T>(packed_name), character(fill), int(n), alpha, packed.get(),
                        x.get(), 1, beta, y, 2);
        });
    auto narrow_matrix = stored;
    Array<T> banded(band(narrow_matrix, fill == kLower ? kBand : 0, fill == kLower ? 0 : kBand));
    std::string band_name = hermitian ? "hbmv" : "sbmv";
    three_ways<T>(
        band_name, y0,
        product_into(alpha, expand(shape, fill, kNonUnit, narrow_matrix), xs, beta, y0), has_old,
        [&](void* handle, T* y, bool device) {
          return call(name_of<T>(band_name + "_v2" + s), handle, fill, n, k, alpha_at.at(device),
                      banded.get(), band_ld, x.get(), incx, beta_at.at(device), y, incy);
        },
        [&](T* y) {
          call_as<void>(name_of<T>(band_name), character(fill), int(n), int(k), alpha, banded.get(),
                        int(band_ld), x.get(), 1, beta, y, 2);
        });
  }
}
template <class T, class Int>
void symmetric() {
  symmetric_products<T, Int>(Shape::symmetric);
  if (is_complex<T>) symmetric_products<T, Int>(Shape::hermitian);
}

TEST(CublasLevel2, SymmetricAndHermitianMatricesMultiplyVectors) {
  GUDA_FOR_TYPES(symmetric, float, double, ComplexFloat, ComplexDouble);
}

/// Rank-1 and rank-2 updates of one triangle, dense and packed.
template <class T, class Scale, class Int>
void rank_updates(bool hermitian) {
  std::string s = suffix<Int>();
  Int n = kOrder, lda = kOrder, incx = 1, incy = -2;
  T alpha = random_value<T>();
  Scale scale{};
  if constexpr (std::is_same_v<Scale, T>)
    scale = alpha;
  else
    scale = alpha.real();
  Place<T> alpha_at(alpha);
  Place<Scale> scale_at(scale);
  bool has_old = sizeof(Int) == 4 && (hermitian || !is_complex<T>);
  auto other = [&](T value) { return hermitian ? blas::conjugate(value) : value; };
  std::string letters = hermitian ? "he" : "sy", packed_letters = hermitian ? "hp" : "sp";
  for (Fill fill : {kLower, kUpper}) {
    Dense<T> start(n, n);
    start.values = random_values<T>(n * n);
    if (hermitian)
      for (Int i = 0; i < n; ++i) start(i, i) = blas::real_part(start(i, i));
    Array<T> x(random_values<T>(n)), y(random_values<T>(2 * n));
    auto xs = gather(x.get(), n, incx), ys = gather(y.get(), n, incy);
    auto one = start, two = start;
    for (Int j = 0; j < n; ++j)
      for (Int i = 0; i < n; ++i) {
        one(i, j) += scale * xs[i] * other(xs[j]);
        two(i, j) += alpha * xs[i] * other(ys[j]) + other(alpha) * ys[i] * other(xs[j]);
      }
    three_ways<T>(
        letters + "r", start.values, merge_triangle(fill, one, start), has_old,
        [&](void* handle, T* a, bool device) {
          return call(name_of<T>(letters + "r_v2" + s), handle, fill, n, scale_at.at(device),
                      x.get(), incx, a, lda);
        },
        [&](T* a) {
          call_as<void>(name_of<T>(letters + "r"), character(fill), int(n), scale, x.get(), 1, a,
                        int(lda));
        });
    three_ways<T>(
        letters + "r2", start.values, merge_triangle(fill, two, start), has_old,
        [&](void* handle, T* a, bool device) {
          return call(name_of<T>(letters + "r2_v2" + s), handle, fill, n, alpha_at.at(device),
                      x.get(), incx, y.get(), incy, a, lda);
        },
        [&](T* a) {
          call_as<void>(name_of<T>(letters + "r2"), character(fill), int(n), alpha, x.get(), 1,
                        y.get(), -2, a, int(lda));
        });
    if (is_complex<T> && !hermitian) continue;
    three_ways<T>(
        packed_letters + "r", pack(fill, start), pack(fill, one), has_old,
        [&](void* handle, T* a, bool device) {
          return call(name_of<T>(packed_letters + "r_v2" + s), handle, fill, n, scale_at.at(device),
                      x.get(), incx, a);
        },
        [&](T* a) {
          call_as<void>(name_of<T>(packed_letters + "r"), character(fill), int(n), scale, x.get(),
                        1, a);
        });
    three_ways<T>(
        packed_letters + "r2", pack(fill, start), pack(fill, two), has_old,
        [&](void* handle, T* a, bool device) {
          return call(name_of<T>(packed_letters + "r2_v2" + s), handle, fill, n,
                      alpha_at.at(device), x.get(), incx, y.get(), incy, a);
        },
        [&](T* a) {
          call_as<void>(name_of<T>(packed_letters + "r2"), character(fill), int(n), alpha, x.get(),
                        1, y.get(), -2, a);
        });
  }
}
template <class T, class Int>
void updates() {
  rank_updates<T, T, Int>(false);
  if constexpr (is_complex<T>) rank_updates<T, Real<T>, Int>(true);
}

TEST(CublasLevel2, RankUpdatesChangeOneTriangle) {
  GUDA_FOR_TYPES(updates, float, double, ComplexFloat, ComplexDouble);
}

template <class T, class Int>
void triangular() {
  std::string s = suffix<Int>();
  bool has_old = sizeof(Int) == 4;
  Int n = kOrder, k = kBand, lda = kOrder + kPadding, incx = 2, band_ld = kBand + 1;
  for (Fill fill : {kLower, kUpper})
    for (Op op : {kN, kT, kC})
      for (Diag diag : {kNonUnit, kUnit}) {
        Array<T> a(random_values<T>(lda * n));
        for (Int i = 0; i < n; ++i) a[i + i * lda] += T(3);  // well conditioned
        auto stored = read_dense(a.get(), n, n, lda);
        Array<T> packed(pack(fill, stored));
        auto narrow_matrix = stored;
        Array<T> banded(
            band(narrow_matrix, fill == kLower ? kBand : 0, fill == kLower ? 0 : kBand));
        auto full = applied(op, expand(Shape::triangular, fill, diag, stored));
        auto banded_full = applied(op, expand(Shape::triangular, fill, diag, narrow_matrix));
        auto x0 = random_values<T>(2 * n);
        auto after = [&](const Dense<T>& matrix) {
          auto product =
              multiply_add(T(1), matrix, column(gather(x0.data(), n, 2)), T(0), Dense<T>(n, 1));
          auto x = x0;
          for (Int i = 0; i < n; ++i) x[2 * i] = product(i, 0);
          return x;
        };
        // A solve undoes a product.
        auto both = [&](const std::string& multiply, const std::string& solve,
                        const Dense<T>& matrix, auto v2, auto old) {
          auto product = after(matrix);
          three_ways<T>(
              multiply, x0, product, has_old,
              [&](void* handle, T* x, bool) { return v2(multiply, handle, x); },
              [&](T* x) { old(multiply, x); });
          three_ways<T>(
              solve, product, x0, has_old,
              [&](void* handle, T* x, bool) { return v2(solve, handle, x); },
              [&](T* x) { old(solve, x); });
        };
        both(
            "trmv", "trsv", full,
            [&](const std::string& name, void* handle, T* x) {
              return call(name_of<T>(name + "_v2" + s), handle, fill, op, diag, n, a.get(), lda, x,
                          incx);
            },
            [&](const std::string& name, T* x) {
              call_as<void>(name_of<T>(name), character(fill), character(op), character(diag),
                            int(n), a.get(), int(lda), x, 2);
            });
        both(
            "tpmv", "tpsv", full,
            [&](const std::string& name, void* handle, T* x) {
              return call(name_of<T>(name + "_v2" + s), handle, fill, op, diag, n, packed.get(), x,
                          incx);
            },
            [&](const std::string& name, T* x) {
              call_as<void>(name_of<T>(name), character(fill), character(op), character(diag),
                            int(n), packed.get(), x, 2);
            });
        both(
            "tbmv", "tbsv", banded_full,
            [&](const std::string& name, void* handle, T* x) {
              return call(name_of<T>(name + "_v2" + s), handle, fill, op, diag, n, k, banded.get(),
                          band_ld, x, incx);
            },
            [&](const std::string& name, T* x) {
              call_as<void>(name_of<T>(name), character(fill), character(op), character(diag),
                            int(n), int(k), banded.get(), int(band_ld), x, 2);
            });
      }
}

TEST(CublasLevel2, TriangularMatricesMultiplyAndSolve) {
  GUDA_FOR_TYPES(triangular, float, double, ComplexFloat, ComplexDouble);
}

TEST(CublasLevel2, BadArgumentsAreRefused) {
  Cublas cublas;
  float one = 1;
  Array<float> memory(8);
  float *a = memory.get(), *x = a + 4, *y = a + 6;
  auto gemv = [&](int op, int m, int lda, int incx, const float* alpha) {
    return call("cublasSgemv_v2", cublas.handle, op, m, 2, alpha, a, lda, x, incx, &one, y, 1);
  };
  EXPECT_EQ(gemv(0, 2, 2, 1, &one), 0);
  EXPECT_EQ(gemv(0, 2, 1, 1, &one), kInvalidValue);
  // cuBLAS 13.1 answers 0 to the next three, and reads through a null pointer.
  if (against_nvidia()) return;
  EXPECT_EQ(gemv(7, 2, 2, 1, &one), kInvalidValue);
  EXPECT_EQ(gemv(0, -1, 2, 1, &one), kInvalidValue);
  EXPECT_EQ(gemv(0, 2, 2, 0, &one), kInvalidValue);
  EXPECT_EQ(gemv(0, 2, 2, 1, nullptr), kInvalidValue);
  EXPECT_EQ(gemv(0, 0, 1, 1, nullptr), 0) << "nothing to do";
  call_as<void>("cublasSgemv", 'x', 2, 2, 1.0f, a, 2, x, 1, 1.0f, y, 1);
  EXPECT_EQ(call("cublasGetError"), kInvalidValue);
  EXPECT_EQ(call("cublasGetError"), 0) << "read once";
}

}  // namespace
}  // namespace guda::cublas::test
