// Arrays, textures and surfaces as devices are asked for them: CUDA's descriptors in terms of no API.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace guda::backend {

enum class TexelFormat : uint8_t { u8, s8, u16, s16, u32, s32, f16, f32 };

inline constexpr size_t texel_component_bytes(TexelFormat format) {
  switch (format) {
    case TexelFormat::u8:
    case TexelFormat::s8: return 1;
    case TexelFormat::u16:
    case TexelFormat::s16:
    case TexelFormat::f16: return 2;
    default: return 4;
  }
}

enum class TexelAddressMode : uint8_t { wrap, clamp, mirror, border };

/// How texels are read; see cudaTextureDesc.
struct Sampling {
  std::array<TexelAddressMode, 3> address_mode{};
  bool normalized_coordinates = false;
  bool linear_filter = false;
  bool linear_mip_filter = false;
  bool srgb = false;
  bool reads_elements = false;  // integers are read as they are, not as fractions
  bool trilinear_optimization = true;
  bool seamless_cubemap = false;
  uint32_t max_anisotropy = 0;
  std::array<float, 4> border_color{};
  float mip_bias = 0;
  float min_mip_level = 0;
  float max_mip_level = 0;
};

/// cudaResourceViewDesc.
struct TextureView {
  int format = 0;
  size_t width = 0, height = 0, depth = 0;
  uint32_t first_level = 0, last_level = 0;
  uint32_t first_layer = 0, last_layer = 0;
};

/// A CUDA array; extents as cuArray3DCreate takes them, 0 where it has no such dimension.
struct ArrayDescription {
  TexelFormat format = TexelFormat::f32;
  uint8_t channels = 1;  // 1, 2 or 4
  size_t width = 0, height = 0, depth = 0;
  uint32_t flags = 0;  // CUDA's: 1 layered, 2 surface, 4 cubemap, 8 gather
  uint32_t levels = 0;  // of a mipmapped array; 0: a plain one

  size_t element_bytes() const { return channels * texel_component_bytes(format); }
  /// Extents of a level in elements, never 0. Layers do not become fewer.
  size_t level_width(uint32_t level) const { return halved(width, level); }
  size_t level_rows(uint32_t level) const { return halved(height, level); }
  size_t level_slices(uint32_t level) const {
    const bool layers = (flags & (1u | 4u)) != 0;
    return layers ? (depth != 0 ? depth : 1) : halved(depth, level);
  }

 private:
  static size_t halved(size_t extent, uint32_t times) {
    const size_t result = extent >> times;
    return result != 0 ? result : 1;
  }
};

/// An array in a device's memory; lives until its last user has gone.
class DeviceArray {
 public:
  virtual ~DeviceArray() = default;
};

/// A texture or surface object of a device.
class DeviceTexture {
 public:
  virtual ~DeviceTexture() = default;
  /// What kernels on the device know it by.
  virtual uint64_t handle() const = 0;
};

/// What a texture object reads: an array, or mapped memory at the program's address.
struct TextureDescription {
  std::shared_ptr<const DeviceArray> array;
  // Without an array.
  const void* address = nullptr;
  size_t width = 0;  // texels
  size_t height = 0;  // 0: linear memory, read with integer coordinates
  size_t pitch = 0;  // bytes, of rows
  TexelFormat format = TexelFormat::f32;
  uint8_t channels = 1;

  Sampling sampling;
  std::optional<TextureView> view;

  size_t memory_bytes() const {
    const size_t row = width * channels * texel_component_bytes(format);
    return height == 0 ? row : (height - 1) * pitch + row;
  }
};

/// Rows of one level of an array in mapped memory.
struct ArrayRows {
  void* address = nullptr;
  size_t pitch = 0;  // bytes from row to row
  size_t slice = 0;  // a multiple of it, from slice (or layer) to slice
};

}  // namespace guda::backend
