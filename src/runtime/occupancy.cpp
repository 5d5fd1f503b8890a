#include "runtime/occupancy.h"

#include "runtime/device.h"
#include "runtime/registry.h"

#include <algorithm>

namespace guda::runtime {
namespace {

constexpr int kAssumedRegisters = 32;
constexpr int kRegisterUnit = 256;    // registers are given to warps in these
constexpr int kWarpUnit = 4;          // warps are given to schedulers in these
constexpr size_t kSharedUnit = 128;

size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

int registers_per_thread(Kernel& kernel) {
  auto layout = kernel.layout();
  if (layout && (*layout)->registers != 0) return static_cast<int>((*layout)->registers);
  if (layout && (*layout)->max_registers != 0) {
    return std::min(kAssumedRegisters, static_cast<int>((*layout)->max_registers));
  }
  return kAssumedRegisters;
}

int blocks_per_multiprocessor(Kernel& kernel, size_t static_shared, int threads,
                              size_t dynamic_shared) {
  const DeviceProperties& device = device_properties();
  if (threads <= 0 || threads > device.max_threads_per_block) return 0;
  size_t shared = static_shared + dynamic_shared;
  if (shared > device.shared_per_block_optin) return 0;
  auto layout = kernel.layout();
  if (layout && threads > static_cast<int>((*layout)->max_threads_per_block())) return 0;

  int warps = (threads + device.warp_size - 1) / device.warp_size;
  int warps_per_multiprocessor = device.max_threads_per_multiprocessor / device.warp_size;
  int by_warps = warps_per_multiprocessor / warps;

  int registers_per_warp = static_cast<int>(round_up(
      static_cast<size_t>(registers_per_thread(kernel)) * static_cast<size_t>(device.warp_size),
      kRegisterUnit));
  int warps_by_registers =
      device.registers_per_multiprocessor / registers_per_warp / kWarpUnit * kWarpUnit;
  int by_registers = warps_by_registers / warps;

  size_t per_block = round_up(shared + device.shared_reserved_per_block, kSharedUnit);
  int by_shared = static_cast<int>(device.shared_per_multiprocessor / per_block);
  return std::max(
      0, std::min({by_warps, by_registers, by_shared, device.max_blocks_per_multiprocessor}));
}

size_t available_dynamic_shared(Kernel& kernel, size_t static_shared, int blocks, int threads) {
  const DeviceProperties& device = device_properties();
  if (blocks <= 0 || blocks > blocks_per_multiprocessor(kernel, static_shared, threads, 0))
    return 0;
  size_t share =
      device.shared_per_multiprocessor / static_cast<size_t>(blocks) / kSharedUnit * kSharedUnit;
  size_t fixed = static_shared + device.shared_reserved_per_block;
  size_t left = share > fixed ? share - fixed : 0;
  return std::min(left, device.shared_per_block_optin - static_shared);
}

}  // namespace guda::runtime
