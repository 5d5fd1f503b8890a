// Virtual memory management: addresses, memory, mappings and access of their own.
#include "memory/virtual_memory.h"

#include "abi/cuda/api.h"
#include "abi/cudart/types.h"
#include "runtime/device.h"
#include "runtime/engines.h"

#include <cstdint>

namespace guda::cuda {
namespace {

using cudart::cudaMemAccessDesc;
using cudart::cudaMemLocation;
using memory::VirtualMemory;
using Access = VirtualMemory::Access;
using Side = VirtualMemory::Side;

/// These calls need no context, but devices must be known before there is memory.
VirtualMemory& virtual_memory() {
  runtime::Engines::start();
  return VirtualMemory::instance();
}

/// Nothing that was started before may see the change.
void wait_for_work() {
  if (runtime::Context::exists()) (void)runtime::Context::instance().synchronize();
}

std::byte* bytes_at(CUdeviceptr address) { return static_cast<std::byte*>(pointer_of(address)); }

Error check_properties(const CUmemAllocationProp* properties) {
  constexpr int kPinned = 1;
  if (!properties || properties->type != kPinned || properties->win32HandleMetaData)
    return kInvalidValue;
  const auto& [type, id] = properties->location;
  const int handles = properties->requestedHandleTypes;
  if (handles & ~(kHandlePosixFile | kHandleWin32 | kHandleWin32Kmt | kHandleFabric))
    return kInvalidValue;
  switch (type) {
    case kLocationDevice:
      if (Error error = check_device(id)) return error;
      break;
    case kLocationHost:
      if (handles != 0) return kInvalidValue;
      break;
    case kLocationHostNuma:
      if (id != 0 && id != runtime::device_attribute(134).value_or(0)) return kInvalidValue;
      break;
    default: return kInvalidValue;
  }
  // Windows, fabrics, memory for RDMA, sparse arrays and decompression engines: as devices without them answer.
  if (handles & ~kHandlePosixFile) return kNotSupported;
  if (properties->allocFlags.gpuDirectRDMACapable || properties->allocFlags.usage)
    return kNotSupported;
  return kSuccess;
}

}  // namespace

GUDA_CU(cuMemGetAllocationGranularity)(size_t* granularity, const CUmemAllocationProp* properties,
                                       int option) {
  GUDA_CU_INITIALIZED();
  if (!granularity || option < 0 || option > 1) return kInvalidValue;
  if (Error error = check_properties(properties)) return error;
  *granularity = virtual_memory().granularity();
  return kSuccess;
}

GUDA_CU(cuMemAddressReserve)(CUdeviceptr* out, size_t size, size_t alignment, CUdeviceptr hint,
                             unsigned long long flags) {
  GUDA_CU_INITIALIZED();
  if (!out || flags != 0) return kInvalidValue;
  auto base = virtual_memory().reserve(size, alignment, bytes_at(hint));
  if (!base) return finish(base.status());
  *out = address_of(*base);
  return kSuccess;
}

GUDA_CU(cuMemAddressFree)(CUdeviceptr address, size_t size) {
  GUDA_CU_INITIALIZED();
  return finish(virtual_memory().free(bytes_at(address), size));
}

GUDA_CU(cuMemCreate)(CUmemGenericAllocationHandle* handle, size_t size,
                     const CUmemAllocationProp* properties, unsigned long long flags) {
  GUDA_CU_INITIALIZED();
  if (!handle || flags != 0) return kInvalidValue;
  if (Error error = check_properties(properties)) return error;
  VirtualMemory::Properties wanted;
  wanted.on_host = properties->location.type != kLocationDevice;
  if (properties->location.type == kLocationHostNuma) wanted.node = properties->location.id;
  wanted.exportable = properties->requestedHandleTypes != 0;
  auto created = virtual_memory().create(size, wanted);
  if (!created) return finish(created.status());
  *handle = *created;
  return kSuccess;
}

GUDA_CU(cuMemRelease)(CUmemGenericAllocationHandle handle) {
  GUDA_CU_INITIALIZED();
  return finish(virtual_memory().release(handle));
}

GUDA_CU(cuMemRetainAllocationHandle)(CUmemGenericAllocationHandle* handle, void* address) {
  GUDA_CU_INITIALIZED();
  if (!handle) return kInvalidValue;
  auto retained = virtual_memory().retain(address);
  if (!retained) return finish(retained.status());
  *handle = *retained;
  return kSuccess;
}

GUDA_CU(cuMemGetAllocationPropertiesFromHandle)(CUmemAllocationProp* out,
                                                CUmemGenericAllocationHandle handle) {
  GUDA_CU_INITIALIZED();
  if (!out) return kInvalidValue;
  auto properties = virtual_memory().properties(handle);
  if (!properties) return finish(properties.status());
  *out = {};
  out->type = 1;
  out->requestedHandleTypes = properties->exportable ? kHandlePosixFile : 0;
  out->location.type = !properties->on_host    ? kLocationDevice
                       : properties->node >= 0 ? kLocationHostNuma
                                               : kLocationHost;
  out->location.id = properties->node >= 0 ? properties->node : 0;
  return kSuccess;
}

GUDA_CU(cuMemMap)(CUdeviceptr address, size_t size, size_t offset,
                  CUmemGenericAllocationHandle handle, unsigned long long flags) {
  GUDA_CU_INITIALIZED();
  if (flags != 0) return kInvalidValue;
  // Devices lose their copies of memory that is mapped a second time.
  if (runtime::Engines::active()) wait_for_work();
  return finish(virtual_memory().map(bytes_at(address), size, offset, handle));
}

GUDA_CU(cuMemUnmap)(CUdeviceptr address, size_t size) {
  GUDA_CU_INITIALIZED();
  wait_for_work();
  return finish(virtual_memory().unmap(bytes_at(address), size));
}

GUDA_CU(cuMemSetAccess)(CUdeviceptr address, size_t size, const cudaMemAccessDesc* list,
                        size_t count) {
  GUDA_CU_INITIALIZED();
  if (!list || count == 0) return kInvalidValue;
  for (size_t i = 0; i < count; ++i) {
    const auto& [location, flags] = list[i];
    if (flags != 0 && flags != 1 && flags != 3) return kInvalidValue;
    if (location.type == kLocationDevice) {
      if (Error error = check_device(location.id)) return error;
    } else if (location.type != kLocationHost && location.type != kLocationHostNuma) {
      return kInvalidValue;
    }
  }
  wait_for_work();
  for (size_t i = 0; i < count; ++i) {
    const Side side = list[i].location.type == kLocationDevice ? Side::device : Side::host;
    Status status = virtual_memory().set_access(bytes_at(address), size, side,
                                                static_cast<Access>(list[i].flags));
    if (!status) return finish(status);
  }
  return kSuccess;
}

GUDA_CU(cuMemGetAccess)(unsigned long long* flags, const cudaMemLocation* location,
                        CUdeviceptr address) {
  GUDA_CU_INITIALIZED();
  if (!flags || !location) return kInvalidValue;
  Side side = Side::host;
  if (location->type == kLocationDevice) {
    if (Error error = check_device(location->id)) return error;
    side = Side::device;
  } else if (location->type != kLocationHost && location->type != kLocationHostNuma) {
    return kInvalidValue;
  }
  auto access = virtual_memory().access(pointer_of(address), side);
  if (!access) return finish(access.status());
  *flags = static_cast<unsigned long long>(*access);
  return kSuccess;
}

GUDA_CU(cuMemExportToShareableHandle)(void* out, CUmemGenericAllocationHandle handle, int type,
                                      unsigned long long flags) {
  GUDA_CU_INITIALIZED();
  if (!out || flags != 0 || type != kHandlePosixFile) return kInvalidValue;
  wait_for_work();
  auto file = virtual_memory().export_file(handle);
  if (!file) return finish(file.status());
  *static_cast<int*>(out) = *file;
  return kSuccess;
}

GUDA_CU(cuMemImportFromShareableHandle)(CUmemGenericAllocationHandle* handle, void* os_handle,
                                        int type) {
  GUDA_CU_INITIALIZED();
  if (!handle) return kInvalidValue;
  if (type == kHandleFabric || type == kHandleWin32 || type == kHandleWin32Kmt)
    return kNotSupported;
  if (type != kHandlePosixFile) return kInvalidValue;
  auto imported =
      virtual_memory().import_file(static_cast<int>(reinterpret_cast<intptr_t>(os_handle)));
  if (!imported) return finish(imported.status());
  *handle = *imported;
  return kSuccess;
}

/// A handle for other drivers' DMA (dma-buf), which attribute 124 says there is none of.
GUDA_CU(cuMemGetHandleForAddressRange)(void* handle, CUdeviceptr address, size_t size, int type,
                                       unsigned long long flags) {
  GUDA_CU_ENTER();
  constexpr size_t kPage = 4096;
  if (!handle || type != 1 || flags > 1 || size == 0 || size % kPage || address % kPage)
    return kInvalidValue;
  auto found = memory::Heap::instance().find(pointer_of(address));
  if (!found || !memory::Heap::instance().in_bounds(pointer_of(address), size))
    return kInvalidValue;
  return kNotSupported;
}

}  // namespace guda::cuda
