#include "abi/cublas/product.h"

#include "abi/cublas/element.h"
#include "abi/cublas/handle.h"
#include "abi/cublas/math_mode.h"
#include "blas/gemm.h"

#include <cstring>
#include <new>

namespace guda::cublas {
namespace {

struct AdmittedTypes {
  ComputeType compute;  // the default member of its family
  DataType scale, operands, c;
};

constexpr AdmittedTypes kAdmitted[] = {
    {kCompute16F, kR16F, kR16F, kR16F},        {kCompute32I, kR32I, kR8I, kR32I},
    {kCompute32F, kR32F, kR16BF, kR16BF},      {kCompute32F, kR32F, kR16F, kR16F},
    {kCompute32F, kR32F, kR8I, kR32F},         {kCompute32F, kR32F, kR16BF, kR32F},
    {kCompute32F, kR32F, kR16F, kR32F},        {kCompute32F, kR32F, kR32F, kR32F},
    {kCompute32F, kC32F, kC8I, kC32F},         {kCompute32F, kC32F, kC32F, kC32F},
    {kCompute32FFast16F, kR32F, kR32F, kR32F}, {kCompute32FFast16F, kC32F, kC32F, kC32F},
    {kCompute64F, kR64F, kR64F, kR64F},        {kCompute64F, kC64F, kC64F, kC64F},
};

ComputeType family(ComputeType type) {
  switch (type) {
    case kCompute16FPedantic: return kCompute16F;
    case kCompute32FPedantic: return kCompute32F;
    case kCompute64FPedantic:
    case kCompute64FEmulatedFixedPoint: return kCompute64F;
    case kCompute32IPedantic: return kCompute32I;
    case kCompute32FFast16BF:
    case kCompute32FFastTF32:
    case kCompute32FEmulated16BFX9: return kCompute32FFast16F;
    default: return type;
  }
}

template <class T>
T scalar(const void* pointer) {
  return *static_cast<const T*>(pointer);
}

const void* at(const void* matrix, int64_t index, DataType type) {
  return static_cast<const std::byte*>(matrix) + index * static_cast<int64_t>(element_bytes(type));
}

template <class In, class Out, class Scale>
void mixed(const ProductShape& s, Scale alpha, const void* a, const void* b, Scale beta, void* c) {
  blas::gemm_mixed<In, Out, Scale>(transpose(s.transa), transpose(s.transb), s.m, s.n, s.k, alpha,
                                   static_cast<const In*>(a), s.lda, static_cast<const In*>(b),
                                   s.ldb, beta, static_cast<Out*>(c), s.ldc);
}

template <class T>
void same(const ProductShape& s, const void* alpha, const void* a, const void* b, const void* beta,
          void* c) {
  blas::gemm<T>(transpose(s.transa), transpose(s.transb), s.m, s.n, s.k, scalar<T>(alpha),
                static_cast<const T*>(a), s.lda, static_cast<const T*>(b), s.ldb, scalar<T>(beta),
                static_cast<T*>(c), s.ldc);
}

void floats(ComputeType compute, const ProductShape& s, const void* alpha, const void* a,
            const void* b, const void* beta, void* c) {
  blas::gemm_f32(float_products(compute), transpose(s.transa), transpose(s.transb), s.m, s.n, s.k,
                 scalar<float>(alpha), static_cast<const float*>(a), s.lda,
                 static_cast<const float*>(b), s.ldb, scalar<float>(beta), static_cast<float*>(c),
                 s.ldc);
}

void complex_bytes(const ProductShape& s, const void* alpha, const void* a, const void* b,
                   const void* beta, void* c) {
  int64_t rows_a = s.transa == kN ? s.m : s.k, columns_a = s.transa == kN ? s.k : s.m;
  int64_t rows_b = s.transb == kN ? s.k : s.n, columns_b = s.transb == kN ? s.n : s.k;
  auto wide_a = widen_complex_bytes(a, rows_a, columns_a, s.lda);
  auto wide_b = widen_complex_bytes(b, rows_b, columns_b, s.ldb);
  ProductShape wide = s;
  wide.lda = at_least_one(rows_a);
  wide.ldb = at_least_one(rows_b);
  same<ComplexFloat>(wide, alpha, wide_a.get(), wide_b.get(), beta, c);
}

template <class T>
void same_batched(const ProductShape& s, const void* alpha, const void* const* a,
                  const void* const* b, const void* beta, void* const* c, int64_t count) {
  blas::gemm_batched<T>(transpose(s.transa), transpose(s.transb), s.m, s.n, s.k, scalar<T>(alpha),
                        reinterpret_cast<const T* const*>(a), s.lda,
                        reinterpret_cast<const T* const*>(b), s.ldb, scalar<T>(beta),
                        reinterpret_cast<T* const*>(c), s.ldc, count);
}

template <class T>
void same_strided(const ProductShape& s, const void* alpha, const void* a, int64_t stride_a,
                  const void* b, int64_t stride_b, const void* beta, void* c, int64_t stride_c,
                  int64_t count) {
  blas::gemm_strided_batched<T>(transpose(s.transa), transpose(s.transb), s.m, s.n, s.k,
                                scalar<T>(alpha), static_cast<const T*>(a), s.lda, stride_a,
                                static_cast<const T*>(b), s.ldb, stride_b, scalar<T>(beta),
                                static_cast<T*>(c), s.ldc, stride_c, count);
}

}  // namespace

std::unique_ptr<ComplexFloat[]> widen_complex_bytes(const void* matrix, int64_t rows,
                                                    int64_t columns, int64_t ld) {
  auto out = std::make_unique_for_overwrite<ComplexFloat[]>(rows * columns);
  auto* in = static_cast<const int8_t*>(matrix);
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t i = 0; i < rows; ++i) {
      const int8_t* element = in + 2 * (i + j * ld);
      out[i + j * rows] = {static_cast<float>(element[0]), static_cast<float>(element[1])};
    }
  }
  return out;
}

bool is_compute_type(ComputeType type) {
  switch (type) {
    case kCompute16F:
    case kCompute16FPedantic:
    case kCompute32F:
    case kCompute32FPedantic:
    case kCompute64F:
    case kCompute64FPedantic:
    case kCompute32I:
    case kCompute32IPedantic:
    case kCompute32FFast16F:
    case kCompute32FFast16BF:
    case kCompute32FFastTF32:
    case kCompute32FEmulated16BFX9:
    case kCompute64FEmulatedFixedPoint: return true;
  }
  return false;
}

Result product_scale_type(const ProductTypes& types, DataType* scale) {
  if (types.a != types.b) return kNotSupported;
  ComputeType compute = family(types.compute);
  for (auto& row : kAdmitted) {
    if (row.compute == compute && row.operands == types.a && row.c == types.c) {
      *scale = row.scale;
      return kSuccess;
    }
  }
  return kNotSupported;
}

Result grouped_scale_type(const ProductTypes& types, DataType* scale) {
  bool half = types.a == kR16F || types.a == kR16BF;
  bool real = half || types.a == kR32F || types.a == kR64F;
  if (!real || types.a != types.c || types.compute == kCompute32FFast16F) return kNotSupported;
  if (half && family(types.compute) != kCompute32F) return kNotSupported;
  return product_scale_type(types, scale);
}

Result check_shape(const ProductShape& s) {
  GUDA_CUBLAS_CHECK(is_op(s.transa) && is_op(s.transb) && s.m >= 0 && s.n >= 0 && s.k >= 0 &&
                    s.lda >= at_least_one(s.transa == kN ? s.m : s.k) &&
                    s.ldb >= at_least_one(s.transb == kN ? s.k : s.n) &&
                    s.ldc >= at_least_one(s.m));
  return kSuccess;
}

bool is_zero(DataType scale, const void* value) {
  switch (scale) {
    case kR16F: return widen(scalar<float16>(value)) == 0;
    case kR32I: return scalar<int32_t>(value) == 0;
    case kR64F: return scalar<double>(value) == 0;
    case kC32F: return scalar<ComplexFloat>(value) == 0.0f;
    case kC64F: return scalar<ComplexDouble>(value) == 0.0;
    default: return scalar<float>(value) == 0;
  }
}

Result check_matrices(const ProductShape& shape, DataType scale, const void* alpha, const void* a,
                      const void* b, const void* c) {
  GUDA_CUBLAS_CHECK(c);
  bool nothing = shape.k == 0 || (alpha && is_zero(scale, alpha));
  GUDA_CUBLAS_CHECK(nothing || (a && b));
  return kSuccess;
}

void multiply(const ProductTypes& types, const ProductShape& shape, const void* alpha,
              const void* a, const void* b, const void* beta, void* c) {
  switch (types.a) {
    case kR32F: return floats(types.compute, shape, alpha, a, b, beta, c);
    case kR64F: return same<double>(shape, alpha, a, b, beta, c);
    case kC32F: return same<ComplexFloat>(shape, alpha, a, b, beta, c);
    case kC64F: return same<ComplexDouble>(shape, alpha, a, b, beta, c);
    case kC8I: return complex_bytes(shape, alpha, a, b, beta, c);
    case kR8I:
      if (types.c == kR32I)
        return mixed<int8_t, int32_t, int32_t>(shape, scalar<int32_t>(alpha), a, b,
                                               scalar<int32_t>(beta), c);
      return mixed<int8_t, float, float>(shape, scalar<float>(alpha), a, b, scalar<float>(beta), c);
    case kR16BF:
      if (types.c == kR32F)
        return mixed<bfloat16, float, float>(shape, scalar<float>(alpha), a, b, scalar<float>(beta),
                                             c);
      return mixed<bfloat16, bfloat16, float>(shape, scalar<float>(alpha), a, b,
                                              scalar<float>(beta), c);
    case kR16F: {
      // Sums of half precision are kept in single precision too.
      bool half_scale = family(types.compute) == kCompute16F;
      float alpha_value = half_scale ? widen(scalar<float16>(alpha)) : scalar<float>(alpha);
      float beta_value = half_scale ? widen(scalar<float16>(beta)) : scalar<float>(beta);
      if (types.c == kR32F)
        return mixed<float16, float, float>(shape, alpha_value, a, b, beta_value, c);
      return mixed<float16, float16, float>(shape, alpha_value, a, b, beta_value, c);
    }
    default: break;
  }
}

namespace {

struct EngineTypes {
  ProductTypes types;
  backend::ElementType input, output;
  bool sums_out;
};

/// Products that the device interface knows; `compute` is a family.
constexpr EngineTypes kEngineTypes[] = {
    {{kR32F, kR32F, kR32F, kCompute32F},
     backend::ElementType::f32,
     backend::ElementType::f32,
     false},
    {{kR64F, kR64F, kR64F, kCompute64F},
     backend::ElementType::f64,
     backend::ElementType::f64,
     false},
    {{kC32F, kC32F, kC32F, kCompute32F},
     backend::ElementType::c32,
     backend::ElementType::c32,
     false},
    {{kC64F, kC64F, kC64F, kCompute64F},
     backend::ElementType::c64,
     backend::ElementType::c64,
     false},
    {{kR16F, kR16F, kR16F, kCompute32F},
     backend::ElementType::f16,
     backend::ElementType::f16,
     false},
    {{kR16F, kR16F, kR32F, kCompute32F},
     backend::ElementType::f16,
     backend::ElementType::f32,
     true},
    {{kR16BF, kR16BF, kR16BF, kCompute32F},
     backend::ElementType::bf16,
     backend::ElementType::bf16,
     false},
    {{kR16BF, kR16BF, kR32F, kCompute32F},
     backend::ElementType::bf16,
     backend::ElementType::f32,
     true},
    {{kR8I, kR8I, kR32I, kCompute32I}, backend::ElementType::s8, backend::ElementType::s8, true},
};

backend::Transpose engine_transpose(Op op) {
  return op == kN   ? backend::Transpose::none
         : op == kT ? backend::Transpose::transpose
                    : backend::Transpose::conjugate;
}
Op op_of(backend::Transpose transpose) {
  return transpose == backend::Transpose::none        ? kN
         : transpose == backend::Transpose::transpose ? kT
                                                      : kC;
}

}  // namespace

GemmCall describe(const ProductTypes& types, const ProductShape& shape, PointerMode mode,
                  const void* alpha, const void* a, const void* b, const void* beta, void* c) {
  GemmCall call;
  if (mode != kHostPointers || shape.k == 0 || a == nullptr || b == nullptr) return call;
  ComputeType compute = family(types.compute);
  if (compute == kCompute32FFast16F) compute = kCompute32F;  // no less exact
  for (const EngineTypes& row : kEngineTypes) {
    if (row.types.a != types.a || row.types.c != types.c || row.types.compute != compute) continue;
    backend::GemmProblem& problem = call.problem;
    problem.input = row.input;
    problem.output = row.output;
    problem.sums_out = row.sums_out;
    problem.transpose_a = engine_transpose(shape.transa);
    problem.transpose_b = engine_transpose(shape.transb);
    problem.m = shape.m;
    problem.n = shape.n;
    problem.k = shape.k;
    problem.a = a;
    problem.b = b;
    problem.c = c;
    problem.lda = shape.lda;
    problem.ldb = shape.ldb;
    problem.ldc = shape.ldc;
    DataType scale;
    if (product_scale_type(types, &scale) != kSuccess) return call;
    std::memcpy(call.alpha.data(), alpha, element_bytes(scale));
    std::memcpy(call.beta.data(), beta, element_bytes(scale));
    call.for_engines = true;
    return call;
  }
  return call;
}

Status multiply(const backend::GemmProblem& problem) {
  for (const EngineTypes& row : kEngineTypes) {
    if (row.input != problem.input || row.sums_out != problem.sums_out) continue;
    const ProductShape shape{op_of(problem.transpose_a),
                             op_of(problem.transpose_b),
                             problem.m,
                             problem.n,
                             problem.k,
                             problem.lda,
                             problem.ldb,
                             problem.ldc};
    try {
      multiply(row.types, shape, problem.alpha, problem.a, problem.b, problem.beta, problem.c);
    } catch (const std::bad_alloc&) {
      return {StatusCode::out_of_memory, "no memory for a matrix product"};
    }
    return Status::ok();
  }
  return {StatusCode::not_supported, "a matrix product of these types"};
}

void multiply_batched(const ProductTypes& types, const ProductShape& shape, const void* alpha,
                      const void* const* a, const void* const* b, const void* beta, void* const* c,
                      int64_t count) {
  switch (types.a) {
    case kR32F:
      return blas::gemm_f32_batched(
          float_products(types.compute), transpose(shape.transa), transpose(shape.transb), shape.m,
          shape.n, shape.k, scalar<float>(alpha), reinterpret_cast<const float* const*>(a),
          shape.lda, reinterpret_cast<const float* const*>(b), shape.ldb, scalar<float>(beta),
          reinterpret_cast<float* const*>(c), shape.ldc, count);
    case kR64F: return same_batched<double>(shape, alpha, a, b, beta, c, count);
    case kC32F: return same_batched<ComplexFloat>(shape, alpha, a, b, beta, c, count);
    case kC64F: return same_batched<ComplexDouble>(shape, alpha, a, b, beta, c, count);
    default: break;
  }
  for_products(count, shape,
               [&](int64_t i) { multiply(types, shape, alpha, a[i], b[i], beta, c[i]); });
}

void multiply_strided(const ProductTypes& types, const ProductShape& shape, const void* alpha,
                      const void* a, int64_t stride_a, const void* b, int64_t stride_b,
                      const void* beta, void* c, int64_t stride_c, int64_t count) {
  switch (types.a) {
    case kR32F:
      return blas::gemm_f32_strided_batched(
          float_products(types.compute), transpose(shape.transa), transpose(shape.transb), shape.m,
          shape.n, shape.k, scalar<float>(alpha), static_cast<const float*>(a), shape.lda, stride_a,
          static_cast<const float*>(b), shape.ldb, stride_b, scalar<float>(beta),
          static_cast<float*>(c), shape.ldc, stride_c, count);
    case kR64F:
      return same_strided<double>(shape, alpha, a, stride_a, b, stride_b, beta, c, stride_c, count);
    case kC32F:
      return same_strided<ComplexFloat>(shape, alpha, a, stride_a, b, stride_b, beta, c, stride_c,
                                        count);
    case kC64F:
      return same_strided<ComplexDouble>(shape, alpha, a, stride_a, b, stride_b, beta, c, stride_c,
                                         count);
    default: break;
  }
  for_products(count, shape, [&](int64_t i) {
    multiply(types, shape, alpha, at(a, i * stride_a, types.a), at(b, i * stride_b, types.b), beta,
             const_cast<void*>(at(c, i * stride_c, types.c)));
  });
}

double product_ns(const ProductTypes& types, const ProductShape& shape) {
  bool is_complex = types.c == kC32F || types.c == kC64F;
  double per_ns = (types.a == kR64F || types.a == kC64F ? 50.0 : 100.0) / (is_complex ? 4 : 1);
  return 2.0 * static_cast<double>(shape.m) * static_cast<double>(shape.n) *
         static_cast<double>(shape.k) / per_ns;
}

}  // namespace guda::cublas
