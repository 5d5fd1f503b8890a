// Micro-kernels on matrix tiles (Intel AMX): registers of 16 rows of 64 bytes, and products of two of
// them that are added to a third.
//
// C is column-major and a row of a tile is contiguous memory, so that a tile of C holds 16 columns of 16
// elements. The first operand of a product, called `rows` here, is therefore op(B), 16 columns of it by
// 64 bytes along k; the second one, `columns`, is op(A), 16 words along k by 16 rows of it. A word is four
// bytes: consecutive elements along k.
//
// Operands are packed into panels of 32 (two tiles) and steps of 64 bytes along k. One step of a panel is
// [part][tile][16 x 64 bytes]; steps follow each other. A part is one of the terms whose sum stands for
// an element: narrow types have one, f32 as bf16 up to three.
//
// The same code runs on tiles of the processor and on tiles in memory, which compute what the instructions
// are defined to: every machine can test it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace guda::kernels::amx {

inline constexpr int64_t kTile = 16;
inline constexpr int64_t kPanel = 2 * kTile;
inline constexpr int64_t kStepBytes = 2048;  // of a panel, per part

/// Cache lines to be fetched in the shadow of arithmetic: `rows` pieces of `lines` lines each.
struct LineStream {
  const char* at = nullptr;
  int64_t stride = 0;  // from one piece to the next, in bytes
  int64_t lines = 0;
  int64_t rows = 0;
  int64_t line = 0;  // within the piece
};

/// Magnitudes of a packed block, as the bits of f32: infinity and NaN are greatest. Zeros do not count.
struct MagnitudeRange {
  uint32_t least = 0xffffffffu;
  uint32_t greatest = 0;
};

/// sums (m x n, at most 32 x 32) = product. Sums stand in whole tiles: what is beyond m and n up to a
/// multiple of 16 is written too.
template <class Sum>
struct BlockArguments {
  int64_t steps;
  const std::byte* rows;  // op(B)
  const std::byte* columns;  // op(A)
  Sum* sums;
  int64_t ld;
  int64_t m, n;
  // Fetched on the way: the first steps of what will be `columns` next, with the same rows; and into the
  // second-level cache so many lines of the stream, which is used up, with each product of parts.
  const std::byte* next_columns;
  LineStream* later;
  int64_t later_lines;
};

/// C (m x n) = alpha * sums + beta * C. beta == 0: C is not read.
template <class Sum>
struct UpdateArguments {
  int64_t m, n;
  const Sum* sums;
  int64_t ld_sums;
  Sum* c;
  int64_t ldc;
  Sum alpha, beta;
};

/// Packs `width` (<= 32) rows of op(A), or columns of op(B), and k elements along k, filling up with zeros
/// to 32 and to whole steps. Element (i, p) is at x[i * ld + p] ("along" k) or x[i + p * ld] ("across").
template <class From>
using PackPanel = void (*)(int64_t width, int64_t k, const From* x, int64_t ld, std::byte* out,
                           MagnitudeRange& range);

template <class From>
struct PanelPacking {
  PackPanel<From> along;
  PackPanel<From> across;
};

template <class From, class Sum>
struct TileKernels {
  int64_t depth;  // elements along k in a step
  int64_t parts;  // of an element
  int64_t products;  // of parts
  // Before the first and after the last block on a thread: tiles are part of a thread's state.
  void (*acquire_tiles)();
  void (*release_tiles)();
  void (*multiply)(const BlockArguments<Sum>&);
  void (*update)(const UpdateArguments<Sum>&);
  PanelPacking<From> rows;
  PanelPacking<From> columns;
  // Elements are split into parts, which is for numbers up to this one and for products that are not tiny
  // (see within_range). 0: elements stand for themselves.
  float largest;
};

/// f32 as a sum of bf16 terms, and how many of their products are formed.
enum class SplitProducts : uint8_t { one, three, six, nine };

/// All kernels for one kind of tiles. 16-bit floats and 8-bit integers by their bits.
struct TileKernelSet {
  TileKernels<uint16_t, float> bf16;
  TileKernels<uint16_t, float> f16;  // two parts, four products: exact products
  TileKernels<uint8_t, int32_t> s8s8;  // signs of A and B
  TileKernels<uint8_t, int32_t> u8s8;
  TileKernels<uint8_t, int32_t> s8u8;
  TileKernels<uint8_t, int32_t> u8u8;
  TileKernels<float, float> f32[4];  // by SplitProducts
};

/// Needs request_tiles(); packing alone needs AVX-512 F, BW, DQ, VL and VBMI.
extern const TileKernelSet hardware;
/// Needs nothing.
extern const TileKernelSet software;

/// Asks the system to let this process use tiles; false where the processor or the system does not have
/// them, or the processor lacks what comes with them.
bool request_tiles();

}  // namespace guda::kernels::amx
