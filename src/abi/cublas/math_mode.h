// What a handle's math mode and a call's compute type allow products of f32 to be made of.
#pragma once

#include "abi/cublas/types.h"
#include "blas/gemm.h"

namespace guda::cublas {

/// cublasMath_t without its flags.
enum MathMode : int {
  kDefaultMath = 0,
  kTensorOpMath = 1,
  kPedanticMath = 2,
  kTF32TensorOpMath = 3,
  kFP32EmulatedBF16X9Math = 4,
};

/// The compute type of a product whose own is kCompute32F: the mode says more about f32.
constexpr ComputeType compute_in_mode(int math_mode, ComputeType compute) {
  if (compute != kCompute32F) return compute;
  switch (math_mode & 15) {
    case kTF32TensorOpMath: return kCompute32FFastTF32;
    case kFP32EmulatedBF16X9Math: return kCompute32FEmulated16BFX9;
    default: return compute;
  }
}

/// At least the precision that the type is named for: TF32 and f16 have 11 bits, two bf16 parts 16. Three
/// parts have f32's 24, and the products that six leave out are no more than its rounding (docs/blas.md).
constexpr blas::FloatProducts float_products(ComputeType compute) {
  switch (compute) {
    case kCompute32FFast16BF: return blas::FloatProducts::bf16;
    case kCompute32FFast16F:
    case kCompute32FFastTF32: return blas::FloatProducts::bf16x3;
    case kCompute32FEmulated16BFX9: return blas::FloatProducts::bf16x6;
    default: return blas::FloatProducts::full;
  }
}

}  // namespace guda::cublas
