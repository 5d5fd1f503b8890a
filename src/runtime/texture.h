// What textures and surfaces read: cpu::Texture made from arrays and plain memory.
#pragma once

#include "backends/cpu/texture.h"
#include "memory/array.h"
#include "support/status.h"

#include <cstddef>

namespace guda::runtime {

/// Storage and format of a texture with default sampling. Errors: invalid_value for formats that no
/// texture has (3 channels, channels of unequal width).
Result<cpu::Texture> texture_over(const memory::Array& array);
/// All levels.
Result<cpu::Texture> texture_over(const memory::MipmappedArray& array);
/// 1D, integer coordinates.
Result<cpu::Texture> texture_over_linear(void* data, const memory::ChannelFormat& format,
                                         size_t bytes);
Result<cpu::Texture> texture_over_pitched(void* data, const memory::ChannelFormat& format,
                                          size_t width, size_t height, size_t pitch);

}  // namespace guda::runtime
