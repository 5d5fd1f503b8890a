// Allocation: device, pinned, managed, pitched; pointer queries; symbols.
#include "abi/cudart/api.h"
#include "memory/heap.h"
#include "memory/pool.h"
#include "runtime/device.h"
#include "runtime/managed_hints.h"
#include "runtime/registry.h"

#include <cstring>

namespace guda::cudart {
namespace {

using memory::AllocationKind;
using memory::Heap;
using memory::kind_bit;

constexpr size_t kPitchAlignment = 512;

size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

Error allocate(void** pointer, size_t size, AllocationKind kind, unsigned flags) {
  GUDA_ENTER();
  if (!pointer) return invalid_value();
  if (size == 0) {
    *pointer = nullptr;
    return kSuccess;
  }
  auto memory = Heap::instance().allocate(size, kind, flags);
  if (!memory) return finish(memory.status());
  *pointer = *memory;
  return kSuccess;
}

Error release(void* pointer, uint32_t kinds) {
  GUDA_ENTER();
  if (!pointer) return kSuccess;
  // As CUDA: freeing waits for work that may still use the memory.
  if (Error error = runtime::Context::instance().synchronize()) return fail(error);
  return finish(Heap::instance().release(pointer, kinds));
}

Error allocate_pitched(void** pointer, size_t* pitch, size_t width, size_t rows) {
  if (!pointer || !pitch) return invalid_value();
  *pitch = round_up(width, kPitchAlignment);
  return allocate(pointer, *pitch * rows, AllocationKind::device, 0);
}

/// Generations before 13 have a shorter struct, whose end the caller's memory may be.
Error pointer_attributes(cudaPointerAttributes* out, const void* pointer, size_t size) {
  GUDA_ENTER();
  if (!out) return invalid_value();
  cudaPointerAttributes attributes{};
  attributes.type = cudaMemoryTypeUnregistered;
  attributes.device = -2;  // cudaInvalidDeviceId
  if (auto found = Heap::instance().find(pointer)) {
    void* address = const_cast<void*>(pointer);
    attributes.device = 0;
    attributes.devicePointer = address;
    switch (found->kind) {
      case AllocationKind::host:
      case AllocationKind::registered:
        attributes.type = cudaMemoryTypeHost;
        attributes.hostPointer = address;
        break;
      case AllocationKind::managed:
        attributes.type = cudaMemoryTypeManaged;
        attributes.hostPointer = address;
        break;
      default: attributes.type = cudaMemoryTypeDevice; break;
    }
  } else if (pointer) {
    attributes.hostPointer = const_cast<void*>(pointer);
  }
  std::memcpy(out, &attributes, size);
  return kSuccess;
}

}  // namespace

GUDA_API(cudaMalloc)(void** pointer, size_t size) {
  return allocate(pointer, size, AllocationKind::device, 0);
}

GUDA_API(cudaFree)(void* pointer) {
  if (auto found = pointer ? Heap::instance().find(pointer) : std::nullopt;
      found && found->kind == AllocationKind::pool && found->base == pointer) {
    GUDA_ENTER();
    if (Error error = runtime::Context::instance().synchronize()) return fail(error);
    // Without an owner it belongs to a graph, which frees it.
    return found->owner ? finish(static_cast<memory::MemoryPool*>(found->owner)->give_back(pointer))
                        : kSuccess;
  }
  return release(pointer, kind_bit(AllocationKind::device) | kind_bit(AllocationKind::managed));
}

GUDA_API(cudaMallocPitch)(void** pointer, size_t* pitch, size_t width, size_t height) {
  return allocate_pitched(pointer, pitch, width, height);
}

GUDA_API(cudaMalloc3D)(cudaPitchedPtr* out, cudaExtent extent) {
  if (!out) return invalid_value();
  out->xsize = extent.width;
  out->ysize = extent.height;
  return allocate_pitched(&out->ptr, &out->pitch, extent.width, extent.height * extent.depth);
}

GUDA_API(cudaMallocHost)(void** pointer, size_t size) {
  return allocate(pointer, size, AllocationKind::host, 0);
}

GUDA_API(cudaHostAlloc)(void** pointer, size_t size, unsigned flags) {
  if (flags & ~7u) return invalid_value();
  return allocate(pointer, size, AllocationKind::host, flags);
}

GUDA_API(cudaFreeHost)(void* pointer) { return release(pointer, kind_bit(AllocationKind::host)); }

GUDA_API(cudaHostRegister)(void* pointer, size_t size, unsigned flags) {
  GUDA_ENTER();
  if (flags & ~15u) return invalid_value();
  return finish(Heap::instance().add_registered(pointer, size, flags));
}

GUDA_API(cudaHostUnregister)(void* pointer) {
  GUDA_ENTER();
  if (!pointer) return invalid_value();
  runtime::Context::instance().synchronize();
  return finish(Heap::instance().remove_registered(pointer));
}

GUDA_API(cudaHostGetDevicePointer)(void** device, void* host, unsigned flags) {
  GUDA_ENTER();
  if (!device || !host || flags != 0) return invalid_value();
  auto found = Heap::instance().find(host);
  if (!found ||
      (found->kind != AllocationKind::host && found->kind != AllocationKind::registered)) {
    return invalid_value();
  }
  *device = host;
  return kSuccess;
}

GUDA_API(cudaHostGetFlags)(unsigned* flags, void* host) {
  GUDA_ENTER();
  if (!flags) return invalid_value();
  auto found = Heap::instance().find(host);
  if (!found ||
      (found->kind != AllocationKind::host && found->kind != AllocationKind::registered)) {
    return invalid_value();
  }
  *flags = found->flags | 2;  // unified addressing: everything is mapped
  return kSuccess;
}

GUDA_API(cudaMallocManaged)(void** pointer, size_t size, unsigned flags) {
  if (flags != 1 && flags != 2) return invalid_value();
  if (pointer && size == 0) return invalid_value();
  return allocate(pointer, size, AllocationKind::managed, flags);
}

GUDA_API(cudaMemGetInfo)(size_t* free, size_t* total) {
  GUDA_ENTER();
  if (!free || !total) return invalid_value();
  *free = Heap::instance().free_bytes();
  *total = Heap::instance().total_bytes();
  return kSuccess;
}

GUDA_API(cudaPointerGetAttributes)(cudaPointerAttributes* out, const void* pointer) {
  return pointer_attributes(out, pointer, sizeof *out);
}

GUDA_API(cudaPointerGetAttributes_v12)(cudaPointerAttributes* out, const void* pointer) {
  return pointer_attributes(out, pointer, kPointerAttributesSizeBefore13);
}

GUDA_API(cudaGetSymbolAddress)(void** address, const void* symbol) {
  GUDA_ENTER();
  if (!address) return invalid_value();
  auto variable = runtime::Registry::instance().variable(symbol);
  if (!variable) return finish(variable.status());
  *address = variable->address;
  return kSuccess;
}

GUDA_API(cudaGetSymbolSize)(size_t* size, const void* symbol) {
  GUDA_ENTER();
  if (!size) return invalid_value();
  auto variable = runtime::Registry::instance().variable(symbol);
  if (!variable) return finish(variable.status());
  *size = variable->size;
  return kSuccess;
}

// Managed memory: placement is advice, for the device that shares such memory -----------------------------

namespace {

/// Memory that has a place: managed memory, and the system's where kernels reach that (cudaMemPrefetchAsync's page).
Error check_range(const void* pointer, size_t size) {
  GUDA_ENTER();
  if (!pointer || size == 0) return invalid_value();
  const auto found = Heap::instance().find(pointer);
  if (!found) {
    constexpr int kPageableMemoryAccess = 88;
    return runtime::device_attribute(kPageableMemoryAccess).value_or(0) != 0 ? kSuccess
                                                                             : invalid_value();
  }
  if (found->kind != memory::AllocationKind::managed) return invalid_value();
  return Heap::instance().in_bounds(pointer, size) ? kSuccess : invalid_value();
}

/// cudaMemLocationType
enum Location : int { kOnDevice = 1, kOnHost, kOnHostNode, kOnNearestHostNode };

Error check_location(const cudaMemLocation& location) {
  switch (location.type) {
    case kOnDevice: return location.id == 0 ? kSuccess : invalid_device();
    case kOnHost:
    case kOnNearestHostNode: return kSuccess;
    case kOnHostNode: return location.id >= 0 ? kSuccess : invalid_value();
    default: return invalid_value();
  }
}

/// As one number said it before CUDA 13.
cudaMemLocation location_of(int device) {
  constexpr int kHost = -1;  // cudaCpuDeviceId
  return device == kHost ? cudaMemLocation{kOnHost, 0} : cudaMemLocation{kOnDevice, device};
}

Error advise(const void* pointer, size_t size, int advice, const cudaMemLocation& about) {
  // 1, 2: (un)set read mostly; 4: unset preferred location. They are about no place.
  if (advice < 1 || advice > 6) return invalid_value();
  const bool placed = advice == 3 || advice >= 5;
  if (placed) {
    if (Error error = check_location(about)) return error;
  }
  if (Error error = check_range(pointer, size)) return error;
  runtime::advise(pointer, size, advice, placed && about.type != kOnDevice);
  return kSuccess;
}

Error prefetch(runtime::Stream& stream, const void* pointer, size_t size,
               const cudaMemLocation& location) {
  if (Error error = check_location(location)) return error;
  if (Error error = check_range(pointer, size)) return error;
  runtime::prefetch(stream, pointer, size, location.type != kOnDevice);
  return kSuccess;
}

}  // namespace

GUDA_API(cudaMemAdvise)(const void* pointer, size_t size, int advice, cudaMemLocation about) {
  return advise(pointer, size, advice, about);
}
GUDA_API(cudaMemAdvise_v2)(const void* pointer, size_t size, int advice, cudaMemLocation about) {
  return advise(pointer, size, advice, about);
}
GUDA_API(cudaMemAdvise_v1)(const void* pointer, size_t size, int advice, int device) {
  return advise(pointer, size, advice, location_of(device));
}

GUDA_API_PTSZ(cudaMemPrefetchAsync,
              (const void* pointer, size_t size, cudaMemLocation location, unsigned flags,
               cudaStream_t handle),
              (pointer, size, location, flags, handle)) {
  if (flags != 0) return invalid_value();
  GUDA_STREAM(stream, handle);
  return prefetch(*stream, pointer, size, location);
}
GUDA_API_PTSZ(cudaMemPrefetchAsync_v2,
              (const void* pointer, size_t size, cudaMemLocation location, unsigned flags,
               cudaStream_t handle),
              (pointer, size, location, flags, handle)) {
  return cudaMemPrefetchAsync_body<kPerThread>(pointer, size, location, flags, handle);
}
GUDA_API_PTSZ(cudaMemPrefetchAsync_v1,
              (const void* pointer, size_t size, int device, cudaStream_t handle),
              (pointer, size, device, handle)) {
  GUDA_STREAM(stream, handle);
  return prefetch(*stream, pointer, size, location_of(device));
}

GUDA_API_PTSZ(cudaStreamAttachMemAsync,
              (cudaStream_t handle, void* pointer, size_t, unsigned flags),
              (handle, pointer, 0, flags)) {
  GUDA_ENTER();
  GUDA_STREAM(stream, handle);
  if (flags != 1 && flags != 2 && flags != 4) return invalid_value();
  return Heap::instance().find(pointer) ? kSuccess : invalid_value();
}

namespace {

/// cudaMemRangeAttribute: nothing is ever set, so every query has its default answer.
Error range_attribute(void* data, size_t size, int attribute) {
  auto* values = static_cast<int*>(data);
  if (!data || size < sizeof(int) || attribute < 1 || attribute > 8) return invalid_value();
  switch (attribute) {
    case 1: values[0] = 0; break;  // read mostly
    case 3:  // accessed by: a list
      for (size_t i = 0; i < size / sizeof(int); ++i) values[i] = -2;
      break;
    case 5:
    case 7: values[0] = 0; break;  // location types: none
    default: values[0] = -2; break;  // locations: invalid device
  }
  return kSuccess;
}

}  // namespace

GUDA_API(cudaMemRangeGetAttribute)(void* data, size_t size, int attribute, const void* pointer,
                                   size_t count) {
  if (Error error = check_range(pointer, count)) return error;
  return range_attribute(data, size, attribute);
}

GUDA_API(cudaMemRangeGetAttributes)(void** data, size_t* sizes, int* attributes, size_t number,
                                    const void* pointer, size_t count) {
  if (Error error = check_range(pointer, count)) return error;
  if (!data || !sizes || !attributes || number == 0) return invalid_value();
  for (size_t i = 0; i < number; ++i) {
    if (Error error = range_attribute(data[i], sizes[i], attributes[i])) return error;
  }
  return kSuccess;
}

namespace {

Error check_batch(void* const* pointers, const size_t* sizes, size_t count,
                  unsigned long long flags) {
  if (!pointers || !sizes || count == 0 || flags != 0) return invalid_value();
  for (size_t i = 0; i < count; ++i) {
    if (Error error = check_range(pointers[i], sizes[i])) return error;
  }
  return kSuccess;
}

/// Location k is for the operations from first[k] to the one before first[k + 1].
Error check_locations(const cudaMemLocation* locations, const size_t* first, size_t locations_count,
                      size_t count) {
  if (!locations || !first || locations_count == 0 || first[0] != 0) return invalid_value();
  for (size_t k = 0; k < locations_count; ++k) {
    if (first[k] >= count || (k > 0 && first[k] <= first[k - 1])) return invalid_value();
    if (Error error = check_location(locations[k])) return error;
  }
  return kSuccess;
}

}  // namespace

GUDA_API_PTSZ(cudaMemPrefetchBatchAsync,
              (void** pointers, size_t* sizes, size_t count, cudaMemLocation* locations,
               size_t* first, size_t locations_count, unsigned long long flags,
               cudaStream_t handle),
              (pointers, sizes, count, locations, first, locations_count, flags, handle)) {
  GUDA_ENTER();
  GUDA_STREAM(stream, handle);
  if (Error error = check_locations(locations, first, locations_count, count)) return error;
  if (Error error = check_batch(pointers, sizes, count, flags)) return error;
  for (size_t i = 0, k = 0; i < count; ++i) {
    if (k + 1 < locations_count && first[k + 1] == i) ++k;
    if (Error error = prefetch(*stream, pointers[i], sizes[i], locations[k])) return error;
  }
  return kSuccess;
}

// Discarding lets contents become undefined; keeping them is one way.
GUDA_API_PTSZ(cudaMemDiscardBatchAsync,
              (void** pointers, size_t* sizes, size_t count, unsigned long long flags,
               cudaStream_t handle),
              (pointers, sizes, count, flags, handle)) {
  GUDA_ENTER();
  GUDA_STREAM(stream, handle);
  return check_batch(pointers, sizes, count, flags);
}
GUDA_API_PTSZ(cudaMemDiscardAndPrefetchBatchAsync,
              (void** pointers, size_t* sizes, size_t count, cudaMemLocation* locations,
               size_t* first, size_t locations_count, unsigned long long flags,
               cudaStream_t handle),
              (pointers, sizes, count, locations, first, locations_count, flags, handle)) {
  return cudaMemPrefetchBatchAsync_body<kPerThread>(pointers, sizes, count, locations, first,
                                                    locations_count, flags, handle);
}

}  // namespace guda::cudart
