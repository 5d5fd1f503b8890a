// Tiles in 256-bit registers with FMA.
#include <immintrin.h>

#include "kernels/vector_arithmetic.h"

namespace guda::kernels::avx2 {
namespace {

alignas(64) constexpr int32_t kMaskWords[16] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                0,  0,  0,  0,  0,  0,  0,  0};

/// Adds masked loads to VectorArithmetic and its complex form.
template <class Base, class R>
struct Masked : Base {
  using Vector = typename Base::Vector;
  using In = typename Base::In;
  struct Mask {
    __m256i lanes;
    int rows;  // as Base counts them
  };

  static Mask mask(int rows) {
    const int count = Base::mask(rows);
    const int words = count * static_cast<int>(sizeof(R) / 4);
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMaskWords + 8 - words)), count};
  }
  static Vector load(const In* p) { return Base::load(p); }
  static Vector load(const In* p, Mask m) {
    const auto* from = reinterpret_cast<const R*>(p);
    if constexpr (sizeof(R) == 4) {
      return reinterpret_cast<Vector>(_mm256_maskload_ps(from, m.lanes));
    } else {
      return reinterpret_cast<Vector>(_mm256_maskload_pd(from, m.lanes));
    }
  }
  static Vector multiply_add(Vector a, Vector b, Vector c) {
    if constexpr (sizeof(R) == 4) {
      asm("vfmadd231ps %2, %1, %0" : "+x"(c) : "x"(a), "x"(b));
    } else {
      asm("vfmadd231pd %2, %1, %0" : "+x"(c) : "x"(a), "x"(b));
    }
    return c;
  }
  template <int V, Update kUpdate, class Sums, class Arguments>
  static void store(const Sums& sum, const Arguments& t, typename Base::Out* c, Mask m) {
    Base::template store<V, kUpdate>(sum, t, c, m.rows);
  }
};

template <class T>
using Real = Masked<VectorArithmetic<T, 32>, T>;
template <class T>
using Complex = Masked<ComplexVectorArithmetic<T, 32>, T>;

}  // namespace

constinit const GemmKernels<float> gemm_f32 = tiles_for_16_registers<Real<float>>();
constinit const GemmKernels<double> gemm_f64 = tiles_for_16_registers<Real<double>>();
constinit const GemmKernels<std::complex<float>> gemm_c32 =
    tiles_for_16_registers<Complex<float>>();
constinit const GemmKernels<std::complex<double>> gemm_c64 =
    tiles_for_16_registers<Complex<double>>();

}  // namespace guda::kernels::avx2
