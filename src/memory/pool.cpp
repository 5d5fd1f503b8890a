#include "memory/pool.h"

#include "memory/heap.h"
#include "memory/heap_layout.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

namespace guda::memory {
namespace {

constexpr const char* kPoolFile = "guda-pool";

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
  for (auto& [pointer, size] : used_) return_memory(pointer, size);
  for (auto& [size, pointer] : kept_) return_memory(pointer, size);
  if (imported_file_ >= 0) close(imported_file_);
}

Result<std::unique_ptr<MemoryPool>> MemoryPool::create_exportable(size_t max_bytes) {
  auto arena = FileArena::create(kPoolFile);
  if (!arena) return arena.status();
  auto pool = std::make_unique<MemoryPool>(max_bytes);
  pool->arena_ = std::move(*arena);
  return pool;
}

Result<std::unique_ptr<MemoryPool>> MemoryPool::import_file(int descriptor) {
  if (!is_memory_file(descriptor, kPoolFile))
    return Status(StatusCode::invalid_value, fmt::format("descriptor {} is no pool", descriptor));
  auto pool = std::make_unique<MemoryPool>();
  pool->imported_file_ = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (pool->imported_file_ < 0)
    return Status(StatusCode::operating_system, "no descriptor is left");
  return pool;
}

Result<int> MemoryPool::export_file() const {
  if (!arena_)
    return Status(StatusCode::invalid_value, "the pool was not made for other processes");
  const int descriptor = dup(arena_->descriptor());
  if (descriptor < 0) return Status(StatusCode::operating_system, "no descriptor is left");
  return descriptor;
}

Result<MemoryPool::Exported> MemoryPool::export_pointer(void* pointer) const {
  std::unique_lock lock(mutex_);
  auto found = used_.find(pointer);
  if (!arena_ || found == used_.end())
    return Status(StatusCode::invalid_value, "not an allocation of a pool for other processes");
  return Exported{offsets_.at(pointer), found->second};
}

Result<void*> MemoryPool::import_pointer(const Exported& exported) {
  const size_t size = file_size(imported_file_);
  if (imported_file_ < 0 || exported.offset > size || exported.size > size - exported.offset)
    return Status(StatusCode::invalid_value, "not an allocation of this pool");
  auto memory = Heap::instance().map_file(imported_file_, exported.offset, exported.size,
                                          AllocationKind::pool, this);
  if (!memory) return memory.status();
  std::unique_lock lock(mutex_);
  used_.emplace(*memory, exported.size);
  return *memory;
}

Result<void*> MemoryPool::take_memory(size_t bytes) {
  if (!arena_) return Heap::instance().allocate(bytes, AllocationKind::pool, 0, this);
  auto offset = arena_->take(bytes);
  if (!offset) return offset.status();
  auto memory =
      Heap::instance().map_file(arena_->descriptor(), *offset, bytes, AllocationKind::pool, this);
  if (memory) {
    offsets_.emplace(*memory, *offset);
  } else {
    arena_->give(*offset, bytes);
  }
  return memory;
}

void MemoryPool::return_memory(void* pointer, size_t bytes) {
  (void)Heap::instance().release(pointer, kind_bit(AllocationKind::pool));
  if (auto place = offsets_.find(pointer); place != offsets_.end()) {
    arena_->give(place->second, bytes);
    offsets_.erase(place);
  }
}

Result<void*> MemoryPool::allocate(size_t size) {
  size_t bytes = rounded(size);
  if (imported())
    return Status(StatusCode::invalid_value, "an imported pool gives no memory of its own");
  if (arena_) bytes = (bytes + kPage - 1) / kPage * kPage;
  std::unique_lock lock(mutex_);
  void* pointer = nullptr;
  if (auto found = kept_.find(bytes); found != kept_.end()) {
    pointer = found->second;
    kept_.erase(found);
  } else {
    if (max_bytes_ && statistics_.used + bytes > max_bytes_) {
      return Status(StatusCode::out_of_memory, "the pool's largest size is reached");
    }
    auto memory = take_memory(bytes);
    if (!memory) {
      release_locked(0);
      memory = take_memory(bytes);
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
  if (imported()) {
    return_memory(pointer, found->second);
    used_.erase(found);
    return Status::ok();
  }
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
    return_memory(largest->second, largest->first);
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
