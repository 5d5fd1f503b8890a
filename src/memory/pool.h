// Memory pools of cudaMallocAsync: freed memory is kept for the next allocation, up to a threshold.
//
// A pool hands memory out at once: with one memory for host and device the address is valid before the
// stream gets there. What is freed in stream order comes back through give_back(), which the stream runs
// when it arrives. Thread safe.
#pragma once

#include "support/status.h"

#include <cstddef>
#include <cstdint>
#include <map>
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

  /// Errors: out_of_memory.
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

  mutable std::mutex mutex_;
  size_t max_bytes_;
  uint64_t threshold_ = 0;
  Statistics statistics_;
  std::map<void*, size_t> used_;  // by address: rounded size
  std::multimap<size_t, void*> kept_;  // by rounded size
};

}  // namespace guda::memory
