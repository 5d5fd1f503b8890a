// Allocation, registration, managed memory and pointer queries.
#include "abi/cuda/api.h"
#include "abi/cudart/types.h"
#include "memory/heap.h"
#include "memory/pool.h"
#include "memory/virtual_memory.h"

#include <optional>

namespace guda::cuda {
namespace {

using cudart::cudaMemLocation;
using memory::AllocationKind;
using memory::Heap;

constexpr size_t kPitchAlignment = 512;

Error allocate(void** pointer, size_t size, AllocationKind kind, unsigned flags) {
  if (!pointer) return kInvalidValue;
  if (size == 0 && kind == AllocationKind::host) {
    *pointer = nullptr;   // an empty block, unlike on the device
    return kSuccess;
  }
  if (size == 0) return kInvalidValue;
  auto memory = Heap::instance().allocate(size, kind, flags);
  if (!memory) return finish(memory.status());
  *pointer = *memory;
  return kSuccess;
}

Error allocate_address(CUdeviceptr* address, size_t size, AllocationKind kind, unsigned flags) {
  void* pointer = nullptr;
  if (!address) return kInvalidValue;
  Error error = allocate(&pointer, size, kind, flags);
  if (error == kSuccess) *address = address_of(pointer);
  return error;
}

bool is_pinned(const memory::Allocation& allocation) {
  return allocation.kind == AllocationKind::host || allocation.kind == AllocationKind::registered;
}
/// Managed and pinned memory that the host may use, too.
bool host_sees(const memory::Allocation& allocation) {
  return is_pinned(allocation) || allocation.kind == AllocationKind::managed;
}

template <typename T>
void store(void* out, T value) {
  *static_cast<T*>(out) = value;
}

// CUpointer_attribute.
enum PointerAttribute : int {
  kContext = 1,
  kMemoryType,
  kDevicePointer,
  kHostPointer,
  kP2pTokens,
  kSyncMemops,
  kBufferId,
  kIsManaged,
  kDeviceOrdinal,
  kIsLegacyIpcCapable,
  kRangeStart,
  kRangeSize,
  kMapped,
  kAllowedHandleTypes,
  kIsRdmaCapable,
  kAccessFlags,
  kMempool,
  kMappingSize,
  kMappingBase,
  kMemoryBlockId,
  kIsHwDecompressCapable,
};

/// Attributes of which virtual_memory.h knows more than the heap: also of addresses that nothing is mapped at or nobody
/// may use. Empty: what holds for any memory.
std::optional<Error> virtual_attribute(void* out, int attribute, CUdeviceptr address,
                                       const memory::VirtualMemory::Place& place) {
  const bool mapped = !place.mapping.empty();
  const auto range = mapped ? place.mapping : place.reservation;
  // Ids of the heap's count from 1.
  constexpr unsigned long long kFirstId = 1ull << 62;
  switch (attribute) {
    case kMemoryType:
      store<int>(out, place.properties.on_host ? kMemoryHost : kMemoryDevice);
      return kSuccess;
    case kHostPointer:
      store<void*>(out, place.properties.on_host ? pointer_of(address) : nullptr);
      return place.properties.on_host ? kSuccess : kInvalidValue;
    case kBufferId:
    case kMemoryBlockId: store<unsigned long long>(out, kFirstId + place.handle); return kSuccess;
    case kRangeStart: store<CUdeviceptr>(out, address_of(range.data())); return kSuccess;
    case kRangeSize: store<size_t>(out, range.size()); return kSuccess;
    case kMapped: store<unsigned>(out, mapped); return kSuccess;
    case kAllowedHandleTypes:
      store<unsigned long long>(out, place.properties.exportable ? kHandlePosixFile : 0);
      return kSuccess;
    case kAccessFlags: store<unsigned>(out, static_cast<unsigned>(place.device)); return kSuccess;
    case kMappingBase:
      store<CUdeviceptr>(out, mapped ? address_of(place.mapping.data()) : 0);
      return kSuccess;
    case kMappingSize: store<size_t>(out, place.mapping.size()); return kSuccess;
    default: return std::nullopt;
  }
}

/// One attribute of a pointer of ours, or (allocation null) what stands for any other.
Error pointer_attribute(void* out, int attribute, CUdeviceptr address,
                        const memory::Allocation* allocation) {
  const memory::Allocation any_device_memory;
  if (!allocation || allocation->kind == AllocationKind::mapped) {
    if (auto place = memory::VirtualMemory::instance().find(pointer_of(address))) {
      if (auto answer = virtual_attribute(out, attribute, address, *place)) return *answer;
      allocation = &any_device_memory;
    }
  }
  switch (attribute) {
    case kContext: store<void*>(out, allocation ? current_context() : nullptr); return kSuccess;
    case kMemoryType:
      store<int>(out, !allocation ? 0 : is_pinned(*allocation) ? kMemoryHost : kMemoryDevice);
      return kSuccess;
    case kDevicePointer: store<CUdeviceptr>(out, allocation ? address : 0); return kSuccess;
    case kHostPointer:
      store<void*>(out, allocation && host_sees(*allocation) ? pointer_of(address) : nullptr);
      return allocation && !host_sees(*allocation) ? kInvalidValue : kSuccess;
    case kSyncMemops: store<unsigned>(out, 0); return kSuccess;
    case kBufferId:
      store<unsigned long long>(out, allocation ? allocation->id : 0);
      return kSuccess;
    case kIsManaged:
      store<unsigned>(out, allocation && allocation->kind == AllocationKind::managed);
      return kSuccess;
    case kDeviceOrdinal: store<int>(out, allocation ? 0 : -2); return kSuccess;
    case kIsLegacyIpcCapable:
      store<unsigned>(out, allocation && allocation->kind == AllocationKind::device &&
                               allocation != &any_device_memory);
      return kSuccess;
    case kIsRdmaCapable:
    case kIsHwDecompressCapable: store<unsigned>(out, 0); return kSuccess;
    case kRangeStart:
    case kMappingBase:
      store<CUdeviceptr>(out, allocation ? address_of(allocation->base) : 0);
      return kSuccess;
    case kRangeSize:
    case kMappingSize: store<size_t>(out, allocation ? allocation->size : 0); return kSuccess;
    case kMapped: store<unsigned>(out, allocation != nullptr); return kSuccess;
    case kAllowedHandleTypes: {
      const bool exportable =
          allocation && allocation->kind == AllocationKind::pool && allocation->owner &&
          static_cast<const memory::MemoryPool*>(allocation->owner)->exportable();
      store<unsigned long long>(out, exportable ? kHandlePosixFile : 0);
      return kSuccess;
    }
    case kAccessFlags:
      store<unsigned>(out, allocation ? (allocation->read_only ? 1u : 3u) : 0u);
      return kSuccess;
    case kMempool:
      store<void*>(out, allocation && allocation->kind == AllocationKind::pool ? allocation->owner
                                                                               : nullptr);
      return kSuccess;
    case kMemoryBlockId:
      store<unsigned long long>(out, allocation ? allocation->id : 0);
      return kSuccess;
    default: return kInvalidValue;
  }
}

}  // namespace

GUDA_CU(cuMemAlloc_v2)(CUdeviceptr* address, size_t size) {
  GUDA_CU_ENTER();
  return allocate_address(address, size, AllocationKind::device, 0);
}

GUDA_CU(cuMemAllocPitch_v2)(CUdeviceptr* address, size_t* pitch, size_t width, size_t height,
                            unsigned element) {
  GUDA_CU_ENTER();
  if (!pitch || width == 0 || height == 0) return kInvalidValue;
  if (element != 4 && element != 8 && element != 16) return kInvalidValue;
  size_t rounded = (width + kPitchAlignment - 1) / kPitchAlignment * kPitchAlignment;
  Error error = allocate_address(address, rounded * height, AllocationKind::device, 0);
  if (error == kSuccess) *pitch = rounded;
  return error;
}

GUDA_CU(cuMemAllocManaged)(CUdeviceptr* address, size_t size, unsigned flags) {
  GUDA_CU_ENTER();
  if (flags != 1 && flags != 2) return kInvalidValue;
  return allocate_address(address, size, AllocationKind::managed, flags);
}

GUDA_CU(cuMemAllocHost_v2)(void** pointer, size_t size) {
  GUDA_CU_ENTER();
  return allocate(pointer, size, AllocationKind::host, 0);
}
GUDA_CU(cuMemHostAlloc)(void** pointer, size_t size, unsigned flags) {
  GUDA_CU_ENTER();
  if (flags & ~7u) return kInvalidValue;
  return allocate(pointer, size, AllocationKind::host, flags);
}

// Freeing and asking about memory need no context: the address says whose it is.
GUDA_CU_SHARED_DEVICE(cuMemFree_v2, cudaFree, (void* address), (address))
GUDA_CU_SHARED_DEVICE(cuMemFreeHost, cudaFreeHost, (void* pointer), (pointer))
GUDA_CU_SHARED(cuMemHostRegister_v2, cudaHostRegister, (void* pointer, size_t size, unsigned flags),
               (pointer, size, flags))
GUDA_CU_SHARED(cuMemHostUnregister, cudaHostUnregister, (void* pointer), (pointer))
GUDA_CU_SHARED(cuMemHostGetDevicePointer_v2, cudaHostGetDevicePointer,
               (void** device, void* host, unsigned flags), (device, host, flags))
GUDA_CU_SHARED(cuMemHostGetFlags, cudaHostGetFlags, (unsigned* flags, void* host), (flags, host))
GUDA_CU_SHARED(cuMemGetInfo_v2, cudaMemGetInfo, (size_t* free, size_t* total), (free, total))

GUDA_CU(cuMemGetAddressRange_v2)(CUdeviceptr* base, size_t* size, CUdeviceptr address) {
  GUDA_CU_ENTER();
  if (auto place = memory::VirtualMemory::instance().find(pointer_of(address))) {
    if (place->mapping.empty()) return kNotFound;
    if (base) *base = address_of(place->mapping.data());
    if (size) *size = place->mapping.size();
    return kSuccess;
  }
  auto found = Heap::instance().find(pointer_of(address));
  if (!found) return kNotFound;
  if (base) *base = address_of(found->base);
  if (size) *size = found->size;
  return kSuccess;
}

GUDA_CU(cuPointerGetAttribute)(void* out, int attribute, CUdeviceptr address) {
  GUDA_CU_INITIALIZED();
  if (!out) return kInvalidValue;
  auto found = Heap::instance().find(pointer_of(address));
  if (!found && !memory::VirtualMemory::instance().find(pointer_of(address))) return kInvalidValue;
  return pointer_attribute(out, attribute, address, found ? &*found : nullptr);
}

GUDA_CU(cuPointerGetAttributes)(unsigned count, int* attributes, void** out, CUdeviceptr address) {
  GUDA_CU_INITIALIZED();
  if (count == 0 || !attributes || !out) return kInvalidValue;
  auto found = Heap::instance().find(pointer_of(address));
  for (unsigned i = 0; i < count; ++i) {
    if (!out[i] || attributes[i] < kContext || attributes[i] > kIsHwDecompressCapable)
      return kInvalidValue;
    // What has no answer for this pointer is left empty, and is no error here.
    pointer_attribute(out[i], attributes[i], address, found ? &*found : nullptr);
  }
  return kSuccess;
}

GUDA_CU(cuPointerSetAttribute)(const void* value, int attribute, CUdeviceptr address) {
  GUDA_CU_ENTER();
  if (!value || attribute != kSyncMemops) return kInvalidValue;
  return Heap::instance().find(pointer_of(address)) ? kSuccess : kInvalidValue;
}

// Managed memory ---------------------------------------------------------------------------------------

GUDA_CU_SHARED(cuMemAdvise, cudaMemAdvise_v1,
               (const void* address, size_t size, int advice, CUdevice device),
               (address, size, advice, device))
GUDA_CU_SHARED(cuMemAdvise_v2, cudaMemAdvise_v2,
               (const void* address, size_t size, int advice, cudaMemLocation location),
               (address, size, advice, location))
GUDA_CU_SHARED_PTSZ(cuMemPrefetchAsync, cudaMemPrefetchAsync_v1,
                    (const void* address, size_t size, CUdevice device, CUstream stream),
                    (address, size, device, stream))
GUDA_CU_SHARED_PTSZ(cuMemPrefetchAsync_v2, cudaMemPrefetchAsync_v2,
                    (const void* address, size_t size, cudaMemLocation location, unsigned flags,
                     CUstream stream),
                    (address, size, location, flags, stream))
GUDA_CU_SHARED(cuMemRangeGetAttribute, cudaMemRangeGetAttribute,
               (void* data, size_t size, int attribute, const void* address, size_t count),
               (data, size, attribute, address, count))
GUDA_CU_SHARED(cuMemRangeGetAttributes, cudaMemRangeGetAttributes,
               (void** data, size_t* sizes, int* attributes, size_t number, const void* address,
                size_t count),
               (data, sizes, attributes, number, address, count))
GUDA_CU_SHARED_PTSZ(cuMemPrefetchBatchAsync, cudaMemPrefetchBatchAsync,
                    (void** addresses, size_t* sizes, size_t count, cudaMemLocation* locations,
                     size_t* indices, size_t location_count, unsigned long long flags,
                     CUstream stream),
                    (addresses, sizes, count, locations, indices, location_count, flags, stream))
GUDA_CU_SHARED_PTSZ(cuMemDiscardBatchAsync, cudaMemDiscardBatchAsync,
                    (void** addresses, size_t* sizes, size_t count, unsigned long long flags,
                     CUstream stream),
                    (addresses, sizes, count, flags, stream))
GUDA_CU_SHARED_PTSZ(cuMemDiscardAndPrefetchBatchAsync, cudaMemDiscardAndPrefetchBatchAsync,
                    (void** addresses, size_t* sizes, size_t count, cudaMemLocation* locations,
                     size_t* indices, size_t location_count, unsigned long long flags,
                     CUstream stream),
                    (addresses, sizes, count, locations, indices, location_count, flags, stream))

}  // namespace guda::cuda
