// Device memory of the CPU device: host memory at one virtual address, with the bookkeeping that the
// CUDA API promises (bounds, kinds, owners).
//
// Thread safe. Every pointer handed out is recorded until released, so any address inside an
// allocation leads back to it. Large allocations are mappings of their own between inaccessible
// guard pages, so that a kernel running past the end faults as on a GPU; small ones share 32 MiB
// chunks that have guard pages at both ends.
#pragma once

#include "backends/device.h"
#include "support/status.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <span>
#include <vector>

namespace guda::memory {

enum class AllocationKind : uint8_t {
  device,  // cudaMalloc, cudaMallocPitch, cudaMalloc3D
  host,  // cudaMallocHost, cudaHostAlloc
  registered,  // cudaHostRegister: the program's own memory
  managed,  // cudaMallocManaged and __managed__ variables
  pool,  // cudaMallocAsync, cudaMallocFromPoolAsync
  variable,  // __device__ and __constant__ variables of a module
  device_variable,  // those of machine code: a device's driver has placed them, and nothing else reaches them
  array,  // storage of cudaArray_t
  imported,  // another process's device memory (cudaIpcOpenMemHandle)
  mapped,  // what virtual_memory.h has put together and given access to (cuMemMap, cuMemSetAccess)
};

struct Allocation {
  std::byte* base = nullptr;
  size_t size = 0;  // as requested, not rounded
  AllocationKind kind = AllocationKind::device;
  uint32_t flags = 0;  // of cudaHostAlloc / cudaHostRegister / cudaMallocManaged
  uint64_t id = 0;  // unique in the process; never 0
  void* owner = nullptr;  // MemoryPool of kind pool
  bool read_only = false;
  bool host_only =
      false;  // devices cannot have copies: other processes or other addresses show the same bytes
  /// The device that gave or registered it: the devices of that backend reach it where it is. Null: nobody did.
  backend::Device* shared_by = nullptr;

  bool contains(const void* pointer) const {
    auto address = reinterpret_cast<uintptr_t>(pointer);
    auto start = reinterpret_cast<uintptr_t>(base);
    return address >= start && address < start + size;
  }
};

/// Told of every mapping that allocations come from, so that devices can have copies of it.
class RegionObserver {
 public:
  virtual ~RegionObserver() = default;
  /// A new mapping of `size` bytes; `file` (-1: none) is behind it. Called before anything in it is handed out. `fresh`:
  /// its contents do not matter.
  virtual void region_added(std::byte* base, size_t size, int file, bool fresh) = 0;
  /// The mapping goes; nothing in it is in use.
  virtual void region_removed(std::byte* base) = 0;
  /// The same, but its contents stay in use: the latest ones are brought to the host first.
  virtual void region_withdrawn(std::byte* base, size_t size) = 0;
  /// Memory is about to be given back: returns when nothing that has been started uses it.
  virtual void before_release() {}
  /// It is being given back: its contents do not matter any more.
  virtual void released(std::byte* base, size_t size) { (void)base, (void)size; }
};

class Heap {
 public:
  /// limit: most bytes in use at once; 0 means the machine's memory.
  explicit Heap(size_t limit = 0);
  ~Heap();
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  /// The process's heap. Never destroyed: kernels may still run while static objects go away.
  static Heap& instance();

  /// From now on every mapping has a file behind it, starts at and is a multiple of `alignment` (a power of two), and
  /// `observer` (which stays) is told of it. Before the first allocation, else illegal_state. Mappings are placed in
  /// `addresses` (ours from now on, nothing mapped there but inaccessible pages) unless it is empty.
  Status observe_regions(RegionObserver& observer, size_t alignment,
                         std::span<std::byte> addresses = {});
  /// From now on pinned and managed memory comes from `device` (which stays), and what the program registers is
  /// announced to it, as long as it can: Allocation::shared_by tells.
  void share_with(backend::Device& device);
  /// Changes whenever an allocation comes or goes.
  uint64_t generation() const { return generation_.load(std::memory_order_relaxed); }
  /// Every allocation, in order of addresses.
  std::vector<Allocation> allocations() const;

  /// Memory of at least `size` bytes (> 0), aligned to `alignment` (a power of two up to 4096; at
  /// least 256 is used). Contents are undefined. out_of_memory beyond the limit.
  Result<void*> allocate(size_t size, AllocationKind kind, uint32_t flags = 0,
                         void* owner = nullptr, size_t alignment = 256);
  /// Returns memory to the system. `pointer` must be the start of an allocation of one of the kinds
  /// in `kinds` (bit mask of 1 << AllocationKind), else invalid_value.
  Status release(void* pointer, uint32_t kinds);

  /// Records memory that the heap does not own (cudaHostRegister). 712 when any byte of it is
  /// already known, invalid_value when size is 0.
  Status add_registered(void* pointer, size_t size, uint32_t flags);
  /// Forgets it. 713 when the pointer is not the start of a registered range.
  Status remove_registered(void* pointer);

  /// Records a variable of machine code, where `device` (which stays) has it: of kind device_variable, or managed.
  /// Errors: invalid_value when something else is there.
  Status add_device_variable(void* pointer, size_t size, bool managed, backend::Device& device);
  /// Forgets it.
  void remove_device_variable(void* pointer);

  /// The allocation that holds this address.
  std::optional<Allocation> find(const void* pointer) const;
  /// False when [pointer, pointer + size) starts inside a known allocation and runs past its end, or starts
  /// in heap memory that is not allocated. Addresses outside the heap (the program's own memory) are in
  /// bounds.
  bool in_bounds(const void* pointer, size_t size) const;
  /// Releases every allocation of these kinds (cudaDeviceReset).
  void release_all(uint32_t kinds);

  /// Where another process finds an allocation: bytes [offset, offset + size) of the file `descriptor` of
  /// process `process`, whose first region_size bytes are one mapping.
  struct Shared {
    int process = 0;
    int descriptor = -1;
    size_t region_size = 0;
    size_t offset = 0;
    size_t size = 0;
  };
  /// Makes the memory of `pointer` (the start of device memory) reachable from other processes, at its present
  /// address. Nothing may use it during the call. From now on devices have no copies of it. Errors: invalid_value,
  /// operating_system.
  Result<Shared> share(void* pointer);
  /// Maps what another process shared; a new allocation of kind `imported`. Errors: operating_system.
  Result<void*> import(const Shared& shared);

  // For memory that is put together elsewhere (virtual_memory.h, file_arena.h) -----------------------------------

  /// Counts bytes against the limit. Errors: out_of_memory.
  Status charge(size_t bytes);
  void refund(size_t bytes);
  /// Inaccessible addresses, where mappings are placed: at `hint` (null: anywhere) when they are free. Copies from and
  /// to them are out of bounds. Errors: out_of_memory.
  Result<std::byte*> reserve_addresses(size_t bytes, std::byte* hint = nullptr);
  /// Keeps the first `bytes` of a reservation, which starts at `start`; the rest becomes one of its own.
  void split_reservation(std::byte* start, size_t bytes);
  void give_addresses(std::byte* start);
  /// `usable` become the allocations of kind `mapped` in [begin, begin + bytes); id is set here.
  void replace_mapped(std::byte* begin, size_t bytes, std::span<const Allocation> usable);
  /// Bytes [offset, offset + size) of a file as an allocation that devices cannot have; the file stays the caller's.
  /// Errors: out_of_memory, invalid_value (not a multiple of pages).
  Result<void*> map_file(int file, size_t offset, size_t size, AllocationKind kind, void* owner);
  /// Null: nobody observes.
  RegionObserver* observer() const { return observer_; }
  size_t region_alignment() const { return region_alignment_; }

  size_t total_bytes() const { return limit_; }
  size_t used_bytes() const;
  size_t free_bytes() const;
  size_t allocation_count() const;
  /// The one of share_with(); null: nobody shares.
  const backend::Device* sharing_device() const { return sharing_; }
  /// Allocations that are host_visible() or host_only, and that no device shares.
  size_t special_count() const { return special_.load(std::memory_order_relaxed); }

 private:
  struct Block {
    std::byte* mapping = nullptr;  // large: start of the mapping, guard pages included
    size_t mapping_size = 0;
    size_t charged = 0;  // bytes counted against the limit
    int descriptor = -1;  // of the file behind it, when it is shared
    bool of_file = false;  // of a file that is not ours: only a view
    backend::Device* shared_by = nullptr;  // large: it came from there
  };
  struct Chunk {
    size_t size = 0;  // of the mapping
    std::byte* usable = nullptr;
    int descriptor = -1;
    size_t ranges = 0;  // index in small_
    backend::Device* shared_by = nullptr;  // it came from there
  };
  struct Record {
    Allocation allocation;
    Block block;
  };
  using Records = std::map<uintptr_t, Record>;  // by start address

  static bool special(const Allocation& allocation);
  bool known_in(uintptr_t start, size_t size) const;
  void add_record(const Record& record);
  Records::iterator erase_record(Records::iterator record);
  struct Mapping;
  void keep_on_host(std::byte* region, size_t size);
  Mapping map(size_t bytes, size_t alignment);
  void unmap(const Block& block, std::byte* usable);
  void* reserve(size_t size);
  void give_reservation(void* start, size_t size);
  Result<std::byte*> take_small(size_t bytes, size_t alignment, size_t ranges);
  void give_small(std::byte* pointer, size_t bytes);
  std::byte* take_free(size_t bytes, size_t alignment, size_t ranges);
  Status add_chunk(size_t ranges);
  std::byte* take_shared(std::unique_lock<std::shared_mutex>& lock, size_t alignment,
                         backend::SharedKind kind, Block& block);
  bool in_heap_locked(uintptr_t address) const;
  Block take_mapping(size_t bytes, size_t alignment, std::byte*& base);
  void keep_mapping(const Block& block, std::byte* base, size_t bytes);

  size_t limit_;
  RegionObserver* observer_ = nullptr;
  size_t region_alignment_ = 0;
  std::span<std::byte> addresses_;  // not yet used part of what mappings are placed in
  backend::Device* sharing_ = nullptr;
  std::multimap<size_t, void*> returned_;  // reservations in there that were given back, by size
  bool placed_ = false;
  mutable std::shared_mutex mutex_;
  Records records_;
  size_t used_ = 0;
  std::map<uintptr_t, size_t> reserved_;  // of reserve_addresses(), by start
  uint64_t next_id_ = 1;
  std::atomic<uint64_t> generation_{1};
  std::atomic<size_t> special_{0};
  /// Free ranges for small blocks, coalesced.
  struct SmallRanges {
    std::map<uintptr_t, size_t> by_address;
    std::set<std::pair<size_t, uintptr_t>> by_size;
  };
  // Of device memory, and, when somebody observes, of memory that the program writes without telling anybody:
  // coherence is kept in granules larger than blocks. Then of chunks that other processes see while somebody observes
  // (nothing new comes from there), and of pinned and managed memory of the device that shares its own.
  static constexpr size_t kSharedRanges = 2, kPinnedRanges = 3, kManagedRanges = 4;
  std::array<SmallRanges, 5> small_;
  std::map<uintptr_t, Chunk> chunks_;  // mappings of small blocks
  // Mappings given back lately, inaccessible but with their pages: programs that allocate and free in a loop
  // must not fault gigabytes in again. By size.
  struct Kept {
    Block block;
    std::byte* base;
  };
  std::multimap<size_t, Kept> kept_;
  size_t kept_bytes_ = 0;
};

/// Memory that the program reads and writes itself, at any time.
constexpr bool host_visible(AllocationKind kind) {
  return kind == AllocationKind::host || kind == AllocationKind::managed ||
         kind == AllocationKind::registered || kind == AllocationKind::imported;
}

inline bool Heap::special(const Allocation& allocation) {
  return allocation.host_only || (host_visible(allocation.kind) && allocation.shared_by == nullptr);
}

constexpr uint32_t kind_bit(AllocationKind kind) { return 1u << static_cast<uint32_t>(kind); }

/// Physical memory that this process may use: the machine's, or its control group's limit.
size_t machine_memory_bytes();
/// Of that, what is not in use by anyone.
size_t machine_memory_available();

}  // namespace guda::memory
