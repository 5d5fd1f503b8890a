// A product cut into parts of C for the threads. Each element of C is summed by one thread in an order
// that depends on the shape alone, so the cut does not show in the result.
#pragma once

#include "blas/gemm_block.h"
#include "blas/gemm_tiny.h"
#include "blas/worker_pool.h"

namespace guda::blas {

// Multiply-adds below which a second thread does not pay even when it is awake, and those that repay
// waking one.
inline constexpr double kWorthSharing = 64.0 * 64 * 64;
inline constexpr double kWorthWaking = 160.0 * 160 * 160;

/// The grid of parts: along m and n.
struct PartGrid {
  int64_t rows = 1;
  int64_t columns = 1;
  int64_t row_step = 0;
  int64_t column_step = 0;
};

/// `parts` parts of about equal size, cut so that together they read as little of A and B as
/// possible, in steps of whole tiles.
inline PartGrid choose_parts(int64_t m, int64_t n, int64_t parts, int64_t row_unit,
                             int64_t column_unit) {
  PartGrid best;
  double best_cost = -1;
  for (int64_t columns = 1; columns <= parts; ++columns) {
    if (parts % columns != 0) continue;
    PartGrid grid;
    grid.row_step = ceil_div(ceil_div(m, row_unit), parts / columns) * row_unit;
    grid.column_step = ceil_div(ceil_div(n, column_unit), columns) * column_unit;
    grid.rows = ceil_div(m, grid.row_step);
    grid.columns = ceil_div(n, grid.column_step);
    // Arithmetic of the largest part, and what it has to pack.
    const auto r = static_cast<double>(std::min(m, grid.row_step));
    const auto c = static_cast<double>(std::min(n, grid.column_step));
    const double cost = r * c + 8 * (r + c);
    if (best_cost < 0 || cost < best_cost) {
      best = grid;
      best_cost = cost;
    }
  }
  return best;
}

template <class From, class In, class Out, class Scale>
void multiply_parallel(const GemmEngine<From, In, Out, Scale>& engine,
                       const GemmProblem<From, Out, Scale>& p) {
  if constexpr (std::is_same_v<From, In>) {
    if ((p.m | p.n) < 256 && p.k <= 256 && !p.transpose_a && (p.m > 8 || p.k < 64) &&
        p.m * p.n * p.k < 64 * 64 * 64 && !aliases(p.lda, sizeof(In))) {
      constexpr GemmBlocking kNone{};
      BlockLoops(engine, p, kNone).run_direct();
      return;
    }
  }
  if constexpr (std::is_same_v<From, In> && std::is_floating_point_v<From>) {
    if (const int64_t rows = tiny_rows(*engine.tiles, p.m, p.n, p.k); rows != 0) {
      return multiply_tiny(*engine.tiles, p, rows);
    }
  }
  const GemmBlocking blocking =
      choose_blocking(engine, p.m, p.n, p.k, p.transpose_a, p.lda, p.transpose_b, p.ldb);
  const double work =
      static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  const int threads = work < kWorthSharing ? 1 : worker_limit();
  if (threads == 1) return BlockLoops(engine, p, blocking).run();
  const int64_t parts = work > 5e8 * threads ? 4 * threads : threads;
  const int64_t row_unit = engine.tiles->lanes;
  const PartGrid grid = choose_parts(p.m, p.n, parts, row_unit, 4);
  auto part = [&](int index) {
    GemmProblem<From, Out, Scale> q = p;
    const int64_t i = index % grid.rows * grid.row_step;
    const int64_t j = index / grid.rows * grid.column_step;
    q.m = std::min(grid.row_step, p.m - i);
    q.n = std::min(grid.column_step, p.n - j);
    q.a += p.transpose_a ? i * p.lda : i;
    q.b += p.transpose_b ? j : j * p.ldb;
    q.c += i + j * p.ldc;
    BlockLoops(engine, q, blocking).run();
  };
  run_tasks(static_cast<int>(grid.rows * grid.columns), threads,
            work < kWorthWaking ? Wake::if_awake : Wake::always, part);
}

}  // namespace guda::blas
