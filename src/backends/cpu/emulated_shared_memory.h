// Memory that the program and all emulated devices reach at one address: plain host memory, with the rules of a driver.
#pragma once

#include "backends/device.h"
#include "support/status.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <shared_mutex>

namespace guda::backend {

/// Of the process. Thread safe.
class EmulatedSharedMemory {
 public:
  static EmulatedSharedMemory& instance();

  /// As the functions of Device.
  Result<void*> allocate(size_t bytes);
  Status free(void* address);
  Status add_registered(void* address, size_t bytes);
  Status remove_registered(void* address);

  /// All of [address, address + bytes) lies in one piece of such memory.
  bool holds(const void* address, size_t bytes) const;

 private:
  struct Piece {
    size_t bytes = 0;
    bool registered = false;
  };
  Status insert(uintptr_t start, Piece piece);
  Status erase(void* address, bool registered);

  mutable std::shared_mutex mutex_;
  std::map<uintptr_t, Piece> pieces_;
};

}  // namespace guda::backend
