// One thread's part of a matrix product: blocking for the caches, packing, and the loops around the
// register tiles.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "blas/cpu_features.h"
#include "blas/packing_buffer.h"
#include "kernels/gemm_kernels.h"

namespace guda::blas {

/// Tiles and packing for one combination of types. `From` is what the caller's matrices hold, `In`
/// what tiles read.
template <class From, class In, class Out, class Scale>
struct GemmEngine {
  const kernels::GemmKernels<In, Out, Scale>* tiles;
  kernels::Packing<From, In> a;
  kernels::Packing<From, In> b;
  int group = 1;  // elements of k in one In
};

/// Blocks of a product. It depends on the shape alone, so that each element of C is the sum of the
/// same terms in the same order whatever part of C a thread has.
struct GemmBlocking {
  int64_t mc, nc, kc;  // kc in elements of In
  bool pack_a, pack_b;
};

template <class From, class Out, class Scale>
struct GemmProblem {
  int64_t m, n, k;
  const From* a;
  int64_t lda;
  bool transpose_a;
  bool conjugate_a;
  const From* b;
  int64_t ldb;
  bool transpose_b;
  bool conjugate_b;
  Out* c;
  int64_t ldc;
  Scale alpha;
  Scale beta;
};

/// Columns that are read side by side when a tall A comes from memory.
inline constexpr int64_t kFewColumns = 12;

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Steps of at most `limit`, all about equal, a multiple of `unit`.
inline int64_t equal_steps(int64_t total, int64_t limit, int64_t unit) {
  if (total <= limit) return total;
  return ceil_div(ceil_div(total, ceil_div(total, limit)), unit) * unit;
}

/// A leading dimension at which columns share few cache sets.
inline bool aliases(int64_t ld, size_t element) {
  return (ld * static_cast<int64_t>(element)) % 2048 == 0;
}

template <class From, class In, class Out, class Scale>
GemmBlocking choose_blocking(const GemmEngine<From, In, Out, Scale>& engine, int64_t m, int64_t n,
                             int64_t k, bool transpose_a, int64_t lda, bool transpose_b,
                             int64_t ldb) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(In));
  constexpr bool kDirect = std::is_same_v<From, In>;
  const CpuFeatures& cpu = cpu_features();
  const auto& tiles = *engine.tiles;
  const int64_t rows = int64_t{tiles.lanes} * tiles.vectors;
  const int64_t depth = ceil_div(k, engine.group);
  GemmBlocking blocking;
  // A panel of B stays in the first-level cache, a block of A in the second-level one.
  const int64_t kc_limit = std::max<int64_t>(cpu.l1_bytes / 2 / (tiles.columns * kSize), 64);
  blocking.kc = equal_steps(depth, kc_limit, 8);
  const int64_t kc = std::max<int64_t>(blocking.kc, 1);
  const int64_t mc_limit = std::max(rows, cpu.l2_bytes / 2 / (kc * kSize) / rows * rows);
  blocking.mc = equal_steps(m, mc_limit, rows);
  const int64_t nc_limit =
      std::max<int64_t>(tiles.columns, std::min<int64_t>(cpu.l3_bytes / 4, int64_t{8} << 20) /
                                           (kc * kSize) / tiles.columns * tiles.columns);
  blocking.nc = equal_steps(n, nc_limit, tiles.columns);
  if (!kDirect) {
    blocking.pack_a = blocking.pack_b = true;
    return blocking;
  }
  const int64_t a_bytes = m * depth * kSize;
  const int64_t b_bytes = n * depth * kSize;
  // Reading A where it stands costs a page per column and, with an unlucky leading dimension, cache
  // conflicts; packing costs a pass over A that few columns of C do not repay.
  const bool small_a = a_bytes <= cpu.l2_bytes / 2 && !(aliases(lda, sizeof(In)) && depth > 64);
  if (!transpose_a && !small_a && n <= 2 * tiles.columns) {
    // A is read once and from memory: a few long columns at a time, which prefetchers follow.
    blocking.kc = equal_steps(depth, kFewColumns, 1);
    blocking.mc = m;
  }
  blocking.pack_a = transpose_a ? m > 1 : !small_a && n > 2 * tiles.columns;
  blocking.pack_b =
      (m > 2 * rows && aliases(ldb, sizeof(In)) && n > 8) ||
      (m > 4 * rows && b_bytes > cpu.l1_bytes / 2 && (b_bytes > cpu.l2_bytes / 2 || transpose_b));
  return blocking;
}

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
                    aliases(problem.ldb, sizeof(In))) {}

  /// For products so small that planning would show: no packing, no blocks.
  void run_direct() {
    const Problem& p = problem_;
    arguments_.ldc = p.ldc;
    arguments_.alpha = p.alpha;
    arguments_.beta = p.beta;
    arguments_.conjugate_a = p.conjugate_a;
    arguments_.conjugate_b = p.conjugate_b;
    arguments_.k = p.k;
    block(0, p.m, 0, p.n, 0, p.k);
  }

  void run() {
    if (!blocking_.pack_a && !blocking_.pack_b) return run_blocks();
    const auto [a_bytes, b_bytes] = buffer_sizes();
    auto* buffer = static_cast<char*>(packing_buffer(static_cast<size_t>(a_bytes + b_bytes)));
    if (buffer != nullptr) return run_packed(buffer, a_bytes);
    // No memory: the smallest blocks, on the stack.
    blocking_.kc = std::min(blocking_.kc, kSmallDepth);
    blocking_.mc = int64_t{tiles_.lanes} * tiles_.vectors;
    blocking_.nc = tiles_.columns;
    run_on_stack();
  }

 private:
  static constexpr int64_t kSmallDepth = 32;
  static constexpr int64_t kSmallBytes = 16 * 1024;

  struct BufferSizes {
    int64_t a, b;
  };
  BufferSizes buffer_sizes() const {
    const int64_t rows = int64_t{tiles_.lanes} * tiles_.vectors;
    const int64_t columns = tiles_.columns;
    const int64_t mc = std::min(blocking_.mc, problem_.m);
    const int64_t nc = std::min(blocking_.nc, problem_.n);
    const int64_t kc = blocking_.kc;
    const int64_t a_size = blocking_.pack_a ? ceil_div(mc, rows) * rows * kc : 0;
    const int64_t b_size =
        blocking_.pack_b ? ceil_div(nc, columns) * columns * (kc + tiles_.correction_rows) : 0;
    constexpr auto kSize = static_cast<int64_t>(sizeof(In));
    return {ceil_div(a_size * kSize + kernels::kPackSlack, 64) * 64,
            b_size * kSize + kernels::kPackSlack};
  }

  void run_packed(char* buffer, int64_t a_bytes) {
    packed_a_ = reinterpret_cast<In*>(buffer);
    packed_b_ = reinterpret_cast<In*>(buffer + a_bytes);
    run_blocks();
  }

  [[gnu::noinline]] void run_on_stack() {
    alignas(64) char buffer[kSmallBytes];
    const auto [a_bytes, b_bytes] = buffer_sizes();
    if (a_bytes + b_bytes <= kSmallBytes) run_packed(buffer, a_bytes);
  }

  void run_blocks() {
    const Problem& p = problem_;
    const int64_t mc = std::min(blocking_.mc, p.m);
    const int64_t nc = std::min(blocking_.nc, p.n);
    const int64_t depth = engine_.group == 1 ? p.k : ceil_div(p.k, engine_.group);
    const int64_t kc = blocking_.kc;
    arguments_.ldc = p.ldc;
    arguments_.alpha = p.alpha;
    // The panel after the next one; where A is in the cache anyway, the one at hand.
    arguments_.prefetch = kc <= kFewColumns && p.m > 4096 / 4 ? int64_t{2} * tiles_.lanes * 3 : 0;
    arguments_.conjugate_a = p.conjugate_a;
    arguments_.conjugate_b = p.conjugate_b;
    for (int64_t jc = 0; jc < p.n; jc += nc) {
      const int64_t nb = std::min(nc, p.n - jc);
      for (int64_t pc = 0; pc < depth; pc += kc) {
        const int64_t kb = std::min(kc, depth - pc);
        arguments_.k = kb;
        arguments_.beta = pc == 0 ? p.beta : Scale(1);
        if (blocking_.pack_b) pack_b(jc, nb, pc, kb);
        for (int64_t ic = 0; ic < p.m; ic += mc) {
          const int64_t mb = std::min(mc, p.m - ic);
          if (blocking_.pack_a) pack_a(ic, mb, pc, kb);
          block(ic, mb, jc, nb, pc, kb);
        }
      }
    }
  }

  void pack_a(int64_t ic, int64_t mb, int64_t pc, int64_t kb) {
    const int64_t rows = int64_t{tiles_.lanes} * tiles_.vectors;
    const int64_t k0 = pc * engine_.group;
    const int64_t k = std::min(kb * engine_.group, problem_.k - k0);
    const auto pack = problem_.transpose_a ? engine_.a.transpose : engine_.a.copy;
    In* out = packed_a_;
    for (int64_t i = 0; i < mb; i += rows, out += rows * kb) {
      const From* from = problem_.transpose_a ? problem_.a + k0 + (ic + i) * problem_.lda
                                              : problem_.a + ic + i + k0 * problem_.lda;
      pack(std::min(rows, mb - i), k, from, problem_.lda, out, rows);
    }
  }

  void pack_b(int64_t jc, int64_t nb, int64_t pc, int64_t kb) {
    const int64_t columns = tiles_.columns;
    const int64_t k0 = pc * engine_.group;
    const int64_t k = std::min(kb * engine_.group, problem_.k - k0);
    const auto pack = problem_.transpose_b ? engine_.b.copy : engine_.b.transpose;
    In* out = packed_b_;
    for (int64_t j = 0; j < nb; j += columns, out += columns * (kb + tiles_.correction_rows)) {
      const From* from = problem_.transpose_b ? problem_.b + jc + j + k0 * problem_.ldb
                                              : problem_.b + k0 + (jc + j) * problem_.ldb;
      pack(std::min(columns, nb - j), k, from, problem_.ldb, out, columns);
    }
  }

  void block(int64_t ic, int64_t mb, int64_t jc, int64_t nb, int64_t pc, int64_t kb) {
    const Problem& p = problem_;
    const int64_t lanes = tiles_.lanes;
    // A few rows at the end are for a tile of half the width, if there are other rows.
    const int64_t half = tiles_.half_row[0] != nullptr ? lanes / 2 : 0;
    const int64_t rest = mb & (lanes - 1);
    int64_t all_vectors = (mb + lanes - 1) >> tiles_.lane_shift;
    if (all_vectors > 1 && rest != 0 && rest <= half) --all_vectors;
    int vectors = tiles_.vectors;
    if (all_vectors < vectors) {
      vectors = static_cast<int>(all_vectors);
    } else if (!blocking_.pack_a && !blocking_.pack_b && all_vectors >= 4 &&
               (nb <= tiles_.max_columns[3] ||
                (tiles_.max_columns[3] >= 4 && (all_vectors % 4 == 0 || all_vectors == 7)))) {
      vectors = 4;  // few columns, or rows that fours divide evenly
    }
    int64_t width_limit = blocking_.pack_b ? tiles_.columns : tiles_.max_columns[vectors - 1];
    if (!blocking_.pack_b && aliasing_b_) {
      // Columns that share cache sets: no more of them than there are ways.
      width_limit = std::min(width_limit, cpu_features().l1_bytes / 4096 - 2);
    }
    int64_t width = width_limit;
    if (!blocking_.pack_b && nb > width_limit) {  // 32 bits: divisions take time here
      const auto total = static_cast<uint32_t>(nb);
      const auto steps =
          (total + static_cast<uint32_t>(width_limit) - 1) / static_cast<uint32_t>(width_limit);
      width = (total + steps - 1) / steps;
    }
    auto& t = arguments_;
    const bool row_tiles = blocking_.pack_b || p.transpose_b;
    const int64_t packed_rows = lanes * tiles_.vectors;
    for (int64_t j = 0; j < nb; j += width) {
      const int64_t columns = std::min(width, nb - j);
      if (blocking_.pack_b) {
        t.b = packed_b_ + j * (kb + tiles_.correction_rows);
        t.b_step = tiles_.columns;
      } else if constexpr (kDirect) {
        t.b = p.transpose_b ? p.b + jc + j + pc * p.ldb : p.b + pc + (jc + j) * p.ldb;
        t.b_step = p.ldb;
      }
      Out* c = p.c + ic + (jc + j) * p.ldc;
      const int64_t step = lanes * vectors;
      int64_t panel = 0;
      int64_t left = 0;
      for (int64_t i = 0; i < mb; i += left) {
        int v = vectors;
        left = mb - i;
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
          t.a = p.transpose_a ? p.a + pc : p.a + ic + i + pc * p.lda;
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
  In* packed_b_ = nullptr;
};

}  // namespace guda::blas
