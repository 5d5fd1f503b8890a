// CUDA arrays by driver descriptors.
#include "memory/array.h"

#include "abi/cuda/api.h"
#include "abi/cuda/array_format.h"
#include "runtime/texture.h"

namespace guda::cuda {

using memory::Array;
using memory::ChannelFormat;

namespace {
// cudaChannelFormatKind.
enum Kind : int { kSigned = 0, kUnsigned = 1, kFloat = 2 };
}  // namespace

std::optional<ChannelFormat> channel_format(CUarray_format format, unsigned channels) {
  if (channels != 1 && channels != 2 && channels != 4) return std::nullopt;
  int bits = 0, kind = 0;
  switch (format) {
    case kFormatUnsigned8: bits = 8, kind = kUnsigned; break;
    case kFormatUnsigned16: bits = 16, kind = kUnsigned; break;
    case kFormatUnsigned32: bits = 32, kind = kUnsigned; break;
    case kFormatSigned8: bits = 8, kind = kSigned; break;
    case kFormatSigned16: bits = 16, kind = kSigned; break;
    case kFormatSigned32: bits = 32, kind = kSigned; break;
    case kFormatHalf: bits = 16, kind = kFloat; break;
    case kFormatFloat: bits = 32, kind = kFloat; break;
    default: return std::nullopt;
  }
  ChannelFormat out;
  out.x = bits;
  if (channels >= 2) out.y = bits;
  if (channels == 4) out.z = out.w = bits;
  out.kind = kind;
  return out;
}

CUarray_format format_of(const ChannelFormat& format) {
  switch (format.kind) {
    case kFloat: return format.x == 16 ? kFormatHalf : kFormatFloat;
    case kUnsigned:
      return format.x == 8    ? kFormatUnsigned8
             : format.x == 16 ? kFormatUnsigned16
                              : kFormatUnsigned32;
    default:
      return format.x == 8 ? kFormatSigned8 : format.x == 16 ? kFormatSigned16 : kFormatSigned32;
  }
}
unsigned channels_of(const ChannelFormat& format) { return format.z ? 4 : format.y ? 2 : 1; }

GUDA_CU(cuArray3DCreate_v2)(CUarray* out, const CUDA_ARRAY3D_DESCRIPTOR* descriptor) {
  GUDA_CU_ENTER();
  if (!out || !descriptor) return kInvalidValue;
  auto format = channel_format(descriptor->Format, descriptor->NumChannels);
  if (!format) return kInvalidValue;
  auto array = memory::create_array(*format, descriptor->Width, descriptor->Height,
                                    descriptor->Depth, descriptor->Flags);
  if (!array) return finish(array.status());
  *out = *array;
  return kSuccess;
}

GUDA_CU(cuArrayCreate_v2)(CUarray* out, const CUDA_ARRAY_DESCRIPTOR* descriptor) {
  if (!descriptor) return kInvalidValue;
  CUDA_ARRAY3D_DESCRIPTOR same{descriptor->Width,  descriptor->Height,      0,
                               descriptor->Format, descriptor->NumChannels, 0};
  return guda_cuda_cuArray3DCreate_v2(out, &same);
}

GUDA_CU(cuArray3DGetDescriptor_v2)(CUDA_ARRAY3D_DESCRIPTOR* out, CUarray handle) {
  GUDA_CU_ENTER();
  Array* array = memory::find_array(handle);
  if (!array) return kInvalidHandle;
  if (!out) return kInvalidValue;
  *out = {array->width,
          array->height,
          array->depth,
          format_of(array->format),
          channels_of(array->format),
          array->flags};
  return kSuccess;
}

GUDA_CU(cuArrayGetDescriptor_v2)(CUDA_ARRAY_DESCRIPTOR* out, CUarray handle) {
  GUDA_CU_ENTER();
  Array* array = memory::find_array(handle);
  if (!array) return kInvalidHandle;
  if (!out) return kInvalidValue;
  *out = {array->width, array->height, format_of(array->format), channels_of(array->format)};
  return kSuccess;
}

GUDA_CU(cuArrayDestroy)(CUarray handle) {
  GUDA_CU_ENTER();
  Array* array = memory::find_array(handle);
  if (!array) return kInvalidHandle;
  return finish(runtime::free_array(array));
}

GUDA_CU(cuMipmappedArrayCreate)(CUmipmappedArray* out, const CUDA_ARRAY3D_DESCRIPTOR* descriptor,
                                unsigned levels) {
  GUDA_CU_ENTER();
  if (!out || !descriptor) return kInvalidValue;
  auto format = channel_format(descriptor->Format, descriptor->NumChannels);
  if (!format) return kInvalidValue;
  auto array = memory::create_mipmapped_array(*format, descriptor->Width, descriptor->Height,
                                              descriptor->Depth, levels, descriptor->Flags);
  if (!array) return finish(array.status());
  *out = *array;
  return kSuccess;
}

GUDA_CU(cuMipmappedArrayGetLevel)(CUarray* out, CUmipmappedArray handle, unsigned level) {
  GUDA_CU_ENTER();
  auto* array = memory::find_mipmapped_array(handle);
  if (!array) return kInvalidHandle;
  if (!out || level >= array->levels.size()) return kInvalidValue;
  *out = array->levels[level].get();
  return kSuccess;
}

GUDA_CU(cuMipmappedArrayDestroy)(CUmipmappedArray handle) {
  GUDA_CU_ENTER();
  auto* array = memory::find_mipmapped_array(handle);
  if (!array) return kInvalidHandle;
  return finish(runtime::free_array(array));
}

}  // namespace guda::cuda
