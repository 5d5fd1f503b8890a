// Every routine of level 3 in all its forms: cublas_v2.h with 32- and 64-bit sizes, cublas.h, cublasXt and
// nvblas; and the matrix routines that only cuBLAS has.
#include "abi/cublas/cublas_test.h"

#include <map>

namespace guda::cublas::test {
namespace {

constexpr int kM = 7, kN_ = 6, kK = 5, kGap = 2;

/// A handle of cublasXt with the device selected.
struct Xt {
  void* handle = nullptr;
  Xt() {
    int device = 0;
    EXPECT_EQ(call("cublasXtCreate", &handle), 0);
    EXPECT_EQ(call("cublasXtDeviceSelect", handle, 1, &device), 0);
  }
  ~Xt() { EXPECT_EQ(call("cublasXtDestroy", handle), 0); }
};

template <class T>
std::string xt_name(const std::string& routine) {
  return std::string("cublasXt") + Letter<T>::upper + routine;
}

/// Calls nvblas with and without the underscore, turn by turn.
template <class T, class... Args>
void fortran(const std::string& routine, Args... args) {
  static std::map<std::string, bool> underscore;
  std::string name = Letter<T>::lower + routine;
  bool& with = underscore[name];
  with = !with;
  call_as<void>(name + (with ? "_" : ""), args...);
}

/// Matrices in host memory for cublasXt and nvblas.
template <class T, class Routine>
void in_host_memory(const std::string& what, const std::vector<T>& start,
                    const std::vector<T>& expected, Routine routine) {
  // NVIDIA's nvblas needs a configuration file that names a BLAS for the CPU.
  if (what.starts_with("nvblas") && against_nvidia()) return;
  std::vector<T> out = start;
  routine(out.data());
  expect_near(expected, out, what);
}

template <class T, class Int>
void gemm() {
  std::string s = suffix<Int>();
  Int m = kM, n = kN_, k = kK, ldc = kM + kGap;
  T alpha = random_value<T>(), beta = random_value<T>();
  Place<T> alpha_at(alpha), beta_at(beta);
  for (Op opa : {kN, kT, kC})
    for (Op opb : {kN, kT, kC}) {
      Int rows_a = opa == kN ? m : k, columns_a = opa == kN ? k : m, lda = rows_a + 1;
      Int rows_b = opb == kN ? k : n, columns_b = opb == kN ? n : k, ldb = rows_b + 3;
      Array<T> a(random_values<T>(lda * columns_a)), b(random_values<T>(ldb * columns_b));
      auto c0 = random_values<T>(ldc * n);
      auto dense = multiply_add(alpha, applied(opa, read_dense(a.get(), rows_a, columns_a, lda)),
                                applied(opb, read_dense(b.get(), rows_b, columns_b, ldb)), beta,
                                read_dense(c0.data(), m, n, ldc));
      auto c1 = c0;
      for (Int j = 0; j < n; ++j)
        for (Int i = 0; i < m; ++i) c1[i + j * ldc] = dense(i, j);
      auto v2 = [&](const std::string& name) {
        return [&, name](void* handle, T* c, bool device) {
          return call(name_of<T>(name), handle, opa, opb, m, n, k, alpha_at.at(device), a.get(),
                      lda, b.get(), ldb, beta_at.at(device), c, ldc);
        };
      };
      three_ways<T>("gemm", c0, c1, sizeof(Int) == 4, v2("gemm_v2" + s), [&](T* c) {
        call_as<void>(name_of<T>("gemm"), character(opa), character(opb), kM, kN_, kK, alpha,
                      a.get(), int(lda), b.get(), int(ldb), beta, c, int(ldc));
      });
      if (is_complex<T>) three_ways<T>("gemm3m", c0, c1, false, v2("gemm3m" + s), [](T*) {});
      if (sizeof(Int) == 4) continue;
      in_host_memory<T>("cublasXt gemm", c0, c1, [&](T* c) {
        Xt xt;
        EXPECT_EQ(call(xt_name<T>("gemm"), xt.handle, opa, opb, m, n, k, &alpha, a.get(), lda,
                       b.get(), ldb, &beta, c, ldc),
                  0);
      });
      in_host_memory<T>("nvblas gemm", c0, c1, [&](T* c) {
        char ta = character(opa), tb = character(opb);
        int sizes[] = {int(m), int(n), int(k), int(lda), int(ldb), int(ldc)};
        fortran<T>("gemm", &ta, &tb, &sizes[0], &sizes[1], &sizes[2], &alpha, a.get(), &sizes[3],
                   b.get(), &sizes[4], &beta, c, &sizes[5]);
      });
    }
}

TEST(CublasLevel3, GemmInAllItsForms) {
  GUDA_FOR_TYPES(gemm, float, double, ComplexFloat, ComplexDouble);
}

template <class T, class Int>
void symmetric_product(Shape shape) {
  std::string s = suffix<Int>();
  Int m = kM, n = kN_, ldb = kM + 1, ldc = kM;
  T alpha = random_value<T>(), beta = random_value<T>();
  Place<T> alpha_at(alpha), beta_at(beta);
  std::string name = shape == Shape::hermitian ? "hemm" : "symm";
  for (SideMode side : {kLeft, kRight})
    for (Fill fill : {kLower, kUpper}) {
      Int order = side == kLeft ? m : n, lda = order + kGap;
      Array<T> a(random_values<T>(lda * order)), b(random_values<T>(ldb * n));
      auto c0 = random_values<T>(ldc * n);
      auto stored = read_dense(a.get(), order, order, lda);
      auto full = expand(shape, fill, kNonUnit, stored);
      auto dense_b = read_dense(b.get(), m, n, ldb), dense_c = read_dense(c0.data(), m, n, ldc);
      auto c1 = (side == kLeft ? multiply_add(alpha, full, dense_b, beta, dense_c)
                               : multiply_add(alpha, dense_b, full, beta, dense_c))
                    .values;
      three_ways<T>(
          name, c0, c1, sizeof(Int) == 4,
          [&](void* handle, T* c, bool device) {
            return call(name_of<T>(name + "_v2" + s), handle, side, fill, m, n, alpha_at.at(device),
                        a.get(), lda, b.get(), ldb, beta_at.at(device), c, ldc);
          },
          [&](T* c) {
            call_as<void>(name_of<T>(name), character(side), character(fill), kM, kN_, alpha,
                          a.get(), int(lda), b.get(), int(ldb), beta, c, int(ldc));
          });
      if (sizeof(Int) == 4) continue;
      Xt xt;
      in_host_memory<T>("cublasXt " + name, c0, c1, [&](T* c) {
        EXPECT_EQ(call(xt_name<T>(name), xt.handle, side, fill, m, n, &alpha, a.get(), lda, b.get(),
                       ldb, &beta, c, ldc),
                  0);
      });
      in_host_memory<T>("nvblas " + name, c0, c1, [&](T* c) {
        char side_letter = character(side), fill_letter = character(fill);
        int sizes[] = {int(m), int(n), int(lda), int(ldb), int(ldc)};
        fortran<T>(name, &side_letter, &fill_letter, &sizes[0], &sizes[1], &alpha, a.get(),
                   &sizes[2], b.get(), &sizes[3], &beta, c, &sizes[4]);
      });
      if (shape == Shape::hermitian) continue;
      auto packed = pack(fill, stored);
      in_host_memory<T>("cublasXt spmm", c0, c1, [&](T* c) {
        EXPECT_EQ(call(xt_name<T>("spmm"), xt.handle, side, fill, m, n, &alpha, packed.data(),
                       b.get(), ldb, &beta, c, ldc),
                  0);
      });
    }
}
template <class T, class Int>
void symmetric_products() {
  symmetric_product<T, Int>(Shape::symmetric);
  if (is_complex<T>) symmetric_product<T, Int>(Shape::hermitian);
}

TEST(CublasLevel3, SymmetricAndHermitianProducts) {
  GUDA_FOR_TYPES(symmetric_products, float, double, ComplexFloat, ComplexDouble);
}

/// syrk, syr2k, syrkx and their Hermitian forms. Scale: the type of beta, and of syrk's alpha.
template <class T, class Scale, class Int>
void rank_k(bool hermitian) {
  std::string s = suffix<Int>(), prefix = hermitian ? "he" : "sy";
  Int n = kN_, k = kK, ldc = kN_ + kGap;
  T alpha = random_value<T>();
  Scale scale{}, beta{};
  if constexpr (std::is_same_v<Scale, T>) {
    scale = random_value<T>();
    beta = random_value<T>();
  } else {
    scale = Scale(0.75);
    beta = Scale(-0.5);
  }
  Place<T> alpha_at(alpha);
  Place<Scale> scale_at(scale), beta_at(beta);
  Op turned = hermitian ? kC : kT;
  for (Fill fill : {kLower, kUpper})
    // The other one of T and C means the same.
    for (Op given : {kN, turned, hermitian ? kT : kC}) {
      Op op = given == kN ? kN : turned;
      Int rows = op == kN ? n : k, columns = op == kN ? k : n, lda = rows + 1, ldb = rows;
      Array<T> a(random_values<T>(lda * columns)), b(random_values<T>(ldb * columns));
      auto c0 = random_values<T>(ldc * n);
      for (Int i = 0; i < n && hermitian; ++i) c0[i + i * ldc] = blas::real_part(c0[i + i * ldc]);
      auto left = applied(op, read_dense(a.get(), rows, columns, lda));
      auto right = applied(op, read_dense(b.get(), rows, columns, ldb));
      auto start = read_dense(c0.data(), n, n, ldc);
      auto turn = [&](const Dense<T>& matrix) { return applied(turned, matrix); };
      auto result = [&](const Dense<T>& changed) {
        auto c1 = c0;
        for (Int j = 0; j < n; ++j)
          for (Int i = 0; i < n; ++i)
            if (fill == kLower ? i >= j : i <= j) c1[i + j * ldc] = changed(i, j);
        return c1;
      };
      T other_alpha = hermitian ? blas::conjugate(alpha) : alpha;
      Dense<T> nothing(n, n);
      auto two = multiply_add(alpha, left, turn(right), T(beta), start);
      auto second = multiply_add(other_alpha, right, turn(left), T(0), nothing);
      for (size_t i = 0; i < two.values.size(); ++i) two.values[i] += second.values[i];
      auto c_k = result(multiply_add(T(scale), left, turn(left), T(beta), start));
      auto c_2k = result(two);

      char fill_letter = character(fill), op_letter = character(given);
      int sizes[] = {int(n), int(k), int(lda), int(ldb), int(ldc)};
      bool has_old = sizeof(Int) == 4;
      three_ways<T>(
          prefix + "rk", c0, c_k, has_old,
          [&](void* handle, T* c, bool device) {
            return call(name_of<T>(prefix + "rk_v2" + s), handle, fill, given, n, k,
                        scale_at.at(device), a.get(), lda, beta_at.at(device), c, ldc);
          },
          [&](T* c) {
            call_as<void>(name_of<T>(prefix + "rk"), fill_letter, op_letter, kN_, kK, scale,
                          a.get(), sizes[2], beta, c, sizes[4]);
          });
      three_ways<T>(
          prefix + "r2k", c0, c_2k, has_old,
          [&](void* handle, T* c, bool device) {
            return call(name_of<T>(prefix + "r2k_v2" + s), handle, fill, given, n, k,
                        alpha_at.at(device), a.get(), lda, b.get(), ldb, beta_at.at(device), c,
                        ldc);
          },
          [&](T* c) {
            call_as<void>(name_of<T>(prefix + "r2k"), fill_letter, op_letter, kN_, kK, alpha,
                          a.get(), sizes[2], b.get(), sizes[3], beta, c, sizes[4]);
          });
      // rkx promises that the product is symmetric: B is a multiple of A.
      Array<T> multiple(a.values());
      for (size_t i = 0; i < multiple.size(); ++i) multiple[i] *= T(Real<T>(0.5));
      Real<T> real_alpha = Real<T>(1.25);
      Place<T> x_at{T(real_alpha)};
      auto c_x =
          result(multiply_add(T(real_alpha * Real<T>(0.5)), left, turn(left), T(beta), start));
      three_ways<T>(
          prefix + "rkx", c0, c_x, false,
          [&](void* handle, T* c, bool device) {
            return call(name_of<T>(prefix + "rkx" + s), handle, fill, given, n, k, x_at.at(device),
                        a.get(), lda, multiple.get(), lda, beta_at.at(device), c, ldc);
          },
          [](T*) {});
      if (sizeof(Int) == 4 || given != op) continue;
      Xt xt;
      in_host_memory<T>("cublasXt rk", c0, c_k, [&](T* c) {
        EXPECT_EQ(call(xt_name<T>(prefix + "rk"), xt.handle, fill, op, n, k, &scale, a.get(), lda,
                       &beta, c, ldc),
                  0);
      });
      in_host_memory<T>("cublasXt r2k", c0, c_2k, [&](T* c) {
        EXPECT_EQ(call(xt_name<T>(prefix + "r2k"), xt.handle, fill, op, n, k, &alpha, a.get(), lda,
                       b.get(), ldb, &beta, c, ldc),
                  0);
      });
      in_host_memory<T>("cublasXt rkx", c0, c_x, [&](T* c) {
        EXPECT_EQ(call(xt_name<T>(prefix + "rkx"), xt.handle, fill, op, n, k, &x_at.host, a.get(),
                       lda, multiple.get(), lda, &beta, c, ldc),
                  0);
      });
      in_host_memory<T>("nvblas rk", c0, c_k, [&](T* c) {
        fortran<T>(prefix + "rk", &fill_letter, &op_letter, &sizes[0], &sizes[1], &scale, a.get(),
                   &sizes[2], &beta, c, &sizes[4]);
      });
      in_host_memory<T>("nvblas r2k", c0, c_2k, [&](T* c) {
        fortran<T>(prefix + "r2k", &fill_letter, &op_letter, &sizes[0], &sizes[1], &alpha, a.get(),
                   &sizes[2], b.get(), &sizes[3], &beta, c, &sizes[4]);
      });
    }
}
template <class T, class Int>
void rank_ks() {
  rank_k<T, T, Int>(false);
  if constexpr (is_complex<T>) rank_k<T, Real<T>, Int>(true);
}

TEST(CublasLevel3, RankKUpdatesChangeOneTriangle) {
  GUDA_FOR_TYPES(rank_ks, float, double, ComplexFloat, ComplexDouble);
}

template <class T, class Int>
void triangular() {
  std::string s = suffix<Int>();
  Int m = kM, n = kN_, ldb = kM + kGap;
  T alpha = random_value<T>() + T(2), inverse = T(1) / alpha;
  Place<T> alpha_at(alpha), inverse_at(inverse);
  for (SideMode side : {kLeft, kRight})
    for (Fill fill : {kLower, kUpper})
      for (Op op : {kN, kT, kC})
        for (Diag diag : {kNonUnit, kUnit}) {
          Int order = side == kLeft ? m : n, lda = order + 1;
          Array<T> a(random_values<T>(lda * order));
          for (Int i = 0; i < order; ++i) a[i + i * lda] += T(3);
          auto full = applied(
              op, expand(Shape::triangular, fill, diag, read_dense(a.get(), order, order, lda)));
          auto b0 = random_values<T>(ldb * n);
          auto start = read_dense(b0.data(), m, n, ldb);
          Dense<T> nothing(m, n);
          auto product = side == kLeft ? multiply_add(alpha, full, start, T(0), nothing)
                                       : multiply_add(alpha, start, full, T(0), nothing);
          auto b1 = b0;
          for (Int j = 0; j < n; ++j)
            for (Int i = 0; i < m; ++i) b1[i + j * ldb] = product(i, j);
          bool has_old = sizeof(Int) == 4;
          char letters[] = {character(side), character(fill), character(op), character(diag)};
          int sizes[] = {int(m), int(n), int(lda), int(ldb)};
          // In place, as cublas.h has it, and into another matrix.
          three_ways<T>(
              "trmm", b0, b1, has_old,
              [&](void* handle, T* b, bool device) {
                return call(name_of<T>("trmm_v2" + s), handle, side, fill, op, diag, m, n,
                            alpha_at.at(device), a.get(), lda, b, ldb, b, ldb);
              },
              [&](T* b) {
                call_as<void>(name_of<T>("trmm"), letters[0], letters[1], letters[2], letters[3],
                              kM, kN_, alpha, a.get(), sizes[2], b, sizes[3]);
              });
          Array<T> source(b0);
          three_ways<T>(
              "trmm out of place", b0, b1, false,
              [&](void* handle, T* c, bool device) {
                return call(name_of<T>("trmm_v2" + s), handle, side, fill, op, diag, m, n,
                            alpha_at.at(device), a.get(), lda, source.get(), ldb, c, ldb);
              },
              [](T*) {});
          three_ways<T>(
              "trsm", b1, b0, has_old,
              [&](void* handle, T* b, bool device) {
                return call(name_of<T>("trsm_v2" + s), handle, side, fill, op, diag, m, n,
                            inverse_at.at(device), a.get(), lda, b, ldb);
              },
              [&](T* b) {
                call_as<void>(name_of<T>("trsm"), letters[0], letters[1], letters[2], letters[3],
                              kM, kN_, inverse, a.get(), sizes[2], b, sizes[3]);
              });
          if (has_old) continue;
          Xt xt;
          in_host_memory<T>("cublasXt trmm", b0, b1, [&](T* c) {
            EXPECT_EQ(call(xt_name<T>("trmm"), xt.handle, side, fill, op, diag, m, n, &alpha,
                           a.get(), lda, source.get(), ldb, c, ldb),
                      0);
          });
          in_host_memory<T>("cublasXt trsm", b1, b0, [&](T* b) {
            EXPECT_EQ(call(xt_name<T>("trsm"), xt.handle, side, fill, op, diag, m, n, &inverse,
                           a.get(), lda, b, ldb),
                      0);
          });
          in_host_memory<T>("nvblas trmm", b0, b1, [&](T* b) {
            fortran<T>("trmm", &letters[0], &letters[1], &letters[2], &letters[3], &sizes[0],
                       &sizes[1], &alpha, a.get(), &sizes[2], b, &sizes[3]);
          });
          in_host_memory<T>("nvblas trsm", b1, b0, [&](T* b) {
            fortran<T>("trsm", &letters[0], &letters[1], &letters[2], &letters[3], &sizes[0],
                       &sizes[1], &inverse, a.get(), &sizes[2], b, &sizes[3]);
          });
        }
}

TEST(CublasLevel3, TriangularMatricesMultiplyAndSolve) {
  GUDA_FOR_TYPES(triangular, float, double, ComplexFloat, ComplexDouble);
}

template <class T, class Int>
void additions() {
  std::string s = suffix<Int>();
  Int m = kM, n = kN_, ldc = kM;
  T alpha = random_value<T>(), beta = random_value<T>();
  Place<T> alpha_at(alpha), beta_at(beta);
  auto c0 = random_values<T>(ldc * n);
  for (Op opa : {kN, kT, kC})
    for (Op opb : {kN, kT, kC}) {
      Int rows_a = opa == kN ? m : n, lda = rows_a + 1, rows_b = opb == kN ? m : n, ldb = rows_b;
      Array<T> a(random_values<T>(lda * (m + n - rows_a)));
      Array<T> b(random_values<T>(ldb * (m + n - rows_b)));
      auto left = applied(opa, read_dense(a.get(), rows_a, m + n - rows_a, lda));
      auto right = applied(opb, read_dense(b.get(), rows_b, m + n - rows_b, ldb));
      auto c1 = c0;
      for (size_t i = 0; i < c1.size(); ++i)
        c1[i] = alpha * left.values[i] + beta * right.values[i];
      three_ways<T>(
          "geam", c0, c1, false,
          [&](void* handle, T* c, bool device) {
            return call(name_of<T>("geam" + s), handle, opa, opb, m, n, alpha_at.at(device),
                        a.get(), lda, beta_at.at(device), b.get(), ldb, c, ldc);
          },
          [](T*) {});
    }
  Int lda = m + kGap, incx = 2;
  Array<T> a(random_values<T>(lda * n)), x(random_values<T>(2 * (m + n)));
  for (SideMode side : {kLeft, kRight}) {
    auto c1 = c0;
    for (Int j = 0; j < n; ++j)
      for (Int i = 0; i < m; ++i) c1[i + j * ldc] = a[i + j * lda] * x[2 * (side == kLeft ? i : j)];
    three_ways<T>(
        "dgmm", c0, c1, false,
        [&](void* handle, T* c, bool) {
          return call(name_of<T>("dgmm" + s), handle, side, m, n, a.get(), lda, x.get(), incx, c,
                      ldc);
        },
        [](T*) {});
  }
  if (sizeof(Int) == 8) return;
  Dense<T> square(n, n);
  square.values = random_values<T>(n * n);
  for (Fill fill : {kLower, kUpper}) {
    auto packed = pack(fill, square);
    Array<T> dense_on_device(square.values), packed_on_device(packed);
    three_ways<T>(
        "trttp", std::vector<T>(packed.size()), packed, false,
        [&](void* handle, T* ap, bool) {
          return call(name_of<T>("trttp"), handle, fill, int(n), dense_on_device.get(), int(n), ap);
        },
        [](T*) {});
    Dense<T> other(n, n);
    other.values = random_values<T>(n * n);
    three_ways<T>(
        "tpttr", other.values, merge_triangle(fill, square, other), false,
        [&](void* handle, T* dense, bool) {
          return call(name_of<T>("tpttr"), handle, fill, int(n), packed_on_device.get(), dense,
                      int(n));
        },
        [](T*) {});
  }
}

TEST(CublasLevel3, MatricesAreAddedScaledAndRepacked) {
  GUDA_FOR_TYPES(additions, float, double, ComplexFloat, ComplexDouble);
}

TEST(CublasLevel3, BetaZeroDoesNotReadC) {
  Cublas cublas;
  float one = 1, zero = 0;
  Array<float> a(4, 1.0f), b(4, 2.0f), c(4, std::nanf(""));
  EXPECT_EQ(call("cublasSgemm_v2", cublas.handle, kN, kN, 2, 2, 2, &one, a.get(), 2, b.get(), 2,
                 &zero, c.get(), 2),
            0);
  synchronize();
  EXPECT_EQ(c.values(), std::vector<float>(4, 4.0f));
}

TEST(CublasLevel3, BadArgumentsAreRefused) {
  Cublas cublas;
  float one = 1;
  Array<float> memory(16);
  float* m = memory.get();
  auto gemm = [&](int opa, int rows, int lda, int ldc, const float* alpha) {
    return call("cublasSgemm_v2", cublas.handle, opa, 0, rows, 2, 2, alpha, m, lda, m, 2, &one, m,
                ldc);
  };
  EXPECT_EQ(gemm(0, 2, 2, 2, &one), 0);
  EXPECT_EQ(gemm(3, 2, 2, 2, &one), kInvalidValue);
  EXPECT_EQ(gemm(0, -2, 2, 2, &one), kInvalidValue);
  EXPECT_EQ(gemm(0, 2, 1, 2, &one), kInvalidValue);
  EXPECT_EQ(gemm(0, 2, 2, 1, &one), kInvalidValue);
  EXPECT_EQ(gemm(0, 2, 2, 2, nullptr), kInvalidValue);
  // Operands that are not there, where they would be used.
  float zero = 0, *nothing = nullptr;
  auto product = [&](const float* alpha, int k, const float* a, float* c) {
    return call("cublasSgemm_v2", cublas.handle, 0, 0, 2, 2, k, alpha, a, 2, m, 2, &zero, c, 2);
  };
  EXPECT_EQ(product(&one, 2, nothing, m), kInvalidValue);
  EXPECT_EQ(product(&one, 2, m + 4, nothing), kInvalidValue);
  EXPECT_EQ(product(&one, 0, nothing, m), 0);
  EXPECT_EQ(product(&zero, 2, nothing, m), 0);
  EXPECT_EQ(call("cublasGemmEx", cublas.handle, 0, 0, 2, 2, 2, &one, nothing, kR32F, 2, m, kR32F, 2,
                 &zero, m, kR32F, 2, kCompute32F, -1),
            kInvalidValue);
  EXPECT_EQ(call("cublasSgemmStridedBatched", cublas.handle, 0, 0, 2, 2, 2, &one, nothing, 2, 4ll,
                 m, 2, 4ll, &zero, m + 8, 2, 4ll, 2),
            kInvalidValue);
  EXPECT_EQ(call("cublasSgemv_v2", cublas.handle, 0, 2, 2, &one, m, 2, nothing, 1, &zero, m + 8, 1),
            kInvalidValue);
  EXPECT_EQ(call("cublasSsyrk_v2", cublas.handle, kLower, kN, 2, 2, &one, m, 2, &zero, nothing, 2),
            kInvalidValue);
  void* none = nullptr;
  EXPECT_EQ(call("cublasSgemm_v2", none, 0, 0, 1, 1, 1, &one, m, 1, m, 1, &one, m, 1),
            kNotInitialized);
}

TEST(CublasXt, SettingsAreKept) {
  Xt xt;
  int value = 0, boards = 0, device = 0, missing = 1000;
  EXPECT_EQ(call("cublasXtSetBlockDim", xt.handle, 2048), 0);
  EXPECT_EQ(call("cublasXtGetBlockDim", xt.handle, &value), 0);
  EXPECT_EQ(value, 2048);
  EXPECT_EQ(call("cublasXtSetBlockDim", xt.handle, 0), kInvalidValue);
  EXPECT_EQ(call("cublasXtSetPinningMemMode", xt.handle, 1), 0);
  EXPECT_EQ(call("cublasXtGetPinningMemMode", xt.handle, &value), 0);
  EXPECT_EQ(value, 1);
  EXPECT_EQ(call("cublasXtGetNumBoards", 1, &device, &boards), 0);
  EXPECT_EQ(boards, 1);
  EXPECT_EQ(call("cublasXtMaxBoards", &boards), 0);
  EXPECT_GE(boards, 1);
  EXPECT_EQ(call("cublasXtDeviceSelect", xt.handle, 1, &missing), kInvalidValue);
  void* routine = nullptr;
  EXPECT_EQ(call("cublasXtSetCpuRoutine", xt.handle, 0, 0, routine), 0);
  EXPECT_EQ(call_as<int>("cublasXtSetCpuRatio", xt.handle, 0, 0, 0.5f), 0);
  EXPECT_EQ(call_as<int>("cublasXtSetCpuRatio", xt.handle, 99, 0, 0.5f), kInvalidValue);
  void* unselected = nullptr;
  float one = 1;
  EXPECT_EQ(call("cublasXtCreate", &unselected), 0);
  size_t size = 1;
  EXPECT_EQ(call("cublasXtSgemm", unselected, 0, 0, size, size, size, &one, &one, size, &one, size,
                 &one, &one, size),
            kNotInitialized);
  EXPECT_EQ(call("cublasXtDestroy", unselected), 0);
}

}  // namespace
}  // namespace guda::cublas::test
