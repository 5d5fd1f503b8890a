// Texture and surface objects: the runtime API's, with descriptors translated.
#include <cstring>
#include <optional>

#include "abi/cuda/api.h"
#include "abi/cuda/array_format.h"
#include "abi/cudart/types.h"

namespace guda::cuda {

using cudart::cudaChannelFormatDesc;
using cudart::cudaResourceDesc;
using cudart::cudaResourceViewDesc;
using cudart::cudaTextureDesc;

// The runtime API's part.
extern "C" {
Error guda_cudart_cudaCreateTextureObject(CUtexObject*, const cudaResourceDesc*,
                                          const cudaTextureDesc*, const cudaResourceViewDesc*);
Error guda_cudart_cudaGetTextureObjectResourceDesc(cudaResourceDesc*, CUtexObject);
Error guda_cudart_cudaGetTextureObjectTextureDesc(cudaTextureDesc*, CUtexObject);
Error guda_cudart_cudaGetTextureObjectResourceViewDesc(cudaResourceViewDesc*, CUtexObject);
Error guda_cudart_cudaCreateSurfaceObject(CUsurfObject*, const cudaResourceDesc*);
Error guda_cudart_cudaGetSurfaceObjectResourceDesc(cudaResourceDesc*, CUsurfObject);
}

namespace {

enum ReadMode : int { kElementType = 0, kNormalizedFloat = 1 };

bool to_runtime(const CUDA_RESOURCE_DESC& from, cudaResourceDesc& to) {
  to = {};
  to.resType = from.resType;
  to.flags = from.flags;
  const auto describe = [](CUarray_format format, unsigned channels, cudaChannelFormatDesc& out) {
    const auto known = channel_format(format, channels);
    if (known) out = {known->x, known->y, known->z, known->w, known->kind};
    return known.has_value();
  };
  switch (from.resType) {
    case kResourceArray: to.res.array.array = from.res.array.hArray; return true;
    case kResourceMipmappedArray:
      to.res.mipmap.mipmap = from.res.mipmap.hMipmappedArray;
      return true;
    case kResourceLinear: {
      const auto& linear = from.res.linear;
      to.res.linear.devPtr = pointer_of(linear.devPtr);
      to.res.linear.sizeInBytes = linear.sizeInBytes;
      return describe(linear.format, linear.numChannels, to.res.linear.desc);
    }
    case kResourcePitch2D: {
      const auto& pitched = from.res.pitch2D;
      to.res.pitch2D.devPtr = pointer_of(pitched.devPtr);
      to.res.pitch2D.width = pitched.width;
      to.res.pitch2D.height = pitched.height;
      to.res.pitch2D.pitchInBytes = pitched.pitchInBytes;
      return describe(pitched.format, pitched.numChannels, to.res.pitch2D.desc);
    }
  }
  return false;
}

void from_runtime(const cudaResourceDesc& from, CUDA_RESOURCE_DESC& to) {
  std::memset(static_cast<void*>(&to), 0, sizeof to);
  to.resType = static_cast<CUresourcetype>(from.resType);
  to.flags = from.flags;
  const auto format = [](const cudaChannelFormatDesc& desc) {
    return memory::ChannelFormat{desc.x, desc.y, desc.z, desc.w, desc.f};
  };
  switch (to.resType) {
    case kResourceArray: to.res.array.hArray = from.res.array.array; break;
    case kResourceMipmappedArray: to.res.mipmap.hMipmappedArray = from.res.mipmap.mipmap; break;
    case kResourceLinear: {
      const auto& linear = from.res.linear;
      const auto channels = format(linear.desc);
      to.res.linear = {address_of(linear.devPtr), format_of(channels), channels_of(channels),
                       linear.sizeInBytes};
      break;
    }
    case kResourcePitch2D: {
      const auto& pitched = from.res.pitch2D;
      const auto channels = format(pitched.desc);
      to.res.pitch2D = {address_of(pitched.devPtr),
                        format_of(channels),
                        channels_of(channels),
                        pitched.width,
                        pitched.height,
                        pitched.pitchInBytes};
      break;
    }
  }
}

/// Element type of the texture; nothing for arrays that are not alive.
std::optional<CUarray_format> element_format(const cudaResourceDesc& resource) {
  const auto of = [](const cudaChannelFormatDesc& desc) {
    return format_of({desc.x, desc.y, desc.z, desc.w, desc.f});
  };
  switch (resource.resType) {
    case kResourceArray:
      if (const auto* array = memory::find_array(resource.res.array.array)) {
        return format_of(array->format);
      }
      return std::nullopt;
    case kResourceMipmappedArray:
      if (const auto* array = memory::find_mipmapped_array(resource.res.mipmap.mipmap)) {
        return format_of(array->levels.front()->format);
      }
      return std::nullopt;
    case kResourceLinear: return of(resource.res.linear.desc);
    default: return of(resource.res.pitch2D.desc);
  }
}

cudaTextureDesc to_runtime(const CUDA_TEXTURE_DESC& from, CUarray_format element) {
  const bool is_float = element == kFormatHalf || element == kFormatFloat;
  const bool is_wide_integer = element == kFormatUnsigned32 || element == kFormatSigned32;
  cudaTextureDesc to{};
  for (int i = 0; i < 3; ++i) to.addressMode[i] = from.addressMode[i];
  for (int i = 0; i < 4; ++i) to.borderColor[i] = from.borderColor[i];
  to.readMode = is_wide_integer || (from.flags & kTextureReadAsInteger) != 0 ? kElementType
                                                                             : kNormalizedFloat;
  // Integers cannot be filtered; asking for it is an error of the runtime API only.
  to.filterMode = is_float || to.readMode == kNormalizedFloat ? from.filterMode : 0;
  to.sRGB = (from.flags & kTextureSrgb) != 0;
  to.normalizedCoords = (from.flags & kTextureNormalizedCoordinates) != 0;
  to.disableTrilinearOptimization = (from.flags & kTextureNoTrilinearOptimization) != 0;
  to.seamlessCubemap = (from.flags & kTextureSeamlessCubemap) != 0;
  to.maxAnisotropy = from.maxAnisotropy;
  to.mipmapFilterMode = from.mipmapFilterMode;
  to.mipmapLevelBias = from.mipmapLevelBias;
  to.minMipmapLevelClamp = from.minMipmapLevelClamp;
  to.maxMipmapLevelClamp = from.maxMipmapLevelClamp;
  return to;
}

void from_runtime(const cudaTextureDesc& from, CUDA_TEXTURE_DESC& to) {
  to = {};
  for (int i = 0; i < 3; ++i) to.addressMode[i] = from.addressMode[i];
  for (int i = 0; i < 4; ++i) to.borderColor[i] = from.borderColor[i];
  to.filterMode = from.filterMode;
  to.flags = (from.readMode == kElementType ? kTextureReadAsInteger : 0u) |
             (from.normalizedCoords ? kTextureNormalizedCoordinates : 0u) |
             (from.sRGB ? kTextureSrgb : 0u) |
             (from.disableTrilinearOptimization ? kTextureNoTrilinearOptimization : 0u) |
             (from.seamlessCubemap ? kTextureSeamlessCubemap : 0u);
  to.maxAnisotropy = from.maxAnisotropy;
  to.mipmapFilterMode = from.mipmapFilterMode;
  to.mipmapLevelBias = from.mipmapLevelBias;
  to.minMipmapLevelClamp = from.minMipmapLevelClamp;
  to.maxMipmapLevelClamp = from.maxMipmapLevelClamp;
}

Error resource_of(CUDA_RESOURCE_DESC* out, unsigned long long object,
                  Error (*get)(cudaResourceDesc*, unsigned long long)) {
  if (!out) return kInvalidValue;
  cudaResourceDesc resource{};
  const Error error = shared([&] { return get(&resource, object); });
  if (!error) from_runtime(resource, *out);
  return error;
}

}  // namespace

GUDA_CU(cuTexObjectCreate)(CUtexObject* out, const CUDA_RESOURCE_DESC* resource,
                           const CUDA_TEXTURE_DESC* description, const cudaResourceViewDesc* view) {
  GUDA_CU_ENTER();
  cudaResourceDesc runtime_resource;
  if (!out || !resource || !description || !to_runtime(*resource, runtime_resource)) {
    return kInvalidValue;
  }
  const auto element = element_format(runtime_resource);
  if (!element) return kInvalidHandle;
  const cudaTextureDesc runtime_description = to_runtime(*description, *element);
  return without_runtime_state([&] {
    return guda_cudart_cudaCreateTextureObject(out, &runtime_resource, &runtime_description, view);
  });
}

GUDA_CU_SHARED(cuTexObjectDestroy, cudaDestroyTextureObject, (CUtexObject texture), (texture))

GUDA_CU(cuTexObjectGetResourceDesc)(CUDA_RESOURCE_DESC* out, CUtexObject texture) {
  return resource_of(out, texture, guda_cudart_cudaGetTextureObjectResourceDesc);
}

GUDA_CU(cuTexObjectGetTextureDesc)(CUDA_TEXTURE_DESC* out, CUtexObject texture) {
  if (!out) return kInvalidValue;
  cudaTextureDesc description{};
  const Error error =
      shared([&] { return guda_cudart_cudaGetTextureObjectTextureDesc(&description, texture); });
  if (!error) from_runtime(description, *out);
  return error;
}

GUDA_CU(cuTexObjectGetResourceViewDesc)(cudaResourceViewDesc* out, CUtexObject texture) {
  if (!out) return kInvalidValue;
  // A texture without a view has an empty one here; for the runtime API that is an error.
  cudaResourceDesc resource{};
  const Error error =
      shared([&] { return guda_cudart_cudaGetTextureObjectResourceDesc(&resource, texture); });
  if (error) return error;
  *out = {};
  shared([&] { return guda_cudart_cudaGetTextureObjectResourceViewDesc(out, texture); });
  return kSuccess;
}

GUDA_CU(cuSurfObjectCreate)(CUsurfObject* out, const CUDA_RESOURCE_DESC* resource) {
  GUDA_CU_ENTER();
  cudaResourceDesc runtime_resource;
  if (!out || !resource || !to_runtime(*resource, runtime_resource)) return kInvalidValue;
  return without_runtime_state(
      [&] { return guda_cudart_cudaCreateSurfaceObject(out, &runtime_resource); });
}

GUDA_CU_SHARED(cuSurfObjectDestroy, cudaDestroySurfaceObject, (CUsurfObject surface), (surface))

GUDA_CU(cuSurfObjectGetResourceDesc)(CUDA_RESOURCE_DESC* out, CUsurfObject surface) {
  return resource_of(out, surface, guda_cudart_cudaGetSurfaceObjectResourceDesc);
}

}  // namespace guda::cuda
