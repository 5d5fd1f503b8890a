// Plane rotations: their construction and application.
#include <algorithm>
#include <cmath>
#include <limits>

#include "blas/level1.h"
#include "blas/parallel.h"
#include "kernels/vector/vector_kernels.h"

namespace guda::blas {
namespace {

// x' = h11 x + h12 y, y' = h21 x + h22 y, with h in rows.
template <class T>
void rotate(int64_t n, T* x, int64_t incx, T* y, int64_t incy, const Real<T> (&h)[4]) {
  if (n <= 0) return;
  if (incx == incy && (incx == 1 || incx == -1)) {
    const auto& kernel = kernels::vector_kernels<T>();
    for_ranges(n, 2 * sizeof(T), [&](int64_t begin, int64_t end) {
      kernel.rotate(end - begin, x + begin, y + begin, h);
    });
    return;
  }
  x = first_element(x, n, incx);
  y = first_element(y, n, incy);
  for (int64_t i = 0; i < n; ++i) {
    const T a = x[i * incx], b = y[i * incy];
    x[i * incx] = h[0] * a + h[1] * b;
    y[i * incy] = h[2] * a + h[3] * b;
  }
}

template <class R>
R largest_part(std::complex<R> z) {
  return std::max(std::abs(z.real()), std::abs(z.imag()));
}

}  // namespace

template <class T, class S>
void rot(int64_t n, T* x, int64_t incx, T* y, int64_t incy, Real<T> c, S s) {
  if constexpr (is_complex<S>) {
    if (n <= 0) return;
    x = first_element(x, n, incx);
    y = first_element(y, n, incy);
    for (int64_t i = 0; i < n; ++i) {
      const T a = x[i * incx], b = y[i * incy];
      x[i * incx] = c * a + product(s, b);
      y[i * incy] = c * b - product(conjugate(s), a);
    }
  } else {
    rotate(n, x, incx, y, incy, {c, s, -s, c});
  }
}

// Anderson, "Algorithm 978: Safe Scaling in the Level 1 BLAS" (2017), for the scaling.
template <class T>
void rotg(T* a, T* b, Real<T>* c, T* s) {
  using R = Real<T>;
  if constexpr (is_complex<T>) {
    if (*b == T(0)) {
      *c = R(1);
      *s = T(0);
      return;
    }
    const R size = std::max(largest_part(*a), largest_part(*b));
    // A power of two near the largest part: scaling is exact but for parts too small to count.
    const int exponent = std::isfinite(size) ? std::ilogb(size) : 0;
    const auto scaled = [](T z, int e) {
      return T(std::ldexp(z.real(), e), std::ldexp(z.imag(), e));
    };
    const T f = scaled(*a, -exponent), g = scaled(*b, -exponent);
    const R g_size = std::hypot(g.real(), g.imag());
    if (f == T(0)) {
      *c = R(0);
      *s = T(g.real() / g_size, -g.imag() / g_size);
      *a = scaled(T(g_size), exponent);
      return;
    }
    // |f| may be tiny beside |g|: its direction is found at its own scale.
    const int f_exponent = std::isfinite(largest_part(f)) ? std::ilogb(largest_part(f)) : 0;
    const T f_unit = scaled(f, -f_exponent);
    const R f_unit_size = std::hypot(f_unit.real(), f_unit.imag());
    const T direction = f_unit / f_unit_size;
    const R f_size = std::ldexp(f_unit_size, f_exponent);
    const R r = std::hypot(f_size, g_size);
    *c = f_size / r;
    *s = product(direction, conjugate(g)) / r;
    *a = scaled(direction * r, exponent);
  } else {
    const R size_a = std::abs(*a), size_b = std::abs(*b);
    if (size_b == R(0)) {
      *c = R(1);
      *s = R(0);
      *b = R(0);
    } else if (size_a == R(0)) {
      *c = R(0);
      *s = R(1);
      *a = *b;
      *b = R(1);
    } else {
      const R smallest = std::numeric_limits<R>::min();
      const R scale = std::min(R(1) / smallest, std::max({smallest, size_a, size_b}));
      const R sign = std::copysign(R(1), size_a > size_b ? *a : *b);
      const R x = *a / scale, y = *b / scale;
      const R r = sign * (scale * std::sqrt(x * x + y * y));
      *c = *a / r;
      *s = *b / r;
      const R z = size_a > size_b ? *s : (*c != R(0) ? R(1) / *c : R(1));
      *a = r;
      *b = z;
    }
  }
}

template <class T>
void rotm(int64_t n, T* x, int64_t incx, T* y, int64_t incy, const T* param) {
  const T flag = param[0];
  if (flag == T(-2)) return;
  if (flag < T(0))
    rotate(n, x, incx, y, incy, {param[1], param[3], param[2], param[4]});
  else if (flag == T(0))
    rotate(n, x, incx, y, incy, {T(1), param[3], param[2], T(1)});
  else
    rotate(n, x, incx, y, incy, {param[1], T(1), T(-1), param[4]});
}

// Lawson, Hanson, Kincaid, Krogh, "Basic Linear Algebra Subprograms for Fortran Usage" (1979).
template <class T>
void rotmg(T* d1, T* d2, T* x1, T y1, T* param) {
  constexpr T gamma = 4096, gamma_squared = gamma * gamma, smallest = 1 / gamma_squared;
  T flag = -1, h11 = 0, h12 = 0, h21 = 0, h22 = 0;

  // Rescaling writes the entries out that the flags 0 and 1 imply.
  const auto write_out = [&] {
    if (flag == T(0)) {
      h11 = h22 = T(1);
    } else if (flag == T(1)) {
      h21 = T(-1);
      h12 = T(1);
    }
    flag = T(-1);
  };

  if (*d1 < T(0)) {
    *d1 = *d2 = *x1 = T(0);
  } else {
    const T p2 = *d2 * y1;
    if (p2 == T(0)) {
      param[0] = T(-2);
      return;
    }
    const T p1 = *d1 * *x1;
    const T q2 = p2 * y1, q1 = p1 * *x1;
    bool usable = true;
    if (std::abs(q1) > std::abs(q2)) {
      h21 = -y1 / *x1;
      h12 = p2 / p1;
      const T u = T(1) - h12 * h21;
      usable = u > T(0);  // else only by rounding
      if (usable) {
        flag = T(0);
        *d1 /= u;
        *d2 /= u;
        *x1 *= u;
      }
    } else if (q2 < T(0)) {
      usable = false;
    } else {
      flag = T(1);
      h11 = p1 / p2;
      h22 = *x1 / y1;
      const T u = T(1) + h11 * h22;
      const T old_d1 = *d1;
      *d1 = *d2 / u;
      *d2 = old_d1 / u;
      *x1 = y1 * u;
    }
    if (!usable) {
      flag = T(-1);
      h11 = h12 = h21 = h22 = T(0);
      *d1 = *d2 = *x1 = T(0);
    }
    // The squared factors must stay within [1 / gamma^2, gamma^2]; an infinite one stays.
    while (*d1 != T(0) && std::isfinite(*d1) && (*d1 <= smallest || *d1 >= gamma_squared)) {
      write_out();
      const bool small = *d1 <= smallest;
      *d1 *= small ? gamma_squared : smallest;
      *x1 *= small ? 1 / gamma : gamma;
      h11 *= small ? 1 / gamma : gamma;
      h12 *= small ? 1 / gamma : gamma;
    }
    while (*d2 != T(0) && std::isfinite(*d2) &&
           (std::abs(*d2) <= smallest || std::abs(*d2) >= gamma_squared)) {
      write_out();
      const bool small = std::abs(*d2) <= smallest;
      *d2 *= small ? gamma_squared : smallest;
      h21 *= small ? 1 / gamma : gamma;
      h22 *= small ? 1 / gamma : gamma;
    }
  }
  if (flag < T(0)) {
    param[1] = h11;
    param[2] = h21;
    param[3] = h12;
    param[4] = h22;
  } else if (flag == T(0)) {
    param[2] = h21;
    param[3] = h12;
  } else {
    param[1] = h11;
    param[4] = h22;
  }
  param[0] = flag;
}

#define GUDA_INSTANTIATE(T)                                         \
  template void rot(int64_t, T*, int64_t, T*, int64_t, Real<T>, T); \
  template void rotg(T*, T*, Real<T>*, T*);
GUDA_INSTANTIATE(float)
GUDA_INSTANTIATE(double)
GUDA_INSTANTIATE(std::complex<float>)
GUDA_INSTANTIATE(std::complex<double>)
#undef GUDA_INSTANTIATE
template void rot(int64_t, std::complex<float>*, int64_t, std::complex<float>*, int64_t, float,
                  float);
template void rot(int64_t, std::complex<double>*, int64_t, std::complex<double>*, int64_t, double,
                  double);
template void rotm(int64_t, float*, int64_t, float*, int64_t, const float*);
template void rotm(int64_t, double*, int64_t, double*, int64_t, const double*);
template void rotmg(float*, float*, float*, float, float*);
template void rotmg(double*, double*, double*, double, double*);

}  // namespace guda::blas
