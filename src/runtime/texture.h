// What textures and surfaces read: cpu::Texture made from arrays and plain memory, and the handles that programs get.
#pragma once

#include "backends/cpu/texture.h"
#include "memory/array.h"
#include "support/status.h"

#include <cstddef>
#include <cstdint>
#include <optional>

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

/// Where a texture's storage is from; with neither array it is plain memory.
struct TextureResource {
  const memory::Array* array = nullptr;
  const memory::MipmappedArray* mipmapped = nullptr;
  std::optional<backend::TextureView> view;
};

/// The handle of a texture or surface (a set of numbers each). `texture` is complete, and stays where it is until it is
/// closed. Errors: the device's, for what its textures cannot do.
Result<uint64_t> open_texture(const cpu::Texture& texture, const TextureResource& resource,
                              bool surface);
/// Nothing uses the handle any more.
void close_texture(uint64_t handle, bool surface);

/// Frees an array when all work has been done, on devices as well. Errors: invalid_value.
Status free_array(memory::Array* array);
Status free_array(memory::MipmappedArray* array);

}  // namespace guda::runtime
