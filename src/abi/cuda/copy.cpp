// Copies and fills.
#include "abi/cuda/copy.h"

#include "abi/cuda/api.h"
#include "abi/cudart/types.h"
#include "backends/cpu/executor.h"
#include "memory/array.h"

namespace guda::cuda {
namespace {

using runtime::CopyKind;
using runtime::CopyShape;
using runtime::CopySide;
using runtime::Stream;

enum class Wait { yes, no };

CopySide linear(const void* pointer, size_t width) {
  return {static_cast<std::byte*>(const_cast<void*>(pointer)), width, width};
}
CopySide linear(CUdeviceptr address, size_t width) { return linear(pointer_of(address), width); }

/// After a synchronous call, kernels' printf output is visible and errors are known.
Error after_wait(Wait wait) {
  if (wait == Wait::no) return kSuccess;
  cpu::flush_printf();
  return runtime::Context::instance().sticky_error();
}

Error copy(void* handle, bool per_thread, CopySide to, CopySide from, CopyShape shape,
           CopyKind kind, Wait wait) {
  Stream* stream = runtime::StreamTable::instance().find(handle, per_thread);
  if (!stream) return kInvalidHandle;
  Status status = runtime::copy(*stream, to, from, shape, kind, wait == Wait::no);
  return status ? after_wait(wait) : finish(status);
}

template <typename To, typename From>
Error copy_linear(void* handle, bool per_thread, To to, From from, size_t count, CopyKind kind,
                  Wait wait) {
  GUDA_CU_ENTER();
  return copy(handle, per_thread, linear(to, count), linear(from, count), {count, 1, 1}, kind,
              wait);
}

Error fill(void* handle, bool per_thread, CUdeviceptr to, size_t pitch, CopyShape shape,
           uint32_t value, uint32_t element, Wait wait) {
  GUDA_CU_ENTER();
  Stream* stream = runtime::StreamTable::instance().find(handle, per_thread);
  if (!stream) return kInvalidHandle;
  if (to % element != 0 || (shape.height > 1 && pitch % element != 0)) return kInvalidValue;
  CopySide side{static_cast<std::byte*>(pointer_of(to)), pitch, pitch * shape.height};
  Status status = runtime::fill(*stream, side, shape, value, element, wait == Wait::no);
  return status ? after_wait(wait) : finish(status);
}

/// Part of an array: x in bytes, y and z in rows and slices. Empty when it does not fit.
std::optional<CopySide> array_side(CUarray handle, size_t x, size_t y, size_t z,
                                   const CopyShape& shape) {
  memory::Array* array = memory::find_array(handle);
  if (!array) return std::nullopt;
  size_t row = array->width * array->format.element_bytes();
  if (x > row || shape.width > row - x || y + shape.height > array->rows() ||
      z + shape.depth > array->slices()) {
    return std::nullopt;
  }
  return CopySide{array->data + z * array->slice + y * array->pitch + x, array->pitch,
                  array->slice};
}

struct Operand {
  CUmemorytype type;
  const void* host;
  CUdeviceptr device;
  CUarray array;
  size_t x, y, z, pitch, height;
};

std::optional<CopySide> side_of(const Operand& operand, const CopyShape& shape) {
  std::byte* start = nullptr;
  switch (operand.type) {
    case kMemoryArray: return array_side(operand.array, operand.x, operand.y, operand.z, shape);
    case kMemoryHost: start = static_cast<std::byte*>(const_cast<void*>(operand.host)); break;
    case kMemoryDevice:
    case kMemoryUnified: start = static_cast<std::byte*>(pointer_of(operand.device)); break;
    default: return std::nullopt;
  }
  // Tight rows and slices when none are given.
  size_t pitch = operand.pitch ? operand.pitch : shape.width + operand.x;
  size_t rows = operand.height ? operand.height : shape.height + operand.y;
  if (!start || pitch < shape.width + operand.x) return std::nullopt;
  return CopySide{start + (operand.z * rows + operand.y) * pitch + operand.x, pitch, pitch * rows};
}

Error copy_3d(void* handle, bool per_thread, const CUDA_MEMCPY3D* parameters, Wait wait) {
  GUDA_CU_ENTER();
  if (!parameters) return kInvalidValue;
  auto box = resolve_copy(*parameters);
  if (!box) return kInvalidValue;
  if (box->shape.bytes() == 0) return kSuccess;
  return copy(handle, per_thread, box->to, box->from, box->shape, box->kind, wait);
}

Error copy_2d(void* handle, bool per_thread, const CUDA_MEMCPY2D* parameters, Wait wait) {
  if (!parameters) return kInvalidValue;
  CUDA_MEMCPY3D same = in_three_dimensions(*parameters);
  return copy_3d(handle, per_thread, &same, wait);
}

/// One-dimensional copies to and from arrays: within the first row.
Error copy_array(void* handle, bool per_thread, CUarray array, size_t offset, const void* memory,
                 size_t count, bool to_array, Wait wait) {
  GUDA_CU_ENTER();
  CopyShape shape{count, 1, 1};
  auto side = array_side(array, offset, 0, 0, shape);
  if (!side || !memory) return kInvalidValue;
  CopySide other = linear(memory, count);
  return copy(handle, per_thread, to_array ? *side : other, to_array ? other : *side, shape,
              CopyKind::unspecified, wait);
}

}  // namespace

std::optional<Box> resolve_copy(const CUDA_MEMCPY3D& p) {
  Box box;
  box.shape = {p.WidthInBytes, p.Height, p.Depth};
  if (box.shape.bytes() == 0) return box;
  auto from = side_of({p.srcMemoryType, p.srcHost, p.srcDevice, p.srcArray, p.srcXInBytes, p.srcY,
                       p.srcZ, p.srcPitch, p.srcHeight},
                      box.shape);
  auto to = side_of({p.dstMemoryType, p.dstHost, p.dstDevice, p.dstArray, p.dstXInBytes, p.dstY,
                     p.dstZ, p.dstPitch, p.dstHeight},
                    box.shape);
  if (!from || !to) return std::nullopt;
  auto is_host = [](CUmemorytype type) { return type == kMemoryHost; };
  auto unknown = [](CUmemorytype type) { return type == kMemoryUnified || type == kMemoryArray; };
  if (!unknown(p.srcMemoryType) && !unknown(p.dstMemoryType)) {
    box.kind =
        is_host(p.srcMemoryType)
            ? (is_host(p.dstMemoryType) ? CopyKind::host_to_host : CopyKind::host_to_device)
            : (is_host(p.dstMemoryType) ? CopyKind::device_to_host : CopyKind::device_to_device);
  }
  box.from = *from;
  box.to = *to;
  return box;
}

CUDA_MEMCPY3D in_three_dimensions(const CUDA_MEMCPY2D& p) {
  CUDA_MEMCPY3D out{};
  out.srcXInBytes = p.srcXInBytes;
  out.srcY = p.srcY;
  out.srcMemoryType = p.srcMemoryType;
  out.srcHost = p.srcHost;
  out.srcDevice = p.srcDevice;
  out.srcArray = p.srcArray;
  out.srcPitch = p.srcPitch;
  out.dstXInBytes = p.dstXInBytes;
  out.dstY = p.dstY;
  out.dstMemoryType = p.dstMemoryType;
  out.dstHost = p.dstHost;
  out.dstDevice = p.dstDevice;
  out.dstArray = p.dstArray;
  out.dstPitch = p.dstPitch;
  out.WidthInBytes = p.WidthInBytes;
  out.Height = p.Height;
  out.Depth = 1;
  return out;
}

// Linear -----------------------------------------------------------------------------------------------

GUDA_CU_PTDS(cuMemcpy, (CUdeviceptr to, CUdeviceptr from, size_t count), (to, from, count)) {
  return copy_linear(nullptr, kPerThread, to, from, count, CopyKind::unspecified, Wait::yes);
}
GUDA_CU_PTSZ(cuMemcpyAsync, (CUdeviceptr to, CUdeviceptr from, size_t count, CUstream stream),
             (to, from, count, stream)) {
  return copy_linear(stream, kPerThread, to, from, count, CopyKind::unspecified, Wait::no);
}
GUDA_CU_PTDS(cuMemcpyHtoD_v2, (CUdeviceptr to, const void* from, size_t count), (to, from, count)) {
  return copy_linear(nullptr, kPerThread, to, from, count, CopyKind::host_to_device, Wait::yes);
}
GUDA_CU_PTSZ(cuMemcpyHtoDAsync_v2,
             (CUdeviceptr to, const void* from, size_t count, CUstream stream),
             (to, from, count, stream)) {
  return copy_linear(stream, kPerThread, to, from, count, CopyKind::host_to_device, Wait::no);
}
GUDA_CU_PTDS(cuMemcpyDtoH_v2, (void* to, CUdeviceptr from, size_t count), (to, from, count)) {
  return copy_linear(nullptr, kPerThread, to, from, count, CopyKind::device_to_host, Wait::yes);
}
GUDA_CU_PTSZ(cuMemcpyDtoHAsync_v2, (void* to, CUdeviceptr from, size_t count, CUstream stream),
             (to, from, count, stream)) {
  return copy_linear(stream, kPerThread, to, from, count, CopyKind::device_to_host, Wait::no);
}
GUDA_CU_PTDS(cuMemcpyDtoD_v2, (CUdeviceptr to, CUdeviceptr from, size_t count), (to, from, count)) {
  return copy_linear(nullptr, kPerThread, to, from, count, CopyKind::device_to_device, Wait::yes);
}
GUDA_CU_PTSZ(cuMemcpyDtoDAsync_v2,
             (CUdeviceptr to, CUdeviceptr from, size_t count, CUstream stream),
             (to, from, count, stream)) {
  return copy_linear(stream, kPerThread, to, from, count, CopyKind::device_to_device, Wait::no);
}
GUDA_CU_PTDS(cuMemcpyPeer,
             (CUdeviceptr to, void* to_context, CUdeviceptr from, void* from_context, size_t count),
             (to, to_context, from, from_context, count)) {
  if (!find_context(to_context) || !find_context(from_context)) return kInvalidContext;
  return copy_linear(nullptr, kPerThread, to, from, count, CopyKind::device_to_device, Wait::yes);
}
GUDA_CU_PTSZ(cuMemcpyPeerAsync,
             (CUdeviceptr to, void* to_context, CUdeviceptr from, void* from_context, size_t count,
              CUstream stream),
             (to, to_context, from, from_context, count, stream)) {
  if (!find_context(to_context) || !find_context(from_context)) return kInvalidContext;
  return copy_linear(stream, kPerThread, to, from, count, CopyKind::device_to_device, Wait::no);
}

// Pitched and three-dimensional ------------------------------------------------------------------------

GUDA_CU_PTDS(cuMemcpy2D_v2, (const CUDA_MEMCPY2D* p), (p)) {
  return copy_2d(nullptr, kPerThread, p, Wait::yes);
}
GUDA_CU_PTSZ(cuMemcpy2DAsync_v2, (const CUDA_MEMCPY2D* p, CUstream stream), (p, stream)) {
  return copy_2d(stream, kPerThread, p, Wait::no);
}
GUDA_CU_PTDS(cuMemcpy3D_v2, (const CUDA_MEMCPY3D* p), (p)) {
  return copy_3d(nullptr, kPerThread, p, Wait::yes);
}
GUDA_CU_PTSZ(cuMemcpy3DAsync_v2, (const CUDA_MEMCPY3D* p, CUstream stream), (p, stream)) {
  return copy_3d(stream, kPerThread, p, Wait::no);
}
GUDA_CU_PTDS(cuMemcpy3DPeer, (const CUDA_MEMCPY3D* p), (p)) {
  return copy_3d(nullptr, kPerThread, p, Wait::yes);
}
GUDA_CU_PTSZ(cuMemcpy3DPeerAsync, (const CUDA_MEMCPY3D* p, CUstream stream), (p, stream)) {
  return copy_3d(stream, kPerThread, p, Wait::no);
}

// Arrays -----------------------------------------------------------------------------------------------

GUDA_CU_PTDS(cuMemcpyDtoA_v2, (CUarray to, size_t offset, CUdeviceptr from, size_t count),
             (to, offset, from, count)) {
  return copy_array(nullptr, kPerThread, to, offset, pointer_of(from), count, true, Wait::yes);
}
GUDA_CU_PTDS(cuMemcpyAtoD_v2, (CUdeviceptr to, CUarray from, size_t offset, size_t count),
             (to, from, offset, count)) {
  return copy_array(nullptr, kPerThread, from, offset, pointer_of(to), count, false, Wait::yes);
}
GUDA_CU_PTDS(cuMemcpyHtoA_v2, (CUarray to, size_t offset, const void* from, size_t count),
             (to, offset, from, count)) {
  return copy_array(nullptr, kPerThread, to, offset, from, count, true, Wait::yes);
}
GUDA_CU_PTDS(cuMemcpyAtoH_v2, (void* to, CUarray from, size_t offset, size_t count),
             (to, from, offset, count)) {
  return copy_array(nullptr, kPerThread, from, offset, to, count, false, Wait::yes);
}
GUDA_CU_PTSZ(cuMemcpyHtoAAsync_v2,
             (CUarray to, size_t offset, const void* from, size_t count, CUstream stream),
             (to, offset, from, count, stream)) {
  return copy_array(stream, kPerThread, to, offset, from, count, true, Wait::no);
}
GUDA_CU_PTSZ(cuMemcpyAtoHAsync_v2,
             (void* to, CUarray from, size_t offset, size_t count, CUstream stream),
             (to, from, offset, count, stream)) {
  return copy_array(stream, kPerThread, from, offset, to, count, false, Wait::no);
}
GUDA_CU_PTDS(cuMemcpyAtoA_v2,
             (CUarray to, size_t to_offset, CUarray from, size_t from_offset, size_t count),
             (to, to_offset, from, from_offset, count)) {
  auto source = array_side(from, from_offset, 0, 0, {count, 1, 1});
  if (!source) return kInvalidValue;
  return copy_array(nullptr, kPerThread, to, to_offset, source->start, count, true, Wait::yes);
}

// Batches: structures are those of the runtime API -----------------------------------------------------

GUDA_CU_SHARED_PTSZ(cuMemcpyBatchAsync_v2, cudaMemcpyBatchAsync,
                    (const void** to, const void** from, const size_t* sizes, size_t count,
                     cudart::cudaMemcpyAttributes* attributes, size_t* indices,
                     size_t attribute_count, CUstream stream),
                    (to, from, sizes, count, attributes, indices, attribute_count, stream))
GUDA_CU_SHARED_PTSZ(cuMemcpyBatchAsync, cudaMemcpyBatchAsync_v1,
                    (void** to, void** from, size_t* sizes, size_t count,
                     cudart::cudaMemcpyAttributes* attributes, size_t* indices,
                     size_t attribute_count, size_t* failed, CUstream stream),
                    (to, from, sizes, count, attributes, indices, attribute_count, failed, stream))
GUDA_CU_SHARED_PTSZ(cuMemcpy3DBatchAsync_v2, cudaMemcpy3DBatchAsync,
                    (size_t count, cudart::cudaMemcpy3DBatchOp* operations,
                     unsigned long long flags, CUstream stream),
                    (count, operations, flags, stream))
GUDA_CU_SHARED_PTSZ(cuMemcpy3DBatchAsync, cudaMemcpy3DBatchAsync_v1,
                    (size_t count, cudart::cudaMemcpy3DBatchOp* operations, size_t* failed,
                     unsigned long long flags, CUstream stream),
                    (count, operations, failed, flags, stream))

// Fills ------------------------------------------------------------------------------------------------

#define FILL(bits, type)                                                                        \
  GUDA_CU_PTDS(cuMemsetD##bits##_v2, (CUdeviceptr to, type value, size_t count),                \
               (to, value, count)) {                                                            \
    size_t width = count * sizeof(type);                                                        \
    return fill(nullptr, kPerThread, to, width, {width, 1, 1}, value, sizeof(type), Wait::yes); \
  }                                                                                             \
  GUDA_CU_PTSZ(cuMemsetD##bits##Async,                                                          \
               (CUdeviceptr to, type value, size_t count, CUstream stream),                     \
               (to, value, count, stream)) {                                                    \
    size_t width = count * sizeof(type);                                                        \
    return fill(stream, kPerThread, to, width, {width, 1, 1}, value, sizeof(type), Wait::no);   \
  }                                                                                             \
  GUDA_CU_PTDS(cuMemsetD2D##bits##_v2,                                                          \
               (CUdeviceptr to, size_t pitch, type value, size_t width, size_t height),         \
               (to, pitch, value, width, height)) {                                             \
    return fill(nullptr, kPerThread, to, pitch, {width * sizeof(type), height, 1}, value,       \
                sizeof(type), Wait::yes);                                                       \
  }                                                                                             \
  GUDA_CU_PTSZ(                                                                                 \
      cuMemsetD2D##bits##Async,                                                                 \
      (CUdeviceptr to, size_t pitch, type value, size_t width, size_t height, CUstream stream), \
      (to, pitch, value, width, height, stream)) {                                              \
    return fill(stream, kPerThread, to, pitch, {width * sizeof(type), height, 1}, value,        \
                sizeof(type), Wait::no);                                                        \
  }
FILL(8, uint8_t)
FILL(16, uint16_t)
FILL(32, uint32_t)
#undef FILL

}  // namespace guda::cuda
