// The types and values of cublas_api.h. Own declarations: GUDA builds without the toolkit's headers;
// signatures_test.cpp compares them where those are installed.
#pragma once

#include "blas/types.h"

#include <complex>
#include <cstddef>
#include <cstdint>

namespace guda::cublas {

enum Result : int {
  kSuccess = 0,
  kNotInitialized = 1,
  kAllocFailed = 3,
  kInvalidValue = 7,
  kArchMismatch = 8,
  kMappingError = 11,
  kExecutionFailed = 13,
  kInternalError = 14,
  kNotSupported = 15,
  kLicenseError = 16,
};

enum Fill : int { kLower = 0, kUpper = 1, kFull = 2 };
enum Diag : int { kNonUnit = 0, kUnit = 1 };
enum SideMode : int { kLeft = 0, kRight = 1 };
enum Op : int { kN = 0, kT = 1, kC = 2, kConjugateOnly = 3 };
enum PointerMode : int { kHostPointers = 0, kDevicePointers = 1 };
enum AtomicsMode : int { kAtomicsNotAllowed = 0, kAtomicsAllowed = 1 };

/// cudaDataType of library_types.h.
enum DataType : int {
  kR32F = 0,
  kR64F = 1,
  kR16F = 2,
  kR8I = 3,
  kC32F = 4,
  kC64F = 5,
  kC16F = 6,
  kC8I = 7,
  kR8U = 8,
  kC8U = 9,
  kR32I = 10,
  kC32I = 11,
  kR32U = 12,
  kC32U = 13,
  kR16BF = 14,
  kC16BF = 15,
  kR8E4M3 = 28,
  kR8E5M2 = 29,
  kR8UE8M0 = 30,
  kR4E2M1 = 33,
};

/// cublasComputeType_t.
enum ComputeType : int {
  kCompute16F = 64,
  kCompute16FPedantic = 65,
  kCompute32F = 68,
  kCompute32FPedantic = 69,
  kCompute64F = 70,
  kCompute64FPedantic = 71,
  kCompute32I = 72,
  kCompute32IPedantic = 73,
  kCompute32FFast16F = 74,
  kCompute32FFast16BF = 75,
  kCompute32FFastTF32 = 77,
  kCompute32FEmulated16BFX9 = 78,
  kCompute64FEmulatedFixedPoint = 79,
};

/// cublasGemmAlgo_t: hints that change nothing here; unknown values are refused.
enum GemmAlgo : int {
  kAlgoDefault = -1,
  kAlgoLast = 23,
  kAlgoTensor = 99,
  kAlgoTensorLast = 115,
  kAlgoAutotune = 999
};

using blas::bfloat16;
using blas::float16;
using ComplexFloat = std::complex<float>;
using ComplexDouble = std::complex<double>;

inline constexpr int kVersion = 130100;  // CUBLAS_VERSION of the generation that GUDA follows

}  // namespace guda::cublas
