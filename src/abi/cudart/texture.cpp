// Texture and surface objects. A handle is the address of the cpu::Texture that kernels read.
#include "runtime/texture.h"

#include "abi/cudart/api.h"

#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace guda::cudart {
namespace {

enum ResourceType { kArray = 0, kMipmappedArray = 1, kLinear = 2, kPitch2D = 3 };

struct TextureObject {
  cpu::Texture texture;
  bool is_surface = false;
  cudaResourceDesc resource{};
  cudaTextureDesc description{};
  cudaResourceViewDesc view{};
  bool has_view = false;
};

class TextureTable {
 public:
  static TextureTable& instance() {
    static auto* table = new TextureTable;
    return *table;
  }

  unsigned long long add(std::unique_ptr<TextureObject> object) {
    const auto handle = reinterpret_cast<unsigned long long>(&object->texture);
    const std::lock_guard lock(mutex_);
    objects_[handle] = std::move(object);
    return handle;
  }

  bool remove(unsigned long long handle) {
    const std::lock_guard lock(mutex_);
    return objects_.erase(handle) != 0;
  }

  /// Calls visit(object) for a live one; false otherwise.
  template <typename Visit>
  bool find(unsigned long long handle, bool is_surface, Visit visit) {
    const std::lock_guard lock(mutex_);
    const auto entry = objects_.find(handle);
    if (entry == objects_.end() || entry->second->is_surface != is_surface) return false;
    visit(*entry->second);
    return true;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<unsigned long long, std::unique_ptr<TextureObject>> objects_;
};

memory::ChannelFormat to_format(const cudaChannelFormatDesc& desc) {
  return {desc.x, desc.y, desc.z, desc.w, desc.f};
}

Result<cpu::Texture> storage(const cudaResourceDesc& resource) {
  switch (resource.resType) {
    case kArray:
      if (auto* array = memory::find_array(resource.res.array.array))
        return runtime::texture_over(*array);
      break;
    case kMipmappedArray:
      if (auto* array = memory::find_mipmapped_array(resource.res.mipmap.mipmap)) {
        return runtime::texture_over(*array);
      }
      break;
    case kLinear: {
      const auto& linear = resource.res.linear;
      return runtime::texture_over_linear(linear.devPtr, to_format(linear.desc),
                                          linear.sizeInBytes);
    }
    case kPitch2D: {
      const auto& pitched = resource.res.pitch2D;
      return runtime::texture_over_pitched(pitched.devPtr, to_format(pitched.desc), pitched.width,
                                           pitched.height, pitched.pitchInBytes);
    }
    default: break;
  }
  const bool is_array = resource.resType == kArray || resource.resType == kMipmappedArray;
  return Status(is_array ? StatusCode::invalid_handle : StatusCode::invalid_value,
                "the resource is no live array");
}

// cudaErrorInvalidFilterSetting, cudaErrorInvalidNormSetting.
constexpr Error kInvalidFilterSetting = 26, kInvalidNormSetting = 27;

Error set_sampling(cpu::Texture& texture, const cudaTextureDesc& description) {
  for (size_t i = 0; i < 3; ++i) {
    const int mode = description.addressMode[i];
    if (mode < 0 || mode > 3) return static_cast<Error>(StatusCode::invalid_value);
    texture.address_mode[i] = static_cast<cpu::TexelAddressMode>(mode);  // the same order
    texture.border_color[i] = description.borderColor[i];
  }
  texture.border_color[3] = description.borderColor[3];
  texture.linear_filter = description.filterMode == 1;
  texture.linear_mip_filter = description.mipmapFilterMode == 1;
  texture.normalized_coordinates = description.normalizedCoords != 0;
  texture.srgb = description.sRGB != 0;
  texture.mip_bias = description.mipmapLevelBias;
  texture.min_mip_level = description.minMipmapLevelClamp;
  texture.max_mip_level = description.maxMipmapLevelClamp;
  // Only floats, or integers of up to 16 bits read as such, can be filtered.
  using cpu::TexelFormat;
  const bool is_float = texture.format == TexelFormat::f16 || texture.format == TexelFormat::f32;
  const bool is_wide = texture.format == TexelFormat::u32 || texture.format == TexelFormat::s32;
  const bool reads_fractions = !is_wide && description.readMode == 1;
  if (texture.linear_filter && !is_float && !reads_fractions) return kInvalidFilterSetting;
  if (is_wide && description.readMode == 1) return kInvalidNormSetting;
  return kSuccess;
}

Error create_texture(cudaTextureObject_t* out, const cudaResourceDesc* resource,
                     const cudaTextureDesc* description, const cudaResourceViewDesc* view) {
  GUDA_ENTER();
  if (!out || !resource || !description) return invalid_value();
  auto texture = storage(*resource);
  if (!texture) return finish(texture.status());
  auto object = std::make_unique<TextureObject>();
  object->texture = *texture;
  object->resource = *resource;
  // CUDA 11's structure ends here.
  std::memcpy(static_cast<void*>(&object->description), description,
              offsetof(cudaTextureDesc, seamlessCubemap));
  if (Error error = set_sampling(object->texture, object->description)) return fail(error);
  if (view) {
    object->view = *view;
    object->has_view = true;
    if (resource->resType == kMipmappedArray && view->firstMipmapLevel <= view->lastMipmapLevel &&
        view->lastMipmapLevel < object->texture.level_count) {
      auto& levels = object->texture.levels;
      const unsigned count = view->lastMipmapLevel - view->firstMipmapLevel + 1;
      for (unsigned i = 0; i < count; ++i) levels[i] = levels[view->firstMipmapLevel + i];
      object->texture.level_count = count;
    }
  }
  *out = TextureTable::instance().add(std::move(object));
  return kSuccess;
}

Error destroy(unsigned long long handle) {
  GUDA_ENTER();
  if (handle == 0) return kSuccess;
  runtime::Context::instance().synchronize();
  return TextureTable::instance().remove(handle) ? kSuccess : invalid_value();
}

}  // namespace

GUDA_API(cudaCreateTextureObject)(cudaTextureObject_t* out, const cudaResourceDesc* resource,
                                  const cudaTextureDesc* description,
                                  const cudaResourceViewDesc* view) {
  return create_texture(out, resource, description, view);
}

GUDA_API(cudaCreateTextureObject_v2)(cudaTextureObject_t* out, const cudaResourceDesc* resource,
                                     const cudaTextureDesc* description,
                                     const cudaResourceViewDesc* view) {
  return create_texture(out, resource, description, view);
}

GUDA_API(cudaDestroyTextureObject)(cudaTextureObject_t texture) { return destroy(texture); }

GUDA_API(cudaGetTextureObjectResourceDesc)(cudaResourceDesc* out, cudaTextureObject_t texture) {
  GUDA_ENTER();
  if (!out) return invalid_value();
  const bool found =
      TextureTable::instance().find(texture, false, [&](auto& object) { *out = object.resource; });
  return found ? kSuccess : invalid_value();
}

GUDA_API(cudaGetTextureObjectTextureDesc)(cudaTextureDesc* out, cudaTextureObject_t texture) {
  GUDA_ENTER();
  if (!out) return invalid_value();
  const bool found = TextureTable::instance().find(texture, false, [&](auto& object) {
    std::memcpy(static_cast<void*>(out), &object.description,
                offsetof(cudaTextureDesc, seamlessCubemap));
  });
  return found ? kSuccess : invalid_value();
}

GUDA_API(cudaGetTextureObjectTextureDesc_v2)(cudaTextureDesc* out, cudaTextureObject_t texture) {
  return guda_cudart_cudaGetTextureObjectTextureDesc(out, texture);
}

GUDA_API(cudaGetTextureObjectResourceViewDesc)(cudaResourceViewDesc* out,
                                               cudaTextureObject_t texture) {
  GUDA_ENTER();
  if (!out) return invalid_value();
  bool has_view = false;
  TextureTable::instance().find(texture, false, [&](auto& object) {
    has_view = object.has_view;
    if (has_view) *out = object.view;
  });
  return has_view ? kSuccess : invalid_value();
}

GUDA_API(cudaCreateSurfaceObject)(cudaSurfaceObject_t* out, const cudaResourceDesc* resource) {
  GUDA_ENTER();
  if (!out || !resource || resource->resType != kArray) return invalid_value();
  auto texture = storage(*resource);
  if (!texture) return finish(texture.status());
  auto object = std::make_unique<TextureObject>();
  object->texture = *texture;
  object->is_surface = true;
  object->resource = *resource;
  *out = TextureTable::instance().add(std::move(object));
  return kSuccess;
}

GUDA_API(cudaDestroySurfaceObject)(cudaSurfaceObject_t surface) { return destroy(surface); }

GUDA_API(cudaGetSurfaceObjectResourceDesc)(cudaResourceDesc* out, cudaSurfaceObject_t surface) {
  GUDA_ENTER();
  if (!out) return invalid_value();
  const bool found =
      TextureTable::instance().find(surface, true, [&](auto& object) { *out = object.resource; });
  return found ? kSuccess : invalid_value();
}

}  // namespace guda::cudart
