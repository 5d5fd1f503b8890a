// Products on matrix tiles for each combination of types. Null where the processor or the system has no
// tiles.
#pragma once

#include "blas/tile_product.h"

namespace guda::blas {

/// bfloat16 or float16 by their bits.
const TileEngine<uint16_t, float>* bf16_tile_engine();
const TileEngine<uint16_t, float>* f16_tile_engine();
/// 8-bit integers by their bits; the first name is A's type.
const TileEngine<uint8_t, int32_t>* s8_tile_engine();
const TileEngine<uint8_t, int32_t>* u8s8_tile_engine();
/// f32 by parts in bf16.
const TileEngine<float, float>* split_tile_engine(kernels::amx::SplitProducts products);

/// The same on any kind of tiles; tests have them in memory.
TileEngine<uint16_t, float> bf16_engine_on(const kernels::amx::TileKernelSet& set);
TileEngine<uint16_t, float> f16_engine_on(const kernels::amx::TileKernelSet& set);
TileEngine<float, float> split_engine_on(const kernels::amx::TileKernelSet& set,
                                         kernels::amx::SplitProducts products);

}  // namespace guda::blas
