// 8-bit integers widened to 16 bits, two steps of k in a word (vpmaddwd: exact for both signs; vpmaddubsw,
// which would take bytes, saturates).
#include <immintrin.h>

#include <algorithm>
#include <cstdint>

#include "kernels/avx2/transpose.h"
#include "kernels/gemm_tile.h"

namespace guda::kernels::avx2 {
namespace {

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

  static Mask mask(int rows) { return {words(rows), rows}; }
  static Vector zero() { return _mm256_setzero_si256(); }
  static Vector load(const In* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static Vector load(const In* p, Mask m) {
    return _mm256_maskload_epi32(reinterpret_cast<const int*>(p), m.lanes);
  }
  static Vector broadcast(const In* p, int) { return _mm256_set1_epi32(static_cast<int>(*p)); }
  static Vector multiply_add(Vector a, Vector b, Vector c) {
    // Not the intrinsics: g++ 12 keeps a copy of each sum beside it.
    Vector product;
    asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(c), "=&x"(product) : "x"(a), "x"(b));
    return c;
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
  set.columns = 6;
  add_row_tiles<PairArithmetic, 1, 6>(set);
  add_row_tiles<PairArithmetic, 2, 6>(set);
  return set;
}

struct Signed {
  static __m256i widen(__m128i x) { return _mm256_cvtepi8_epi16(x); }
  static uint32_t widen(uint8_t x) { return static_cast<uint16_t>(static_cast<int8_t>(x)); }
};
struct Unsigned {
  static __m256i widen(__m128i x) { return _mm256_cvtepu8_epi16(x); }
  static uint32_t widen(uint8_t x) { return x; }
};

// Two columns, byte by byte in turn, are words once they are widened.
template <class Byte>
void copy_pairs(int64_t width, int64_t k, const uint8_t* x, int64_t ld, uint32_t* out,
                int64_t panel) {
  for (int64_t p = 0; p < k; p += 2, out += panel, x += 2 * ld) {
    for (int64_t w = 0; w < panel; w += 8) {
      const int64_t count = std::max<int64_t>(width - w, 0);
      const __m128i even = load_bytes(x + w, count);
      const __m128i odd = load_bytes(x + ld + w, p + 1 < k ? count : 0);
      store_words(out + w, Byte::widen(_mm_unpacklo_epi8(even, odd)), panel - w);
    }
  }
}

// A row of 16 bytes is 8 words of one lane.
template <class Byte>
void transpose_pairs(int64_t width, int64_t k, const uint8_t* x, int64_t ld, uint32_t* out,
                     int64_t panel) {
  int64_t p = 0;
  for (; p + 16 <= k; p += 16) {
    for (int64_t w = 0; w < panel; w += 8) {
      __m256i rows[8];
      for (int64_t i = 0; i < 8; ++i)
        rows[i] = w + i < width ? Byte::widen(_mm_loadu_si128(
                                      reinterpret_cast<const __m128i*>(x + (w + i) * ld + p)))
                                : _mm256_setzero_si256();
      transpose_words(rows);
      for (int64_t s = 0; s < 8; ++s)
        store_words(out + (p / 2 + s) * panel + w, rows[s], panel - w);
    }
  }
  for (; p < k; p += 2) {
    uint32_t* to = out + p / 2 * panel;
    for (int64_t i = 0; i < panel; ++i) {
      uint32_t word = 0;
      if (i < width) {
        const uint8_t* from = x + i * ld + p;
        word = Byte::widen(from[0]);
        if (p + 1 < k) word |= Byte::widen(from[1]) << 16;
      }
      to[i] = word;
    }
  }
}

}  // namespace

constinit const GemmKernels<uint32_t, int32_t> gemm_pairs8 = pair_tiles();
constinit const Packing<uint8_t, uint32_t> pairs8_signed{copy_pairs<Signed>,
                                                         transpose_pairs<Signed>};
constinit const Packing<uint8_t, uint32_t> pairs8_unsigned{copy_pairs<Unsigned>,
                                                           transpose_pairs<Unsigned>};

}  // namespace guda::kernels::avx2
