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

  int count() const { return static_cast<int>(rows * columns); }
};

/// About `parts` parts of equal size, in steps of `row_unit` and `column_unit`: those with the least
/// arithmetic in the largest one, counting what it does for each of its rows and columns besides.
inline PartGrid choose_parts(int64_t m, int64_t n, int64_t parts, int64_t row_unit,
                             int64_t column_unit, double row_cost, double column_cost) {
  PartGrid best;
  double best_cost = -1;
  for (int64_t columns = 1; columns <= parts; ++columns) {
    if (parts % columns != 0) continue;
    PartGrid grid;
    grid.row_step = ceil_div(ceil_div(m, row_unit), parts / columns) * row_unit;
    grid.column_step = ceil_div(ceil_div(n, column_unit), columns) * column_unit;
    grid.rows = ceil_div(m, grid.row_step);
    grid.columns = ceil_div(n, grid.column_step);
    const auto r = static_cast<double>(std::min(m, grid.row_step));
    const auto c = static_cast<double>(std::min(n, grid.column_step));
    const double cost = r * c + row_cost * r + column_cost * c;
    if (best_cost < 0 || cost < best_cost) {
      best = grid;
      best_cost = cost;
    }
  }
  return best;
}

/// Rows of the smallest tile.
template <class Tiles>
int64_t row_unit(const Tiles& tiles) {
  return tiles.half_row[0] != nullptr ? tiles.lanes / 2 : tiles.lanes;
}

/// Parts of C with B where it stands.
template <class From, class In, class Out, class Scale>
void multiply_parts(const GemmEngine<From, In, Out, Scale>& engine,
                    const GemmProblem<From, Out, Scale>& p, const GemmBlocking& blocking,
                    int threads, Wake wake) {
  if (threads == 1) return BlockLoops(engine, p, blocking).run();
  const double pack_cost = blocking.pack_a ? 16 : 8;
  // Whole vectors and whole groups of columns: a cut elsewhere would change what is left over, and so
  // the order in which tiny tiles add it up.
  const PartGrid grid =
      choose_parts(p.m, p.n, threads, engine.tiles->lanes, kernels::kMaxTinyColumns, pack_cost, 8);
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
  run_tasks(grid.count(), threads, wake, part);
}

/// Strips of packed B one after the other, each shared by all threads. False: no memory, C as it was.
template <class From, class In, class Out, class Scale>
bool multiply_strips(const GemmEngine<From, In, Out, Scale>& engine,
                     const GemmProblem<From, Out, Scale>& p, const GemmBlocking& blocking,
                     int threads, Wake wake) {
  const int64_t depth = ceil_div(p.k, engine.group);
  const int64_t width = engine.tiles->columns;
  const int64_t nc = std::min(blocking.nc, p.n);
  SharedPanels<From, In, Out, Scale> panels(engine, p, blocking.kc);
  // One thread has no reason to keep more than one block of k; others would wait at the end of each.
  const int64_t kg = threads == 1 ? blocking.kc : strip_depth(engine, blocking, p.n, depth);
  if (!panels.reserve(nc, std::min(kg, depth))) return false;
  for (int64_t jc = 0; jc < p.n; jc += nc) {
    const int64_t nb = std::min(nc, p.n - jc);
    const double work = static_cast<double>(p.m) * static_cast<double>(nb);
    // Several parts for each thread even out what delays one of them, if they divide evenly.
    PartGrid grid;
    double least = 0;
    for (int64_t each = threads > 1 && work > 5e5 ? 4 : 1; each >= 1; --each) {
      const PartGrid g =
          choose_parts(p.m, nb, each * threads, row_unit(*engine.tiles), width, 16, 2);
      const auto longest =
          static_cast<double>(ceil_div(g.count(), threads) * g.row_step * g.column_step);
      if (least == 0 || longest < 0.99 * least) {
        least = longest;
        grid = g;
      }
    }
    const int64_t group = grid.column_step / width;
    const int64_t all = ceil_div(nb, width);
    for (int64_t pc = 0; pc < depth; pc += kg) {
      panels.begin(jc, nb, pc, std::min(kg, depth - pc));
      auto part = [&](int index) {
        const int64_t i = index % grid.rows * grid.row_step;
        const int64_t first = index / grid.rows * group;
        const int64_t last = std::min(first + group, all);
        // Threads begin at different panels, so that they pack different ones.
        const int64_t start = first + (last - first) * (index % threads) / threads;
        BlockLoops(engine, p, blocking)
            .run_strip(panels, {i, std::min(i + grid.row_step, p.m)}, first, last, start);
      };
      run_tasks(grid.count(), threads, wake, part);
    }
  }
  return true;
}

/// False: no memory, C as it was.
template <class From, class In, class Out, class Scale>
bool multiply_parallel(const GemmEngine<From, In, Out, Scale>& engine,
                       const GemmProblem<From, Out, Scale>& p) {
  if constexpr (std::is_same_v<From, In> && std::is_floating_point_v<From>) {
    if (const int64_t rows = tiny_rows(*engine.tiles, p.m, p.n, p.k); rows != 0) {
      multiply_tiny(*engine.tiles, p, static_cast<uint64_t>(rows));
      return true;
    }
  }
  const GemmBlocking blocking =
      choose_blocking(engine, p.m, p.n, p.k, p.transpose_a, p.lda, p.transpose_b, p.ldb);
  const double work =
      static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  const int threads = work < kWorthSharing ? 1 : worker_limit();
  const Wake wake = work < kWorthWaking ? Wake::if_awake : Wake::always;
  if (blocking.pack_b) return multiply_strips(engine, p, blocking, threads, wake);
  multiply_parts(engine, p, blocking, threads, wake);
  return true;
}

}  // namespace guda::blas
