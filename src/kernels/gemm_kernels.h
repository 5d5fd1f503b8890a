// Micro-kernels of matrix multiplication: tiles of C that stay in registers, and the packing that
// feeds them. No policy here: which tile, which block size and which thread is decided in blas/.
//
// A kernel set exists per instruction set and arithmetic; all sets have this one interface.
#pragma once

#include <complex>
#include <cstdint>

namespace guda::kernels {

inline constexpr int kMaxTileVectors = 4;
inline constexpr int kMaxTileColumns = 24;
inline constexpr int kMaxTinyColumns = 8;

/// What one tile computes: C(rows x columns) = alpha * sum over k of A(:, k) B(k, :) + beta * C.
/// Strides are in elements of their matrix. Column k of A is contiguous at a + k * a_step. B(k, j) is
/// at b + k * b_step + j in a row tile and at b + k + j * b_step in a column tile. The last vector of
/// rows is cut off by `last_rows` (1 ... lanes): nothing beyond is read or written.
template <class In, class Out, class Scale>
struct TileArguments {
  int64_t k;
  const In* a;
  int64_t a_step;
  const In* b;
  int64_t b_step;
  Out* c;
  int64_t ldc;
  Scale alpha;
  Scale beta;  // 0: C is not read
  int last_rows;
  // How far ahead a tile of 3 vectors prefetches: a column tile A, along its columns, a row tile B.
  int64_t prefetch;
  // Complex only.
  bool conjugate_a;
  bool conjugate_b;
};

/// Copies a panel of `width` (<= panel) rows and k columns, element (i, p) at x[i + p * ld] ("copy")
/// or x[i * ld + p] ("transpose"), to out[i + p * panel]; the rest of the panel is zero. Nothing is
/// written beyond the panel.
template <class From, class To>
using Pack = void (*)(int64_t width, int64_t k, const From* x, int64_t ld, To* out, int64_t panel);

template <class From, class To>
struct Packing {
  Pack<From, To> copy;
  Pack<From, To> transpose;
};

/// In, Out, Scale: what tiles read, write and scale by. `lanes` rows stand in one vector.
template <class In, class Out = In, class Scale = Out>
struct GemmKernels {
  using Arguments = TileArguments<In, Out, Scale>;
  using Tile = void (*)(const Arguments&);

  int lanes;
  int lane_shift;  // lanes == 1 << lane_shift
  int max_columns[kMaxTileVectors];  // of a tile of 1, 2, ... vectors; 0: there is none
  // The tile that packed panels are for.
  int vectors;
  int columns;
  // [vectors - 1][columns - 1]
  Tile row[kMaxTileVectors][kMaxTileColumns];
  Tile column[kMaxTileVectors][kMaxTileColumns];
  // One vector of half the width, for at most lanes / 2 rows: where narrow registers are as many per
  // cycle, or more. Null: there are none.
  Tile half_row[kMaxTileColumns];
  Tile half_column[kMaxTileColumns];
  // For few rows and a long sum: [log2 of A's rows][columns - 1], A dense with a power of two of rows up
  // to tiny_rows, B a column tile's. 0: there are none.
  int tiny_rows;
  Tile tiny[4][kMaxTinyColumns];
  // Rows that a packed panel of B has beyond k; the packing fills them.
  int correction_rows;
  Packing<In, In> packing;
};

/// A matrix of 8-bit integers times a vector, the matrix read where it stands: sums[i] = start + the sum over
/// p < k of (a(i, p) + offset) x[p], modulo 2^32, for `rows` rows. x is padded with zeros, and sums with room
/// for anything, to multiples of kBytePadding.
inline constexpr int64_t kBytePadding = 64;
struct ByteVectorKernels {
  using Multiply = void (*)(int64_t rows, int64_t k, const uint8_t* a, int64_t ld, const uint8_t* x,
                            int32_t start, int32_t* sums);
  Multiply rows;  // a(i, p) at a[i * ld + p]
  Multiply columns;  // a(i, p) at a[i + p * ld]
  int32_t offset;
};

/// AVX-512 F, BW, DQ and VL.
namespace avx512 {
extern const GemmKernels<float> gemm_f32;
extern const GemmKernels<double> gemm_f64;
extern const GemmKernels<std::complex<float>> gemm_c32;
extern const GemmKernels<std::complex<double>> gemm_c64;

/// 16-bit floats for the f32 tiles.
extern const Packing<uint16_t, float> widen_bf16;
extern const Packing<uint16_t, float> widen_f16;
/// 8-bit floats for the f32 tiles.
extern const Packing<uint8_t, float> widen_e4m3;
extern const Packing<uint8_t, float> widen_e5m2;

/// bf16 in pairs, two steps of k in a word. Needs AVX-512 BF16; subnormals count as zero.
extern const GemmKernels<uint32_t, float> gemm_bf16;
extern const Packing<uint16_t, uint32_t> bf16_pairs;
/// 8-bit floats as such pairs, which have all their values.
extern const Packing<uint8_t, uint32_t> e4m3_pairs;
extern const Packing<uint8_t, uint32_t> e5m2_pairs;

/// 8-bit integers, four steps of k in a word; k of the packing functions counts bytes. Needs VNNI.
/// Tiles take unsigned A and signed B; signed A goes with corrected B.
extern const GemmKernels<uint32_t, int32_t> gemm_dot8;
extern const Packing<uint8_t, uint32_t> dot8_unsigned_a;
extern const Packing<uint8_t, uint32_t> dot8_signed_a;
extern const Packing<uint8_t, uint32_t> dot8_b;
extern const Packing<uint8_t, uint32_t> dot8_corrected_b;
/// By the signs of matrix and vector. Needs VNNI.
extern const ByteVectorKernels gemv_s8s8;
extern const ByteVectorKernels gemv_u8s8;
extern const ByteVectorKernels gemv_s8u8;
}  // namespace avx512

/// AVX2 and FMA.
namespace avx2 {
extern const GemmKernels<float> gemm_f32;
extern const GemmKernels<double> gemm_f64;
extern const GemmKernels<std::complex<float>> gemm_c32;
extern const GemmKernels<std::complex<double>> gemm_c64;
/// 8-bit integers as 16-bit ones, two steps of k in a word; any signs.
extern const GemmKernels<uint32_t, int32_t> gemm_pairs8;
extern const Packing<uint8_t, uint32_t> pairs8_signed;
extern const Packing<uint8_t, uint32_t> pairs8_unsigned;
extern const Packing<uint16_t, float> widen_bf16;
extern const Packing<uint16_t, float> widen_f16;
extern const Packing<uint8_t, float> widen_e4m3;
extern const Packing<uint8_t, float> widen_e5m2;
}  // namespace avx2

/// What the compiler makes of 16-byte vectors.
namespace portable {
extern const GemmKernels<float> gemm_f32;
extern const GemmKernels<double> gemm_f64;
extern const GemmKernels<std::complex<float>> gemm_c32;
extern const GemmKernels<std::complex<double>> gemm_c64;
extern const Packing<uint16_t, float> widen_bf16;
extern const Packing<uint16_t, float> widen_f16;
extern const Packing<uint8_t, float> widen_e4m3;
extern const Packing<uint8_t, float> widen_e5m2;
}  // namespace portable

}  // namespace guda::kernels
