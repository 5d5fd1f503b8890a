// General matrix multiplication, the core that BLAS level 3, cuBLAS and the split engines stand on.
//
// All matrices are column-major; element (i, j) of X stands at X[i + j * ldx]. op(A) is m x k, op(B)
// k x n, C m x n. Arguments are taken as checked: sizes >= 0, leading dimensions as BLAS asks, C
// overlaps neither A nor B. beta == 0 never reads C (NaNs in it do not survive); alpha == 0 or k == 0
// never reads A and B. The result is bitwise the same for any number of threads.
//
// Every function returns when C is complete. All may be called from several threads at once. They
// allocate only when a thread first needs a larger packing buffer than it has.
#pragma once

#include <guda/blas_types.h>

#include <complex>
#include <cstdint>

namespace guda::blas {

/// IEEE 754 binary16, and its wider-ranged cousin with 8 bits of exponent.
struct float16 {
  uint16_t bits;
};
struct bfloat16 {
  uint16_t bits;
};

/// C = alpha op(A) op(B) + beta C. T: float, double, std::complex<float>, std::complex<double>.
template <class T>
void gemm(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, T alpha, const T* A,
          int64_t lda, const T* B, int64_t ldb, T beta, T* C, int64_t ldc);

/// The same for `count` triples of matrices; A, B and C are arrays of pointers. The Cs are disjoint.
template <class T>
void gemm_batched(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, T alpha,
                  const T* const* A, int64_t lda, const T* const* B, int64_t ldb, T beta,
                  T* const* C, int64_t ldc, int64_t count);

/// The same with matrix number i at A + i * stride_a and so on, strides in elements. stride_a and
/// stride_b may be 0 (one matrix for all) or negative.
template <class T>
void gemm_strided_batched(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, T alpha,
                          const T* A, int64_t lda, int64_t stride_a, const T* B, int64_t ldb,
                          int64_t stride_b, T beta, T* C, int64_t ldc, int64_t stride_c,
                          int64_t count);

/// How the products of f32 matrices may be formed. `full`: in f32. The others: elements as sums of bf16
/// parts, and so many products of parts - one, with bf16's 8 bits of precision; three, with about 16; six
/// or nine, with f32's. Sums are in f32 always; infinities, NaNs, and numbers too small or large for parts
/// are as in f32 (docs/blas.md has the bounds). It is a permission: where f32 arithmetic is as fast, or the
/// processor has nothing for it, products are full ones.
enum class FloatProducts : uint8_t { full, bf16, bf16x3, bf16x6, bf16x9 };

void gemm_f32(FloatProducts products, Transpose a, Transpose b, int64_t m, int64_t n, int64_t k,
              float alpha, const float* A, int64_t lda, const float* B, int64_t ldb, float beta,
              float* C, int64_t ldc);
void gemm_f32_batched(FloatProducts products, Transpose a, Transpose b, int64_t m, int64_t n,
                      int64_t k, float alpha, const float* const* A, int64_t lda,
                      const float* const* B, int64_t ldb, float beta, float* const* C, int64_t ldc,
                      int64_t count);
void gemm_f32_strided_batched(FloatProducts products, Transpose a, Transpose b, int64_t m,
                              int64_t n, int64_t k, float alpha, const float* A, int64_t lda,
                              int64_t stride_a, const float* B, int64_t ldb, int64_t stride_b,
                              float beta, float* C, int64_t ldc, int64_t stride_c, int64_t count);

/// Narrow operands, wide accumulation: products and sums are those of `Scale`, C is rounded once at
/// the end. (In, Out, Scale) is one of
///   bfloat16 or float16 -> float, scaled in float: sums in float (of bfloat16: subnormals may count
///     as zero, as the processors' own bf16 instructions have it)
///   bfloat16 -> bfloat16, float16 -> float16: the same, C rounded to nearest even
///   int8_t -> int32_t, scaled in int32_t: exact modulo 2^32
///   int8_t -> float, scaled in float: exact sums (mod 2^32), then converted
template <class In, class Out, class Scale>
void gemm_mixed(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, Scale alpha, const In* A,
                int64_t lda, const In* B, int64_t ldb, Scale beta, Out* C, int64_t ldc);

/// Unsigned A, signed B: the form of quantised networks. Exact modulo 2^32.
void gemm_u8s8(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, int32_t alpha,
               const uint8_t* A, int64_t lda, const int8_t* B, int64_t ldb, int32_t beta,
               int32_t* C, int64_t ldc);

/// Threads that a large product may use, the caller included: GUDA_NUM_THREADS, else the cores of
/// the process. set_thread_limit() lowers it for the calling thread (0: no limit of its own).
int gemm_threads();
void set_thread_limit(int threads);

}  // namespace guda::blas
