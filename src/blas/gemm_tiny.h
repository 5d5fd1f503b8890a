// Products with a few rows and columns and a long sum: the whole of C is one or a few tiles, and time goes
// into reading A and B once.
#pragma once

#include <bit>

#include "blas/gemm_blocking.h"

namespace guda::blas {

/// Rows that the tiles for such products take, for m rows; 0: they are not for this shape.
template <class T>
int64_t tiny_rows(const kernels::GemmKernels<T>& tiles, int64_t m, int64_t n, int64_t k) {
  if (m > tiles.tiny_rows || k < 64 || n > 64) return 0;
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(m)));
}

/// Operands that do not stand as the tiles want them are copied, piece by piece, into the first-level
/// cache.
template <class T>
void multiply_tiny(const kernels::GemmKernels<T>& tiles, const GemmProblem<T, T, T>& p,
                   uint64_t rows_of_a) {
  const auto rows = static_cast<int64_t>(rows_of_a);
  constexpr int64_t kPiece = 256;
  constexpr int64_t kMaxRows = 8;
  const bool dense_a = !p.transpose_a && p.lda == rows && p.m == rows;
  const bool pack_a = !dense_a && !(p.transpose_a && p.m == 1 && rows == 1);
  const bool pack_b = p.transpose_b && p.ldb != 1;
  alignas(64) T a_piece[kMaxRows * kPiece];
  alignas(64) T b_piece[kernels::kMaxTinyColumns * kPiece];
  kernels::TileArguments<T, T, T> t{};
  t.a_step = rows;
  t.ldc = p.ldc;
  t.alpha = p.alpha;
  t.last_rows = static_cast<int>(p.m);
  const int64_t piece = pack_a || pack_b ? kPiece : p.k;
  const auto& row = tiles.tiny[std::countr_zero(static_cast<uint64_t>(rows))];
  for (int64_t k0 = 0; k0 < p.k; k0 += piece) {
    t.k = std::min(piece, p.k - k0);
    t.beta = k0 == 0 ? p.beta : T(1);
    t.a = p.a + (p.transpose_a ? k0 : k0 * p.lda);
    if (pack_a) {
      (p.transpose_a ? tiles.packing.transpose : tiles.packing.copy)(p.m, t.k, t.a, p.lda, a_piece,
                                                                     rows);
      t.a = a_piece;
    }
    for (int64_t j = 0; j < p.n; j += kernels::kMaxTinyColumns) {
      const int64_t columns = std::min<int64_t>(kernels::kMaxTinyColumns, p.n - j);
      if (pack_b) {
        tiles.packing.transpose(t.k, columns, p.b + j + k0 * p.ldb, p.ldb, b_piece, kPiece);
        t.b = b_piece;
        t.b_step = kPiece;
      } else {
        t.b = p.b + k0 + j * p.ldb;
        t.b_step = p.ldb;
      }
      if (p.transpose_b && !pack_b) {  // one column, which is contiguous
        t.b = p.b + k0;
      }
      t.c = p.c + j * p.ldc;
      row[columns - 1](t);
    }
  }
}

}  // namespace guda::blas
