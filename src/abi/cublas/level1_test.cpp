// Every function of level 1, in both pointer modes, and its forms in cublas.h.
#include "abi/cublas/cublas_test.h"

#include <array>

namespace guda::cublas::test {
namespace {

constexpr int kCount = 37;

/// Prefixes of norms and index searches name two types for complex elements.
template <class T>
std::string norm_name(const std::string& routine) {
  if (!is_complex<T>) return name_of<T>(routine);
  return (sizeof(Real<T>) == 4 ? "cublasSc" : "cublasDz") + routine;
}
template <class T>
std::string index_name(const std::string& routine) {
  return std::string("cublasI") + Letter<T>::lower + routine;
}

/// Calls `function` with a place for the result on the host, then with one on the device.
template <class R, class Function>
void with_result(R expected, const std::string& what, Function function) {
  Cublas cublas;
  R on_host{};
  EXPECT_EQ(function(cublas.handle, &on_host), 0) << what;
  expect_near(expected, on_host, what);
  cublas.pointer_mode(kDevicePointers);
  Array<R> on_device(1);
  EXPECT_EQ(function(cublas.handle, on_device.get()), 0) << what;
  synchronize();
  expect_near(expected, on_device[0], what + " (device)");
}

template <class T>
T one_norm(T value) {
  if constexpr (is_complex<T>)
    return std::abs(value.real()) + std::abs(value.imag());
  else
    return std::abs(value);
}

template <class T, class Int>
void reductions() {
  Int incx = 2, incy = -3;
  Array<T> x(random_values<T>(kCount * 2)), y(random_values<T>(kCount * 3));
  auto xs = gather(x.get(), kCount, incx), ys = gather(y.get(), kCount, incy);
  T dot{}, dotc{};
  Real<T> squares{}, sum{};
  size_t largest = 0, smallest = 0;
  for (size_t i = 0; i < xs.size(); ++i) {
    dot += xs[i] * ys[i];
    dotc += blas::conjugate(xs[i]) * ys[i];
    squares += static_cast<Real<T>>(std::norm(xs[i]));
    sum += blas::real_part(one_norm(xs[i]));
    auto size = [&](size_t k) { return blas::real_part(one_norm(xs[k])); };
    if (size(i) > size(largest)) largest = i;
    if (size(i) < size(smallest)) smallest = i;
  }
  std::string s = suffix<Int>();
  Int n = kCount;
  auto two = [&](const std::string& name, T expected) {
    with_result<T>(expected, name, [&](void* handle, T* result) {
      return call(name, handle, n, x.get(), incx, y.get(), incy, result);
    });
  };
  if (is_complex<T>) {
    two(name_of<T>("dotu_v2" + s), dot);
    two(name_of<T>("dotc_v2" + s), dotc);
  } else {
    two(name_of<T>("dot_v2" + s), dot);
  }
  auto one = [&]<class R>(const std::string& name, R expected) {
    with_result<R>(expected, name, [&](void* handle, R* result) {
      return call(name, handle, n, x.get(), incx, result);
    });
  };
  one(norm_name<T>("nrm2_v2" + s), std::sqrt(squares));
  one(norm_name<T>("asum_v2" + s), sum);
  auto index = [&](const std::string& name, size_t expected) {
    Cublas cublas;
    Int result = -1;
    EXPECT_EQ(call(name, cublas.handle, n, x.get(), incx, &result), 0);
    EXPECT_EQ(result, static_cast<Int>(expected + 1)) << name;
    EXPECT_EQ(call(name, cublas.handle, Int{0}, x.get(), incx, &result), 0);
    EXPECT_EQ(result, 0) << name << " of nothing";
  };
  index(index_name<T>("amax_v2" + s), largest);
  index(index_name<T>("amin_v2" + s), smallest);
  if (sizeof(Int) == 8) return;

  auto legacy = [&]<class R>(const std::string& name, R expected) {
    expect_near(expected, call_as<R>(name, kCount, x.get(), 2), name);
  };
  legacy(norm_name<T>("nrm2"), std::sqrt(squares));
  legacy(norm_name<T>("asum"), sum);
  EXPECT_EQ(call_as<int>(index_name<T>("amax"), kCount, x.get(), 2), int(largest) + 1);
  EXPECT_EQ(call_as<int>(index_name<T>("amin"), kCount, x.get(), 2), int(smallest) + 1);
  auto legacy_two = [&](const std::string& name, T expected) {
    expect_near(expected, call_as<T>(name, kCount, x.get(), 2, y.get(), -3), name);
  };
  legacy_two(name_of<T>(is_complex<T> ? "dotu" : "dot"), dot);
  if (is_complex<T>) legacy_two(name_of<T>("dotc"), dotc);
}

TEST(CublasLevel1, ReductionsGiveTheDefinitionsValue) {
  GUDA_FOR_TYPES(reductions, float, double, ComplexFloat, ComplexDouble);
}

/// Runs an update of x and y with scalars on the host, on the device and, for int, through cublas.h.
template <class T, class V2, class Old>
void with_vectors(const std::string& what, const std::vector<T>& x0, const std::vector<T>& y0,
                  const std::vector<T>& x1, const std::vector<T>& y1, V2 v2, Old old,
                  bool has_old) {
  for (int mode = 0; mode < (has_old ? 3 : 2); ++mode) {
    Cublas cublas;
    Array<T> x(x0), y(y0);
    if (mode == 2) {
      old(x.get(), y.get());
      EXPECT_EQ(call("cublasGetError"), 0) << what;
    } else {
      cublas.pointer_mode(mode);
      EXPECT_EQ(v2(cublas.handle, x.get(), y.get(), mode == 1), 0) << what;
    }
    synchronize();
    expect_near(x1, x.values(), what + " x, mode " + std::to_string(mode));
    expect_near(y1, y.values(), what + " y, mode " + std::to_string(mode));
  }
}

template <class T, class Int>
void updates() {
  std::string s = suffix<Int>();
  bool has_old = sizeof(Int) == 4;
  Int n = kCount, incx = 1, incy = 2;
  auto x0 = random_values<T>(kCount), y0 = random_values<T>(kCount * 2);
  T alpha = random_value<T>();
  Real<T> real = Real<T>(0.75);
  Place<T> alpha_at(alpha);
  Place<Real<T>> real_at(real);

  auto run = [&](const std::string& routine, auto change, auto v2, auto old) {
    auto x1 = x0, y1 = y0;
    for (int i = 0; i < kCount; ++i) change(x1[i], y1[2 * i]);
    with_vectors<T>(routine + s, x0, y0, x1, y1, v2, old, has_old);
  };
  run(
      "axpy", [&](T& x, T& y) { y += alpha * x; },
      [&](void* handle, T* x, T* y, bool device) {
        return call(name_of<T>("axpy_v2" + s), handle, n, alpha_at.at(device), x, incx, y, incy);
      },
      [&](T* x, T* y) { call_as<void>(name_of<T>("axpy"), kCount, alpha, x, 1, y, 2); });
  run(
      "scal", [&](T& x, T&) { x *= alpha; },
      [&](void* handle, T* x, T*, bool device) {
        return call(name_of<T>("scal_v2" + s), handle, n, alpha_at.at(device), x, incx);
      },
      [&](T* x, T*) { call_as<void>(name_of<T>("scal"), kCount, alpha, x, 1); });
  run(
      "copy", [&](T& x, T& y) { y = x; },
      [&](void* handle, T* x, T* y, bool) {
        return call(name_of<T>("copy_v2" + s), handle, n, x, incx, y, incy);
      },
      [&](T* x, T* y) { call_as<void>(name_of<T>("copy"), kCount, x, 1, y, 2); });
  run(
      "swap", [&](T& x, T& y) { std::swap(x, y); },
      [&](void* handle, T* x, T* y, bool) {
        return call(name_of<T>("swap_v2" + s), handle, n, x, incx, y, incy);
      },
      [&](T* x, T* y) { call_as<void>(name_of<T>("swap"), kCount, x, 1, y, 2); });
  auto rotation = [&](auto sine) {
    return [=](T& x, T& y) {
      T old = x;
      x = real * x + sine * y;
      y = real * y - blas::conjugate(sine) * old;
    };
  };
  run(
      "rot", rotation(alpha),
      [&](void* handle, T* x, T* y, bool device) {
        return call(name_of<T>("rot_v2" + s), handle, n, x, incx, y, incy, real_at.at(device),
                    alpha_at.at(device));
      },
      [&](T* x, T* y) { call_as<void>(name_of<T>("rot"), kCount, x, 1, y, 2, real, alpha); });
  if constexpr (is_complex<T>) {
    std::string prefix = sizeof(Real<T>) == 4 ? "cublasCs" : "cublasZd";
    run(
        "scal by a real", [&](T& x, T&) { x *= real; },
        [&](void* handle, T* x, T*, bool device) {
          return call(prefix + "scal_v2" + s, handle, n, real_at.at(device), x, incx);
        },
        [&](T* x, T*) { call_as<void>(prefix + "scal", kCount, real, x, 1); });
    run(
        "rot by reals", rotation(real),
        [&](void* handle, T* x, T* y, bool device) {
          return call(prefix + "rot_v2" + s, handle, n, x, incx, y, incy, real_at.at(device),
                      real_at.at(device));
        },
        [&](T* x, T* y) { call_as<void>(prefix + "rot", kCount, x, 1, y, 2, real, real); });
  } else {
    Place<std::array<T, 5>> param({T(-1), T(0.5), T(-0.25), T(0.125), T(2)});
    const auto& h = param.host;
    run(
        "rotm",
        [&](T& x, T& y) {
          T old = x;
          x = h[1] * x + h[3] * y;
          y = h[2] * old + h[4] * y;
        },
        [&](void* handle, T* x, T* y, bool device) {
          return call(name_of<T>("rotm_v2" + s), handle, n, x, incx, y, incy,
                      param.at(device)->data());
        },
        [&](T* x, T* y) {
          call_as<void>(name_of<T>("rotm"), kCount, x, 1, y, 2, param.host.data());
        });
  }
}

TEST(CublasLevel1, UpdatesChangeVectorsAsDefined) {
  GUDA_FOR_TYPES(updates, float, double, ComplexFloat, ComplexDouble);
}

template <class T>
void rotations_made() {
  T a0 = random_value<T>(), b0 = random_value<T>();
  auto check = [&](T r, Real<T> c, T s, const std::string& what) {
    expect_near(r, T(c * a0 + s * b0), what);
    expect_near(T(0), T(c * b0 - blas::conjugate(s) * a0), what);
  };
  Cublas cublas;
  T a = a0, b = b0, sine{};
  Real<T> cosine{};
  EXPECT_EQ(call(name_of<T>("rotg_v2"), cublas.handle, &a, &b, &cosine, &sine), 0);
  check(a, cosine, sine, "rotg");
  cublas.pointer_mode(kDevicePointers);
  Array<T> device(std::vector<T>{a0, b0, T(0)});
  Array<Real<T>> device_cosine(1);
  EXPECT_EQ(call(name_of<T>("rotg_v2"), cublas.handle, device.get(), device.get() + 1,
                 device_cosine.get(), device.get() + 2),
            0);
  synchronize();
  check(device[0], device_cosine[0], device[2], "rotg (device)");
  a = a0;
  b = b0;
  if constexpr (is_complex<T>) {
    call_as<void>(name_of<T>("rotg"), &a, b, &cosine, &sine);
  } else {
    call_as<void>(name_of<T>("rotg"), &a, &b, &cosine, &sine);
    T d1 = T(0.5), d2 = T(0.25), x1 = a0, y1 = b0, param[5] = {};
    Cublas again;
    EXPECT_EQ(call(name_of<T>("rotmg_v2"), again.handle, &d1, &d2, &x1, &y1, param), 0);
    T old_d1 = T(0.5), old_d2 = T(0.25), old_x1 = a0, old_param[5] = {};
    call_as<void>(name_of<T>("rotmg"), &old_d1, &old_d2, &old_x1, &y1, old_param);
    // The second component of H (x1; y1) is zero.
    T flag = param[0];
    T h21 = flag == 1 ? T(-1) : param[2], h22 = flag == 0 ? T(1) : param[4];
    expect_near(T(0), T(h21 * a0 + h22 * b0), "rotmg");
    EXPECT_EQ(d1, old_d1);
    EXPECT_EQ(x1, old_x1);
    EXPECT_EQ(param[0], old_param[0]);
  }
  check(a, cosine, sine, "rotg of cublas.h");
}

TEST(CublasLevel1, MadeRotationsZeroTheSecondComponent) {
  rotations_made<float>();
  rotations_made<double>();
  rotations_made<ComplexFloat>();
  rotations_made<ComplexDouble>();
}

TEST(CublasLevel1, BadArgumentsAreRefused) {
  Cublas cublas;
  Array<float> memory(std::vector<float>{1, 2, 3, 4});
  float *x = memory.get(), result = 0;
  EXPECT_EQ(call("cublasSnrm2_v2", static_cast<void*>(nullptr), 4, x, 1, &result), kNotInitialized);
  EXPECT_EQ(call("cublasSasum_v2", cublas.handle, -1, x, 1, &result), 0);
  EXPECT_EQ(result, 0);
  if (against_nvidia()) return;  // reads through null pointers to scalars
  EXPECT_EQ(call("cublasSnrm2_v2", cublas.handle, 4, x, 1, static_cast<float*>(nullptr)),
            kInvalidValue);
  EXPECT_EQ(call("cublasSaxpy_v2", cublas.handle, 4, static_cast<float*>(nullptr), x, 1, x, 1),
            kInvalidValue);
}

}  // namespace
}  // namespace guda::cublas::test
