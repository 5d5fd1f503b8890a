// Level 1 with types as arguments.
#include "abi/cublas/cublas_test.h"

#include <array>

namespace guda::cublas::test {
namespace {

constexpr int kCount = 21;

template <class T>
T small_value() {
  auto value = static_cast<float>(static_cast<int>(generator()() % 17) - 8) / 4;
  if constexpr (is_complex<T>)
    return T(static_cast<Real<T>>(value), Real<T>(0.5));
  else
    return narrow<T>(value);
}

template <class T>
void compare(Wide<T> expected, T actual, const std::string& what) {
  // To the precision of the element.
  double allowed = sizeof(T) == 2 ? 0.02 : double(tolerance<Wide<T>>());
  ASSERT_LE(std::abs(expected - widen(actual)), allowed * (1 + std::abs(expected)))
      << what << ", type " << kTypeOf<T>;
}

template <class T, class Int>
void with_types() {
  std::string s = suffix<Int>();
  using W = Wide<T>;
  using Norm = std::conditional_t<std::is_same_v<T, W>, Real<W>, T>;
  DataType type = kTypeOf<T>, execution = kTypeOf<W>, norm_type = kTypeOf<Norm>,
           real_execution = kTypeOf<Real<W>>;
  Int n = kCount, incx = 2, incy = -1;
  Cublas cublas;
  std::vector<T> x0(2 * kCount), y0(kCount);
  for (T& value : x0) value = small_value<T>();
  for (T& value : y0) value = small_value<T>();
  Array<T> x(x0), y(y0);
  std::vector<W> xs, ys;
  for (int i = 0; i < kCount; ++i) {
    xs.push_back(widen(x0[2 * i]));
    ys.push_back(widen(y0[kCount - 1 - i]));
  }
  W dot{}, dotc{};
  Real<W> squares{}, sum{};
  size_t largest = 0, smallest = 0;
  auto size = [&](size_t i) {
    if constexpr (is_complex<W>)
      return std::abs(xs[i].real()) + std::abs(xs[i].imag());
    else
      return std::abs(xs[i]);
  };
  for (size_t i = 0; i < xs.size(); ++i) {
    dot += xs[i] * ys[i];
    dotc += blas::conjugate(xs[i]) * ys[i];
    squares += static_cast<Real<W>>(std::norm(xs[i]));
    sum += size(i);
    if (size(i) > size(largest)) largest = i;
    if (size(i) < size(smallest)) smallest = i;
  }
  T result{};
  Norm norm{};
  EXPECT_EQ(call("cublasDotEx" + s, cublas.handle, n, x.get(), type, incx, y.get(), type, incy,
                 &result, type, execution),
            0);
  compare<T>(dot, result, "DotEx");
  EXPECT_EQ(call("cublasDotcEx" + s, cublas.handle, n, x.get(), type, incx, y.get(), type, incy,
                 &result, type, execution),
            0);
  compare<T>(dotc, result, "DotcEx");
  EXPECT_EQ(call("cublasNrm2Ex" + s, cublas.handle, n, x.get(), type, incx, &norm, norm_type,
                 real_execution),
            0);
  compare<Norm>(std::sqrt(squares), norm, "Nrm2Ex");
  int asum = call("cublasAsumEx" + s, cublas.handle, n, x.get(), type, incx, &norm, norm_type,
                  real_execution);
  // NVIDIA's 13.1 refuses every type; here it computes.
  if (!against_nvidia() || asum != kNotSupported) {
    EXPECT_EQ(asum, 0);
    compare<Norm>(sum, norm, "AsumEx");
  }
  Int index = -1;
  EXPECT_EQ(call("cublasIamaxEx" + s, cublas.handle, n, x.get(), type, incx, &index), 0);
  EXPECT_EQ(index, Int(largest + 1));
  EXPECT_EQ(call("cublasIaminEx" + s, cublas.handle, n, x.get(), type, incx, &index), 0);
  EXPECT_EQ(index, Int(smallest + 1));

  // Updates, one after the other, of x and y and of their definition.
  auto check = [&](const std::string& what) {
    synchronize();
    for (int i = 0; i < kCount; ++i) {
      compare<T>(xs[i], x[2 * i], what + " x");
      compare<T>(ys[i], y[kCount - 1 - i], what + " y");
      xs[i] = widen(x[2 * i]);
      ys[i] = widen(y[kCount - 1 - i]);
    }
  };
  W alpha = W(0.5);
  EXPECT_EQ(
      call("cublasScalEx" + s, cublas.handle, n, &alpha, execution, x.get(), type, incx, execution),
      0);
  for (W& value : xs) value *= alpha;
  check("ScalEx");
  EXPECT_EQ(call("cublasAxpyEx" + s, cublas.handle, n, &alpha, execution, x.get(), type, incx,
                 y.get(), type, incy, execution),
            0);
  for (int i = 0; i < kCount; ++i) ys[i] += alpha * xs[i];
  check("AxpyEx");
  EXPECT_EQ(call("cublasSwapEx" + s, cublas.handle, n, x.get(), type, incx, y.get(), type, incy),
            0);
  std::swap(xs, ys);
  check("SwapEx");
  T c = narrow<T>(W(0.5)), sine = narrow<T>(W(0.25));
  EXPECT_EQ(call("cublasRotEx" + s, cublas.handle, n, x.get(), type, incx, y.get(), type, incy, &c,
                 &sine, type, execution),
            0);
  for (int i = 0; i < kCount; ++i) {
    W old = xs[i];
    xs[i] = W(0.5) * xs[i] + W(0.25) * ys[i];
    ys[i] = W(0.5) * ys[i] - W(0.25) * old;
  }
  check("RotEx");
  std::array<T, 5> param;
  for (int i = 0; i < 5; ++i) param[i] = narrow<T>(W(Real<W>(i == 0 ? -1 : 0.25 * i)));
  int rotm = call("cublasRotmEx" + s, cublas.handle, n, x.get(), type, incx, y.get(), type, incy,
                  param.data(), type, execution);
  if (is_complex<W>) {
    EXPECT_EQ(rotm, kNotSupported);
  } else {
    EXPECT_EQ(rotm, 0);
    for (int i = 0; i < kCount; ++i) {
      W old = xs[i];
      xs[i] = W(0.25) * xs[i] + W(0.75) * ys[i];
      ys[i] = W(0.5) * old + W(1) * ys[i];
    }
  }
  check("RotmEx");
  EXPECT_EQ(call("cublasCopyEx" + s, cublas.handle, n, x.get(), type, incx, y.get(), type, incy),
            0);
  ys = xs;
  check("CopyEx");
  if (sizeof(Int) == 8) return;

  W a0 = W(0.5), b0 = W(1.25);
  T a = narrow<T>(a0), b = narrow<T>(b0), cosine{}, made{};
  int rotg = call("cublasRotgEx", cublas.handle, &a, &b, type, &cosine, &made, type, execution);
  // NVIDIA's 13.1 refuses single precision; here it computes.
  if (against_nvidia() && rotg == kNotSupported) return;
  EXPECT_EQ(rotg, 0);
  compare<T>(W(0),
             narrow<T>(W(blas::real_part(widen(cosine)) * b0 - blas::conjugate(widen(made)) * a0)),
             "RotgEx");
  T d1 = narrow<T>(W(0.5)), d2 = narrow<T>(W(0.25)), x1 = narrow<T>(W(1)), y1 = narrow<T>(W(0.5));
  int rotmg = call("cublasRotmgEx", cublas.handle, &d1, type, &d2, type, &x1, type, &y1, type,
                   param.data(), type, execution);
  if constexpr (is_complex<W>) {
    EXPECT_EQ(rotmg, kNotSupported);
  } else {
    EXPECT_EQ(rotmg, 0);
    EXPECT_EQ(widen(param[0]), 0);  // |d1 x1^2| > |d2 y1^2|
    compare<T>(W(-0.5), param[2], "RotmgEx: h21 = -y1 / x1");
  }
  EXPECT_EQ(call("cublasScalEx", cublas.handle, n, &alpha, execution, x.get(), type, incx, kR8I),
            kNotSupported);
}

TEST(CublasLevel1Ex, EveryTypeGivesTheDefinitionsValue) {
  GUDA_FOR_TYPES(with_types, float16, bfloat16, float, double, ComplexFloat, ComplexDouble);
}

}  // namespace
}  // namespace guda::cublas::test
