// C of a few rows and a long sum: lanes that rows leave empty take further steps of k. With M rows, a
// register holds lanes / M columns of A as they stand in memory, and a permutation of B's column brings
// each lane its factor. Partial sums of the lanes are added at the end.
#pragma once

#include <immintrin.h>

#include <bit>
#include <type_traits>
#include <utility>

#include "kernels/avx512/real_arithmetic.h"

namespace guda::kernels::avx512 {
namespace {

struct TinyFloat : RealArithmetic<float> {
  using Index = __m512i;
  static Index indices(int shift, int first) {
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    return _mm512_add_epi32(_mm512_srli_epi32(lane, static_cast<unsigned>(shift)),
                            _mm512_set1_epi32(first));
  }
  static Vector permute(Index index, Vector x) { return _mm512_permutexvar_ps(index, x); }
  static Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  /// Lane i of the result, up to kRows, is the sum of lanes i, i + kRows, i + 2 kRows, ...
  template <int kRows>
  static void fold(float* p, Vector x) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    if constexpr (kRows == 8) return _mm256_store_ps(p, eight);
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    if constexpr (kRows <= 2) sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    if constexpr (kRows == 1) sum = _mm_add_ss(sum, _mm_movehdup_ps(sum));
    _mm_store_ps(p, sum);
  }
};

struct TinyDouble : RealArithmetic<double> {
  using Index = __m512i;
  static Index indices(int shift, int first) {
    const __m512i lane = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    return _mm512_add_epi64(_mm512_srli_epi64(lane, static_cast<unsigned>(shift)),
                            _mm512_set1_epi64(first));
  }
  static Vector permute(Index index, Vector x) { return _mm512_permutexvar_pd(index, x); }
  static Vector add(Vector a, Vector b) { return _mm512_add_pd(a, b); }
  template <int kRows>
  static void fold(double* p, Vector x) {
    const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(x), _mm512_extractf64x4_pd(x, 1));
    if constexpr (kRows == 4) return _mm256_store_pd(p, four);
    __m128d sum = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    if constexpr (kRows == 1) sum = _mm_add_sd(sum, _mm_unpackhi_pd(sum, sum));
    _mm_store_pd(p, sum);
  }
};

/// kRows: rows of A in memory, a power of two; t.a_step == kRows. t.last_rows of them are C's.
template <class X, int kRows, int N>
void tiny_tile(const TileArguments<typename X::In, typename X::Out, typename X::Scale>& t) {
  using T = typename X::In;
  using Vector = typename X::Vector;
  constexpr int kShift = std::countr_zero(static_cast<unsigned>(kRows));
  constexpr int kColumns = X::kLanes / kRows;  // of A in a register
  // Sums are kept apart while few columns would leave the multipliers waiting for one another: those of
  // the kRows registers of A that one register of B's column serves, and of kRounds such steps.
  constexpr int kRounds = kRows >= 4 || N >= 4 ? 1 : 4 / kRows;
  constexpr int kAll = kRows * kRounds;
  constexpr int kSums = N >= 8 ? 1 : (kAll < 8 / N ? kAll : 8 / N);
  Vector sum[N][kSums];
#pragma GCC unroll 8
  for (int j = 0; j < N; ++j) {
#pragma GCC unroll 8
    for (int s = 0; s < kSums; ++s) sum[j][s] = X::zero();
  }
  typename X::Index index[kRows];
#pragma GCC unroll 8
  for (int v = 0; v < kRows; ++v) index[v] = X::indices(kShift, v * kColumns);

  const T* a = t.a;
  const T* b = t.b;
  int64_t k = t.k;
  const auto step = [&](auto rounds) __attribute__((always_inline)) {
    constexpr int kSteps = decltype(rounds)::value;
#pragma GCC unroll 8
    for (int round = 0; round < kSteps; ++round) {
      Vector x[kRows];
#pragma GCC unroll 8
      for (int v = 0; v < kRows; ++v) x[v] = X::load(a + (round * kRows + v) * X::kLanes);
#pragma GCC unroll 8
      for (int j = 0; j < N; ++j) {
        const Vector y = X::load(b + round * X::kLanes + j * t.b_step);
#pragma GCC unroll 8
        for (int v = 0; v < kRows; ++v) {
          const Vector factor = kRows == 1 ? y : X::permute(index[v], y);
          Vector& to = sum[j][(round * kRows + v) % kSums];
          to = X::multiply_add(x[v], factor, to);
        }
      }
    }
    a += kSteps * kRows * X::kLanes;
    b += kSteps * X::kLanes;
    k -= kSteps * X::kLanes;
  };
#pragma GCC unroll 1
  while (k >= kRounds * X::kLanes) step(std::integral_constant<int, kRounds>{});
#pragma GCC unroll 1
  while (k >= X::kLanes) step(std::integral_constant<int, 1>{});
  if (k > 0) {
    const auto b_mask = X::mask(static_cast<int>(k));
#pragma GCC unroll 8
    for (int v = 0; v < kRows; ++v) {
      const int64_t left = kRows * k - v * X::kLanes;
      if (left <= 0) break;
      const Vector x = X::load(a + v * X::kLanes,
                               X::mask(static_cast<int>(left < X::kLanes ? left : X::kLanes)));
#pragma GCC unroll 8
      for (int j = 0; j < N; ++j) {
        const Vector y = X::load(b + j * t.b_step, b_mask);
        sum[j][0] = X::multiply_add(x, kRows == 1 ? y : X::permute(index[v], y), sum[j][0]);
      }
    }
  }

  alignas(64) T lanes[X::kLanes];
#pragma GCC unroll 8
  for (int j = 0; j < N; ++j) {
    Vector total = sum[j][0];
#pragma GCC unroll 8
    for (int s = 1; s < kSums; ++s) total = X::add(total, sum[j][s]);
    X::template fold<kRows>(lanes, total);
    T* c = t.c + j * t.ldc;
    for (int i = 0; i < t.last_rows; ++i) {
      const T x = lanes[i] * t.alpha;
      c[i] = t.beta != T(0) ? x + t.beta * c[i] : x;
    }
  }
}

template <class X, int kRows, int... N>
constexpr void fill_tiny(GemmKernels<typename X::In>& set, int row,
                         std::integer_sequence<int, N...>) {
  ((set.tiny[row][N] = tiny_tile<X, kRows, N + 1>), ...);
}

template <class X, int kRows>
constexpr void add_tiny(GemmKernels<typename X::In>& set) {
  const int row = std::countr_zero(static_cast<unsigned>(kRows));
  fill_tiny<X, kRows>(set, row, std::make_integer_sequence<int, kMaxTinyColumns>{});
  set.tiny_rows = kRows;
}

}  // namespace
}  // namespace guda::kernels::avx512
