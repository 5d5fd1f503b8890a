// Tiles for any processor, in 16-byte vectors.
#include <bit>

#include "kernels/float8.h"
#include "kernels/vector_arithmetic.h"

namespace guda::kernels::portable {
namespace {

float widen_bf16_bits(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}
float widen_f16_bits(uint16_t bits) { return static_cast<float>(std::bit_cast<_Float16>(bits)); }

float widen_e4m3_code(uint8_t code) { return kE4m3Values[code]; }
float widen_e5m2_code(uint8_t code) { return kE5m2Values[code]; }

template <auto kWiden, class From>
void copy(int64_t width, int64_t k, const From* x, int64_t ld, float* out, int64_t panel) {
  pack_plainly(width, k, x, 1, ld, out, panel, kWiden);
}

template <auto kWiden, class From>
void transpose(int64_t width, int64_t k, const From* x, int64_t ld, float* out, int64_t panel) {
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
constinit const Packing<uint8_t, float> widen_e4m3{copy<widen_e4m3_code>,
                                                   transpose<widen_e4m3_code>};
constinit const Packing<uint8_t, float> widen_e5m2{copy<widen_e5m2_code>,
                                                   transpose<widen_e5m2_code>};

}  // namespace guda::kernels::portable
