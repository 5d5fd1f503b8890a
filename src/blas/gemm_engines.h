// Which micro-kernels this machine uses for which types: the best that it has, chosen once. Null where
// there are none.
#pragma once

#include "blas/gemm_block.h"

namespace guda::blas {

template <class T>
using RealEngine = GemmEngine<T, T, T, T>;
/// 16-bit floats, by their bits.
using WideningEngine = GemmEngine<uint16_t, float, float, float>;
using PairEngine = GemmEngine<uint16_t, uint32_t, float, float>;
/// 8-bit integers, by their bits.
using IntegerEngine = GemmEngine<uint8_t, uint32_t, int32_t, int32_t>;

/// T: float, double, and complex of both.
template <class T>
const RealEngine<T>* gemm_engine();
template <>
const RealEngine<float>* gemm_engine<float>();
template <>
const RealEngine<double>* gemm_engine<double>();
template <>
const RealEngine<std::complex<float>>* gemm_engine<std::complex<float>>();
template <>
const RealEngine<std::complex<double>>* gemm_engine<std::complex<double>>();
const WideningEngine* bf16_engine();
/// Preferred to the former where the processor's bf16 instructions are worth it.
const PairEngine* bf16_pair_engine();
const WideningEngine* f16_engine();
const IntegerEngine* s8_engine();
/// Unsigned A.
const IntegerEngine* u8s8_engine();
/// Of 8-bit integers with one vector, by the signs of matrix and vector.
template <class Matrix, class Vector>
const kernels::ByteVectorKernels* byte_vector_kernels();
template <>
const kernels::ByteVectorKernels* byte_vector_kernels<int8_t, int8_t>();
template <>
const kernels::ByteVectorKernels* byte_vector_kernels<uint8_t, int8_t>();
template <>
const kernels::ByteVectorKernels* byte_vector_kernels<int8_t, uint8_t>();

}  // namespace guda::blas
