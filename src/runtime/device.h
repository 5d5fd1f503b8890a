// What the device looks like to a program: limits, properties, attributes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace guda::runtime {

struct DeviceProperties {
  std::string name;                      // "GUDA CPU (<model>)"
  std::array<unsigned char, 16> uuid{};
  int major = 8;
  int minor = 9;
  int multiprocessors = 1;
  int warp_size = 32;
  int max_threads_per_block = 1024;
  int max_threads_per_multiprocessor = 1536;
  int max_blocks_per_multiprocessor = 24;
  std::array<int, 3> max_block{1024, 1024, 64};
  std::array<int, 3> max_grid{2147483647, 65535, 65535};
  size_t total_memory = 0;
  size_t constant_memory = 65536;
  size_t shared_per_block = 49152;
  size_t shared_per_block_optin = 101376;
  size_t shared_per_multiprocessor = 102400;
  size_t shared_reserved_per_block = 1024;
  int registers_per_block = 65536;
  int registers_per_multiprocessor = 65536;
  int clock_khz = 0;
  int memory_clock_khz = 0;
  int memory_bus_bits = 256;
  int l2_bytes = 0;                      // the last-level cache
  int numa_node = 0;
};

/// Read once from the machine and the options; never changes afterwards.
const DeviceProperties& device_properties();

/// Number of devices that CUDA_VISIBLE_DEVICES leaves visible: 0 or 1.
int device_count();

/// Value of a cudaDeviceAttr (CUdevice_attribute has the same numbers); empty: no such attribute.
std::optional<int> device_attribute(int attribute);

}  // namespace guda::runtime
