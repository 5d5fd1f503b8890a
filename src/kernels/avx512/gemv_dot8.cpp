// Matrices of 8-bit integers times one vector, read where they stand: packing would read and write the
// matrix once more than the product does. vpdpbusd wants one operand unsigned. Where neither is, the
// matrix is offset by 128 on its way; what that adds to a sum, 128 times the sum of the vector, is the same
// for all rows, and `start` takes it off.
#include <immintrin.h>

#include <algorithm>
#include <utility>

#include "kernels/gemm_kernels.h"

namespace guda::kernels::avx512 {
namespace {

enum class Signs : uint8_t { both_signed, unsigned_matrix, unsigned_vector };

template <Signs kSigns>
__m512i dot(__m512i sum, __m512i matrix, __m512i vector) {
  if constexpr (kSigns == Signs::both_signed) {
    matrix = _mm512_xor_si512(matrix, _mm512_set1_epi8(-128));
  }
  if constexpr (kSigns == Signs::unsigned_vector) std::swap(matrix, vector);
  // Not the intrinsic: g++ 12 keeps a copy of each sum beside it.
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(matrix), "v"(vector));
  return sum;
}

__mmask64 bytes(int64_t count) { return ~uint64_t{0} >> (64 - count); }

// Sums of the lanes of four vectors.
__m128i add_lanes(__m512i a, __m512i b, __m512i c, __m512i d) {
  const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  const __m512i all =
      _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  const __m256i half =
      _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

constexpr int kRows = 4;

template <Signs kSigns>
void four_rows(int64_t k, const uint8_t* a, int64_t ld, const uint8_t* x, int32_t start,
               int32_t* sums) {
  __m512i sum[2][kRows];
  for (auto& part : sum) {
    for (__m512i& s : part) s = _mm512_setzero_si512();
  }
  // The next four rows, where these will still be in the cache when their turn comes.
  const int64_t ahead = k <= 8192 ? kRows * ld : 1024;
  int64_t p = 0;
  for (; p + 128 <= k; p += 128) {
#pragma GCC unroll 2
    for (int64_t u = 0; u < 2; ++u) {
      const __m512i vector = _mm512_loadu_si512(x + p + 64 * u);
#pragma GCC unroll 4
      for (int64_t i = 0; i < kRows; ++i) {
        const uint8_t* from = a + i * ld + p + 64 * u;
        _mm_prefetch(from + ahead, _MM_HINT_T0);
        sum[u][i] = dot<kSigns>(sum[u][i], _mm512_loadu_si512(from), vector);
      }
    }
  }
  for (; p < k; p += 64) {
    const __mmask64 mask = bytes(std::min<int64_t>(64, k - p));
    const __m512i vector = _mm512_loadu_si512(x + p);
#pragma GCC unroll 4
    for (int64_t i = 0; i < kRows; ++i) {
      sum[0][i] = dot<kSigns>(sum[0][i], _mm512_maskz_loadu_epi8(mask, a + i * ld + p), vector);
    }
  }
  for (int i = 0; i < kRows; ++i) sum[0][i] = _mm512_add_epi32(sum[0][i], sum[1][i]);
  const __m128i all = add_lanes(sum[0][0], sum[0][1], sum[0][2], sum[0][3]);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(sums), _mm_add_epi32(all, _mm_set1_epi32(start)));
}

template <Signs kSigns>
int32_t one_row(int64_t k, const uint8_t* a, const uint8_t* x) {
  __m512i sum[4] = {};
  int64_t p = 0;
  for (; p + 256 <= k; p += 256) {
#pragma GCC unroll 4
    for (int64_t u = 0; u < 4; ++u) {
      sum[u] = dot<kSigns>(sum[u], _mm512_loadu_si512(a + p + 64 * u),
                           _mm512_loadu_si512(x + p + 64 * u));
    }
  }
  for (; p < k; p += 64) {
    const __mmask64 mask = bytes(std::min<int64_t>(64, k - p));
    sum[0] = dot<kSigns>(sum[0], _mm512_maskz_loadu_epi8(mask, a + p), _mm512_loadu_si512(x + p));
  }
  return _mm512_reduce_add_epi32(
      _mm512_add_epi32(_mm512_add_epi32(sum[0], sum[1]), _mm512_add_epi32(sum[2], sum[3])));
}

template <Signs kSigns>
void dot_rows(int64_t rows, int64_t k, const uint8_t* a, int64_t ld, const uint8_t* x,
              int32_t start, int32_t* sums) {
  int64_t i = 0;
  for (; i + kRows <= rows; i += kRows) four_rows<kSigns>(k, a + i * ld, ld, x, start, sums + i);
  for (; i < rows; ++i) {
    sums[i] = static_cast<int32_t>(static_cast<uint32_t>(one_row<kSigns>(k, a + i * ld, x)) +
                                   static_cast<uint32_t>(start));
  }
}

// Four columns of 64 rows: their bytes become the words of four vectors. The 16-byte lane l of vector q has
// rows 16 l + 4 q and the three after it.
template <Signs kSigns>
void add_four(__m512i (&sum)[4], __m512i c0, __m512i c1, __m512i c2, __m512i c3, __m512i factors) {
  const __m512i low01 = _mm512_unpacklo_epi8(c0, c1);
  const __m512i high01 = _mm512_unpackhi_epi8(c0, c1);
  const __m512i low23 = _mm512_unpacklo_epi8(c2, c3);
  const __m512i high23 = _mm512_unpackhi_epi8(c2, c3);
  sum[0] = dot<kSigns>(sum[0], _mm512_unpacklo_epi16(low01, low23), factors);
  sum[1] = dot<kSigns>(sum[1], _mm512_unpackhi_epi16(low01, low23), factors);
  sum[2] = dot<kSigns>(sum[2], _mm512_unpacklo_epi16(high01, high23), factors);
  sum[3] = dot<kSigns>(sum[3], _mm512_unpackhi_epi16(high01, high23), factors);
}

// Rows in their order again: a transposition of lanes.
void restore_order(int32_t* sums) {
  const __m512i s0 = _mm512_loadu_si512(sums);
  const __m512i s1 = _mm512_loadu_si512(sums + 16);
  const __m512i s2 = _mm512_loadu_si512(sums + 32);
  const __m512i s3 = _mm512_loadu_si512(sums + 48);
  const __m512i a = _mm512_shuffle_i32x4(s0, s1, 0x44);
  const __m512i b = _mm512_shuffle_i32x4(s2, s3, 0x44);
  const __m512i c = _mm512_shuffle_i32x4(s0, s1, 0xee);
  const __m512i d = _mm512_shuffle_i32x4(s2, s3, 0xee);
  _mm512_storeu_si512(sums, _mm512_shuffle_i32x4(a, b, 0x88));
  _mm512_storeu_si512(sums + 16, _mm512_shuffle_i32x4(a, b, 0xdd));
  _mm512_storeu_si512(sums + 32, _mm512_shuffle_i32x4(c, d, 0x88));
  _mm512_storeu_si512(sums + 48, _mm512_shuffle_i32x4(c, d, 0xdd));
}

// Columns that are added to 64 sums while these are in registers.
constexpr int64_t kGroup = 16;

template <Signs kSigns>
void add_group(int64_t columns, __mmask64 mask, const uint8_t* a, int64_t ld, const uint8_t* x,
               int32_t* sums) {
  __m512i sum[4];
  for (int q = 0; q < 4; ++q) sum[q] = _mm512_loadu_si512(sums + 16 * q);
  const auto factors = [&](int64_t p) {
    int32_t word;
    __builtin_memcpy(&word, x + p, sizeof word);
    return _mm512_set1_epi32(word);
  };
  const auto column = [&](int64_t p) { return _mm512_maskz_loadu_epi8(mask, a + p * ld); };
  int64_t p = 0;
  for (; p + 4 <= columns; p += 4) {
    add_four<kSigns>(sum, column(p), column(p + 1), column(p + 2), column(p + 3), factors(p));
  }
  if (p < columns) {
    // Columns that are not there count as the last one; x is zero there.
    const int64_t last = columns - 1;
    add_four<kSigns>(sum, column(p), column(std::min(p + 1, last)), column(std::min(p + 2, last)),
                     column(last), factors(p));
  }
  for (int q = 0; q < 4; ++q) _mm512_storeu_si512(sums + 16 * q, sum[q]);
}

template <Signs kSigns>
void add_columns(int64_t rows, int64_t k, const uint8_t* a, int64_t ld, const uint8_t* x,
                 int32_t start, int32_t* sums) {
  std::fill_n(sums, (rows + kBytePadding - 1) / kBytePadding * kBytePadding, start);
  for (int64_t p = 0; p < k; p += kGroup) {
    const int64_t columns = std::min(kGroup, k - p);
    const uint8_t* group = a + p * ld;
    int64_t i = 0;
    for (; i + 64 <= rows; i += 64) {
      add_group<kSigns>(columns, ~uint64_t{0}, group + i, ld, x + p, sums + i);
    }
    if (i < rows) add_group<kSigns>(columns, bytes(rows - i), group + i, ld, x + p, sums + i);
  }
  for (int64_t i = 0; i < rows; i += 64) restore_order(sums + i);
}

}  // namespace

constinit const ByteVectorKernels gemv_s8s8{dot_rows<Signs::both_signed>,
                                            add_columns<Signs::both_signed>, 128};
constinit const ByteVectorKernels gemv_u8s8{dot_rows<Signs::unsigned_matrix>,
                                            add_columns<Signs::unsigned_matrix>, 0};
constinit const ByteVectorKernels gemv_s8u8{dot_rows<Signs::unsigned_vector>,
                                            add_columns<Signs::unsigned_vector>, 0};

}  // namespace guda::kernels::avx512
