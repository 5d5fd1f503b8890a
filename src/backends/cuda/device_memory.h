// Device memory for the program's addresses, and the way between it and the host's side of these addresses.
//
// The driver gives memory only at addresses that it has reserved, and takes a host pointer into its reservation
// for a device address. So the transfers of a mapped range go through a second mapping of the file that the host
// has there, the view, pinned piece by piece.
#pragma once

#include "backends/cuda/address_space.h"
#include "backends/cuda/context.h"
#include "backends/cuda/shared_memory.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <vector>

namespace guda::backend::cuda {

class DeviceMemory {
 public:
  /// `shared` outlives it.
  DeviceMemory(std::shared_ptr<Context> context, const AddressSpace& space, size_t granularity,
               const SharedMemory& shared);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  /// As Device::map and unmap say.
  Status map(void* address, size_t bytes, int host_file);
  Status unmap(void* address, size_t bytes);

  Context& context() const { return *context_; }
  const AddressSpace& space() const { return space_; }
  /// Lets another device read the mapped range around the program's address, so that copies go from memory to memory;
  /// where the devices cannot, the driver finds another way. Asked once for each range and device.
  void allow(const void* address, int device);

  /// Where the driver finds host memory.
  struct HostPart {
    /// Null: the driver cannot read it at all, its contents go through a pinned buffer.
    std::byte* pointer;
    size_t bytes;
  };
  /// The first part of [host, host + bytes) that one copy can take. Pins what large transfers often use.
  HostPart host_part(const void* host, size_t bytes);

  /// A pinned piece: large enough for full speed on its own, small enough that a few touched pages pin little.
  static constexpr size_t kPiece = size_t{32} << 20;

 private:
  struct Piece {
    enum class State { pageable, pinned, refused } state = State::pageable;
    size_t transferred = 0;
  };
  struct Mapped {
    size_t size = 0;
    std::byte* view = nullptr;  // null: no file
    std::vector<Piece> pieces;  // of the view
    std::vector<int> asked;  // devices that allow() was asked for
  };

  void release(uintptr_t base, Mapped& mapped);

  std::shared_ptr<Context> context_;
  AddressSpace space_;
  size_t granularity_;
  const SharedMemory& shared_;
  std::shared_mutex ranges_mutex_;
  std::map<uintptr_t, Mapped> ranges_;
  std::mutex pieces_mutex_;  // of all ranges' pieces; held while a piece is pinned
};

}  // namespace guda::backend::cuda
