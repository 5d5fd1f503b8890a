// The definition of a matrix product, written down: for types and machines that have no kernels, and for
// the moment when there is no memory for packing.
#pragma once

#include <bit>
#include <complex>
#include <cstdint>
#include <type_traits>

#include "blas/gemm.h"
#include "blas/half.h"

namespace guda::blas {

template <class T>
inline constexpr bool kIsComplex = false;
template <class R>
inline constexpr bool kIsComplex<std::complex<R>> = true;

inline float widen(bfloat16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16); }
inline float widen(float16 x) { return half_to_float(x.bits); }
template <class T>
T widen(T x) {
  return x;
}

template <class Out, class Scale>
Out narrow(Scale x) {
  if constexpr (std::is_same_v<Out, bfloat16>) {
    const auto bits = std::bit_cast<uint32_t>(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((bits >> 16) | 0x40u)};
    return {static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
  } else if constexpr (std::is_same_v<Out, float16>) {
    return {float_to_half(x)};
  } else {
    return static_cast<Out>(x);
  }
}

template <class T>
auto load(Transpose op, const T* x, int64_t ld, int64_t row, int64_t column) {
  if (op == Transpose::no) return widen(x[row + column * ld]);
  const auto value = widen(x[column + row * ld]);
  if constexpr (kIsComplex<T>) {
    if (op == Transpose::conjugate) return std::conj(value);
  }
  return value;
}

/// Sums are formed in Sum; uint32_t stands for exact integer sums modulo 2^32.
template <class Sum, class InA, class InB, class Out, class Scale>
void multiply_plainly(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, Scale alpha,
                      const InA* A, int64_t lda, const InB* B, int64_t ldb, Scale beta, Out* C,
                      int64_t ldc) {
  if (alpha == Scale(0)) k = 0;
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = 0; i < m; ++i) {
      Sum sum{};
      for (int64_t p = 0; p < k; ++p) {
        sum += static_cast<Sum>(load(a, A, lda, i, p)) * static_cast<Sum>(load(b, B, ldb, p, j));
      }
      Scale result{};
      if constexpr (std::is_same_v<Sum, uint32_t>) {
        const auto exact = static_cast<int32_t>(sum);
        if constexpr (std::is_same_v<Scale, int32_t>) {
          result = static_cast<int32_t>(static_cast<uint32_t>(alpha) * sum);
          if (beta != 0) {
            result = static_cast<int32_t>(static_cast<uint32_t>(result) +
                                          static_cast<uint32_t>(beta) *
                                              static_cast<uint32_t>(C[i + j * ldc]));
          }
        } else {
          result = alpha * static_cast<Scale>(exact);
          if (beta != Scale(0)) result += beta * static_cast<Scale>(C[i + j * ldc]);
        }
      } else {
        result = k == 0 ? Scale(0) : alpha * sum;
        if (beta != Scale(0)) result += beta * widen(C[i + j * ldc]);
      }
      C[i + j * ldc] = narrow<Out>(result);
    }
  }
}

}  // namespace guda::blas
