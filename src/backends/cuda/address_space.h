// Where a device has its copies of what the program sees.
//
// All devices of a process share one range of addresses, so only one of them can have memory of its own at the program's.
// Every other one keeps its copies in a range of its own, at one distance from the program's addresses.
#pragma once

#include "backends/cuda/driver_api.h"
#include "backends/device.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace guda::backend::cuda {

struct AddressSpace {
  std::span<std::byte> program;  // Device::address_space()
  uint64_t distance = 0;  // from the program's address to the device's, modulo 2^64

  bool contains(uint64_t address) const {
    return address - reinterpret_cast<uint64_t>(program.data()) < program.size();
  }
  /// The device's address; what lies outside the range (null, host memory) is the same for all.
  DevicePointer of(uint64_t address) const {
    return contains(address) ? address + distance : address;
  }
  DevicePointer of(const void* address) const { return of(reinterpret_cast<uint64_t>(address)); }
  void* pointer(const void* address) const { return reinterpret_cast<void*>(of(address)); }
  /// The parameters at these offsets, in place.
  void translate(std::span<std::byte> params, std::span<const uint32_t> pointer_offsets) const {
    for (uint32_t offset : pointer_offsets) {
      uint64_t address = 0;
      if (offset + sizeof address > params.size()) continue;
      std::memcpy(&address, params.data() + offset, sizeof address);
      address = of(address);
      std::memcpy(params.data() + offset, &address, sizeof address);
    }
  }
};

}  // namespace guda::backend::cuda
