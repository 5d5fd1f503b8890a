#include "backends/cpu/texture.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace guda::cpu {
namespace {

using kernel::TexelGeometry;
using Pixel = std::array<float, 4>;
using RawPixel = std::array<uint32_t, 4>;

float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = half >> 10 & 31;
  const uint32_t fraction = half & 0x3ff;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
  return sign != 0 ? -magnitude : magnitude;
}

uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    const float scaled = std::bit_cast<float>(magnitude) * 0x1p24f;
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyint(scaled)));
  }
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | (rounded - 0x38000000) >> 13);
}

float srgb_to_linear(float value) {
  return value <= 0.04045f ? value / 12.92f : std::pow((value + 0.055f) / 1.055f, 2.4f);
}

template <typename T>
T read_as(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

// The component's bits, sign or zero extended; floats as f32 bits.
uint32_t read_raw(TexelFormat format, const std::byte* at) {
  switch (format) {
    case TexelFormat::u8: return read_as<uint8_t>(at);
    case TexelFormat::s8: return static_cast<uint32_t>(int32_t{read_as<int8_t>(at)});
    case TexelFormat::u16: return read_as<uint16_t>(at);
    case TexelFormat::s16: return static_cast<uint32_t>(int32_t{read_as<int16_t>(at)});
    case TexelFormat::f16: return std::bit_cast<uint32_t>(half_to_float(read_as<uint16_t>(at)));
    default: return read_as<uint32_t>(at);
  }
}

// Integer components read as floats are normalised: to [0, 1], or [-1, 1] for signed ones.
float to_float(TexelFormat format, uint32_t raw) {
  switch (format) {
    case TexelFormat::u8: return static_cast<float>(raw) / 255.0f;
    case TexelFormat::u16: return static_cast<float>(raw) / 65535.0f;
    case TexelFormat::s8:
      return std::max(static_cast<float>(static_cast<int32_t>(raw)) / 127.0f, -1.0f);
    case TexelFormat::s16:
      return std::max(static_cast<float>(static_cast<int32_t>(raw)) / 32767.0f, -1.0f);
    default: return std::bit_cast<float>(raw);
  }
}

struct Position {
  std::array<int64_t, 3> at{};
  bool outside = false;
};

// An index along one dimension, brought into [0, size).
int64_t resolve(int64_t index, uint32_t size, TexelAddressMode mode, bool* outside) {
  const int64_t n = size;
  if (index >= 0 && index < n) return index;
  switch (mode) {
    case TexelAddressMode::wrap: return (index % n + n) % n;
    case TexelAddressMode::mirror: {
      const int64_t m = (index % (2 * n) + 2 * n) % (2 * n);
      return m < n ? m : 2 * n - 1 - m;
    }
    case TexelAddressMode::border: *outside = true; return 0;
    default: return std::clamp<int64_t>(index, 0, n - 1);
  }
}

int64_t floor_index(double value) {
  if (!(value > -0x1p40)) return value < 0 ? -(int64_t{1} << 40) : 0;  // NaN: 0
  const auto truncated = static_cast<int64_t>(std::min(value, 0x1p40));
  return truncated - (value < static_cast<double>(truncated) ? 1 : 0);
}

class Sampler {
 public:
  Sampler(const Texture& texture, const TextureLevel& level, unsigned dimensions, uint32_t layer)
      : texture_(texture), level_(level), dimensions_(dimensions), layer_(layer) {
    sizes_ = {level.width, level.height, level.depth};
  }

  RawPixel texel(std::array<int64_t, 3> index, bool as_fraction = false) const {
    bool outside = false;
    for (unsigned d = 0; d < dimensions_; ++d) {
      TexelAddressMode mode = texture_.address_mode[d];
      // Wrapping and mirroring are defined for normalised coordinates only.
      if (!texture_.normalized_coordinates &&
          (mode == TexelAddressMode::wrap || mode == TexelAddressMode::mirror)) {
        mode = TexelAddressMode::clamp;
      }
      if (texture_.plain_memory) mode = TexelAddressMode::border;
      index[d] = resolve(index[d], sizes_[d], mode, &outside);
    }
    RawPixel pixel{};
    if (outside) {
      for (size_t c = 0; c < 4; ++c) pixel[c] = border(c, as_fraction);
      return pixel;
    }
    const size_t component = texel_component_bytes(texture_.format);
    const size_t slice = dimensions_ == 3 ? static_cast<size_t>(index[2]) : layer_;
    const size_t row = dimensions_ >= 2 ? static_cast<size_t>(index[1]) : 0;
    const std::byte* at = level_.data + slice * level_.slice_pitch + row * level_.row_pitch +
                          static_cast<size_t>(index[0]) * component * texture_.channels;
    for (size_t c = 0; c < texture_.channels; ++c) {
      pixel[c] = read_raw(texture_.format, at + c * component);
    }
    return pixel;
  }

  Pixel color(std::array<int64_t, 3> index) const {
    const RawPixel raw = texel(index, true);
    Pixel pixel;
    for (size_t c = 0; c < 4; ++c) {
      pixel[c] = to_float(texture_.format, raw[c]);
      if (texture_.srgb && c < 3) pixel[c] = srgb_to_linear(pixel[c]);
    }
    return pixel;
  }

  // Index of the texel that holds the point.
  std::array<int64_t, 3> nearest(const std::array<float, 3>& at) const {
    std::array<int64_t, 3> index{};
    for (unsigned d = 0; d < dimensions_; ++d) index[d] = floor_index(scaled(at, d));
    return index;
  }

  // The texel below the point minus half a texel, and the weights of the next ones in 1/256: the
  // coordinate is a fixed-point number with 8 fractional bits, rounded.
  std::array<int64_t, 3> below(const std::array<float, 3>& at,
                               std::array<int32_t, 3>* weight) const {
    std::array<int64_t, 3> index{};
    for (unsigned d = 0; d < dimensions_; ++d) {
      const int64_t fixed = floor_index(double{scaled(at, d)} * 256 - 127.5);
      index[d] = fixed >> 8;
      (*weight)[d] = static_cast<int32_t>(fixed & 255);
    }
    return index;
  }

  Pixel linear(const std::array<float, 3>& at) const {
    std::array<int32_t, 3> weight{};
    const std::array<int64_t, 3> base = below(at, &weight);
    // Weights of texels have 8 bits too, and sum up to 256.
    std::array<int32_t, 8> factors{256};
    for (unsigned d = 0; d < dimensions_; ++d) {
      for (unsigned corner = 0; corner < 1u << d; ++corner) {
        const int32_t upper = (factors[corner] * weight[d] + 128) >> 8;
        factors[corner | 1u << d] = upper;
        factors[corner] -= upper;
      }
    }
    std::array<double, 4> sum{};
    for (unsigned corner = 0; corner < 1u << dimensions_; ++corner) {
      if (factors[corner] == 0) continue;
      std::array<int64_t, 3> index = base;
      for (unsigned d = 0; d < dimensions_; ++d) index[d] += corner >> d & 1;
      const Pixel pixel = color(index);
      for (size_t c = 0; c < 4; ++c) sum[c] += factors[corner] * double{pixel[c]};
    }
    Pixel result;
    for (size_t c = 0; c < 4; ++c) {
      result[c] = static_cast<float>(sum[c] / 256);
      // What is filtered as halves is delivered as halves.
      if (texture_.format == TexelFormat::f16) result[c] = half_to_float(float_to_half(result[c]));
    }
    return result;
  }

 private:
  float scaled(const std::array<float, 3>& at, unsigned dimension) const {
    const float value = at[dimension];
    if (std::isnan(value)) return 0;
    if (!texture_.normalized_coordinates) return value;
    const TexelAddressMode mode = texture_.address_mode[dimension];
    if ((mode == TexelAddressMode::wrap || mode == TexelAddressMode::mirror) &&
        std::fabs(value) >= 0x1p24f) {
      return 0;  // no fraction is left
    }
    return value * static_cast<float>(sizes_[dimension]);
  }

  // The border colour in the texture's format: floats as they are, integers by their low bits, or
  // rounded where they are read as fractions.
  uint32_t border(size_t component, bool as_fraction) const {
    if (texture_.plain_memory || component >= texture_.channels) return 0;
    const float value = texture_.border_color[component];
    const auto bits = std::bit_cast<uint32_t>(value);
    const auto fraction = [value](float largest, float least) {
      const float clamped = std::isnan(value) ? 0 : std::clamp(value, least, 1.0f);
      return static_cast<uint32_t>(static_cast<int32_t>(std::ceil(clamped * largest - 0.5f)));
    };
    switch (texture_.format) {
      case TexelFormat::u8: return as_fraction ? fraction(255, 0) : bits & 0xff;
      case TexelFormat::u16: return as_fraction ? fraction(65535, 0) : bits & 0xffff;
      case TexelFormat::s8:
        return as_fraction ? fraction(127, -1)
                           : static_cast<uint32_t>(int32_t{static_cast<int8_t>(bits)});
      case TexelFormat::s16:
        return as_fraction ? fraction(32767, -1)
                           : static_cast<uint32_t>(int32_t{static_cast<int16_t>(bits)});
      case TexelFormat::f16: return std::bit_cast<uint32_t>(half_to_float(float_to_half(value)));
      default: return bits;
    }
  }

  const Texture& texture_;
  const TextureLevel& level_;
  unsigned dimensions_;
  uint32_t layer_;
  std::array<uint32_t, 3> sizes_{};
};

struct Shape {
  unsigned layers;  // leading integer coordinates
  unsigned coordinates;
  unsigned dimensions;  // of what is sampled
};

Shape shape_of(TexelGeometry geometry) {
  switch (geometry) {
    case TexelGeometry::d1: return {0, 1, 1};
    case TexelGeometry::d2: return {0, 2, 2};
    case TexelGeometry::d3: return {0, 3, 3};
    case TexelGeometry::a1d: return {1, 1, 1};
    case TexelGeometry::a2d: return {1, 2, 2};
    case TexelGeometry::cube: return {0, 3, 2};
    case TexelGeometry::acube: return {1, 3, 2};
    case TexelGeometry::d2ms: return {1, 2, 2};
    default: return {2, 2, 2};
  }
}

// Face of a cube map that a direction points to, and the position on it in [0, 1].
uint32_t cube_face(std::array<float, 3>* at) {
  const auto [x, y, z] = *at;
  const float ax = std::fabs(x);
  const float ay = std::fabs(y);
  const float az = std::fabs(z);
  uint32_t face = 0;
  float major = 1;
  float s = 0;
  float t = 0;
  if (ax >= ay && ax >= az) {
    face = x >= 0 ? 0 : 1;
    major = ax;
    s = x >= 0 ? -z : z;
    t = -y;
  } else if (ay >= az) {
    face = y >= 0 ? 2 : 3;
    major = ay;
    s = x;
    t = y >= 0 ? z : -z;
  } else {
    face = z >= 0 ? 4 : 5;
    major = az;
    s = z >= 0 ? x : -x;
    t = -y;
  }
  *at = {(s / major + 1) / 2, (t / major + 1) / 2, 0};
  return face;
}

float level_of_gradients(const Texture& texture, const float* gradients, unsigned dimensions) {
  const TextureLevel& base = texture.levels[0];
  const std::array<uint32_t, 3> sizes = {base.width, base.height, base.depth};
  float longest = 0;
  for (unsigned vector = 0; vector < 2; ++vector) {
    float square = 0;
    for (unsigned d = 0; d < dimensions; ++d) {
      const float step = gradients[vector * dimensions + d] *
                         (texture.normalized_coordinates ? static_cast<float>(sizes[d]) : 1.0f);
      square += step * step;
    }
    longest = std::max(longest, std::sqrt(square));
  }
  return longest > 0 ? std::log2(longest) : -16.0f;
}

// The common case: unfiltered 1D and 2D textures of 32-bit components.
bool is_nearest_words(const Texture& texture, TexelGeometry geometry, uint32_t flags) {
  constexpr uint32_t kSpecial =
      kernel::kTextureLevel | kernel::kTextureGradient | kernel::kTextureGather;
  return (flags & kSpecial) == 0 && texture.level_count == 1 && !texture.linear_filter &&
         texture.format >= TexelFormat::u32 && texture.format != TexelFormat::f16 &&
         (geometry == TexelGeometry::d1 || geometry == TexelGeometry::d2) &&
         (flags >> kernel::kTextureResultShift & 3) != 3;
}

// That at a tenth of the cost.
bool fetch_nearest_words(const Texture& texture, TexelGeometry geometry, uint32_t flags,
                         const uint32_t* coordinates, uint32_t* out) {
  if (!is_nearest_words(texture, geometry, flags)) return false;
  const TextureLevel& level = texture.levels[0];
  const std::byte* at = level.data;
  const uint32_t sizes[2] = {level.width, level.height};
  for (unsigned d = 0; d < (geometry == TexelGeometry::d2 ? 2u : 1u); ++d) {
    int64_t index = 0;
    if ((flags & kernel::kTextureIntegerCoordinates) != 0) {
      index = static_cast<int32_t>(coordinates[d]);
    } else {
      float value = std::bit_cast<float>(coordinates[d]);
      if (texture.normalized_coordinates) {
        if (std::fabs(value) >= 0x1p24f) return false;
        value *= static_cast<float>(sizes[d]);
      }
      index = floor_index(double{value});
    }
    if (static_cast<uint64_t>(index) >= sizes[d]) {
      TexelAddressMode mode = texture.address_mode[d];
      if (texture.plain_memory || mode == TexelAddressMode::border) return false;
      if (!texture.normalized_coordinates) mode = TexelAddressMode::clamp;
      bool outside = false;
      index = resolve(index, sizes[d], mode, &outside);
    }
    at += static_cast<size_t>(index) * (d == 0 ? size_t{4} * texture.channels : level.row_pitch);
  }
  for (unsigned c = 0; c < 4; ++c) {
    out[c] = c < texture.channels ? read_as<uint32_t>(at + 4 * size_t{c}) : 0;
  }
  return true;
}

// The same for the lanes of a warp: what does not differ between them is decided once, and the
// indices are computed side by side.
bool fetch_nearest_rows(const Texture& texture, TexelGeometry geometry, uint32_t flags,
                        uint32_t lanes, uint64_t mask, const uint32_t* coordinates, uint32_t* out) {
  constexpr uint32_t kMaxLanes = 64;
  constexpr uint32_t kLargest = 1u << 30;
  const TextureLevel& level = texture.levels[0];
  if (!is_nearest_words(texture, geometry, flags) || lanes > kMaxLanes || level.width > kLargest ||
      level.height > kLargest) {
    return false;
  }
  const unsigned dimensions = geometry == TexelGeometry::d2 ? 2 : 1;
  const uint32_t sizes[2] = {level.width, level.height};
  int32_t indices[2][kMaxLanes] = {};
  for (unsigned d = 0; d < dimensions; ++d) {
    const uint32_t* words = coordinates + size_t{d} * lanes;
    int32_t* index = indices[d];
    if ((flags & kernel::kTextureIntegerCoordinates) != 0) {
      for (uint32_t lane = 0; lane < lanes; ++lane) index[lane] = static_cast<int32_t>(words[lane]);
    } else {
      const float scale = texture.normalized_coordinates ? static_cast<float>(sizes[d]) : 1.0f;
      for (uint32_t lane = 0; lane < lanes; ++lane) {
        float value = std::bit_cast<float>(words[lane]) * scale;
        value = value > -0x1p30f ? value : -0x1p30f;  // NaN as well
        value = value < 0x1p30f ? value : 0x1p30f;
        const auto truncated = static_cast<int32_t>(value);
        index[lane] = truncated - (value < static_cast<float>(truncated) ? 1 : 0);
      }
    }
    const auto last = static_cast<int32_t>(sizes[d]) - 1;
    if (!texture.plain_memory && (texture.address_mode[d] == TexelAddressMode::clamp ||
                                  (!texture.normalized_coordinates &&
                                   texture.address_mode[d] != TexelAddressMode::border))) {
      for (uint32_t lane = 0; lane < lanes; ++lane) index[lane] = std::clamp(index[lane], 0, last);
    }
  }
  const size_t texel_bytes = size_t{4} * texture.channels;
  for (; mask != 0; mask &= mask - 1) {
    const auto lane = static_cast<size_t>(std::countr_zero(mask));
    const auto x = static_cast<uint32_t>(indices[0][lane]);
    const auto y = static_cast<uint32_t>(indices[1][lane]);
    if (x < sizes[0] && y < sizes[1]) {
      const std::byte* at = level.data + y * level.row_pitch + x * texel_bytes;
      for (unsigned c = 0; c < 4; ++c) {
        out[c * lanes + lane] = c < texture.channels ? read_as<uint32_t>(at + 4 * size_t{c}) : 0;
      }
      continue;
    }
    // Outside: one by one.
    const uint32_t own[2] = {coordinates[lane], dimensions == 2 ? coordinates[lanes + lane] : 0};
    std::array<uint32_t, 4> texel{};
    fetch_texture(texture, geometry, flags, own, texel.data());
    for (unsigned c = 0; c < 4; ++c) out[c * lanes + lane] = texel[c];
  }
  return true;
}

uint32_t pack(float value, unsigned result_type) {
  switch (result_type) {
    case 3: return float_to_half(value);
    default: return std::bit_cast<uint32_t>(value);
  }
}

}  // namespace

void keep_levels(Texture& texture, uint32_t first, uint32_t last) {
  if (first > last || last >= texture.level_count) return;
  const uint32_t count = last - first + 1;
  for (uint32_t i = 0; i < count; ++i) texture.levels[i] = texture.levels[first + i];
  texture.level_count = count;
}

void fetch_texture(const Texture& texture, TexelGeometry geometry, uint32_t flags,
                   const uint32_t* coordinates, uint32_t* out) {
  if (fetch_nearest_words(texture, geometry, flags, coordinates, out)) return;
  const Shape shape = shape_of(geometry);
  const bool integer = (flags & kernel::kTextureIntegerCoordinates) != 0;
  const unsigned result_type = flags >> kernel::kTextureResultShift & 3;
  const bool multisample = geometry == TexelGeometry::d2ms || geometry == TexelGeometry::a2dms;
  uint32_t layer = shape.layers > 0 && !multisample ? coordinates[0] : 0;
  const uint32_t* next = coordinates + shape.layers;
  std::array<float, 3> at{};
  std::array<int64_t, 3> index{};
  for (unsigned d = 0; d < shape.coordinates; ++d) {
    index[d] = static_cast<int32_t>(next[d]);
    at[d] = integer ? static_cast<float>(index[d]) : std::bit_cast<float>(next[d]);
  }
  next += shape.coordinates;
  if (geometry == TexelGeometry::cube || geometry == TexelGeometry::acube) {
    layer = layer * 6 + cube_face(&at);
  }
  layer = std::min(layer, std::max(texture.levels[0].depth, 1u) - 1);

  float lod = 0;
  if ((flags & kernel::kTextureLevel) != 0) {
    lod = integer ? static_cast<float>(static_cast<int32_t>(*next)) : std::bit_cast<float>(*next);
  } else if ((flags & kernel::kTextureGradient) != 0) {
    std::array<float, 6> gradients{};
    for (unsigned i = 0; i < 2 * shape.coordinates; ++i)
      gradients[i] = std::bit_cast<float>(next[i]);
    lod = level_of_gradients(texture, gradients.data(), shape.coordinates);
  }
  if (texture.level_count > 1) {
    // A fetch without a level of detail is not biased.
    if ((flags & (kernel::kTextureLevel | kernel::kTextureGradient)) != 0) lod += texture.mip_bias;
    lod = std::clamp(lod, texture.min_mip_level,
                     std::max(texture.min_mip_level, texture.max_mip_level));
    lod = std::clamp(lod, 0.0f, static_cast<float>(texture.level_count - 1));
    lod = std::floor(lod * 256) / 256;
  } else {
    lod = 0;
  }

  const auto sampler = [&](uint32_t level) {
    return Sampler(texture, texture.levels[level], shape.dimensions, layer);
  };
  const auto first = static_cast<uint32_t>(texture.linear_mip_filter ? lod : lod + 0.5f);
  const Sampler base = sampler(std::min(first, texture.level_count - 1));

  if ((flags & kernel::kTextureGather) != 0) {
    const unsigned component = flags >> kernel::kTextureComponentShift & 3;
    std::array<int32_t, 3> weight{};
    const std::array<int64_t, 3> corner = base.below(at, &weight);
    // Counter-clockwise from the lower left, as PTX says.
    constexpr int kOffsets[4][2] = {{0, 1}, {1, 1}, {1, 0}, {0, 0}};
    for (unsigned i = 0; i < 4; ++i) {
      const std::array<int64_t, 3> texel = {corner[0] + kOffsets[i][0], corner[1] + kOffsets[i][1],
                                            0};
      out[i] = result_type == 1 || result_type == 2
                   ? base.texel(texel)[component]
                   : pack(base.color(texel)[component], result_type);
    }
    return;
  }
  if (result_type == 1 || result_type == 2) {
    const RawPixel pixel = base.texel(integer ? index : base.nearest(at));
    std::copy(pixel.begin(), pixel.end(), out);
    return;
  }
  Pixel pixel;
  if (integer) {
    pixel = base.color(index);
  } else if (!texture.linear_filter) {
    pixel = base.color(base.nearest(at));
  } else {
    pixel = base.linear(at);
  }
  const float fraction = lod - static_cast<float>(first);
  if (texture.linear_mip_filter && fraction > 0 && first + 1 < texture.level_count) {
    const Sampler above = sampler(first + 1);
    const Pixel other = texture.linear_filter ? above.linear(at) : above.color(above.nearest(at));
    for (size_t c = 0; c < 4; ++c) pixel[c] += fraction * (other[c] - pixel[c]);
  }
  if (result_type == 3) {
    for (size_t c = 0; c < 2; ++c) {
      out[c] = static_cast<uint32_t>(float_to_half(pixel[2 * c])) |
               static_cast<uint32_t>(float_to_half(pixel[2 * c + 1])) << 16;
    }
    return;
  }
  for (size_t c = 0; c < 4; ++c) out[c] = pack(pixel[c], result_type);
}

void fetch_textures(const Texture& texture, TexelGeometry geometry, uint32_t flags, uint32_t lanes,
                    uint64_t mask, const uint32_t* coordinates, uint32_t* out) {
  if (fetch_nearest_rows(texture, geometry, flags, lanes, mask, coordinates, out)) return;
  const Shape shape = shape_of(geometry);
  unsigned words = shape.layers + shape.coordinates;
  if ((flags & kernel::kTextureLevel) != 0) words += 1;
  if ((flags & kernel::kTextureGradient) != 0) words += 2 * shape.coordinates;
  for (; mask != 0; mask &= mask - 1) {
    const auto lane = static_cast<size_t>(std::countr_zero(mask));
    std::array<uint32_t, 12> own{};
    std::array<uint32_t, 4> texel{};
    for (unsigned i = 0; i < words; ++i) own[i] = coordinates[i * lanes + lane];
    fetch_texture(texture, geometry, flags, own.data(), texel.data());
    for (unsigned c = 0; c < 4; ++c) out[c * lanes + lane] = texel[c];
  }
}

bool access_surface(const Texture& texture, TexelGeometry geometry, uint32_t flags,
                    const uint32_t* coordinates, uint32_t bytes, void* data) {
  const TextureLevel& level = texture.levels[0];
  const Shape shape = shape_of(geometry);
  const bool store = (flags & kernel::kSurfaceStore) != 0;
  const auto row_bytes =
      static_cast<int64_t>(level.width * texel_component_bytes(texture.format) * texture.channels);
  // Limits of x (a byte offset), y, z; a layer is the last of them.
  std::array<int64_t, 3> at{};
  std::array<int64_t, 3> last = {row_bytes - static_cast<int64_t>(bytes), 0, 0};
  for (unsigned d = 0; d < shape.coordinates; ++d) {
    at[d] = static_cast<int32_t>(coordinates[shape.layers + d]);
  }
  if (shape.coordinates >= 2) last[1] = static_cast<int64_t>(level.height) - 1;
  last[2] = static_cast<int64_t>(level.depth) - 1;
  if (shape.layers > 0) at[2] = static_cast<int32_t>(coordinates[0]);
  for (unsigned d = 0; d < 3; ++d) {
    if (at[d] >= 0 && at[d] <= last[d]) continue;
    if ((flags & kernel::kSurfaceZero) != 0) {
      if (!store) std::memset(data, 0, bytes);
      return true;
    }
    if ((flags & kernel::kSurfaceClamp) == 0) return false;
    at[d] = std::clamp<int64_t>(at[d], 0, std::max<int64_t>(last[d], 0));
  }
  std::byte* element = level.data + static_cast<size_t>(at[2]) * level.slice_pitch +
                       static_cast<size_t>(at[1]) * level.row_pitch + static_cast<size_t>(at[0]);
  if (store) {
    std::memcpy(element, data, bytes);
  } else {
    std::memcpy(data, element, bytes);
  }
  return true;
}

uint32_t query_texture(const Texture& texture, kernel::TextureProperty property, uint32_t level) {
  using kernel::TextureProperty;
  const TextureLevel& mip = texture.levels[std::min(level, texture.level_count - 1)];
  switch (property) {
    case TextureProperty::width: return mip.width;
    case TextureProperty::height: return mip.height;
    case TextureProperty::depth:
    case TextureProperty::array_size: return mip.depth;
    case TextureProperty::num_mipmap_levels: return texture.level_count;
    case TextureProperty::num_samples: return 1;
    case TextureProperty::normalized_coords: return texture.normalized_coordinates ? 1 : 0;
    case TextureProperty::channel_data_type: return static_cast<uint32_t>(texture.format);
    default: return texture.channels;
  }
}

}  // namespace guda::cpu
