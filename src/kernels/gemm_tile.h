// The one shape of a register tile, as templates over the arithmetic. Included only by the files that
// are compiled for an instruction set: everything has internal linkage, so that no other file can be
// linked against code that its processor lacks.
//
// An arithmetic has
//   In, Out, Scale      element types (see TileArguments)
//   Vector, Mask        registers
//   kLanes              elements of In in a vector
//   kParts              broadcasts per element of B (2: complex, real and imaginary part)
//   mask(rows), load(p), load(p, mask), zero(), multiply_add(a, broadcast operand, sum)
//   broadcast(p, part)
//   store<V, Update>(sums, arguments, c, mask): a column of the tile
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "kernels/gemm_kernels.h"

namespace guda::kernels {
namespace {

/// C = sum, C = alpha * sum, C = alpha * sum + beta * C.
enum class Update { assign, scale, add };

template <class X, int V, int N, bool Row>
void tile(const TileArguments<typename X::In, typename X::Out, typename X::Scale>& t) {
  using In = typename X::In;
  using Vector = typename X::Vector;
  constexpr int kParts = X::kParts;
  constexpr int kGroups = (N + 2) / 3;  // columns addressed from one pointer

  const typename X::Mask mask = X::mask(t.last_rows);
  Vector sum[N][kParts][V];
#pragma GCC unroll 32
  for (int j = 0; j < N; ++j) {
#pragma GCC unroll 2
    for (int part = 0; part < kParts; ++part) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[j][part][v] = X::zero();
    }
  }

  const In* a = t.a;
  const In* b[kGroups];
#pragma GCC unroll 32
  for (int g = 0; g < kGroups; ++g) b[g] = Row ? t.b : t.b + 3 * g * t.b_step;
  const int64_t a_step = t.a_step;
  const int64_t b_step = t.b_step;

  const auto step = [&]() __attribute__((always_inline)) {
    Vector x[V];
#pragma GCC unroll 4
    for (int v = 0; v < V - 1; ++v) x[v] = X::load(a + v * X::kLanes);
    x[V - 1] = X::load(a + (V - 1) * X::kLanes, mask);
#pragma GCC unroll 32
    for (int j = 0; j < N; ++j) {
      const In* y = Row ? b[0] + j : b[j / 3] + (j % 3) * b_step;
#pragma GCC unroll 2
      for (int part = 0; part < kParts; ++part) {
        const Vector broadcast = X::broadcast(y, part);
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
          sum[j][part][v] = X::multiply_add(x[v], broadcast, sum[j][part][v]);
        }
      }
    }
  };

  const auto steps = [&](int64_t count) __attribute__((always_inline)) {
#pragma GCC unroll 1
    for (int64_t k = count; k > 0; --k) {
      step();
      if constexpr (!Row && V == 3) {
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) __builtin_prefetch(a + t.prefetch + v * X::kLanes);
      }
      a += a_step;
      if constexpr (Row) {
        if constexpr (V == 3) __builtin_prefetch(b[0] + t.prefetch, 0, 2);
        b[0] += b_step;
      } else {
#pragma GCC unroll 32
        for (int g = 0; g < kGroups; ++g) ++b[g];
      }
    }
  };
  int64_t left = t.k;
  if (N > 1 && left >= 192) {
    // C arrives from memory while the sums are formed: a column at a time, for the misses of all of it at
    // once would leave those of A no room.
    const int64_t part = left / N;
    const typename X::Out* c = t.c;
#pragma GCC unroll 1
    for (int j = 0; j < N; ++j, c += t.ldc) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) __builtin_prefetch(c + v * X::kLanes, 1);
      steps(part);
    }
    left -= part * N;
  }
  steps(left);

  if constexpr (requires { X::kCorrected; }) {
    static_assert(Row);
#pragma GCC unroll 32
    for (int j = 0; j < N; ++j) {
      const Vector correction = X::broadcast(b[0] + j, 0);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[j][0][v] = X::correct(sum[j][0][v], correction);
    }
  }

  const auto store = [&](auto form) __attribute__((always_inline)) {
    typename X::Out* c = t.c;
#pragma GCC unroll 32
    for (int j = 0; j < N; ++j, c += t.ldc) {
      X::template store<V, decltype(form)::value>(sum[j], t, c, mask);
    }
  };
  if (t.beta != typename X::Scale(0)) {
    store(std::integral_constant<Update, Update::add>{});
  } else if (t.alpha != typename X::Scale(1)) {
    store(std::integral_constant<Update, Update::scale>{});
  } else {
    store(std::integral_constant<Update, Update::assign>{});
  }
}

template <class X>
using TilesOf = GemmKernels<typename X::In, typename X::Out, typename X::Scale>;

template <class X, bool Row, int V, int... N>
constexpr void fill_tiles(TilesOf<X>& set, std::integer_sequence<int, N...>) {
  ((Row ? set.row[V - 1][N] = tile<X, V, N + 1, Row>
        : set.column[V - 1][N] = tile<X, V, N + 1, Row>),
   ...);
}

/// Tiles of V vectors and up to N columns, for packed B.
template <class X, int V, int N>
constexpr void add_row_tiles(TilesOf<X>& set) {
  set.max_columns[V - 1] = N;
  fill_tiles<X, true, V>(set, std::make_integer_sequence<int, N>{});
}

/// For B in any form.
template <class X, int V, int N>
constexpr void add_tiles(TilesOf<X>& set) {
  add_row_tiles<X, V, N>(set);
  fill_tiles<X, false, V>(set, std::make_integer_sequence<int, N>{});
}

template <class X, int... N>
constexpr void fill_half_tiles(TilesOf<X>& set, std::integer_sequence<int, N...>) {
  ((set.half_row[N] = tile<X, 1, N + 1, true>, set.half_column[N] = tile<X, 1, N + 1, false>), ...);
}

template <class X>
constexpr void add_half_tiles(TilesOf<X>& set) {
  fill_half_tiles<X>(set, std::make_integer_sequence<int, kMaxTileColumns>{});
}

}  // namespace
}  // namespace guda::kernels
