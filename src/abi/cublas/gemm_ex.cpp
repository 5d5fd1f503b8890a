// Products with types as arguments, products of half precision, and batches of products.
#include "abi/cublas/element.h"
#include "abi/cublas/entry.h"
#include "abi/cublas/handle.h"
#include "abi/cublas/math_mode.h"
#include "abi/cublas/product.h"

#include <memory>
#include <vector>

namespace guda::cublas {
namespace {

bool is_algo(GemmAlgo algo) {
  return (algo >= kAlgoDefault && algo <= kAlgoLast) ||
         (algo >= kAlgoTensor && algo <= kAlgoTensorLast) || algo == kAlgoAutotune;
}

/// The compute type of programs written before there was cublasComputeType_t: CUDA_R_32F.
ComputeType modern(ComputeType compute) {
  return static_cast<int>(compute) == kR32F ? kCompute32F : compute;
}

/// A call that has passed its checks.
struct Call {
  Handle* handle;
  ProductTypes types;
  ProductShape shape;
  DataType scale;
};

/// Shape, types and scalars, in this order. `done`: there is nothing to compute.
Result check(Call& call, const void* alpha, const void* beta, bool& done) {
  GUDA_CUBLAS_HANDLE(call.handle);
  GUDA_CUBLAS_CHECK(is_compute_type(call.types.compute));
  if (Result result = check_shape(call.shape)) return result;
  if (Result result = product_scale_type(call.types, &call.scale)) return result;
  call.types.compute = compute_in_mode(call.handle->math_mode, call.types.compute);
  // Sums of integers are taken four bytes at a time.
  if (call.scale == kR32I && (call.shape.lda % 4 != 0 || call.shape.ldb % 4 != 0))
    return kNotSupported;
  done = call.shape.m == 0 || call.shape.n == 0;
  GUDA_CUBLAS_CHECK(done || (alpha && beta));
  return kSuccess;
}

Result check_matrices(const Call& call, const void* alpha, const void* a, const void* b,
                      const void* c) {
  bool on_host = call.handle->pointer_mode == kHostPointers;
  return cublas::check_matrices(call.shape, call.scale, on_host ? alpha : nullptr, a, b, c);
}

/// One product of the shape.
struct Matrices {
  Extent a, b, c;
  Matrices(const Call& call, const void* a_start, const void* b_start, const void* c_start) {
    const ProductShape& s = call.shape;
    const bool plain_a = s.transa == kN, plain_b = s.transb == kN;
    a = matrix_of(a_start, element_bytes(call.types.a), plain_a ? s.m : s.k, plain_a ? s.k : s.m,
                  s.lda);
    b = matrix_of(b_start, element_bytes(call.types.b), plain_b ? s.k : s.n, plain_b ? s.n : s.k,
                  s.ldb);
    c = matrix_of(c_start, element_bytes(call.types.c), s.m, s.n, s.ldc);
  }
};

AnyScalar scalar(const Call& call, const void* pointer) {
  return {call.handle->pointer_mode, pointer, element_bytes(call.scale)};
}

Result single(Call call, const void* alpha, const void* a, const void* b, const void* beta,
              void* c) {
  bool done = false;
  if (Result result = check(call, alpha, beta, done); result || done) return result;
  if (Result result = check_matrices(call, alpha, a, b, c)) return result;
  AnyScalar alpha_value = scalar(call, alpha), beta_value = scalar(call, beta);
  const GemmCall for_engines =
      describe(call.types, call.shape, call.handle->pointer_mode, alpha, a, b, beta, c);
  return submit_product(
      call.handle, product_ns(call.types, call.shape), for_engines,
      [&](Uses& use) {
        const Matrices matrices(call, a, b, c);
        use.scalar_bytes(alpha, element_bytes(call.scale))
            .reads(matrices.a)
            .reads(matrices.b)
            .scalar_bytes(beta, element_bytes(call.scale))
            .writes(matrices.c);
      },
      [=, types = call.types, shape = call.shape] {
        multiply(types, shape, alpha_value.get(), a, b, beta_value.get(), c);
      });
}

Result batched(Call call, const void* alpha, const void* const* a, const void* const* b,
               const void* beta, void* const* c, int64_t count) {
  bool done = false;
  if (Result result = check(call, alpha, beta, done)) return result;
  GUDA_CUBLAS_CHECK(count >= 0);
  if (done || count == 0) return kSuccess;
  if (Result result = check_matrices(call, alpha, a, b, c)) return result;
  AnyScalar alpha_value = scalar(call, alpha), beta_value = scalar(call, beta);
  return submit(
      call.handle, product_ns(call.types, call.shape) * static_cast<double>(count),
      [&](Uses& use) {
        use.scalar_bytes(alpha, element_bytes(call.scale))
            .scalar_bytes(beta, element_bytes(call.scale))
            .everything();
      },
      [=, types = call.types, shape = call.shape] {
        multiply_batched(types, shape, alpha_value.get(), a, b, beta_value.get(), c, count);
      });
}

Result strided(Call call, const void* alpha, const void* a, int64_t stride_a, const void* b,
               int64_t stride_b, const void* beta, void* c, int64_t stride_c, int64_t count) {
  bool done = false;
  if (Result result = check(call, alpha, beta, done)) return result;
  GUDA_CUBLAS_CHECK(count >= 0);
  if (done || count == 0) return kSuccess;
  if (Result result = check_matrices(call, alpha, a, b, c)) return result;
  AnyScalar alpha_value = scalar(call, alpha), beta_value = scalar(call, beta);
  return submit(
      call.handle, product_ns(call.types, call.shape) * static_cast<double>(count),
      [&](Uses& use) {
        const Matrices first(call, a, b, c);
        auto all = [&](Extent member, int64_t stride, DataType type) {
          return batch_of(member, Wide128{stride} * static_cast<int64_t>(element_bytes(type)),
                          count);
        };
        use.scalar_bytes(alpha, element_bytes(call.scale))
            .reads(all(first.a, stride_a, call.types.a))
            .reads(all(first.b, stride_b, call.types.b))
            .scalar_bytes(beta, element_bytes(call.scale))
            .writes(all(first.c, stride_c, call.types.c));
      },
      [=, types = call.types, shape = call.shape] {
        multiply_strided(types, shape, alpha_value.get(), a, stride_a, b, stride_b,
                         beta_value.get(), c, stride_c, count);
      });
}

template <class T>
constexpr ProductTypes kTypesOf{};
template <>
constexpr ProductTypes kTypesOf<float>{kR32F, kR32F, kR32F, kCompute32F};
template <>
constexpr ProductTypes kTypesOf<double>{kR64F, kR64F, kR64F, kCompute64F};
template <>
constexpr ProductTypes kTypesOf<ComplexFloat>{kC32F, kC32F, kC32F, kCompute32F};
template <>
constexpr ProductTypes kTypesOf<ComplexDouble>{kC64F, kC64F, kC64F, kCompute64F};
template <>
constexpr ProductTypes kTypesOf<float16>{kR16F, kR16F, kR16F, kCompute16F};

// Types in the name ------------------------------------------------------------------------------------

template <class T, class Int>
Result gemm(Handle* handle, Op transa, Op transb, Int m, Int n, Int k, const T* alpha, const T* a,
            Int lda, const T* b, Int ldb, const T* beta, T* c, Int ldc) {
  return single({handle, kTypesOf<T>, {transa, transb, m, n, k, lda, ldb, ldc}, kR32F}, alpha, a, b,
                beta, c);
}

template <class T, class Int>
Result gemm_batched(Handle* handle, Op transa, Op transb, Int m, Int n, Int k, const T* alpha,
                    const T* const* a, Int lda, const T* const* b, Int ldb, const T* beta,
                    T* const* c, Int ldc, Int count) {
  return batched({handle, kTypesOf<T>, {transa, transb, m, n, k, lda, ldb, ldc}, kR32F}, alpha,
                 reinterpret_cast<const void* const*>(a), reinterpret_cast<const void* const*>(b),
                 beta, reinterpret_cast<void* const*>(c), count);
}

template <class T, class Int>
Result gemm_strided(Handle* handle, Op transa, Op transb, Int m, Int n, Int k, const T* alpha,
                    const T* a, Int lda, long long stride_a, const T* b, Int ldb,
                    long long stride_b, const T* beta, T* c, Int ldc, long long stride_c,
                    Int count) {
  return strided({handle, kTypesOf<T>, {transa, transb, m, n, k, lda, ldb, ldc}, kR32F}, alpha, a,
                 stride_a, b, stride_b, beta, c, stride_c, count);
}

// Types as arguments -----------------------------------------------------------------------------------

template <class Int>
Result gemm_ex(Handle* handle, Op transa, Op transb, Int m, Int n, Int k, const void* alpha,
               const void* a, DataType a_type, Int lda, const void* b, DataType b_type, Int ldb,
               const void* beta, void* c, DataType c_type, Int ldc, ComputeType compute,
               GemmAlgo algo) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_algo(algo));
  return single({handle,
                 {a_type, b_type, c_type, modern(compute)},
                 {transa, transb, m, n, k, lda, ldb, ldc},
                 kR32F},
                alpha, a, b, beta, c);
}

template <class Int>
Result gemm_batched_ex(Handle* handle, Op transa, Op transb, Int m, Int n, Int k, const void* alpha,
                       const void* const* a, DataType a_type, Int lda, const void* const* b,
                       DataType b_type, Int ldb, const void* beta, void* const* c, DataType c_type,
                       Int ldc, Int count, ComputeType compute, GemmAlgo algo) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_algo(algo));
  return batched({handle,
                  {a_type, b_type, c_type, modern(compute)},
                  {transa, transb, m, n, k, lda, ldb, ldc},
                  kR32F},
                 alpha, a, b, beta, c, count);
}

template <class Int>
Result gemm_strided_ex(Handle* handle, Op transa, Op transb, Int m, Int n, Int k, const void* alpha,
                       const void* a, DataType a_type, Int lda, long long stride_a, const void* b,
                       DataType b_type, Int ldb, long long stride_b, const void* beta, void* c,
                       DataType c_type, Int ldc, long long stride_c, Int count, ComputeType compute,
                       GemmAlgo algo) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_algo(algo));
  return strided({handle,
                  {a_type, b_type, c_type, modern(compute)},
                  {transa, transb, m, n, k, lda, ldb, ldc},
                  kR32F},
                 alpha, a, stride_a, b, stride_b, beta, c, stride_c, count);
}

/// SgemmEx, CgemmEx, Cgemm3mEx: alpha and beta are of type T.
template <class T, class Int>
Result gemm_ex_of(Handle* handle, Op transa, Op transb, Int m, Int n, Int k, const T* alpha,
                  const void* a, DataType a_type, Int lda, const void* b, DataType b_type, Int ldb,
                  const T* beta, void* c, DataType c_type, Int ldc) {
  GUDA_CUBLAS_HANDLE(handle);
  ProductTypes types{a_type, b_type, c_type, kCompute32F};
  DataType scale;
  DataType wanted = blas::is_complex<T> ? kC32F : kR32F;
  if (product_scale_type(types, &scale) || scale != wanted) return kNotSupported;
  return single({handle, types, {transa, transb, m, n, k, lda, ldb, ldc}, scale}, alpha, a, b, beta,
                c);
}

// Groups of batches ------------------------------------------------------------------------------------

/// The arguments of a grouped call, kept until it runs: the arrays of sizes are the host's and may change
/// after the call. The arrays of pointers are in device memory.
struct Groups {
  struct Group {
    ProductShape shape;
    int64_t size;
  };
  ProductTypes types;
  std::vector<Group> groups;
  std::vector<std::byte> alphas, betas;  // host pointer mode
  const std::byte* device_alphas = nullptr;
  const std::byte* device_betas = nullptr;
  size_t scale_bytes = 0;

  void multiply(const void* const* a, const void* const* b, void* const* c) const {
    const std::byte* alpha = device_alphas ? device_alphas : alphas.data();
    const std::byte* beta = device_betas ? device_betas : betas.data();
    for (auto& group : groups) {
      multiply_batched(types, group.shape, alpha, a, b, beta, c, group.size);
      a += group.size;
      b += group.size;
      c += group.size;
      alpha += scale_bytes;
      beta += scale_bytes;
    }
  }
};

template <class Int>
Result grouped(Handle* handle, const Op* transa, const Op* transb, const Int* m, const Int* n,
               const Int* k, const void* alpha, const void* const* a, const Int* lda,
               const void* const* b, const Int* ldb, const void* beta, void* const* c,
               const Int* ldc, Int group_count, const Int* group_size, ProductTypes types) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(group_count >= 0 && is_compute_type(types.compute));
  DataType scale;
  if (Result result = grouped_scale_type(types, &scale)) return result;
  if (group_count == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(transa && transb && m && n && k && lda && ldb && ldc && group_size && alpha &&
                    beta);
  auto call = std::make_shared<Groups>();
  call->types = types;
  call->types.compute = compute_in_mode(handle->math_mode, types.compute);
  call->scale_bytes = element_bytes(scale);
  double nanoseconds = 0;
  for (Int i = 0; i < group_count; ++i) {
    ProductShape shape{transa[i], transb[i], m[i], n[i], k[i], lda[i], ldb[i], ldc[i]};
    GUDA_CUBLAS_CHECK(group_size[i] >= 0);
    if (Result result = check_shape(shape)) return result;
    call->groups.push_back({shape, group_size[i]});
    nanoseconds += product_ns(types, shape) * static_cast<double>(group_size[i]);
  }
  auto* alphas = static_cast<const std::byte*>(alpha);
  auto* betas = static_cast<const std::byte*>(beta);
  if (handle->pointer_mode == kHostPointers) {
    size_t bytes = call->scale_bytes * static_cast<size_t>(group_count);
    call->alphas.assign(alphas, alphas + bytes);
    call->betas.assign(betas, betas + bytes);
  } else {
    call->device_alphas = alphas;
    call->device_betas = betas;
  }
  return submit(
      handle, nanoseconds,
      [&](Uses& use) {
        const auto count = static_cast<size_t>(group_count);
        for (const Op* each : {transa, transb}) use.host_argument(each, count * sizeof(Op));
        for (const Int* each : {m, n, k, lda, ldb, ldc, group_size})
          use.host_argument(each, count * sizeof(Int));
        const size_t scalars = count * call->scale_bytes;
        use.scalar_bytes(alpha, scalars).scalar_bytes(beta, scalars).everything();
      },
      [=] { call->multiply(a, b, c); });
}

template <class T, class Int>
Result gemm_grouped(Handle* handle, const Op* transa, const Op* transb, const Int* m, const Int* n,
                    const Int* k, const T* alpha, const T* const* a, const Int* lda,
                    const T* const* b, const Int* ldb, const T* beta, T* const* c, const Int* ldc,
                    Int group_count, const Int* group_size) {
  return grouped(handle, transa, transb, m, n, k, alpha, reinterpret_cast<const void* const*>(a),
                 lda, reinterpret_cast<const void* const*>(b), ldb, beta,
                 reinterpret_cast<void* const*>(c), ldc, group_count, group_size, kTypesOf<T>);
}

template <class Int>
Result gemm_grouped_ex(Handle* handle, const Op* transa, const Op* transb, const Int* m,
                       const Int* n, const Int* k, const void* alpha, const void* const* a,
                       DataType a_type, const Int* lda, const void* const* b, DataType b_type,
                       const Int* ldb, const void* beta, void* const* c, DataType c_type,
                       const Int* ldc, Int group_count, const Int* group_size,
                       ComputeType compute) {
  return grouped(handle, transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, group_count,
                 group_size, {a_type, b_type, c_type, compute});
}

// Unsigned bytes with offsets --------------------------------------------------------------------------

/// C = clamp(((op(A) - a_bias) (op(B) - b_bias) + c_bias) c_mult >> c_shift), and transposed if transc says
/// so; the shift rounds to nearest.
Result uint8_gemm_bias(Handle* handle, Op transa, Op transb, Op transc, int m, int n, int k,
                       const unsigned char* a, int a_bias, int lda, const unsigned char* b,
                       int b_bias, int ldb, unsigned char* c, int c_bias, int ldc, int c_mult,
                       int c_shift) {
  GUDA_CUBLAS_HANDLE(handle);
  ProductShape shape{transa, transb, m, n, k, lda, ldb, ldc};
  if (transc != kN) shape.ldc = at_least_one(m);  // C has n rows then
  if (Result result = check_shape(shape)) return result;
  GUDA_CUBLAS_CHECK(is_op(transc) && ldc >= at_least_one(transc == kN ? m : n) && c_shift >= 0 &&
                    c_shift < 32);
  if (m == 0 || n == 0) return kSuccess;
  return submit(
      handle, 2.0 * m * n * k,
      [&](Uses& use) {
        use.reads(transa == kN ? matrix_of(a, m, k, lda) : matrix_of(a, k, m, lda))
            .reads(transb == kN ? matrix_of(b, k, n, ldb) : matrix_of(b, n, k, ldb))
            .writes(transc == kN ? matrix_of(c, m, n, ldc) : matrix_of(c, n, m, ldc));
      },
      [=] {
        for (int64_t j = 0; j < n; ++j) {
          for (int64_t i = 0; i < m; ++i) {
            int64_t sum = 0;
            for (int64_t p = 0; p < k; ++p) {
              int64_t left = a[transa == kN ? i + p * lda : p + i * lda];
              int64_t right = b[transb == kN ? p + j * ldb : j + p * ldb];
              sum += (left - a_bias) * (right - b_bias);
            }
            int64_t scaled = (sum + c_bias) * c_mult;
            if (c_shift > 0) scaled = (scaled + (int64_t{1} << (c_shift - 1))) >> c_shift;
            auto value = static_cast<unsigned char>(std::clamp<int64_t>(scaled, 0, 255));
            c[transc == kN ? i + j * ldc : j + i * ldc] = value;
          }
        }
      });
}

GUDA_ENTRY_SIZES(cublasHgemm, gemm, float16);
GUDA_ENTRY_SIZES(cublasHgemmBatched, gemm_batched, float16);
GUDA_ENTRY_SIZES(cublasHgemmStridedBatched, gemm_strided, float16);
GUDA_ENTRY_SDCZ(gemmBatched, gemm_batched);
GUDA_ENTRY_SDCZ(gemmStridedBatched, gemm_strided);
GUDA_ENTRY_SIZES(cublasCgemm3mBatched, gemm_batched, ComplexFloat);
GUDA_ENTRY_SIZES(cublasCgemm3mStridedBatched, gemm_strided, ComplexFloat);
GUDA_ENTRY_PLAIN_SIZES(cublasGemmEx, gemm_ex);
GUDA_ENTRY_PLAIN_SIZES(cublasGemmBatchedEx, gemm_batched_ex);
GUDA_ENTRY_PLAIN_SIZES(cublasGemmStridedBatchedEx, gemm_strided_ex);
GUDA_ENTRY_SIZES(cublasSgemmEx, gemm_ex_of, float);
GUDA_ENTRY_SIZES(cublasCgemmEx, gemm_ex_of, ComplexFloat);
GUDA_ENTRY_SIZES(cublasCgemm3mEx, gemm_ex_of, ComplexFloat);
GUDA_ENTRY_SD(gemmGroupedBatched, gemm_grouped);
GUDA_ENTRY_PLAIN_SIZES(cublasGemmGroupedBatchedEx, gemm_grouped_ex);
GUDA_ENTRY(cublasUint8gemmBias, uint8_gemm_bias);

}  // namespace
}  // namespace guda::cublas
