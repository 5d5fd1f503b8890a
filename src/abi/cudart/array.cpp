// CUDA arrays and channel formats.
#include "memory/array.h"

#include "abi/cudart/api.h"
#include "runtime/texture.h"

#include <cstring>

namespace guda::cudart {
namespace {

memory::ChannelFormat to_format(const cudaChannelFormatDesc& desc) {
  return {desc.x, desc.y, desc.z, desc.w, desc.f};
}
cudaChannelFormatDesc to_desc(const memory::ChannelFormat& format) {
  return {format.x, format.y, format.z, format.w, format.kind};
}

Error create(cudaArray_t* out, const cudaChannelFormatDesc* desc, cudaExtent extent,
             unsigned flags) {
  GUDA_ENTER();
  if (!out || !desc) return invalid_value();
  auto array =
      memory::create_array(to_format(*desc), extent.width, extent.height, extent.depth, flags);
  if (!array) return finish(array.status());
  *out = *array;
  return kSuccess;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) cudaChannelFormatDesc
guda_cudart_cudaCreateChannelDesc(int x, int y, int z, int w, int kind) {
  return {x, y, z, w, kind};  // GUDA_API(cudaCreateChannelDesc)
}

GUDA_API(cudaMallocArray)(cudaArray_t* out, const cudaChannelFormatDesc* desc, size_t width,
                          size_t height, unsigned flags) {
  return create(out, desc, {width, height, 0}, flags);
}

GUDA_API(cudaMalloc3DArray)(cudaArray_t* out, const cudaChannelFormatDesc* desc, cudaExtent extent,
                            unsigned flags) {
  return create(out, desc, extent, flags);
}

GUDA_API(cudaFreeArray)(cudaArray_t array) {
  GUDA_ENTER();
  if (!array) return kSuccess;
  return finish(runtime::free_array(static_cast<memory::Array*>(array)));
}

GUDA_API(cudaMallocMipmappedArray)(cudaMipmappedArray_t* out, const cudaChannelFormatDesc* desc,
                                   cudaExtent extent, unsigned levels, unsigned flags) {
  GUDA_ENTER();
  if (!out || !desc) return invalid_value();
  auto array = memory::create_mipmapped_array(to_format(*desc), extent.width, extent.height,
                                              extent.depth, levels, flags);
  if (!array) return finish(array.status());
  *out = *array;
  return kSuccess;
}

GUDA_API(cudaGetMipmappedArrayLevel)(cudaArray_t* out, cudaMipmappedArray_t handle,
                                     unsigned level) {
  GUDA_ENTER();
  auto* array = memory::find_mipmapped_array(handle);
  if (!out || !array || level >= array->levels.size()) return invalid_value();
  *out = array->levels[level].get();
  return kSuccess;
}

GUDA_API(cudaFreeMipmappedArray)(cudaMipmappedArray_t array) {
  GUDA_ENTER();
  if (!array) return kSuccess;
  return finish(runtime::free_array(static_cast<memory::MipmappedArray*>(array)));
}

GUDA_API(cudaArrayGetInfo)(cudaChannelFormatDesc* desc, cudaExtent* extent, unsigned* flags,
                           cudaArray_t handle) {
  GUDA_ENTER();
  auto* array = memory::find_array(handle);
  if (!array) return invalid_value();
  if (desc) *desc = to_desc(array->format);
  if (extent) *extent = {array->width, array->height, array->depth};
  if (flags) *flags = array->flags;
  return kSuccess;
}

GUDA_API(cudaGetChannelDesc)(cudaChannelFormatDesc* desc, cudaArray_t handle) {
  GUDA_ENTER();
  auto* array = memory::find_array(handle);
  if (!desc || !array) return invalid_value();
  *desc = to_desc(array->format);
  return kSuccess;
}

}  // namespace guda::cudart
