#include "blas/gemm_engines.h"

namespace guda::blas {
namespace {

template <class T>
GemmEngine<T, T, T, T> engine_of(const kernels::GemmKernels<T>& tiles) {
  return {&tiles, tiles.copy, tiles.transpose, tiles.copy, tiles.transpose, 1};
}

}  // namespace

template <>
const GemmEngine<float, float, float, float>* gemm_engine<float>() {
  static const auto avx512 = engine_of(kernels::avx512::gemm_f32);
  return cpu_features().level >= InstructionSet::avx512 ? &avx512 : nullptr;
}

template <>
const GemmEngine<double, double, double, double>* gemm_engine<double>() {
  static const auto avx512 = engine_of(kernels::avx512::gemm_f64);
  return cpu_features().level >= InstructionSet::avx512 ? &avx512 : nullptr;
}

template <>
const GemmEngine<std::complex<float>, std::complex<float>, std::complex<float>,
                 std::complex<float>>*
gemm_engine<std::complex<float>>() {
  static const auto avx512 = engine_of(kernels::avx512::gemm_c32);
  return cpu_features().level >= InstructionSet::avx512 ? &avx512 : nullptr;
}

template <>
const GemmEngine<std::complex<double>, std::complex<double>, std::complex<double>,
                 std::complex<double>>*
gemm_engine<std::complex<double>>() {
  static const auto avx512 = engine_of(kernels::avx512::gemm_c64);
  return cpu_features().level >= InstructionSet::avx512 ? &avx512 : nullptr;
}

}  // namespace guda::blas
