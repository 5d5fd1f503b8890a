// Memory pools of cudaMallocAsync: freed memory is kept for the next allocation, up to a threshold.
//
// A pool hands memory out at once: with one memory for host and device the address is valid before the
// stream gets there. What is freed in stream order comes back through give_back(), which the stream runs
// when it arrives. Thread safe.
//
// A pool that can be exported lives in one file: other processes open it and map what they are told of, at addresses
// of their own. Devices have no copies of such memory.
#pragma once

#include "memory/file_arena.h"
#include "support/status.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace guda::memory {

class MemoryPool {
 public:
  explicit MemoryPool(size_t max_bytes = 0) : max_bytes_(max_bytes) {}
  ~MemoryPool();
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  /// The device's pool; never destroyed.
  static MemoryPool& default_pool();

  /// A pool that other processes can open. Errors: operating_system.
  static Result<std::unique_ptr<MemoryPool>> create_exportable(size_t max_bytes);
  /// The pool behind what export_file() gave, in whichever process: for import_pointer() only. The descriptor stays
  /// the caller's. Errors: invalid_value, operating_system.
  static Result<std::unique_ptr<MemoryPool>> import_file(int descriptor);
  bool exportable() const { return arena_ != nullptr; }
  bool imported() const { return imported_file_ >= 0; }
  /// A descriptor of the caller's. Errors: invalid_value, operating_system.
  Result<int> export_file() const;
  /// Where an allocation is in the pool's file.
  struct Exported {
    size_t offset = 0, size = 0;
  };
  /// Errors: invalid_value.
  Result<Exported> export_pointer(void* pointer) const;
  /// The same memory, in an imported pool; give_back() ends it here. Errors: invalid_value, out_of_memory.
  Result<void*> import_pointer(const Exported& exported);

  /// Errors: out_of_memory; invalid_value for an imported pool.
  Result<void*> allocate(size_t size);
  /// Takes back an allocation of this pool: kept while the pool holds at most its release threshold.
  Status give_back(void* pointer);
  /// Returns kept memory until at most `keep` bytes are reserved.
  void trim(size_t keep);

  struct Statistics {
    uint64_t reserved = 0, reserved_high = 0, used = 0, used_high = 0;
  };
  Statistics statistics() const;
  void reset_reserved_high();
  void reset_used_high();
  uint64_t release_threshold() const;
  void set_release_threshold(uint64_t bytes);
  /// cudaMemPoolReuse*: kept for reading back.
  int reuse_flags[3] = {1, 1, 1};

 private:
  void release_locked(size_t keep);
  Result<void*> take_memory(size_t bytes);
  void return_memory(void* pointer, size_t bytes);

  mutable std::mutex mutex_;
  size_t max_bytes_;
  uint64_t threshold_ = 0;
  std::unique_ptr<FileArena> arena_;
  std::map<void*, size_t> offsets_;  // in the arena
  int imported_file_ = -1;
  Statistics statistics_;
  std::map<void*, size_t> used_;  // by address: rounded size
  std::multimap<size_t, void*> kept_;  // by rounded size
};

}  // namespace guda::memory
