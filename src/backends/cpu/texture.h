// Textures and surfaces as kernels on the CPU see them. A handle is the address of a Texture, unless a table says what it
// stands for (texture_table.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "backends/texture_description.h"
#include "compiler/driver/kernel_abi.h"

namespace guda::cpu {

using backend::texel_component_bytes;
using backend::TexelAddressMode;
using backend::TexelFormat;

/// One mip level. Arrays of layers (and the six faces of cube maps) count as depth.
struct TextureLevel {
  std::byte* data = nullptr;
  uint32_t width = 0;
  uint32_t height = 1;
  uint32_t depth = 1;
  size_t row_pitch = 0;  // bytes
  size_t slice_pitch = 0;
};

/// Immutable while kernels use it; owned by the runtime. Sampling follows "Texture Fetching" in the
/// CUDA C++ Programming Guide; weights of linear filtering have 8 fractional bits as there.
struct Texture : backend::Sampling {
  static constexpr size_t kMaxLevels = 16;

  std::array<TextureLevel, kMaxLevels> levels;
  uint32_t level_count = 1;
  TexelFormat format = TexelFormat::f32;
  uint8_t channels = 1;  // 1, 2 or 4
  /// A 1D texture over plain memory: integer coordinates, zero outside.
  bool plain_memory = false;
};

/// Leaves levels [first, last], as a resource view says. Nothing changes when the texture has no such levels.
void keep_levels(Texture& texture, uint32_t first, uint32_t last);

/// kernel::Services::texture; `texture` is never null.
void fetch_texture(const Texture& texture, kernel::TexelGeometry geometry, uint32_t flags,
                   const uint32_t* coordinates, uint32_t* out);

/// kernel::Services::textures with one texture for all lanes (at most 64).
void fetch_textures(const Texture& texture, kernel::TexelGeometry geometry, uint32_t flags,
                    uint32_t lanes, uint64_t mask, const uint32_t* coordinates, uint32_t* out);

/// kernel::Services::surface on level 0; false: out of bounds where that is a fault.
bool access_surface(const Texture& texture, kernel::TexelGeometry geometry, uint32_t flags,
                    const uint32_t* coordinates, uint32_t bytes, void* data);

/// kernel::Services::texture_query.
uint32_t query_texture(const Texture& texture, kernel::TextureProperty property, uint32_t level);

}  // namespace guda::cpu
