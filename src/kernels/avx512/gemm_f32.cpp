#include <immintrin.h>

#include "kernels/avx512/gemm_tiny.h"
#include "kernels/avx512/real_arithmetic.h"
#include "kernels/avx512/transpose.h"
#include "kernels/gemm_tile.h"

namespace guda::kernels::avx512 {
namespace {

constexpr GemmKernels<float> make() {
  GemmKernels<float> set{};
  set.lanes = 16;
  set.lane_shift = 4;
  set.vectors = 3;
  set.columns = 8;
  add_tiles<RealArithmetic<float>, 1, 24>(set);
  add_tiles<RealArithmetic<float>, 2, 14>(set);
  add_tiles<RealArithmetic<float>, 3, 9>(set);
  add_tiles<RealArithmetic<float>, 4, 6>(set);
  add_tiny<TinyFloat, 1>(set);
  add_tiny<TinyFloat, 2>(set);
  add_tiny<TinyFloat, 4>(set);
  add_tiny<TinyFloat, 8>(set);
  add_half_tiles<HalfArithmetic<float>>(set);
  set.packing = {pack_copy<float>, pack_transpose<float>};
  return set;
}

}  // namespace

constinit const GemmKernels<float> gemm_f32 = make();

}  // namespace guda::kernels::avx512
