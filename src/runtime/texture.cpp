#include "runtime/texture.h"

#include "runtime/context.h"
#include "runtime/engines.h"

#include <algorithm>
#include <limits>

namespace guda::runtime {
namespace {

enum ChannelKind { kSigned = 0, kUnsigned = 1, kFloat = 2 };

// Format and number of channels.
Status set_format(cpu::Texture& texture, const memory::ChannelFormat& format) {
  using cpu::TexelFormat;
  const int bits = format.x;
  const int widths[] = {format.x, format.y, format.z, format.w};
  const auto channels =
      std::count_if(std::begin(widths), std::end(widths), [](int w) { return w != 0; });
  const bool equal = std::all_of(widths, widths + channels, [bits](int w) { return w == bits; });
  if ((channels != 1 && channels != 2 && channels != 4) || !equal) {
    return {StatusCode::invalid_value, "textures have 1, 2 or 4 channels of equal width"};
  }
  texture.channels = static_cast<uint8_t>(channels);
  if (format.kind == kFloat && (bits == 16 || bits == 32)) {
    texture.format = bits == 16 ? TexelFormat::f16 : TexelFormat::f32;
    return Status::ok();
  }
  if (format.kind == kSigned || format.kind == kUnsigned) {
    const bool is_signed = format.kind == kSigned;
    switch (bits) {
      case 8: texture.format = is_signed ? TexelFormat::s8 : TexelFormat::u8; return Status::ok();
      case 16:
        texture.format = is_signed ? TexelFormat::s16 : TexelFormat::u16;
        return Status::ok();
      case 32:
        texture.format = is_signed ? TexelFormat::s32 : TexelFormat::u32;
        return Status::ok();
      default: break;
    }
  }
  return {StatusCode::invalid_value, "the channel format is not one that textures have"};
}

// cudaDeviceProp::texturePitchAlignment. Bases are asked for less than textureAlignment: variables have
// no more.
constexpr size_t kPitchAlignment = 32;

bool is_aligned(const void* data) {
  return data != nullptr && reinterpret_cast<uintptr_t>(data) % kPitchAlignment == 0;
}

cpu::TextureLevel level_of(const memory::Array& array) {
  cpu::TextureLevel level;
  level.data = array.data;
  level.width = static_cast<uint32_t>(array.width);
  level.height = static_cast<uint32_t>(array.rows());
  level.depth = static_cast<uint32_t>(array.slices());
  level.row_pitch = array.pitch;
  level.slice_pitch = array.slice;
  return level;
}

}  // namespace

Result<cpu::Texture> texture_over(const memory::Array& array) {
  cpu::Texture texture;
  if (Status status = set_format(texture, array.format); !status) return status;
  texture.levels[0] = level_of(array);
  return texture;
}

Result<cpu::Texture> texture_over(const memory::MipmappedArray& array) {
  if (array.levels.empty())
    return Status(StatusCode::invalid_value, "the mipmapped array has no levels");
  auto texture = texture_over(*array.levels[0]);
  if (!texture) return texture;
  const size_t count = std::min(array.levels.size(), cpu::Texture::kMaxLevels);
  for (size_t i = 1; i < count; ++i) texture->levels[i] = level_of(*array.levels[i]);
  texture->level_count = static_cast<uint32_t>(count);
  return texture;
}

Result<cpu::Texture> texture_over_linear(void* data, const memory::ChannelFormat& format,
                                         size_t bytes) {
  cpu::Texture texture;
  if (Status status = set_format(texture, format); !status) return status;
  const size_t texels = bytes / format.element_bytes();
  if (!is_aligned(data) || texels > std::numeric_limits<uint32_t>::max()) {
    return Status(StatusCode::invalid_value,
                  "linear texture memory is null, misaligned or too large");
  }
  texture.levels[0].data = static_cast<std::byte*>(data);
  texture.levels[0].width = static_cast<uint32_t>(texels);
  texture.plain_memory = true;
  return texture;
}

Result<cpu::Texture> texture_over_pitched(void* data, const memory::ChannelFormat& format,
                                          size_t width, size_t height, size_t pitch) {
  cpu::Texture texture;
  if (Status status = set_format(texture, format); !status) return status;
  if (!is_aligned(data) || width == 0 || height == 0 || pitch % kPitchAlignment != 0 ||
      pitch < width * format.element_bytes()) {
    return Status(StatusCode::invalid_value, "impossible pitched texture memory");
  }
  texture.levels[0].data = static_cast<std::byte*>(data);
  texture.levels[0].width = static_cast<uint32_t>(width);
  texture.levels[0].height = static_cast<uint32_t>(height);
  texture.levels[0].row_pitch = pitch;
  texture.levels[0].slice_pitch = pitch * height;
  return texture;
}

Result<uint64_t> open_texture(const cpu::Texture& texture, const TextureResource& resource,
                              bool surface) {
  if (Engines* engines = Engines::active())
    return engines->textures().open(texture, resource, surface);
  return reinterpret_cast<uint64_t>(&texture);
}

void close_texture(uint64_t handle, bool surface) {
  if (Engines* engines = Engines::active()) engines->textures().close(handle, surface);
}

namespace {
void forget(const void* array) {
  Context::instance().synchronize();
  if (Engines* engines = Engines::active()) engines->textures().forget(array);
}
}  // namespace

Status free_array(memory::Array* array) {
  forget(array);
  return memory::destroy_array(array);
}

Status free_array(memory::MipmappedArray* array) {
  forget(array);
  return memory::destroy_mipmapped_array(array);
}

}  // namespace guda::runtime
