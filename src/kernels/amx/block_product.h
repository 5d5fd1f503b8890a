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

template <int kLocality>
inline void fetch_next(LineStream& stream) {
  if (stream.rows == 0) return;
  __builtin_prefetch(stream.at + 64 * stream.line, kLocality == 3, kLocality);
  if (++stream.line == stream.lines) {
    stream.line = 0;
    stream.at += stream.stride;
    --stream.rows;
  }
}

// Tiles 0 ... 3: C, number 2 * tile of rows + tile of columns; 4, 5: rows; 6, 7: columns.
template <class Tiles, class S, int kR, int kC, class Sum>
void accumulate(Tiles& tiles, BlockArguments<Sum>& block) {
  constexpr int64_t kStep = S::kParts * kStepBytes;
  const std::byte* rows = block.rows;
  const std::byte* columns = block.columns;
  LineStream next_c = block.next_c;
  LineStream later = *block.later;
  const auto pair = [&](auto index) __attribute__((always_inline)) {
    constexpr int q = decltype(index)::value;
    constexpr PartPair now = S::kPairs[q];
    // In tiles before this pair; the last pair of a step leaves nothing, the next step is elsewhere.
    constexpr bool new_row = q == 0 || S::kPairs[q == 0 ? 0 : q - 1].row != now.row;
    constexpr bool new_column = q == 0 || S::kPairs[q == 0 ? 0 : q - 1].column != now.column;
    const std::byte* row = rows + now.row * kStepBytes;
    const std::byte* column = columns + now.column * kStepBytes;
    if constexpr (new_column) tiles.template load<6>(column, 64);
    if constexpr (new_row) tiles.template load<4>(row, 64);
    tiles.template dot<S::kDot, 0, 4, 6>();
    if constexpr (kC == 2) {
      if constexpr (new_column) tiles.template load<7>(column + 1024, 64);
      tiles.template dot<S::kDot, 1, 4, 7>();
    }
    if constexpr (kR == 2) {
      if constexpr (new_row) tiles.template load<5>(row + 1024, 64);
      tiles.template dot<S::kDot, 2, 5, 6>();
      if constexpr (kC == 2) tiles.template dot<S::kDot, 3, 5, 7>();
    }
    if constexpr (Tiles::kPrefetches) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) fetch_next<3>(next_c);
      for (int64_t i = 0; i < block.later_lines; ++i) fetch_next<2>(later);
    }
  };
  for (int64_t step = block.steps; step > 0; --step) {
    [&]<int... kQ>(std::integer_sequence<int, kQ...>) __attribute__((always_inline)) {
      (pair(std::integral_constant<int, kQ>{}), ...);
    }(std::make_integer_sequence<int, S::kProducts>{});
    rows += kStep;
    columns += kStep;
  }
  *block.later = later;
}

template <class Tiles, int kR, int kC>
void zero_sums(Tiles& tiles) {
  tiles.template zero<0>();
  if constexpr (kC == 2) tiles.template zero<1>();
  if constexpr (kR == 2) tiles.template zero<2>();
  if constexpr (kR == 2 && kC == 2) tiles.template zero<3>();
}

template <class Tiles, int kR, int kC>
void load_sums(Tiles& tiles, const char* c, int64_t stride) {
  tiles.template load<0>(c, stride);
  if constexpr (kC == 2) tiles.template load<1>(c + 64, stride);
  if constexpr (kR == 2) tiles.template load<2>(c + kTile * stride, stride);
  if constexpr (kR == 2 && kC == 2) tiles.template load<3>(c + kTile * stride + 64, stride);
}

template <class Tiles, int kR, int kC>
void store_sums(Tiles& tiles, char* c, int64_t stride) {
  tiles.template store<0>(c, stride);
  if constexpr (kC == 2) tiles.template store<1>(c + 64, stride);
  if constexpr (kR == 2) tiles.template store<2>(c + kTile * stride, stride);
  if constexpr (kR == 2 && kC == 2) tiles.template store<3>(c + kTile * stride + 64, stride);
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
void update(const BlockArguments<Sum>& block, const Sum* sums) {
  for (int64_t j = 0; j < block.n; ++j, sums += kPanel) {
    Sum* c = block.c + j * block.ldc;
    if (block.beta == Sum(0)) {
      for (int64_t i = 0; i < block.m; ++i) c[i] = scaled(sums[i], block.alpha);
    } else {
      for (int64_t i = 0; i < block.m; ++i)
        c[i] = scaled_sum(sums[i], block.alpha, c[i], block.beta);
    }
  }
}

template <class Tiles, class S, int kR, int kC, class Sum>
void multiply_tiles(BlockArguments<Sum>& block) {
  Tiles tiles;
  const bool whole = block.m == kC * kTile && block.n == kR * kTile && block.alpha == Sum(1) &&
                     (block.beta == Sum(0) || (block.beta == Sum(1) && !block.apart));
  if (whole) {
    auto* c = reinterpret_cast<char*>(block.c);
    const int64_t stride = block.ldc * static_cast<int64_t>(sizeof(Sum));
    if (block.beta == Sum(0))
      zero_sums<Tiles, kR, kC>(tiles);
    else
      load_sums<Tiles, kR, kC>(tiles, c, stride);
    accumulate<Tiles, S, kR, kC>(tiles, block);
    store_sums<Tiles, kR, kC>(tiles, c, stride);
    return;
  }
  alignas(64) Sum sums[kPanel * kPanel];
  zero_sums<Tiles, kR, kC>(tiles);
  accumulate<Tiles, S, kR, kC>(tiles, block);
  store_sums<Tiles, kR, kC>(tiles, reinterpret_cast<char*>(sums), kPanel * sizeof(Sum));
  update(block, sums);
}

template <class Tiles, class S, class Sum>
void multiply_block(BlockArguments<Sum>& block) {
  if (block.n > kTile) {
    if (block.m > kTile) return multiply_tiles<Tiles, S, 2, 2>(block);
    return multiply_tiles<Tiles, S, 2, 1>(block);
  }
  if (block.m > kTile) return multiply_tiles<Tiles, S, 1, 2>(block);
  multiply_tiles<Tiles, S, 1, 1>(block);
}

}  // namespace
}  // namespace guda::kernels::amx
