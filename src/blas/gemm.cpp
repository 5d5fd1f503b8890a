#include "blas/gemm.h"

#include <bit>
#include <type_traits>

#include "blas/gemm_engines.h"
#include "blas/gemm_parallel.h"
#include "blas/worker_pool.h"

namespace guda::blas {
namespace {

template <class T>
inline constexpr bool kIsComplex = false;
template <class R>
inline constexpr bool kIsComplex<std::complex<R>> = true;

float widen(bfloat16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16); }
float widen(float16 x) { return static_cast<float>(std::bit_cast<_Float16>(x.bits)); }
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
    return {std::bit_cast<uint16_t>(static_cast<_Float16>(x))};
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

// The definition, written down.
template <class Sum, class InA, class InB, class Out, class Scale>
void multiply(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, Scale alpha, const InA* A,
              int64_t lda, const InB* B, int64_t ldb, Scale beta, Out* C, int64_t ldc) {
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

}  // namespace

template <class T>
void gemm(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, T alpha, const T* A,
          int64_t lda, const T* B, int64_t ldb, T beta, T* C, int64_t ldc) {
  if (m <= 0 || n <= 0) return;
  static const GemmEngine<T, T, T, T>* const engine = gemm_engine<T>();
  if (engine != nullptr && alpha != T(0) && k > 0) {
    const GemmProblem<T, T, T> problem{m,
                                       n,
                                       k,
                                       A,
                                       lda,
                                       a != Transpose::no,
                                       a == Transpose::conjugate,
                                       B,
                                       ldb,
                                       b != Transpose::no,
                                       b == Transpose::conjugate,
                                       C,
                                       ldc,
                                       alpha,
                                       beta};
    if (multiply_parallel(*engine, problem)) return;
  }
  multiply<T>(a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}

template <class T>
void gemm_batched(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, T alpha,
                  const T* const* A, int64_t lda, const T* const* B, int64_t ldb, T beta,
                  T* const* C, int64_t ldc, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    gemm(a, b, m, n, k, alpha, A[i], lda, B[i], ldb, beta, C[i], ldc);
  }
}

template <class T>
void gemm_strided_batched(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, T alpha,
                          const T* A, int64_t lda, int64_t stride_a, const T* B, int64_t ldb,
                          int64_t stride_b, T beta, T* C, int64_t ldc, int64_t stride_c,
                          int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    gemm(a, b, m, n, k, alpha, A + i * stride_a, lda, B + i * stride_b, ldb, beta, C + i * stride_c,
         ldc);
  }
}

template <class In, class Out, class Scale>
void gemm_mixed(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, Scale alpha, const In* A,
                int64_t lda, const In* B, int64_t ldb, Scale beta, Out* C, int64_t ldc) {
  using Sum = std::conditional_t<std::is_integral_v<In>, uint32_t, float>;
  multiply<Sum>(a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}

void gemm_u8s8(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, int32_t alpha,
               const uint8_t* A, int64_t lda, const int8_t* B, int64_t ldb, int32_t beta,
               int32_t* C, int64_t ldc) {
  multiply<uint32_t>(a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}

int gemm_threads() { return worker_limit(); }
void set_thread_limit(int threads) { set_worker_limit(threads); }

#define GUDA_GEMM(T)                                                                               \
  template void gemm<T>(Transpose, Transpose, int64_t, int64_t, int64_t, T, const T*, int64_t,     \
                        const T*, int64_t, T, T*, int64_t);                                        \
  template void gemm_batched<T>(Transpose, Transpose, int64_t, int64_t, int64_t, T,                \
                                const T* const*, int64_t, const T* const*, int64_t, T, T* const*,  \
                                int64_t, int64_t);                                                 \
  template void gemm_strided_batched<T>(Transpose, Transpose, int64_t, int64_t, int64_t, T,        \
                                        const T*, int64_t, int64_t, const T*, int64_t, int64_t, T, \
                                        T*, int64_t, int64_t, int64_t)
GUDA_GEMM(float);
GUDA_GEMM(double);
GUDA_GEMM(std::complex<float>);
GUDA_GEMM(std::complex<double>);

#define GUDA_GEMM_MIXED(In, Out, Scale)                                                            \
  template void gemm_mixed<In, Out, Scale>(Transpose, Transpose, int64_t, int64_t, int64_t, Scale, \
                                           const In*, int64_t, const In*, int64_t, Scale, Out*,    \
                                           int64_t)
GUDA_GEMM_MIXED(bfloat16, float, float);
GUDA_GEMM_MIXED(bfloat16, bfloat16, float);
GUDA_GEMM_MIXED(float16, float, float);
GUDA_GEMM_MIXED(float16, float16, float);
GUDA_GEMM_MIXED(int8_t, int32_t, int32_t);
GUDA_GEMM_MIXED(int8_t, float, float);

}  // namespace guda::blas
