// Tiles for any processor, in 16-byte vectors.
#include <bit>

#include "kernels/vector_arithmetic.h"

namespace guda::kernels::portable {
namespace {

float widen_bf16_bits(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}
float widen_f16_bits(uint16_t bits) { return static_cast<float>(std::bit_cast<_Float16>(bits)); }

template <float (*kWiden)(uint16_t)>
void copy(int64_t width, int64_t k, const uint16_t* x, int64_t ld, float* out, int64_t panel) {
  pack_plainly(width, k, x, 1, ld, out, panel, kWiden);
}

template <float (*kWiden)(uint16_t)>
void transpose(int64_t width, int64_t k, const uint16_t* x, int64_t ld, float* out, int64_t panel) {
  pack_plainly(width, k, x, ld, 1, out, panel, kWiden);
}

}  // namespace

constinit const GemmKernels<float> gemm_f32 = tiles_for_16_registers<VectorArithmetic<float, 16>>();
constinit const GemmKernels<double> gemm_f64 =
    tiles_for_16_registers<VectorArithmetic<double, 16>>();
constinit const GemmKernels<std::complex<float>> gemm_c32 =
    tiles_for_16_registers<ComplexVectorArithmetic<float, 16>>();
constinit const GemmKernels<std::complex<double>> gemm_c64 =
    tiles_for_16_registers<ComplexVectorArithmetic<double, 16>>();
constinit const Packing<uint16_t, float> widen_bf16{copy<widen_bf16_bits>,
                                                    transpose<widen_bf16_bits>};
constinit const Packing<uint16_t, float> widen_f16{copy<widen_f16_bits>, transpose<widen_f16_bits>};

}  // namespace guda::kernels::portable
