// One thread's part of a matrix product: blocking for the caches, packing, and the loops around the
// register tiles.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "blas/gemm_blocking.h"
#include "blas/gemm_panels.h"
#include "blas/gemm_sweep.h"
#include "blas/packing_buffer.h"

namespace guda::blas {

/// Rows [begin, end).
struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};

/// Columns of A that are packed side by side.
inline constexpr int64_t kColumnsAtOnce = 8;

template <class From, class In, class Out, class Scale>
class BlockLoops {
 public:
  using Problem = GemmProblem<From, Out, Scale>;
  using Engine = GemmEngine<From, In, Out, Scale>;
  static constexpr bool kDirect = std::is_same_v<From, In>;

  BlockLoops(const Engine& engine, const Problem& problem, const GemmBlocking& blocking)
      : engine_(engine),
        tiles_(*engine.tiles),
        problem_(problem),
        blocking_(blocking),
        aliasing_b_(kDirect && !problem.transpose_b && problem.n > 4 && problem.k > 64 &&
                    aliases(problem.ldb, sizeof(In))) {
    arguments_.ldc = problem.ldc;
    arguments_.alpha = problem.alpha;
    arguments_.conjugate_a = problem.conjugate_a;
    arguments_.conjugate_b = problem.conjugate_b;
  }

  /// With B where it stands.
  void run() {
    const Problem& p = problem_;
    // The panel after the next one; where A is in the cache anyway, the one at hand.
    arguments_.prefetch =
        blocking_.kc <= kFewColumns && p.m > 4096 / 4 ? int64_t{2} * tiles_.lanes * 3 : 0;
    with_packed_a(p.m, [&] {
      const int64_t mc = std::min(blocking_.mc, p.m);
      for (int64_t pc = 0; pc < p.k; pc += blocking_.kc) {
        const int64_t kb = std::min(blocking_.kc, p.k - pc);
        set_step(pc, kb);
        for (int64_t ic = 0; ic < p.m; ic += mc) {
          const Range rows{ic, std::min(ic + mc, p.m)};
          if (blocking_.pack_a) pack_a(rows, pc, kb);
          block(rows, pc);
        }
      }
    });
  }

  /// The part of C that `rows` and the panels [first, last) of a strip have, from the panel `start` on
  /// and then round.
  void run_strip(SharedPanels<From, In, Out, Scale>& panels, Range rows, int64_t first,
                 int64_t last, int64_t start) {
    with_packed_a(rows.size(), [&] {
      const int64_t mc = std::min(blocking_.mc, rows.size());
      const int64_t count = last - first;
      for (int64_t p = 0; p < panels.depth(); p += blocking_.kc) {
        const int64_t kb = std::min(blocking_.kc, panels.depth() - p);
        const int64_t pc = panels.first_step() + p;
        set_step(pc, kb);
        arguments_.prefetch = panels.panel_size(kb);
        for (int64_t ic = rows.begin; ic < rows.end; ic += mc) {
          const Range some{ic, std::min(ic + mc, rows.end)};
          if (blocking_.pack_a) pack_a(some, pc, kb);
          for (int64_t i = 0; i < count; ++i) {
            const int64_t index = start + i < last ? start + i : start + i - count;
            const int64_t j = panels.first_column() + index * panels.width();
            arguments_.b = panels.panel(index, p);
            arguments_.b_step = panels.width();
            tiles(some, std::min(whole_vectors(some), tiles_.vectors), j,
                  std::min(panels.width(), problem_.n - j), true, pc, kb);
          }
        }
      }
    });
  }

 private:
  int64_t panel_rows() const { return int64_t{tiles_.lanes} * tiles_.vectors; }

  // Calls body() with room for the blocks of A that it packs, smaller ones when memory is short.
  template <class Body>
  void with_packed_a(int64_t rows, Body body) {
    if (!blocking_.pack_a) return body();
    const int64_t mc = std::min(blocking_.mc, rows);
    const auto bytes = [&](int64_t count) {
      return static_cast<size_t>(ceil_div(count, panel_rows()) * panel_rows() * blocking_.kc) *
             sizeof(In);
    };
    packed_a_ = static_cast<In*>(packing_buffer(bytes(mc)));
    if (packed_a_ != nullptr) return body();
    const LastResortBuffer last_resort;
    packed_a_ = static_cast<In*>(last_resort.data());
    blocking_.mc = panel_rows();
    body();
  }

  void set_step(int64_t pc, int64_t kb) {
    arguments_.k = kb;
    arguments_.beta = pc == 0 ? problem_.beta : Scale(1);
  }

  void pack_a(Range rows, int64_t pc, int64_t kb) {
    const Problem& p = problem_;
    const int64_t panel = panel_rows();
    const int64_t k0 = pc * engine_.group;
    const int64_t k = std::min(kb * engine_.group, p.k - k0);
    if (p.transpose_a) {
      In* out = packed_a_;
      for (int64_t i = rows.begin; i < rows.end; i += panel, out += panel * kb) {
        engine_.a.transpose(std::min(panel, rows.end - i), k, p.a + k0 + i * p.lda, p.lda, out,
                            panel);
      }
      return;
    }
    // A few columns of all panels at a time: long runs of memory, few pages.
    const int64_t some = kColumnsAtOnce * engine_.group;
    for (int64_t q = 0; q < k; q += some) {
      In* out = packed_a_ + q / engine_.group * panel;
      for (int64_t i = rows.begin; i < rows.end; i += panel, out += panel * kb) {
        engine_.a.copy(std::min(panel, rows.end - i), std::min(some, k - q),
                       p.a + i + (k0 + q) * p.lda, p.lda, out, panel);
      }
    }
  }

  int whole_vectors(Range rows) const {
    const int64_t lanes = tiles_.lanes;
    const int64_t rest = rows.size() & (lanes - 1);
    const int64_t all = (rows.size() + lanes - 1) >> tiles_.lane_shift;
    return static_cast<int>(all > 1 && rest != 0 && rest <= half_rows(tiles_) ? all - 1 : all);
  }

  // All columns of `rows`, with B where it stands.
  void block(Range rows, int64_t pc) {
    if constexpr (kDirect) {
      const Problem& p = problem_;
      auto& t = arguments_;
      t.b = p.transpose_b ? p.b + pc * p.ldb : p.b + pc;
      t.b_step = p.ldb;
      t.c = p.c + rows.begin;
      // Columns that share cache sets: no more of them than there are ways.
      const int64_t width =
          aliasing_b_ ? cpu_features().l1_bytes / 4096 - 2 : kernels::kMaxTileColumns;
      if (blocking_.pack_a) {
        t.a = packed_a_;
        t.a_step = panel_rows();
        sweep_tiles<true>(tiles_, t, rows.size(), p.n, p.transpose_b, width);
      } else {
        // Transposed and not packed: a single row.
        t.a = p.transpose_a ? p.a + pc : p.a + rows.begin + pc * p.lda;
        t.a_step = p.transpose_a ? 1 : p.lda;
        sweep_tiles<false>(tiles_, t, rows.size(), p.n, p.transpose_b, width);
      }
    }
  }

  // Tiles of `vectors` vectors one below the other, all with the B that arguments_ has.
  void tiles(Range rows, int vectors, int64_t j, int64_t columns, bool row_tiles, int64_t pc,
             int64_t kb) {
    const Problem& p = problem_;
    const int64_t lanes = tiles_.lanes;
    const int64_t half = half_rows(tiles_);
    const int64_t packed_rows = panel_rows();
    const int64_t step = lanes * vectors;
    auto& t = arguments_;
    Out* c = p.c + rows.begin + j * p.ldc;
    int64_t panel = 0;
    int64_t left = 0;
    for (int64_t i = 0; i < rows.size(); i += left) {
      int v = vectors;
      left = rows.size() - i;
      if (left < step) {
        v = static_cast<int>((left + lanes - 1) >> tiles_.lane_shift);
        if (v > 1 && left - (v - 1) * lanes <= half) left = --v * lanes;
      } else {
        left = step;
      }
      t.last_rows = static_cast<int>(left - (v - 1) * lanes);
      if (blocking_.pack_a) {
        if (i - panel >= packed_rows) panel += packed_rows;
        t.a = packed_a_ + panel * kb + (i - panel);
        t.a_step = packed_rows;
      } else if constexpr (kDirect) {
        // Transposed and not packed: a single row.
        t.a = p.transpose_a ? p.a + pc : p.a + rows.begin + i + pc * p.lda;
        t.a_step = p.transpose_a ? 1 : p.lda;
      }
      t.c = c + i;
      if (v == 1 && t.last_rows <= half) {
        (row_tiles ? tiles_.half_row : tiles_.half_column)[columns - 1](t);
      } else {
        tile(v, columns, row_tiles);
      }
    }
  }

  // A tile has at most so many columns; what was planned for fewer vectors may be wider.
  void tile(int vectors, int64_t columns, bool row) {
    (row ? tiles_.row : tiles_.column)[vectors - 1][columns - 1](arguments_);
  }

  const Engine& engine_;
  const kernels::GemmKernels<In, Out, Scale>& tiles_;
  const Problem& problem_;
  GemmBlocking blocking_;
  const bool aliasing_b_;
  kernels::TileArguments<In, Out, Scale> arguments_{};
  In* packed_a_ = nullptr;
};

}  // namespace guda::blas
