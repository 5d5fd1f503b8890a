// Addresses and memory as two things: a program reserves addresses, creates memory, maps one at the other and says
// who may use it (the driver API's cuMemAddressReserve, cuMemCreate, cuMemMap, cuMemSetAccess).
//
// Memory is a place in a file. What is mapped and accessible is an allocation of kind `mapped` of the heap, which knows
// contiguous mappings as one. Devices get copies of it like of any other, with three exceptions, which stay on the
// host: bytes that are mapped at two addresses, bytes that other processes may have, and mappings that may not be
// written. Coherence is kept by addresses, and would not know of the other ones.
//
// Thread safe. The caller has waited for work that uses what a call changes. Errors are invalid_value unless said
// otherwise, as in CUDA.
#pragma once

#include "memory/heap.h"
#include "support/status.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace guda::memory {

class FileArena;

class VirtualMemory {
 public:
  using Handle = uint64_t;
  enum class Access : uint8_t { none = 0, read = 1, read_write = 3 };
  enum class Side : uint8_t { device, host };
  struct Properties {
    bool on_host = false;
    int node = -1;  // the host's memory node that was asked for; -1: any
    bool exportable = false;
  };

  explicit VirtualMemory(Heap& heap);
  /// Leaves nothing mapped; for tests. The process's is never destroyed.
  ~VirtualMemory();
  VirtualMemory(const VirtualMemory&) = delete;
  VirtualMemory& operator=(const VirtualMemory&) = delete;
  static VirtualMemory& instance();

  /// What sizes, offsets and addresses of memory are multiples of.
  size_t granularity() const;

  /// Addresses, inaccessible. `size` and `hint` are multiples of pages, `alignment` a power of two or 0. Errors:
  /// invalid_value, out_of_memory.
  Result<std::byte*> reserve(size_t size, size_t alignment, std::byte* hint);
  /// Exactly a reservation, with nothing mapped in it.
  Status free(std::byte* base, size_t size);

  /// Memory without an address, referred to once. Errors: invalid_value, out_of_memory.
  Result<Handle> create(size_t size, const Properties& properties);
  /// Gives up one reference. Memory goes when it has neither references nor mappings.
  Status release(Handle handle);
  /// The memory mapped at an address, referred to once more.
  Result<Handle> retain(const void* address);
  Result<Properties> properties(Handle handle) const;

  /// Memory at [offset, offset + size) of `handle` appears at [base, base + size), accessible to nobody yet.
  Status map(std::byte* base, size_t size, size_t offset, Handle handle);
  /// Whole mappings, one or several without gaps.
  Status unmap(std::byte* base, size_t size);
  /// The same ranges. Device memory has no access of the host's to change.
  Status set_access(std::byte* base, size_t size, Side side, Access access);
  Result<Access> access(const void* address, Side side) const;

  /// A file descriptor for other processes, the caller's. Errors: invalid_value, operating_system.
  Result<int> export_file(Handle handle);
  /// What export_file() gave, here or elsewhere; the descriptor stays the caller's.
  Result<Handle> import_file(int descriptor);

  /// What is known of an address in a reservation.
  struct Place {
    std::span<std::byte> reservation;
    std::span<std::byte> mapping;  // empty: nothing mapped there
    Handle handle = 0;
    Properties properties;
    Access device = Access::none, host = Access::none;
  };
  std::optional<Place> find(const void* address) const;

 private:
  struct Reservation {
    size_t size = 0;
    std::vector<std::byte*> entries;  // of the heap's, guard pages included
    size_t guard = 0;  // bytes of them behind the range
  };
  struct Mapping;
  struct Memory {
    Handle handle = 0;
    Properties properties;
    size_t size = 0;
    int file = -1;
    size_t offset = 0;  // in the file
    bool own_file = false;  // else a place in the arena
    bool charged = false;
    bool fresh = true;  // nobody has written it
    bool shared = false;  // other processes may have it
    size_t references = 0;
    std::vector<Mapping*> mappings;
  };
  struct Mapping {
    std::byte* base = nullptr;
    size_t size = 0;
    size_t offset = 0;  // in the memory
    Memory* memory = nullptr;
    Access device = Access::none, host = Access::none;
    bool announced = false;  // devices may have copies

    std::byte* end() const { return base + size; }
    Access effective() const { return device > host ? device : host; }
  };

  std::optional<std::byte*> extend(size_t size, size_t alignment, std::byte* hint);
  Memory* memory_of(Handle handle) const;
  const Mapping* mapping_at(const void* address) const;
  /// The mappings that make up exactly [base, base + size); empty: there are none.
  std::vector<Mapping*> whole_mappings(std::byte* base, size_t size);
  bool suits_devices(const Mapping& mapping) const;
  void announce_as_fit(Memory& memory);
  void withdraw(Mapping& mapping, bool keep_contents);
  void tell_heap(std::byte* begin, std::byte* end);
  void drop_if_unused(Memory& memory);

  Heap& heap_;
  mutable std::mutex mutex_;
  std::map<std::byte*, Reservation> reservations_;
  std::map<std::byte*, std::unique_ptr<Mapping>> mappings_;
  std::map<Handle, std::unique_ptr<Memory>> memories_;
  std::unique_ptr<FileArena> arena_;
  Handle next_handle_ = 1;
};

}  // namespace guda::memory
