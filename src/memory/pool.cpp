#include "memory/pool.h"

#include "memory/heap.h"

#include <algorithm>

namespace guda::memory {
namespace {

/// Kept memory is found by size, so near sizes share one: 512 bytes, from 64 KiB on an eighth.
size_t rounded(size_t size) {
  size_t unit = 512;
  while (unit * 128 < size) unit *= 2;
  return (size + unit - 1) / unit * unit;
}

}  // namespace

MemoryPool& MemoryPool::default_pool() {
  static MemoryPool* pool = new MemoryPool;
  return *pool;
}

MemoryPool::~MemoryPool() {
  for (auto& [pointer, size] : used_) {
    (void)Heap::instance().release(pointer, kind_bit(AllocationKind::pool));
  }
  for (auto& [size, pointer] : kept_) {
    (void)Heap::instance().release(pointer, kind_bit(AllocationKind::pool));
  }
}

Result<void*> MemoryPool::allocate(size_t size) {
  size_t bytes = rounded(size);
  std::unique_lock lock(mutex_);
  void* pointer = nullptr;
  if (auto found = kept_.find(bytes); found != kept_.end()) {
    pointer = found->second;
    kept_.erase(found);
  } else {
    if (max_bytes_ && statistics_.used + bytes > max_bytes_) {
      return Status(StatusCode::out_of_memory, "the pool's largest size is reached");
    }
    auto memory = Heap::instance().allocate(bytes, AllocationKind::pool, 0, this);
    if (!memory) {
      release_locked(0);
      memory = Heap::instance().allocate(bytes, AllocationKind::pool, 0, this);
      if (!memory) return memory.status();
    }
    pointer = *memory;
    statistics_.reserved += bytes;
    statistics_.reserved_high = std::max(statistics_.reserved_high, statistics_.reserved);
  }
  used_.emplace(pointer, bytes);
  statistics_.used += bytes;
  statistics_.used_high = std::max(statistics_.used_high, statistics_.used);
  return pointer;
}

Status MemoryPool::give_back(void* pointer) {
  std::unique_lock lock(mutex_);
  auto found = used_.find(pointer);
  if (found == used_.end()) return {StatusCode::invalid_value, "not an allocation of this pool"};
  statistics_.used -= found->second;
  kept_.emplace(found->second, pointer);
  used_.erase(found);
  // A little is kept whatever the threshold: a loop that allocates and frees must not map memory anew.
  constexpr uint64_t kAlwaysKept = 64 << 20;
  release_locked(std::max(threshold_, kAlwaysKept));
  return Status::ok();
}

void MemoryPool::release_locked(size_t keep) {
  while (statistics_.reserved > keep && !kept_.empty()) {
    auto largest = std::prev(kept_.end());
    (void)Heap::instance().release(largest->second, kind_bit(AllocationKind::pool));
    statistics_.reserved -= largest->first;
    kept_.erase(largest);
  }
}

void MemoryPool::trim(size_t keep) {
  std::unique_lock lock(mutex_);
  release_locked(keep);
}

MemoryPool::Statistics MemoryPool::statistics() const {
  std::unique_lock lock(mutex_);
  return statistics_;
}
void MemoryPool::reset_reserved_high() {
  std::unique_lock lock(mutex_);
  statistics_.reserved_high = statistics_.reserved;
}
void MemoryPool::reset_used_high() {
  std::unique_lock lock(mutex_);
  statistics_.used_high = statistics_.used;
}
uint64_t MemoryPool::release_threshold() const {
  std::unique_lock lock(mutex_);
  return threshold_;
}
void MemoryPool::set_release_threshold(uint64_t bytes) {
  std::unique_lock lock(mutex_);
  threshold_ = bytes;
}

}  // namespace guda::memory
