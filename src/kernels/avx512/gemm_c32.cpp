#include "kernels/avx512/complex_arithmetic.h"
#include "kernels/avx512/transpose.h"

namespace guda::kernels::avx512 {
namespace {

using Complex = std::complex<float>;

constexpr GemmKernels<Complex> make() {
  GemmKernels<Complex> set{};
  set.lanes = 8;
  set.lane_shift = 3;
  set.vectors = 3;
  set.columns = 4;
  add_tiles<ComplexArithmetic<float>, 1, 12>(set);
  add_tiles<ComplexArithmetic<float>, 2, 7>(set);
  add_tiles<ComplexArithmetic<float>, 3, 4>(set);
  add_tiles<ComplexArithmetic<float>, 4, 3>(set);
  set.packing = {pack_copy<Complex>, pack_transpose<Complex>};
  return set;
}

}  // namespace

constinit const GemmKernels<Complex> gemm_c32 = make();

}  // namespace guda::kernels::avx512
