// The product of two packed panels: up to 2 x 2 tiles of C, two tiles of each operand. A template over
// the kind of tiles, with internal linkage (see gemm_tile.h).
#pragma once

#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/amx/tile_dot.h"
#include "kernels/amx/tile_kernels.h"

namespace guda::kernels::amx {
namespace {

/// A part of `rows` times a part of `columns`.
struct PartPair {
  int row, column;
};

/// Which products of parts make up one product, in this order. Neighbours share a part, so that it stays
/// in its tiles.
template <Dot kDotOf, int kPartsOf, PartPair... kPairsOf>
struct Scheme {
  static constexpr Dot kDot = kDotOf;
  static constexpr int kParts = kPartsOf;
  static constexpr int kProducts = sizeof...(kPairsOf);
  static constexpr PartPair kPairs[] = {kPairsOf...};
};

template <Dot kDot>
using Single = Scheme<kDot, 1, PartPair{0, 0}>;
// The largest product is the last of a step. Parts of `rows`, which stay in the first-level cache, change
// more often.
using ThreeProducts = Scheme<Dot::bf16, 2, PartPair{1, 0}, PartPair{0, 1}, PartPair{0, 0}>;
using FourProducts =
    Scheme<Dot::bf16, 2, PartPair{1, 0}, PartPair{1, 1}, PartPair{0, 1}, PartPair{0, 0}>;
using SixProducts = Scheme<Dot::bf16, 3, PartPair{0, 2}, PartPair{0, 1}, PartPair{1, 1},
                           PartPair{1, 0}, PartPair{2, 0}, PartPair{0, 0}>;
using NineProducts =
    Scheme<Dot::bf16, 3, PartPair{2, 2}, PartPair{1, 2}, PartPair{0, 2}, PartPair{0, 1},
           PartPair{2, 1}, PartPair{1, 1}, PartPair{1, 0}, PartPair{2, 0}, PartPair{0, 0}>;

inline void fetch_next(LineStream& stream) {
  if (stream.rows == 0) return;
  __builtin_prefetch(stream.at + 64 * stream.line, 0, 2);
  if (++stream.line == stream.lines) {
    stream.line = 0;
    stream.at += stream.stride;
    --stream.rows;
  }
}

/// Operands come from the second-level cache: their lines are fetched this many steps before they are
/// loaded.
inline constexpr int64_t kStepsAhead = 2;

/// kLines lines of a step, beginning with line `first`.
template <int kLines>
[[gnu::always_inline]] inline void fetch_lines(const std::byte* step, int first) {
#pragma GCC unroll 16
  for (int i = 0; i < kLines; ++i) __builtin_prefetch(step + 64 * (first + i));
}

// Tiles 0 ... 3: sums, number 2 * tile of rows + tile of columns; 4, 5: rows; 6, 7: columns.
template <class Tiles, class S, int kR, int kC>
[[gnu::always_inline]] inline void run_step(Tiles& tiles, const std::byte* rows,
                                            const std::byte* columns, const std::byte* rows_ahead,
                                            const std::byte* columns_ahead, LineStream& later,
                                            int64_t later_lines) {
  constexpr int kLines = static_cast<int>(S::kParts * kStepBytes / 64);
  constexpr int kLinesEach = (kLines + S::kProducts * 4 - 1) / (S::kProducts * 4);
  const auto pair = [&](auto index) __attribute__((always_inline)) {
    constexpr int q = decltype(index)::value;
    constexpr PartPair now = S::kPairs[q];
    constexpr PartPair before = S::kPairs[q == 0 ? 0 : q - 1];
    constexpr bool new_row = q == 0 || before.row != now.row;
    constexpr bool new_column = q == 0 || before.column != now.column;
    const std::byte* row = rows + now.row * kStepBytes;
    const std::byte* column = columns + now.column * kStepBytes;
    const auto fetch = [&](int i) __attribute__((always_inline)) {
      if constexpr (Tiles::kPrefetches) {
        fetch_lines<kLinesEach>(rows_ahead, (4 * q + i) * kLinesEach);
        fetch_lines<kLinesEach>(columns_ahead, (4 * q + i) * kLinesEach);
      }
    };
    if constexpr (new_column) tiles.template load<6>(column, 64);
    if constexpr (new_row) tiles.template load<4>(row, 64);
    tiles.template dot<S::kDot, 0, 4, 6>();
    fetch(0);
    if constexpr (kC == 2) {
      if constexpr (new_column) tiles.template load<7>(column + 1024, 64);
      tiles.template dot<S::kDot, 1, 4, 7>();
    }
    fetch(1);
    if constexpr (kR == 2) {
      if constexpr (new_row) tiles.template load<5>(row + 1024, 64);
      tiles.template dot<S::kDot, 2, 5, 6>();
      if constexpr (kC == 2) tiles.template dot<S::kDot, 3, 5, 7>();
    }
    fetch(2);
    fetch(3);
    if constexpr (Tiles::kPrefetches) {
      for (int64_t i = 0; i < later_lines; ++i) fetch_next(later);
    }
  };
  [&]<int... kQ>(std::integer_sequence<int, kQ...>) __attribute__((always_inline)) {
    (pair(std::integral_constant<int, kQ>{}), ...);
  }(std::make_integer_sequence<int, S::kProducts>{});
}

template <class Tiles, class S, int kR, int kC, class Sum>
void accumulate(Tiles& tiles, const BlockArguments<Sum>& block) {
  constexpr int64_t kStep = S::kParts * kStepBytes;
  LineStream later = *block.later;
  const int64_t last = block.steps - kStepsAhead;
  for (int64_t step = 0; step < block.steps; ++step) {
    // At the end, the beginning of the next block.
    const int64_t ahead = (step < last ? step + kStepsAhead : step - last) * kStep;
    run_step<Tiles, S, kR, kC>(
        tiles, block.rows + step * kStep, block.columns + step * kStep, block.rows + ahead,
        (step < last ? block.columns : block.next_columns) + ahead, later, block.later_lines);
  }
  *block.later = later;
}

template <class Tiles, class S, int kR, int kC, class Sum>
void multiply_tiles(const BlockArguments<Sum>& block) {
  Tiles tiles;
  tiles.template zero<0>();
  if constexpr (kC == 2) tiles.template zero<1>();
  if constexpr (kR == 2) tiles.template zero<2>();
  if constexpr (kR == 2 && kC == 2) tiles.template zero<3>();
  accumulate<Tiles, S, kR, kC>(tiles, block);
  auto* sums = reinterpret_cast<char*>(block.sums);
  const int64_t stride = block.ld * static_cast<int64_t>(sizeof(Sum));
  char* second = sums + kTile * stride;
  tiles.template store<0>(sums, stride);
  if constexpr (kC == 2) tiles.template store<1>(sums + 64, stride);
  if constexpr (kR == 2) tiles.template store<2>(second, stride);
  if constexpr (kR == 2 && kC == 2) tiles.template store<3>(second + 64, stride);
}

template <class Tiles, class S, class Sum>
void multiply_block(const BlockArguments<Sum>& block) {
  if (block.n > kTile) {
    if (block.m > kTile) return multiply_tiles<Tiles, S, 2, 2>(block);
    return multiply_tiles<Tiles, S, 2, 1>(block);
  }
  if (block.m > kTile) return multiply_tiles<Tiles, S, 1, 2>(block);
  multiply_tiles<Tiles, S, 1, 1>(block);
}

/// Sums of integers wrap, also where the language says that signed ones must not.
inline float scaled(float x, float alpha) { return alpha * x; }
inline float scaled_sum(float x, float alpha, float c, float beta) { return alpha * x + beta * c; }
inline int32_t scaled(int32_t x, int32_t alpha) {
  return static_cast<int32_t>(static_cast<uint32_t>(alpha) * static_cast<uint32_t>(x));
}
inline int32_t scaled_sum(int32_t x, int32_t alpha, int32_t c, int32_t beta) {
  return static_cast<int32_t>(static_cast<uint32_t>(scaled(x, alpha)) +
                              static_cast<uint32_t>(scaled(c, beta)));
}

template <class Sum>
void update(const UpdateArguments<Sum>& u) {
  for (int64_t j = 0; j < u.n; ++j) {
    const Sum* __restrict sums = u.sums + j * u.ld_sums;
    Sum* __restrict c = u.c + j * u.ldc;
    if (u.beta == Sum(0)) {
      for (int64_t i = 0; i < u.m; ++i) c[i] = scaled(sums[i], u.alpha);
    } else {
      for (int64_t i = 0; i < u.m; ++i) c[i] = scaled_sum(sums[i], u.alpha, c[i], u.beta);
    }
  }
}

}  // namespace
}  // namespace guda::kernels::amx
