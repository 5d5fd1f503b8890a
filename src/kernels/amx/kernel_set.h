// All kernels on one kind of tiles; internal linkage (see gemm_tile.h).
#pragma once

#include "kernels/amx/block_product.h"
#include "kernels/amx/panel_packing.h"

namespace guda::kernels::amx {
namespace {

template <class Tiles, class S, class Source, class Sum>
constexpr TileKernels<typename Source::From, Sum> kernels_of() {
  static_assert(S::kParts == Source::kParts);
  return {Source::kDepth,
          S::kParts,
          S::kProducts,
          Tiles::acquire,
          Tiles::release,
          multiply_block<Tiles, S, Sum>,
          update<Sum>,
          kPacking<Source, true>,
          kPacking<Source, false>,
          0};
}

template <class Tiles, class S, class Format>
constexpr TileKernels<typename Format::From, float> split_kernels_of() {
  auto kernels = kernels_of<Tiles, S, SplitSource<Format, S::kParts>, float>();
  kernels.largest = Format::kLargest;
  return kernels;
}

template <class Tiles>
constexpr TileKernelSet make_kernel_set() {
  TileKernelSet set{};
  set.bf16 = kernels_of<Tiles, Single<Dot::bf16>, HalfSource, float>();
  set.f16 = split_kernels_of<Tiles, FourProducts, HalfFormat>();
  // The first operand of a product of tiles is B.
  set.s8s8 = kernels_of<Tiles, Single<Dot::s8s8>, ByteSource, int32_t>();
  set.u8s8 = kernels_of<Tiles, Single<Dot::s8u8>, ByteSource, int32_t>();
  set.s8u8 = kernels_of<Tiles, Single<Dot::u8s8>, ByteSource, int32_t>();
  set.u8u8 = kernels_of<Tiles, Single<Dot::u8u8>, ByteSource, int32_t>();
  set.f32[static_cast<int>(SplitProducts::one)] =
      split_kernels_of<Tiles, Single<Dot::bf16>, FloatFormat>();
  set.f32[static_cast<int>(SplitProducts::three)] =
      split_kernels_of<Tiles, ThreeProducts, FloatFormat>();
  set.f32[static_cast<int>(SplitProducts::six)] =
      split_kernels_of<Tiles, SixProducts, FloatFormat>();
  set.f32[static_cast<int>(SplitProducts::nine)] =
      split_kernels_of<Tiles, NineProducts, FloatFormat>();
  return set;
}

}  // namespace
}  // namespace guda::kernels::amx
