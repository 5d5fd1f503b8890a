#include "kernels/avx512/complex_arithmetic.h"
#include "kernels/avx512/transpose.h"

namespace guda::kernels::avx512 {
namespace {

using Complex = std::complex<double>;

constexpr GemmKernels<Complex> make() {
  GemmKernels<Complex> set{};
  set.lanes = 4;
  set.lane_shift = 2;
  set.vectors = 3;
  set.columns = 4;
  add_tiles<ComplexArithmetic<double>, 1, 12>(set);
  add_tiles<ComplexArithmetic<double>, 2, 7>(set);
  add_tiles<ComplexArithmetic<double>, 3, 4>(set);
  add_tiles<ComplexArithmetic<double>, 4, 3>(set);
  set.packing = {pack_copy<Complex>, pack_transpose<Complex>};
  return set;
}

}  // namespace

constinit const GemmKernels<Complex> gemm_c64 = make();

}  // namespace guda::kernels::avx512
