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

// 8-bit integers widened to 16 bits, two steps of k in a word (vpmaddwd: exact for both signs).
struct PairArithmetic {
  using In = uint32_t;
  using Out = int32_t;
  using Scale = int32_t;
  using Vector = __m256i;
  struct Mask {
    __m256i lanes;
    int rows;
  };
  static constexpr int kLanes = 8;
  static constexpr int kParts = 1;

  static Mask mask(int rows) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMaskWords + 8 - rows)), rows};
  }
  static Vector zero() { return _mm256_setzero_si256(); }
  static Vector load(const In* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static Vector load(const In* p, Mask m) {
    return _mm256_maskload_epi32(reinterpret_cast<const int*>(p), m.lanes);
  }
  static Vector broadcast(const In* p, int) { return _mm256_set1_epi32(static_cast<int>(*p)); }
  static Vector multiply_add(Vector a, Vector b, Vector c) {
    return _mm256_add_epi32(c, _mm256_madd_epi16(a, b));
  }

  template <int V, Update kUpdate>
  static void store(const Vector (&sum)[1][V], const TileArguments<In, Out, Scale>& t, Out* c,
                    Mask mask) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v, c += kLanes) {
      const Mask m = v == V - 1 ? mask : Mask{_mm256_set1_epi32(-1), kLanes};
      Vector x = sum[0][v];
      if constexpr (kUpdate != Update::assign) {
        x = _mm256_mullo_epi32(x, _mm256_set1_epi32(t.alpha));
      }
      if constexpr (kUpdate == Update::add) {
        x = _mm256_add_epi32(
            x, _mm256_mullo_epi32(_mm256_maskload_epi32(c, m.lanes), _mm256_set1_epi32(t.beta)));
      }
      _mm256_maskstore_epi32(c, m.lanes, x);
    }
  }
};

constexpr GemmKernels<uint32_t, int32_t> pair_tiles() {
  GemmKernels<uint32_t, int32_t> set{};
  set.lanes = 8;
  set.lane_shift = 3;
  set.vectors = 2;
  set.columns = 4;
  add_row_tiles<PairArithmetic, 1, 4>(set);
  add_row_tiles<PairArithmetic, 2, 4>(set);
  return set;
}

// `Byte` says whether the bytes are signed.
template <class Byte>
void pack_pairs(int64_t width, int64_t k, const uint8_t* x, int64_t row_step, int64_t k_step,
                uint32_t* out, int64_t panel) {
  const auto at = [&](int64_t i, int64_t p) {
    return p < k ? static_cast<uint16_t>(static_cast<Byte>(x[i * row_step + p * k_step])) : 0u;
  };
  for (int64_t p = 0; p < k; p += 2, out += panel) {
    for (int64_t i = 0; i < width; ++i)
      out[i] = at(i, p) | static_cast<uint32_t>(at(i, p + 1)) << 16;
    for (int64_t i = width; i < panel; ++i) out[i] = 0;
  }
}

template <class Byte>
void copy_pairs(int64_t width, int64_t k, const uint8_t* x, int64_t ld, uint32_t* out,
                int64_t panel) {
  pack_pairs<Byte>(width, k, x, 1, ld, out, panel);
}

template <class Byte>
void transpose_pairs(int64_t width, int64_t k, const uint8_t* x, int64_t ld, uint32_t* out,
                     int64_t panel) {
  pack_pairs<Byte>(width, k, x, ld, 1, out, panel);
}

}  // namespace

constinit const GemmKernels<float> gemm_f32 = tiles_for_16_registers<Real<float>>();
constinit const GemmKernels<double> gemm_f64 = tiles_for_16_registers<Real<double>>();
constinit const GemmKernels<std::complex<float>> gemm_c32 =
    tiles_for_16_registers<Complex<float>>();
constinit const GemmKernels<std::complex<double>> gemm_c64 =
    tiles_for_16_registers<Complex<double>>();
constinit const GemmKernels<uint32_t, int32_t> gemm_pairs8 = pair_tiles();
constinit const Packing<uint8_t, uint32_t> pairs8_signed{copy_pairs<int8_t>,
                                                         transpose_pairs<int8_t>};
constinit const Packing<uint8_t, uint32_t> pairs8_unsigned{copy_pairs<uint8_t>,
                                                           transpose_pairs<uint8_t>};

}  // namespace guda::kernels::avx2
