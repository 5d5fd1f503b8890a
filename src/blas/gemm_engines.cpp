#include "blas/gemm_engines.h"

namespace guda::blas {
namespace {

namespace avx512 = kernels::avx512;
namespace avx2 = kernels::avx2;
namespace portable = kernels::portable;

bool has(InstructionSet level) { return cpu_features().level >= level; }
bool has_dot8() { return has(InstructionSet::avx512) && cpu_features().vnni; }

template <class T>
RealEngine<T> engine_of(const kernels::GemmKernels<T>& tiles) {
  return {&tiles, tiles.packing, tiles.packing, 1};
}

template <class T>
const RealEngine<T>* choose(const kernels::GemmKernels<T>& avx512_tiles,
                            const kernels::GemmKernels<T>& avx2_tiles,
                            const kernels::GemmKernels<T>& portable_tiles) {
  static const RealEngine<T> engine = engine_of(has(InstructionSet::avx512) ? avx512_tiles
                                                : has(InstructionSet::avx2) ? avx2_tiles
                                                                            : portable_tiles);
  return &engine;
}

// bf16 and f16 for the f32 tiles of the machine.
WideningEngine widening(const kernels::Packing<uint16_t, float>& avx512_packing,
                        const kernels::Packing<uint16_t, float>& avx2_packing,
                        const kernels::Packing<uint16_t, float>& portable_packing) {
  const auto& packing = has(InstructionSet::avx512) ? avx512_packing
                        : has(InstructionSet::avx2) ? avx2_packing
                                                    : portable_packing;
  return {gemm_engine<float>()->tiles, packing, packing, 1};
}

}  // namespace

template <>
const RealEngine<float>* gemm_engine<float>() {
  return choose(avx512::gemm_f32, avx2::gemm_f32, portable::gemm_f32);
}
template <>
const RealEngine<double>* gemm_engine<double>() {
  return choose(avx512::gemm_f64, avx2::gemm_f64, portable::gemm_f64);
}
template <>
const RealEngine<std::complex<float>>* gemm_engine<std::complex<float>>() {
  return choose(avx512::gemm_c32, avx2::gemm_c32, portable::gemm_c32);
}
template <>
const RealEngine<std::complex<double>>* gemm_engine<std::complex<double>>() {
  return choose(avx512::gemm_c64, avx2::gemm_c64, portable::gemm_c64);
}

const WideningEngine* bf16_engine() {
  static const WideningEngine engine =
      widening(avx512::widen_bf16, avx2::widen_bf16, portable::widen_bf16);
  return &engine;
}

const WideningEngine* f16_engine() {
  static const WideningEngine engine =
      widening(avx512::widen_f16, avx2::widen_f16, portable::widen_f16);
  return &engine;
}

const PairEngine* bf16_pair_engine() {
  static const PairEngine engine{&avx512::gemm_bf16, avx512::bf16_pairs, avx512::bf16_pairs, 2};
  return has(InstructionSet::avx512) && cpu_features().fast_bf16 ? &engine : nullptr;
}

const IntegerEngine* s8_engine() {
  static const IntegerEngine dot{&avx512::gemm_dot8, avx512::dot8_signed_a,
                                 avx512::dot8_corrected_b, 4};
  static const IntegerEngine pairs{&avx2::gemm_pairs8, avx2::pairs8_signed, avx2::pairs8_signed, 2};
  if (has_dot8()) return &dot;
  return has(InstructionSet::avx2) ? &pairs : nullptr;
}

const IntegerEngine* u8s8_engine() {
  static const IntegerEngine dot{&avx512::gemm_dot8, avx512::dot8_unsigned_a, avx512::dot8_b, 4};
  static const IntegerEngine pairs{&avx2::gemm_pairs8, avx2::pairs8_unsigned, avx2::pairs8_signed,
                                   2};
  if (has_dot8()) return &dot;
  return has(InstructionSet::avx2) ? &pairs : nullptr;
}

template <>
const kernels::ByteVectorKernels* byte_vector_kernels<int8_t, int8_t>() {
  return has_dot8() ? &avx512::gemv_s8s8 : nullptr;
}
template <>
const kernels::ByteVectorKernels* byte_vector_kernels<uint8_t, int8_t>() {
  return has_dot8() ? &avx512::gemv_u8s8 : nullptr;
}
template <>
const kernels::ByteVectorKernels* byte_vector_kernels<int8_t, uint8_t>() {
  return has_dot8() ? &avx512::gemv_s8u8 : nullptr;
}

}  // namespace guda::blas
