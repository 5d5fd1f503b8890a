// Memory of the fake driver: reserved addresses and what is mapped there, pinned and managed host memory.
#include "backends/cuda/testing/fake_state.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace guda::backend::cuda::testing {

bool in_space(uintptr_t address) {
  auto next = state().spaces.upper_bound(address);
  return next != state().spaces.begin() &&
         address - std::prev(next)->first < std::prev(next)->second;
}

std::byte* at(uintptr_t address, size_t bytes, int device) {
  for (auto& [base, size] : state().shared) {
    if (address >= base && address + bytes <= base + size)
      return reinterpret_cast<std::byte*>(address);
  }
  auto next = state().mappings.upper_bound(address);
  if (next == state().mappings.begin()) return nullptr;
  auto& [base, mapping] = *std::prev(next);
  if ((mapping.accessible >> device & 1) == 0 || address + bytes > base + mapping.size)
    return nullptr;
  return state().allocations.at(mapping.handle).memory + (address - base);
}

/// For libraries beside it that compute with the program's addresses: brings what the first device has there to the
/// host's side, and what the host has there to the device's; twice is back again.
EXPORT void fake_cuda_exchange() {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  for (auto& [address, mapping] : state().mappings) {
    const Allocation& allocation = state().allocations.at(mapping.handle);
    auto* host_side = reinterpret_cast<std::byte*>(address);
    if (allocation.device == 0)
      std::swap_ranges(host_side, host_side + mapping.size, allocation.memory);
  }
}

EXPORT DriverResult cuMemGetInfo_v2(size_t* free, size_t* total) {
  CALL("cuMemGetInfo_v2");
  *free = kFakeMemory - state().used[current_device()];
  *total = kFakeMemory;
  return 0;
}
EXPORT DriverResult cuMemGetAllocationGranularity(size_t* bytes,
                                                  const AllocationProperties* properties, int) {
  CALL("cuMemGetAllocationGranularity");
  if (properties->type != 1 || properties->location.type != 1) return kInvalidValue;
  *bytes = size_t{2} << 20;
  return 0;
}
EXPORT DriverResult cuMemAddressReserve(DevicePointer* address, size_t bytes, size_t, DevicePointer,
                                        unsigned long long) {
  CALL("cuMemAddressReserve");
  if (bytes > size_t{1} << FAKE_CUDA_ADDRESS_BITS) return kOutOfMemory;
  constexpr size_t kAlignment = size_t{2} << 20;
  void* start = mmap(nullptr, bytes + kAlignment, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) return kOutOfMemory;
  *address = (reinterpret_cast<uintptr_t>(start) + kAlignment - 1) / kAlignment * kAlignment;
  state().spaces[*address] = bytes;
  return 0;
}
EXPORT DriverResult cuMemCreate(MemoryHandle* handle, size_t bytes,
                                const AllocationProperties* properties, unsigned long long) {
  CALL("cuMemCreate");
  const int device = properties->location.id;
  if (device < 0 || device >= fake_cuda.devices) return kInvalidValue;
  if (bytes > kFakeMemory - state().used[device]) return kOutOfMemory;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return kOutOfMemory;
  std::memset(memory, 0xcd, std::min<size_t>(bytes, 4096));  // what was there before
  state().used[device] += bytes;
  *handle = state().next_handle++;
  state().allocations[*handle] = {bytes, static_cast<std::byte*>(memory), device};
  ++fake_cuda.allocations;
  return 0;
}

namespace {
void drop(MemoryHandle handle) {
  auto found = state().allocations.find(handle);
  if (!found->second.released || found->second.mapped) return;
  munmap(found->second.memory, found->second.size);
  state().used[found->second.device] -= found->second.size;
  state().allocations.erase(found);
  --fake_cuda.allocations;
}
}  // namespace

EXPORT DriverResult cuMemRelease(MemoryHandle handle) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  auto found = state().allocations.find(handle);
  if (found == state().allocations.end()) return kInvalidValue;
  found->second.released = true;
  drop(handle);
  return enter("cuMemRelease", false);
}
EXPORT DriverResult cuMemMap(DevicePointer address, size_t bytes, size_t, MemoryHandle handle,
                             unsigned long long) {
  CALL("cuMemMap");
  State& s = state();
  if (!in_space(address) || !in_space(address + bytes - 1) || !s.allocations.contains(handle) ||
      s.allocations.at(handle).size != bytes)
    return kInvalidValue;
  for (auto& [base, mapping] : s.mappings) {
    if (address < base + mapping.size && base < address + bytes) return kInvalidValue;
  }
  s.mappings[address] = {bytes, handle};
  s.allocations.at(handle).mapped = true;
  ++fake_cuda.mappings;
  return 0;
}
EXPORT DriverResult cuMemUnmap(DevicePointer address, size_t bytes) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  auto found = state().mappings.find(address);
  if (found == state().mappings.end() || found->second.size != bytes) return kInvalidValue;
  MemoryHandle handle = found->second.handle;
  state().mappings.erase(found);
  state().allocations.at(handle).mapped = false;
  drop(handle);
  --fake_cuda.mappings;
  return enter("cuMemUnmap", false);
}
EXPORT DriverResult cuMemSetAccess(DevicePointer address, size_t bytes,
                                   const AccessDescription* access, size_t count) {
  CALL("cuMemSetAccess");
  auto found = state().mappings.find(address);
  if (count != 1 || access->flags != 3 || found == state().mappings.end() ||
      found->second.size != bytes)
    return kInvalidValue;
  const int owner = state().allocations.at(found->second.handle).device;
  if (access->location.id != owner && !fake_cuda.peers) return kInvalidValue;
  found->second.accessible |= 1u << access->location.id;
  return 0;
}
EXPORT DriverResult cuMemHostRegister_v2(void* pointer, size_t bytes, unsigned flags) {
  CALL("cuMemHostRegister_v2");
  auto address = reinterpret_cast<uintptr_t>(pointer);
  if (in_space(address)) return kInvalidValue;
  for (auto& [base, size] : state().registered) {
    if (address < base + size && base < address + bytes) return 712;
  }
  state().registered[address] = bytes;
  if (flags & kHostDeviceMap) state().shared[address] = bytes;
  ++fake_cuda.registered;
  return 0;
}
EXPORT DriverResult cuMemHostUnregister(void* pointer) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  if (state().registered.erase(reinterpret_cast<uintptr_t>(pointer)) == 0) return 713;
  state().shared.erase(reinterpret_cast<uintptr_t>(pointer));
  --fake_cuda.registered;
  return enter("cuMemHostUnregister", false);
}
EXPORT DriverResult cuMemHostAlloc(void** pointer, size_t bytes, unsigned flags) {
  CALL("cuMemHostAlloc");
  *pointer = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  state().registered[reinterpret_cast<uintptr_t>(*pointer)] = bytes;
  if (flags & kHostDeviceMap) state().shared[reinterpret_cast<uintptr_t>(*pointer)] = bytes;
  ++fake_cuda.host_buffers;
  return 0;
}
EXPORT DriverResult cuMemFreeHost(void* pointer) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  state().registered.erase(reinterpret_cast<uintptr_t>(pointer));
  state().shared.erase(reinterpret_cast<uintptr_t>(pointer));
  std::free(pointer);
  --fake_cuda.host_buffers;
  return enter("cuMemFreeHost", false);
}
EXPORT DriverResult cuMemHostGetDevicePointer_v2(DevicePointer* device, void* pointer, unsigned) {
  CALL("cuMemHostGetDevicePointer_v2");
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  if (!state().registered.contains(address) || at(address, 1) == nullptr) return kInvalidValue;
  *device = fake_cuda.one_address ? address : address + (uint64_t{1} << 40);
  return 0;
}
EXPORT DriverResult cuMemAllocManaged(DevicePointer* address, size_t bytes, unsigned flags) {
  CALL("cuMemAllocManaged");
  if (flags != kManagedGlobal || bytes == 0) return kInvalidValue;
  *address =
      reinterpret_cast<DevicePointer>(std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096));
  state().shared[*address] = bytes;
  ++fake_cuda.managed;
  return 0;
}
EXPORT DriverResult cuMemPrefetchAsync_v2(DevicePointer address, size_t bytes,
                                          MemoryLocation location, unsigned flags, StreamHandle) {
  CALL("cuMemPrefetchAsync_v2");
  if (flags != 0 || at(address, bytes) == nullptr) return kInvalidValue;
  if (location.type != kLocationHost && location.id != current_device()) return kInvalidValue;
  ++(location.type == kLocationHost ? fake_cuda.prefetches_home : fake_cuda.prefetches_to_device);
  return 0;
}
EXPORT DriverResult cuMemAdvise_v2(DevicePointer address, size_t bytes, int advice,
                                   MemoryLocation) {
  CALL("cuMemAdvise_v2");
  if (advice < 1 || advice > 6 || at(address, bytes) == nullptr) return kInvalidValue;
  ++fake_cuda.advices;
  return 0;
}
EXPORT DriverResult cuMemFree_v2(DevicePointer address) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  if (state().shared.erase(address) == 0) return kInvalidValue;
  std::free(reinterpret_cast<void*>(address));
  --fake_cuda.managed;
  return enter("cuMemFree_v2", false);
}

}  // namespace guda::backend::cuda::testing
