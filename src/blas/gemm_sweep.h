// The register tiles that make up a block of C.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "blas/gemm_tiny.h"
#include "kernels/gemm_kernels.h"

namespace guda::blas {

/// Steps that are equal but for one: the first `larger` have `size`, the others one less.
struct EvenSteps {
  EvenSteps(int64_t total, int64_t limit) {  // 32 bits: divisions take time here
    const auto all = static_cast<uint32_t>(total);
    const auto steps = (all + static_cast<uint32_t>(limit) - 1) / static_cast<uint32_t>(limit);
    const uint32_t rest = all % steps;
    size = all / steps + (rest != 0 ? 1 : 0);
    larger = rest != 0 ? rest : steps;
  }
  int64_t size;
  int64_t larger;
};

/// Rows that a tile of half a vector takes when no more are left; 0: there is none.
template <class Tiles>
int64_t half_rows(const Tiles& tiles) {
  return tiles.half_row[0] != nullptr ? tiles.lanes / 2 : 0;
}

/// Whether so few rows are left over that lanes which they leave empty had better take further steps of
/// k, as tiny tiles have it. A cut of C at whole vectors makes no difference to that.
template <class Tiles>
bool rest_is_tiny(const Tiles& tiles, int64_t rest, int64_t k, bool row_tiles) {
  return !row_tiles && 4 * rest <= tiles.lanes && rest <= tiles.tiny_rows && k >= 32;
}

/// C(m x n) by tiles. `t` has all but the place and the shape of each tile: A, B and C as they begin.
/// A stands in panels of the tiles' size when kPacked, as a matrix otherwise; B as a matrix whose
/// columns are contiguous, or with row_tiles its rows. width_limit bounds the columns of a tile.
template <bool kPacked, class In, class Out, class Scale>
void sweep_tiles(const kernels::GemmKernels<In, Out, Scale>& tiles,
                 kernels::TileArguments<In, Out, Scale>& t, int64_t m, int64_t n, bool row_tiles,
                 int64_t width_limit = kernels::kMaxTileColumns) {
  const int64_t lanes = tiles.lanes;
  const In* const a = t.a;
  const In* const b = t.b;
  Out* const c = t.c;
  const int64_t b_step = row_tiles ? 1 : t.b_step;
  const int64_t packed_rows = lanes * tiles.vectors;
  const auto a_at = [&](int64_t i) {
    if constexpr (!kPacked) return a + i;
    return a + i / packed_rows * packed_rows * t.k + i % packed_rows;
  };
  // A few rows at the end are for tiles of half the height, which may be wide.
  int64_t rest = m & (lanes - 1);
  if (rest > half_rows(tiles)) rest = 0;
  const int64_t body = m - rest;
  if (body > 0) {
    const auto all = static_cast<int>((body + lanes - 1) >> tiles.lane_shift);
    int vectors = std::min(all, tiles.vectors);
    if (!kPacked && all >= 4 &&
        (n <= tiles.max_columns[3] || (tiles.max_columns[3] >= 4 && (all % 4 == 0 || all == 7)))) {
      vectors = 4;  // few columns, or rows that fours divide evenly
    }
    const EvenSteps steps(n, std::min<int64_t>(width_limit, tiles.max_columns[vectors - 1]));
    const auto& functions = row_tiles ? tiles.row : tiles.column;
    int64_t width = steps.size;
    int64_t larger = steps.larger;
    for (int64_t j = 0; j < n; j += width) {
      if (larger-- == 0) --width;
      t.b = b + j * b_step;
      const int64_t step = lanes * vectors;
      int64_t i = 0;
      t.last_rows = static_cast<int>(lanes);
      for (; i + step <= body; i += step) {
        t.a = a_at(i);
        t.c = c + i + j * t.ldc;
        functions[vectors - 1][width - 1](t);
      }
      if (i < body) {
        const int v = static_cast<int>((body - i + lanes - 1) >> tiles.lane_shift);
        t.last_rows = static_cast<int>(body - i - (v - 1) * lanes);
        t.a = a_at(i);
        t.c = c + i + j * t.ldc;
        functions[v - 1][width - 1](t);
      }
    }
  }
  if constexpr (std::is_floating_point_v<In> && std::is_same_v<In, Out>) {
    if (rest > 0 && rest_is_tiny(tiles, rest, t.k, row_tiles)) {
      GemmProblem<In, In, In> p{};
      p.m = rest;
      p.n = n;
      p.k = t.k;
      p.a = a_at(body);
      p.lda = t.a_step;
      p.b = b;
      p.ldb = t.b_step;
      p.c = c + body;
      p.ldc = t.ldc;
      p.alpha = t.alpha;
      p.beta = t.beta;
      return multiply_tiny(tiles, p, std::bit_ceil(static_cast<uint64_t>(rest)));
    }
  }
  if (rest > 0) {
    const EvenSteps steps(n, std::min<int64_t>(width_limit, kernels::kMaxTileColumns));
    int64_t width = steps.size;
    int64_t larger = steps.larger;
    t.last_rows = static_cast<int>(rest);
    t.a = a_at(body);
    for (int64_t j = 0; j < n; j += width) {
      if (larger-- == 0) --width;
      t.b = b + j * b_step;
      t.c = c + body + j * t.ldc;
      (row_tiles ? tiles.half_row : tiles.half_column)[width - 1](t);
    }
  }
}

}  // namespace guda::blas
