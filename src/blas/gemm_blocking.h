// Sizes of the blocks of a matrix product, from its shape and the caches of the machine.
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
  // Panels of A and B stream through the first-level cache, a block of A stays in the second-level one.
  // Long panels, so that C is fetched and stored seldom, and low blocks.
  const int64_t kc_limit =
      std::min<int64_t>(std::max<int64_t>(cpu.l1_bytes / (tiles.columns * kSize), 64),
                        kLastResortBytes / (static_cast<size_t>(rows) * sizeof(In)));
  blocking.kc = equal_steps(depth, kc_limit, 8);
  const int64_t kc = std::max<int64_t>(blocking.kc, 1);
  const int64_t mc_limit = std::max(rows, cpu.l2_bytes * 3 / 8 / (kc * kSize) / rows * rows);
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
  // B is packed where its columns share cache sets, its rows do and it leaves the second-level cache, or it
  // is far larger than that.
  const bool aliasing_b = aliases(ldb, sizeof(In)) && (!transpose_b || b_bytes > cpu.l2_bytes);
  blocking.pack_b =
      (m > 2 * rows && n > 8 && aliasing_b) || (m > 4 * rows && b_bytes > 3 * cpu.l2_bytes);
  return blocking;
}

/// Steps of k in a strip of B that several threads share.
template <class From, class In, class Out, class Scale>
int64_t strip_depth(const GemmEngine<From, In, Out, Scale>&, const GemmBlocking& blocking,
                    int64_t n, int64_t depth) {
  const int64_t column_bytes = std::min(blocking.nc, n) * static_cast<int64_t>(sizeof(In));
  const int64_t blocks = cpu_features().l3_bytes / 4 / (column_bytes * blocking.kc);
  return std::min(std::max<int64_t>(blocks, 1) * blocking.kc, depth);
}

}  // namespace guda::blas
