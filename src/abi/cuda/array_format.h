// Element formats of arrays and textures: driver enumerators and channel descriptions.
#pragma once

#include <optional>

#include "abi/cuda/types.h"
#include "memory/array.h"

namespace guda::cuda {

/// Nothing for formats and numbers of channels that no array has here.
std::optional<memory::ChannelFormat> channel_format(CUarray_format format, unsigned channels);
CUarray_format format_of(const memory::ChannelFormat& format);
unsigned channels_of(const memory::ChannelFormat& format);

}  // namespace guda::cuda
