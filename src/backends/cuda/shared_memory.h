// Memory that the program and all devices of the driver reach at one address: the driver's pinned and managed memory, and
// memory of the program's own that the driver has pinned.
#pragma once

#include "backends/cuda/context.h"
#include "backends/device.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <shared_mutex>

namespace guda::backend::cuda {

/// One for all devices of a driver. Thread safe.
class SharedMemory {
 public:
  SharedMemory() = default;
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// What DeviceInfo::shared_memory says of a device.
  static bool offered_by(const Driver& driver, int device);
  /// From now on there is no managed memory: a device would not let the host use it while kernels run.
  void forbid_managed() { managed_ = false; }

  /// As the functions of Device; `context` is that of the device that was asked, and kept as long as the memory.
  Result<void*> allocate(const std::shared_ptr<Context>& context, size_t bytes, SharedKind kind);
  Status free(void* address);
  Status register_host(const std::shared_ptr<Context>& context, void* address, size_t bytes);
  Status unregister_host(void* address);

  /// How much of [start, start + bytes) one copy may take: the driver refuses copies that reach across the edge of
  /// registered memory.
  size_t before_edge(const void* start, size_t bytes) const;

 private:
  enum class Origin { pinned, managed, registered };
  struct Piece {
    size_t bytes = 0;
    Origin origin = Origin::pinned;
    std::shared_ptr<Context> context;
  };

  Status keep(void* address, Piece piece);
  static Status give_back(uintptr_t address, const Piece& piece);
  Result<Piece> take_out(void* address, bool registered);

  bool managed_ = true;
  mutable std::shared_mutex mutex_;
  std::map<uintptr_t, Piece> pieces_;
  std::multiset<uintptr_t> edges_;  // of registered pieces, and of their pages
};

}  // namespace guda::backend::cuda
