// The texture and surface functions of device IR (docs/device_ir.md), by name.
#pragma once

#include <llvm/ADT/SmallVector.h>
#include <llvm/ADT/StringRef.h>
#include <llvm/ADT/StringSwitch.h>

#include <cstdint>
#include <optional>

#include "compiler/driver/kernel_abi.h"

namespace guda {

/// What a call of ptx.tex..., tld4, suld, sust, txq or suq asks of kernel::Services.
struct TextureInstruction {
  enum class Service : uint8_t { texture, surface, query };

  Service service = Service::texture;
  kernel::TexelGeometry geometry = kernel::TexelGeometry::d1;
  uint32_t flags = 0;                // kernel::TextureFlags
  kernel::TextureProperty property = kernel::TextureProperty::width;

  /// Arguments between the handle and the elements of a surface store.
  unsigned surface_coordinates() const {
    switch (geometry) {
      case kernel::TexelGeometry::d1: return 1;
      case kernel::TexelGeometry::d2:
      case kernel::TexelGeometry::a1d: return 2;
      default: return 3;
    }
  }
};

inline std::optional<kernel::TexelGeometry> parse_texel_geometry(llvm::StringRef name) {
  using kernel::TexelGeometry;
  return llvm::StringSwitch<std::optional<TexelGeometry>>(name)
      .Case("1d", TexelGeometry::d1)
      .Case("2d", TexelGeometry::d2)
      .Case("3d", TexelGeometry::d3)
      .Case("a1d", TexelGeometry::a1d)
      .Case("a2d", TexelGeometry::a2d)
      .Case("cube", TexelGeometry::cube)
      .Case("acube", TexelGeometry::acube)
      .Case("2dms", TexelGeometry::d2ms)
      .Case("a2dms", TexelGeometry::a2dms)
      .Default(std::nullopt);
}

inline std::optional<kernel::TextureProperty> parse_texture_property(llvm::StringRef name) {
  using kernel::TextureProperty;
  return llvm::StringSwitch<std::optional<TextureProperty>>(name)
      .Case("width", TextureProperty::width)
      .Case("height", TextureProperty::height)
      .Case("depth", TextureProperty::depth)
      .Case("channel_data_type", TextureProperty::channel_data_type)
      .Case("channel_order", TextureProperty::channel_order)
      .Case("array_size", TextureProperty::array_size)
      .Case("num_mipmap_levels", TextureProperty::num_mipmap_levels)
      .Case("num_samples", TextureProperty::num_samples)
      .Case("normalized_coords", TextureProperty::normalized_coords)
      .Default(std::nullopt);
}

/// `name` is without "ptx.". Empty when it is no texture instruction that the services know.
inline std::optional<TextureInstruction> parse_texture_instruction(llvm::StringRef name) {
  llvm::SmallVector<llvm::StringRef, 8> parts;
  name.split(parts, '.');
  TextureInstruction result;
  if (parts[0] == "txq" || parts[0] == "suq") {
    const auto property = parse_texture_property(parts.back());
    if (!property) return std::nullopt;
    result.service = TextureInstruction::Service::query;
    result.property = *property;
    if (parts[0] == "suq") {
      result.property = static_cast<kernel::TextureProperty>(
          static_cast<uint32_t>(*property) |
          static_cast<uint32_t>(kernel::TextureProperty::of_surface));
    }
    return result;
  }
  if (parts[0] == "suld" || parts[0] == "sust") {
    const auto geometry = parts.size() > 3 ? parse_texel_geometry(parts[2]) : std::nullopt;
    if (!geometry || parts[1] != "b") return std::nullopt;
    result.service = TextureInstruction::Service::surface;
    result.geometry = *geometry;
    if (parts[0] == "sust") result.flags |= kernel::kSurfaceStore;
    if (parts.back() == "clamp") result.flags |= kernel::kSurfaceClamp;
    if (parts.back() == "zero") result.flags |= kernel::kSurfaceZero;
    return result;
  }
  // tex.[level.|grad.]<geometry>.<type>.<coordinate type>, tld4.<component>.<geometry>....
  if (parts.size() < 4 || (parts[0] != "tex" && parts[0] != "tld4")) return std::nullopt;
  if (parts[0] == "tld4") {
    const size_t component = llvm::StringRef("rgba").find(parts[1]);
    result.flags |= kernel::kTextureGather | static_cast<uint32_t>(component & 3)
                                                 << kernel::kTextureComponentShift;
  }
  if (parts[1] == "level") result.flags |= kernel::kTextureLevel;
  if (parts[1] == "grad") result.flags |= kernel::kTextureGradient;
  const auto geometry = parse_texel_geometry(parts[parts.size() - 3]);
  if (!geometry) return std::nullopt;
  result.geometry = *geometry;
  if (parts.back() == "s32") result.flags |= kernel::kTextureIntegerCoordinates;
  result.flags |= llvm::StringSwitch<uint32_t>(parts[parts.size() - 2])
                      .Case("u32", 1)
                      .Case("s32", 2)
                      .Case("f16x2", 3)
                      .Default(0)
                  << kernel::kTextureResultShift;
  return result;
}

}  // namespace guda
