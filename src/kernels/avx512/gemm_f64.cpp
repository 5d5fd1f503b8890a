#include <immintrin.h>

#include "kernels/avx512/gemm_tiny.h"
#include "kernels/avx512/real_arithmetic.h"
#include "kernels/avx512/transpose.h"
#include "kernels/gemm_tile.h"

namespace guda::kernels::avx512 {
namespace {

constexpr GemmKernels<double> make() {
  GemmKernels<double> set{};
  set.lanes = 8;
  set.lane_shift = 3;
  set.vectors = 3;
  set.columns = 8;
  add_tiles<RealArithmetic<double>, 1, 24>(set);
  add_tiles<RealArithmetic<double>, 2, 14>(set);
  add_tiles<RealArithmetic<double>, 3, 9>(set);
  add_tiles<RealArithmetic<double>, 4, 6>(set);
  add_tiny<TinyDouble, 1>(set);
  add_tiny<TinyDouble, 2>(set);
  add_tiny<TinyDouble, 4>(set);
  add_half_tiles<HalfArithmetic<double>>(set);
  set.packing = {pack_copy<double>, pack_transpose<double>};
  return set;
}

}  // namespace

constinit const GemmKernels<double> gemm_f64 = make();

}  // namespace guda::kernels::avx512
