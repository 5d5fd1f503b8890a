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

/// One instruction of the loop over k: a product of two tiles, or the load of an operand's tile.
struct Instruction {
  bool is_load;
  bool of_rows;  // load: a tile of rows, else of columns
  int row, column;  // product: which tiles; load: the one of `of_rows`
  int part, step;  // load: what
};

/// The order of products and loads for so many steps of k, as a compile-time program. A tile is loaded
/// right after the last product with what it held before, and products are ordered such that this is long
/// before the first with what it holds then: 2 x 2 tiles are walked round a corner, so that with each
/// change of operands the tile that was free first is needed first.
template <class S, int kR, int kC, int kSteps>
struct Program {
  static constexpr int kProducts = S::kProducts * kR * kC * kSteps;
  static constexpr int kCapacity = 2 * kProducts + 4;

  Instruction prologue[4] = {};
  int prologue_size = 0;
  Instruction body[kCapacity] = {};
  int size = 0;

  /// wrap: the last loads are for the steps after these.
  constexpr explicit Program(bool wrap) {
    struct Product {
      int row, column, row_part, column_part, step;
    };
    Product products[kProducts] = {};
    int count = 0;
    int first_row = 0;
    int first_column = 0;
    for (int step = 0; step < kSteps; ++step) {
      for (int q = 0; q < S::kProducts; ++q) {
        const bool last = q + 1 == S::kProducts;
        const PartPair now = S::kPairs[q];
        const PartPair next = S::kPairs[last ? 0 : q + 1];
        const bool rows_change = last || next.row != now.row;
        const bool columns_change = last || next.column != now.column;
        const int r = first_row;
        const int c = first_column;
        const int along_row[4][2] = {{r, c}, {r, 1 - c}, {1 - r, 1 - c}, {1 - r, c}};
        const int along_column[4][2] = {{r, c}, {1 - r, c}, {1 - r, 1 - c}, {r, 1 - c}};
        for (int i = 0; i < 4; ++i) {
          const int row = rows_change ? along_row[i][0] : along_column[i][0];
          const int column = rows_change ? along_row[i][1] : along_column[i][1];
          if (row < kR && column < kC) products[count++] = {row, column, now.row, now.column, step};
        }
        if (rows_change && columns_change) first_column = 1 - first_column;
      }
    }
    // For each operand tile its use before and after each change.
    int last_use[4] = {-1, -1, -1, -1};
    struct Pending {
      int after;
      Instruction load;
    };
    Pending pending[kCapacity] = {};
    int loads = 0;
    for (int turn = 0; turn < (wrap ? 2 : 1); ++turn) {
      for (int i = 0; i < kProducts; ++i) {
        for (const bool of_rows : {true, false}) {
          const Product& p = products[i];
          const int tile = of_rows ? p.row : p.column;
          const int part = of_rows ? p.row_part : p.column_part;
          int& last = last_use[of_rows ? tile : 2 + tile];
          const Instruction load{true, of_rows, tile, tile, part, p.step + turn * kSteps};
          if (last < 0) {
            prologue[prologue_size++] = load;
          } else {
            const Product& before = products[last % kProducts];
            const int held = of_rows ? before.row_part : before.column_part;
            const int held_step = before.step + last / kProducts * kSteps;
            const bool new_content = held != part || held_step != load.step;
            if (new_content && last < kProducts) pending[loads++] = {last, load};
          }
          last = i + turn * kProducts;
        }
      }
    }
    for (int i = 0; i < kProducts; ++i) {
      body[size++] = {false, false, products[i].row, products[i].column, 0, 0};
      for (int l = 0; l < loads; ++l) {
        if (pending[l].after == i) body[size++] = pending[l].load;
      }
    }
  }
};

// Tiles 0 ... 3: sums, number 2 * tile of rows + tile of columns; 4, 5: rows; 6, 7: columns.
template <class Tiles, class S, Instruction kI>
[[gnu::always_inline]] inline void execute(Tiles& tiles, const std::byte* rows,
                                           const std::byte* columns) {
  if constexpr (kI.is_load) {
    constexpr int64_t kOffset = (kI.step * S::kParts + kI.part) * kStepBytes + 1024 * kI.row;
    if constexpr (kI.of_rows)
      tiles.template load<4 + kI.row>(rows + kOffset, 64);
    else
      tiles.template load<6 + kI.row>(columns + kOffset, 64);
  } else {
    tiles.template dot<S::kDot, 2 * kI.row + kI.column, 4 + kI.row, 6 + kI.column>();
  }
}

template <class Tiles, class S, int kR, int kC, int kSteps, bool kWrap>
[[gnu::always_inline]] inline void run_steps(Tiles& tiles, const std::byte* rows,
                                             const std::byte* columns, LineStream& later,
                                             int64_t later_lines) {
  static constexpr Program<S, kR, kC, kSteps> kProgram(kWrap);
  [&]<int... kI>(std::integer_sequence<int, kI...>) __attribute__((always_inline)) {
    const auto one = [&](auto index) __attribute__((always_inline)) {
      constexpr Instruction kNow = kProgram.body[decltype(index)::value];
      execute<Tiles, S, kNow>(tiles, rows, columns);
      if constexpr (Tiles::kPrefetches && !kNow.is_load && kNow.row == 0 && kNow.column == 0) {
        for (int64_t i = 0; i < later_lines; ++i) fetch_next(later);
      }
    };
    (one(std::integral_constant<int, kI>{}), ...);
  }(std::make_integer_sequence<int, kProgram.size>{});
}

template <class Tiles, class S, int kR, int kC, class Sum>
void accumulate(Tiles& tiles, const BlockArguments<Sum>& block) {
  static constexpr Program<S, kR, kC, 2> kProgram(true);
  constexpr int64_t kStep = S::kParts * kStepBytes;
  const std::byte* rows = block.rows;
  const std::byte* columns = block.columns;
  LineStream later = *block.later;
  const int64_t later_lines = block.later_lines;
  [&]<int... kI>(std::integer_sequence<int, kI...>) __attribute__((always_inline)) {
    (execute<Tiles, S, kProgram.prologue[kI]>(tiles, rows, columns), ...);
  }(std::make_integer_sequence<int, kProgram.prologue_size>{});
  int64_t steps = block.steps;
  for (; steps > 2; steps -= 2) {
    run_steps<Tiles, S, kR, kC, 2, true>(tiles, rows, columns, later, later_lines);
    rows += 2 * kStep;
    columns += 2 * kStep;
  }
  if (steps == 2)
    run_steps<Tiles, S, kR, kC, 2, false>(tiles, rows, columns, later, later_lines);
  else
    run_steps<Tiles, S, kR, kC, 1, false>(tiles, rows, columns, later, later_lines);
  *block.later = later;
}

template <class Tiles, class S, int kR, int kC, class Sum>
void multiply_tiles(const BlockArguments<Sum>& block) {
  Tiles tiles;
  auto* sums = reinterpret_cast<char*>(block.sums);
  const int64_t stride = block.ld * static_cast<int64_t>(sizeof(Sum));
  char* second = sums + kTile * stride;
  if (block.add) {
    tiles.template load<0>(sums, stride);
    if constexpr (kC == 2) tiles.template load<1>(sums + 64, stride);
    if constexpr (kR == 2) tiles.template load<2>(second, stride);
    if constexpr (kR == 2 && kC == 2) tiles.template load<3>(second + 64, stride);
  } else {
    tiles.template zero<0>();
    if constexpr (kC == 2) tiles.template zero<1>();
    if constexpr (kR == 2) tiles.template zero<2>();
    if constexpr (kR == 2 && kC == 2) tiles.template zero<3>();
  }
  accumulate<Tiles, S, kR, kC>(tiles, block);
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
