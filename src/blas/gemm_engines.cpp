#include "blas/gemm_engines.h"

namespace guda::blas {
namespace {

namespace avx512 = kernels::avx512;

bool has(InstructionSet level) { return cpu_features().level >= level; }

template <class T>
RealEngine<T> engine_of(const kernels::GemmKernels<T>& tiles) {
  return {&tiles, tiles.packing, tiles.packing, 1};
}

template <class T>
const RealEngine<T>* choose(const kernels::GemmKernels<T>& avx512_tiles) {
  static const RealEngine<T> avx512_engine = engine_of(avx512_tiles);
  return has(InstructionSet::avx512) ? &avx512_engine : nullptr;
}

}  // namespace

template <>
const RealEngine<float>* gemm_engine<float>() {
  return choose(avx512::gemm_f32);
}
template <>
const RealEngine<double>* gemm_engine<double>() {
  return choose(avx512::gemm_f64);
}
template <>
const RealEngine<std::complex<float>>* gemm_engine<std::complex<float>>() {
  return choose(avx512::gemm_c32);
}
template <>
const RealEngine<std::complex<double>>* gemm_engine<std::complex<double>>() {
  return choose(avx512::gemm_c64);
}

const WideningEngine* bf16_engine() {
  static const WideningEngine engine{&avx512::gemm_f32, avx512::widen_bf16, avx512::widen_bf16, 1};
  return has(InstructionSet::avx512) ? &engine : nullptr;
}

const PairEngine* bf16_pair_engine() {
  static const PairEngine engine{&avx512::gemm_bf16, avx512::bf16_pairs, avx512::bf16_pairs, 2};
  return has(InstructionSet::avx512) && cpu_features().fast_bf16 ? &engine : nullptr;
}

const WideningEngine* f16_engine() {
  static const WideningEngine engine{&avx512::gemm_f32, avx512::widen_f16, avx512::widen_f16, 1};
  return has(InstructionSet::avx512) ? &engine : nullptr;
}

const IntegerEngine* s8_engine() {
  static const IntegerEngine engine{&avx512::gemm_dot8, avx512::dot8_signed_a,
                                    avx512::dot8_corrected_b, 4};
  return has(InstructionSet::avx512) && cpu_features().vnni ? &engine : nullptr;
}

const IntegerEngine* u8s8_engine() {
  static const IntegerEngine engine{&avx512::gemm_dot8, avx512::dot8_unsigned_a, avx512::dot8_b, 4};
  return has(InstructionSet::avx512) && cpu_features().vnni ? &engine : nullptr;
}

}  // namespace guda::blas
