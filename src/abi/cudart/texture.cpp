// Texture and surface objects: what they were made from, by handle.
#include "runtime/texture.h"

#include "abi/cudart/api.h"

#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

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

  Result<uint64_t> add(std::unique_ptr<TextureObject> object,
                       const runtime::TextureResource& resource) {
    const bool surface = object->is_surface;
    auto handle = runtime::open_texture(object->texture, resource, surface);
    if (!handle) return handle;
    const std::lock_guard lock(mutex_);
    objects_[{*handle, surface}] = std::move(object);
    return handle;
  }

  bool remove(uint64_t handle, bool is_surface) {
    std::unique_lock lock(mutex_);
    const auto entry = objects_.find({handle, is_surface});
    if (entry == objects_.end()) return false;
    const auto object = std::move(entry->second);
    objects_.erase(entry);
    lock.unlock();
    runtime::close_texture(handle, is_surface);
    return true;
  }

  /// Calls visit(object) for a live one; false otherwise.
  template <typename Visit>
  bool find(unsigned long long handle, bool is_surface, Visit visit) {
    const std::lock_guard lock(mutex_);
    const auto entry = objects_.find({handle, is_surface});
    if (entry == objects_.end()) return false;
    visit(*entry->second);
    return true;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<uint64_t, bool>, std::unique_ptr<TextureObject>> objects_;  // handle, surface
};

memory::ChannelFormat to_format(const cudaChannelFormatDesc& desc) {
  return {desc.x, desc.y, desc.z, desc.w, desc.f};
}

/// The arrays of a resource that storage() accepts.
runtime::TextureResource arrays_of(const cudaResourceDesc& resource) {
  runtime::TextureResource arrays;
  if (resource.resType == kArray) arrays.array = memory::find_array(resource.res.array.array);
  if (resource.resType == kMipmappedArray)
    arrays.mipmapped = memory::find_mipmapped_array(resource.res.mipmap.mipmap);
  return arrays;
}

backend::TextureView to_view(const cudaResourceViewDesc& view) {
  return {view.format,           view.width,           view.height,     view.depth,
          view.firstMipmapLevel, view.lastMipmapLevel, view.firstLayer, view.lastLayer};
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
  texture.reads_elements = description.readMode == 0;
  texture.max_anisotropy = description.maxAnisotropy;
  texture.trilinear_optimization = description.disableTrilinearOptimization == 0;
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
  runtime::TextureResource arrays = arrays_of(*resource);
  if (view) {
    object->view = *view;
    object->has_view = true;
    arrays.view = to_view(*view);
    if (resource->resType == kMipmappedArray)
      cpu::keep_levels(object->texture, view->firstMipmapLevel, view->lastMipmapLevel);
  }
  auto handle = TextureTable::instance().add(std::move(object), arrays);
  if (!handle) return finish(handle.status());
  *out = *handle;
  return kSuccess;
}

Error destroy(unsigned long long handle, bool is_surface) {
  GUDA_ENTER();
  if (handle == 0) return kSuccess;
  runtime::Context::instance().synchronize();
  return TextureTable::instance().remove(handle, is_surface) ? kSuccess : invalid_value();
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

GUDA_API(cudaDestroyTextureObject)(cudaTextureObject_t texture) { return destroy(texture, false); }

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
  auto handle = TextureTable::instance().add(std::move(object), arrays_of(*resource));
  if (!handle) return finish(handle.status());
  *out = *handle;
  return kSuccess;
}

GUDA_API(cudaDestroySurfaceObject)(cudaSurfaceObject_t surface) { return destroy(surface, true); }

GUDA_API(cudaGetSurfaceObjectResourceDesc)(cudaResourceDesc* out, cudaSurfaceObject_t surface) {
  GUDA_ENTER();
  if (!out) return invalid_value();
  const bool found =
      TextureTable::instance().find(surface, true, [&](auto& object) { *out = object.resource; });
  return found ? kSuccess : invalid_value();
}

}  // namespace guda::cudart
