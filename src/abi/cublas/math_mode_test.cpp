#include "abi/cublas/math_mode.h"

#include <gtest/gtest.h>

namespace guda::cublas {
namespace {

using blas::FloatProducts;

TEST(MathModeTest, ProductsOfFloatsAreFullUnlessAllowed) {
  EXPECT_EQ(float_products(compute_in_mode(kDefaultMath, kCompute32F)), FloatProducts::full);
  EXPECT_EQ(float_products(compute_in_mode(kPedanticMath, kCompute32F)), FloatProducts::full);
  EXPECT_EQ(float_products(compute_in_mode(kTF32TensorOpMath, kCompute32FPedantic)),
            FloatProducts::full);
  EXPECT_EQ(float_products(compute_in_mode(kTF32TensorOpMath, kCompute32F)), FloatProducts::bf16x3);
  EXPECT_EQ(float_products(compute_in_mode(kFP32EmulatedBF16X9Math, kCompute32F)),
            FloatProducts::bf16x6);
}

TEST(MathModeTest, ComputeTypesOutrankTheMode) {
  for (const int mode : {kDefaultMath, kTF32TensorOpMath, kFP32EmulatedBF16X9Math}) {
    EXPECT_EQ(float_products(compute_in_mode(mode, kCompute32FFast16BF)), FloatProducts::bf16);
    EXPECT_EQ(float_products(compute_in_mode(mode, kCompute32FFast16F)), FloatProducts::bf16x3);
    EXPECT_EQ(float_products(compute_in_mode(mode, kCompute32FEmulated16BFX9)),
              FloatProducts::bf16x6);
    EXPECT_EQ(float_products(compute_in_mode(mode, kCompute64F)), FloatProducts::full);
  }
}

TEST(MathModeTest, FlagsOfTheModeChangeNothing) {
  constexpr int kDisallowReducedPrecisionReduction = 16;
  EXPECT_EQ(compute_in_mode(kTF32TensorOpMath | kDisallowReducedPrecisionReduction, kCompute32F),
            kCompute32FFastTF32);
}

}  // namespace
}  // namespace guda::cublas
