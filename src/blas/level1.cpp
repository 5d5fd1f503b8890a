#include "blas/level1.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "blas/parallel.h"
#include "kernels/vector/vector_kernels.h"

namespace guda::blas {
namespace {

using kernels::vector_kernels;

// Both vectors run through memory in the same order without gaps.
bool contiguous(int64_t incx, int64_t incy) { return incx == incy && (incx == 1 || incx == -1); }

// Partial sums are taken over blocks of this many elements, however many threads there are: the
// result does not depend on their number.
constexpr int64_t kSumBlock = 1 << 15;

// sum(begin, length) over blocks, added up in order.
template <class Sum, class Partial>
Sum sum_in_blocks(int64_t n, size_t element_bytes, Partial partial) {
  if (n <= kSumBlock) return partial(0, n);
  constexpr int64_t batch = 256;
  Sum total{};
  for (int64_t first = 0; first < n; first += batch * kSumBlock) {
    const int64_t length = std::min(n - first, batch * kSumBlock);
    const int64_t blocks = (length + kSumBlock - 1) / kSumBlock;
    Sum sums[batch];
    for_each_task(blocks, kSumBlock * element_bytes, [&](int64_t b) {
      const int64_t start = first + b * kSumBlock;
      sums[b] = partial(start, std::min(kSumBlock, n - start));
    });
    for (int64_t b = 0; b < blocks; ++b) total += sums[b];
  }
  return total;
}

template <bool conjugated, class T>
T dot_product(int64_t n, const T* x, int64_t incx, const T* y, int64_t incy) {
  if (n <= 0) return T(0);
  if (contiguous(incx, incy)) {
    const auto& kernel = vector_kernels<T>();
    return sum_in_blocks<T>(n, 2 * sizeof(T), [&](int64_t start, int64_t length) {
      T result;
      kernel.dot(conjugated, length, x + start, y + start, &result);
      return result;
    });
  }
  x = first_element(x, n, incx);
  y = first_element(y, n, incy);
  T sums[4] = {};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int64_t u = 0; u < 4; ++u) {
      const T left = x[(i + u) * incx];
      sums[u] += product(conjugated ? conjugate(left) : left, y[(i + u) * incy]);
    }
  }
  for (; i < n; ++i)
    sums[0] += product(conjugated ? conjugate(x[i * incx]) : x[i * incx], y[i * incy]);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

template <class T>
void axpy(int64_t n, T alpha, const T* x, int64_t incx, T* y, int64_t incy) {
  if (n <= 0 || alpha == T(0)) return;
  if (contiguous(incx, incy)) {
    const auto& kernel = vector_kernels<T>();
    for_ranges(n, 2 * sizeof(T), [&](int64_t begin, int64_t end) {
      kernel.axpy(end - begin, &alpha, x + begin, y + begin);
    });
    return;
  }
  x = first_element(x, n, incx);
  y = first_element(y, n, incy);
  for (int64_t i = 0; i < n; ++i) y[i * incy] += product(alpha, x[i * incx]);
}

template <class T>
void axpby(int64_t n, T alpha, const T* x, int64_t incx, T beta, T* y, int64_t incy) {
  if (n <= 0) return;
  if (contiguous(incx, incy) && alpha != T(0) && beta != T(0)) {
    const auto& kernel = vector_kernels<T>();
    for_ranges(n, 2 * sizeof(T), [&](int64_t begin, int64_t end) {
      kernel.axpby(end - begin, &alpha, x + begin, &beta, y + begin);
    });
    return;
  }
  x = first_element(x, n, incx);
  y = first_element(y, n, incy);
  for (int64_t i = 0; i < n; ++i) {
    T value(0);
    if (alpha != T(0)) value = product(alpha, x[i * incx]);
    if (beta != T(0)) value += product(beta, y[i * incy]);
    y[i * incy] = value;
  }
}

template <class T>
T dot(int64_t n, const T* x, int64_t incx, const T* y, int64_t incy) {
  return dot_product<false>(n, x, incx, y, incy);
}

template <class T>
T dotc(int64_t n, const T* x, int64_t incx, const T* y, int64_t incy) {
  return dot_product<true>(n, x, incx, y, incy);
}

double dsdot(int64_t n, const float* x, int64_t incx, const float* y, int64_t incy) {
  if (n <= 0) return 0;
  if (contiguous(incx, incy)) {
    const auto& kernel = kernels::wide_kernels();
    return sum_in_blocks<double>(n, 2 * sizeof(float), [&](int64_t start, int64_t length) {
      return kernel.dot(length, x + start, y + start);
    });
  }
  x = first_element(x, n, incx);
  y = first_element(y, n, incy);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i)
    sum += static_cast<double>(x[i * incx]) * static_cast<double>(y[i * incy]);
  return sum;
}

float sdsdot(int64_t n, float b, const float* x, int64_t incx, const float* y, int64_t incy) {
  return static_cast<float>(static_cast<double>(b) + dsdot(n, x, incx, y, incy));
}

// The plain sum of squares is right unless it overflows or is so small that squares lost to
// underflow could count; those cases take a second, scaled pass.
template <class T>
Real<T> nrm2(int64_t n, const T* x, int64_t incx) {
  using R = Real<T>;
  using Limits = std::numeric_limits<R>;
  if (n <= 0) return R(0);
  const auto& kernel = vector_kernels<T>();
  const auto squares = [](T value) {
    if constexpr (is_complex<T>)
      return value.real() * value.real() + value.imag() * value.imag();
    else
      return value * value;
  };
  const bool dense = incx == 1 || incx == -1;
  x = dense ? x : first_element(x, n, incx);
  const R sum = sum_in_blocks<R>(n, sizeof(T), [&](int64_t start, int64_t length) {
    if (dense) return kernel.sum_squares(length, x + start);
    R block(0);
    for (int64_t i = start; i < start + length; ++i) block += squares(x[i * incx]);
    return block;
  });
  const R trusted = static_cast<R>(n) * (Limits::min() / Limits::epsilon());
  if (std::isnan(sum) || (sum <= Limits::max() && sum >= trusted)) return std::sqrt(sum);

  const int64_t stride = dense ? 1 : incx;
  R largest(0);
  for (int64_t i = 0; i < n; ++i) {
    if constexpr (is_complex<T>) {
      largest = std::max({largest, std::abs(x[i * stride].real()), std::abs(x[i * stride].imag())});
    } else {
      largest = std::max(largest, std::abs(x[i * stride]));
    }
  }
  if (largest == R(0) || largest > Limits::max()) return largest;
  // A power of two; its inverse may overflow for subnormals, hence two steps.
  const int exponent = std::ilogb(largest);
  const R first_scale = std::ldexp(R(1), -exponent / 2);
  const R second_scale = std::ldexp(R(1), -exponent - -exponent / 2);
  double scaled = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T value = x[i * stride];
    if constexpr (is_complex<T>) {
      scaled += squares(
          T(value.real() * first_scale * second_scale, value.imag() * first_scale * second_scale));
    } else {
      scaled += squares(value * first_scale * second_scale);
    }
  }
  return static_cast<R>(std::ldexp(std::sqrt(scaled), exponent));
}

template <class T>
Real<T> asum(int64_t n, const T* x, int64_t incx) {
  using R = Real<T>;
  if (n <= 0 || incx < 1) return R(0);
  if (incx == 1) {
    const auto& kernel = vector_kernels<T>();
    return sum_in_blocks<R>(n, sizeof(T), [&](int64_t start, int64_t length) {
      return kernel.sum_absolute(length, x + start);
    });
  }
  R sum(0);
  for (int64_t i = 0; i < n; ++i) sum += absolute_sum(x[i * incx]);
  return sum;
}

namespace {

template <bool largest, class T>
int64_t index_extreme(int64_t n, const T* x, int64_t incx) {
  using R = Real<T>;
  if (n < 1 || incx < 1) return -1;
  const auto better = [](R a, R b) { return largest ? a > b : a < b; };
  if (incx == 1) {
    const auto& kernel = vector_kernels<T>();
    const auto search = largest ? kernel.index_largest : kernel.index_smallest;
    if (n <= kSumBlock) return search(n, x);
    if (std::isnan(absolute_sum(x[0]))) return 0;
    constexpr int64_t parts = 8;
    const int64_t length = (n + parts - 1) / parts;
    int64_t found[parts];
    for_each_task(parts, static_cast<size_t>(length) * sizeof(T), [&](int64_t p) {
      int64_t start = p * length;
      const int64_t stop = std::min(n, start + length);
      while (start < stop && std::isnan(absolute_sum(x[start]))) ++start;
      found[p] = start < stop ? start + search(stop - start, x + start) : -1;
    });
    int64_t best = 0;
    for (const int64_t index : found)
      if (index >= 0 && better(absolute_sum(x[index]), absolute_sum(x[best]))) best = index;
    return best;
  }
  int64_t best = 0;
  R extreme = absolute_sum(x[0]);
  for (int64_t i = 1; i < n; ++i) {
    const R value = absolute_sum(x[i * incx]);
    if (better(value, extreme)) {
      extreme = value;
      best = i;
    }
  }
  return best;
}

}  // namespace

template <class T>
int64_t iamax(int64_t n, const T* x, int64_t incx) {
  return index_extreme<true>(n, x, incx);
}

template <class T>
int64_t iamin(int64_t n, const T* x, int64_t incx) {
  return index_extreme<false>(n, x, incx);
}

template <class T>
void scal(int64_t n, T alpha, T* x, int64_t incx) {
  if (n <= 0 || incx < 1) return;
  if (incx == 1) {
    const auto& kernel = vector_kernels<T>();
    for_ranges(n, sizeof(T),
               [&](int64_t begin, int64_t end) { kernel.scale(end - begin, &alpha, x + begin); });
    return;
  }
  for (int64_t i = 0; i < n; ++i) x[i * incx] = product(alpha, x[i * incx]);
}

template <class T>
void scal_real(int64_t n, Real<T> alpha, T* x, int64_t incx) {
  if constexpr (is_complex<T>) {
    if (n <= 0 || incx < 1) return;
    auto* parts = reinterpret_cast<Real<T>*>(x);
    if (incx == 1) return scal(2 * n, alpha, parts, 1);
    for (int64_t i = 0; i < n; ++i) {
      parts[2 * i * incx] *= alpha;
      parts[2 * i * incx + 1] *= alpha;
    }
  } else {
    scal(n, alpha, x, incx);
  }
}

template <class T>
void copy(int64_t n, const T* x, int64_t incx, T* y, int64_t incy) {
  if (n <= 0) return;
  if (contiguous(incx, incy)) {
    for_ranges(n, 2 * sizeof(T), [&](int64_t begin, int64_t end) {
      std::memmove(static_cast<void*>(y + begin), x + begin,
                   static_cast<size_t>(end - begin) * sizeof(T));
    });
    return;
  }
  x = first_element(x, n, incx);
  y = first_element(y, n, incy);
  for (int64_t i = 0; i < n; ++i) y[i * incy] = x[i * incx];
}

template <class T>
void swap(int64_t n, T* x, int64_t incx, T* y, int64_t incy) {
  if (n <= 0) return;
  if (contiguous(incx, incy)) {
    const auto& kernel = vector_kernels<T>();
    for_ranges(n, 2 * sizeof(T),
               [&](int64_t begin, int64_t end) { kernel.swap(end - begin, x + begin, y + begin); });
    return;
  }
  x = first_element(x, n, incx);
  y = first_element(y, n, incy);
  for (int64_t i = 0; i < n; ++i) std::swap(x[i * incx], y[i * incy]);
}

#define GUDA_INSTANTIATE(T)                                           \
  template void axpy(int64_t, T, const T*, int64_t, T*, int64_t);     \
  template void axpby(int64_t, T, const T*, int64_t, T, T*, int64_t); \
  template T dot(int64_t, const T*, int64_t, const T*, int64_t);      \
  template T dotc(int64_t, const T*, int64_t, const T*, int64_t);     \
  template Real<T> nrm2(int64_t, const T*, int64_t);                  \
  template Real<T> asum(int64_t, const T*, int64_t);                  \
  template int64_t iamax(int64_t, const T*, int64_t);                 \
  template int64_t iamin(int64_t, const T*, int64_t);                 \
  template void scal(int64_t, T, T*, int64_t);                        \
  template void scal_real(int64_t, Real<T>, T*, int64_t);             \
  template void copy(int64_t, const T*, int64_t, T*, int64_t);        \
  template void swap(int64_t, T*, int64_t, T*, int64_t);
GUDA_INSTANTIATE(float)
GUDA_INSTANTIATE(double)
GUDA_INSTANTIATE(std::complex<float>)
GUDA_INSTANTIATE(std::complex<double>)
#undef GUDA_INSTANTIATE

}  // namespace guda::blas
