// Stream-ordered allocation and memory pools.
#include "memory/pool.h"

#include "abi/cudart/api.h"
#include "memory/heap.h"
#include "runtime/graph.h"
#include "runtime/submit.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

namespace guda::cudart {
namespace {

using memory::AllocationKind;
using memory::Heap;
using memory::MemoryPool;

/// Pools that the program made, and the device's current one.
struct Pools {
  std::mutex mutex;
  std::unordered_map<const void*, std::unique_ptr<MemoryPool>> created;
  MemoryPool* current = &MemoryPool::default_pool();
};
Pools& pools() {
  static Pools* all = new Pools;
  return *all;
}

MemoryPool* find_pool(cudaMemPool_t handle) {
  if (handle == &MemoryPool::default_pool()) return &MemoryPool::default_pool();
  std::unique_lock lock(pools().mutex);
  auto found = pools().created.find(handle);
  return found == pools().created.end() ? nullptr : found->second.get();
}

MemoryPool* current_pool() {
  std::unique_lock lock(pools().mutex);
  return pools().current;
}

/// Memory that a pool got back while a device may still work on it: what the next user has to wait for.
class GivenBack {
 public:
  void add(void* pointer, runtime::Dependency after) {
    std::unique_lock lock(mutex_);
    after_.insert_or_assign(pointer, std::move(after));
    any_.store(true, std::memory_order_release);
  }
  std::optional<runtime::Dependency> take(void* pointer) {
    if (!any_.load(std::memory_order_acquire)) return std::nullopt;
    std::unique_lock lock(mutex_);
    auto found = after_.find(pointer);
    if (found == after_.end()) return std::nullopt;
    auto after = std::move(found->second);
    after_.erase(found);
    any_.store(!after_.empty(), std::memory_order_release);
    return after;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<void*, runtime::Dependency> after_;
  std::atomic<bool> any_{false};
};

GivenBack& given_back() {
  static auto* memory = new GivenBack;
  return *memory;
}

class FreeOperation final : public runtime::Operation {
 public:
  FreeOperation(MemoryPool& pool, void* pointer) : pool_(pool), pointer_(pointer) {}
  runtime::OperationKind operation_kind() const override { return runtime::OperationKind::nothing; }
  Status execute() override { return pool_.give_back(pointer_); }
  std::unique_ptr<Operation> clone() const override {
    return std::make_unique<FreeOperation>(*this);
  }
  bool runs_after_error() const override { return true; }
  bool follow_device_work(runtime::Stream& stream, uint64_t ticket) override {
    // Memory of the host's alone may be unmapped at once; a copy to it may be under way.
    if (pool_.exportable() || pool_.imported()) return false;
    given_back().add(pointer_, {stream.shared_from_this(), ticket});
    (void)pool_.give_back(pointer_);
    return true;
  }

 private:
  MemoryPool& pool_;
  void* pointer_;
};

class ReleaseOperation final : public runtime::Operation {
 public:
  explicit ReleaseOperation(void* pointer) : pointer_(pointer) {}
  runtime::OperationKind operation_kind() const override { return runtime::OperationKind::nothing; }
  Status execute() override {
    return Heap::instance().release(pointer_, memory::kind_bit(AllocationKind::device) |
                                                  memory::kind_bit(AllocationKind::managed) |
                                                  memory::kind_bit(AllocationKind::pool));
  }
  bool runs_after_error() const override { return true; }

 private:
  void* pointer_;
};

Error allocate(void** pointer, size_t size, MemoryPool* pool, void* stream_handle,
               bool per_thread) {
  GUDA_ENTER();
  if (!pointer || !pool) return invalid_value();
  runtime::Stream* stream = runtime::StreamTable::instance().find(stream_handle, per_thread);
  if (!stream) return invalid_handle();
  if (size == 0) {
    *pointer = nullptr;
    return kSuccess;
  }
  if (stream->capture()) {
    auto memory = runtime::allocate_graph_memory(stream->capture()->graph(), size);
    if (!memory) return finish(memory.status());
    *pointer = *memory;
    return kSuccess;
  }
  auto memory = pool->allocate(size);
  if (!memory) return finish(memory.status());
  if (auto after = given_back().take(*memory)) stream->wait_for(std::move(*after));
  *pointer = *memory;
  return kSuccess;
}

Error device_pool(cudaMemPool_t* out, int device, MemoryPool* pool) {
  GUDA_ENTER();
  if (!out) return invalid_value();
  if (device != 0) return invalid_device();
  *out = pool;
  return kSuccess;
}

/// Into the list of created ones.
MemoryPool* keep(std::unique_ptr<MemoryPool> pool) {
  std::unique_lock lock(pools().mutex);
  MemoryPool* kept = pool.get();
  pools().created.emplace(kept, std::move(pool));
  return kept;
}

constexpr int kPosixFile = 1;  // cudaMemAllocationHandleType

// What another process is told of an allocation.
struct PointerContents {
  uint64_t magic;
  MemoryPool::Exported exported;
};
constexpr uint64_t kPointerMagic = 0x7274702d61647567;
static_assert(sizeof(PointerContents) <= sizeof(cudaMemPoolPtrExportData));

enum PoolAttribute : int {
  kReuseFollowEvents = 1,
  kReuseOpportunistic,
  kReuseInternal,
  kReleaseThreshold,
  kReservedCurrent,
  kReservedHigh,
  kUsedCurrent,
  kUsedHigh,
};

}  // namespace

GUDA_API_PTSZ(cudaMallocAsync, (void** pointer, size_t size, cudaStream_t stream),
              (pointer, size, stream)) {
  return allocate(pointer, size, current_pool(), stream, kPerThread);
}

GUDA_API_PTSZ(cudaMallocFromPoolAsync,
              (void** pointer, size_t size, cudaMemPool_t pool, cudaStream_t stream),
              (pointer, size, pool, stream)) {
  return allocate(pointer, size, find_pool(pool), stream, kPerThread);
}

GUDA_API_PTSZ(cudaFreeAsync, (void* pointer, cudaStream_t handle), (pointer, handle)) {
  GUDA_ENTER();
  GUDA_STREAM(stream, handle);
  if (!pointer) return kSuccess;
  auto found = Heap::instance().find(pointer);
  if (!found || found->base != pointer) return invalid_value();
  if (found->kind == AllocationKind::pool && !found->owner) return kSuccess;  // a graph's own
  if (found->kind == AllocationKind::pool) {
    return finish(runtime::submit(
        *stream, FreeOperation(*static_cast<MemoryPool*>(found->owner), pointer), true));
  }
  if (found->kind != AllocationKind::device && found->kind != AllocationKind::managed)
    return invalid_value();
  return finish(runtime::submit(*stream, ReleaseOperation(pointer), true));
}

GUDA_API(cudaDeviceGetDefaultMemPool)(cudaMemPool_t* out, int device) {
  return device_pool(out, device, &MemoryPool::default_pool());
}
GUDA_API(cudaDeviceGetMemPool)(cudaMemPool_t* out, int device) {
  return device_pool(out, device, current_pool());
}
GUDA_API(cudaDeviceSetMemPool)(int device, cudaMemPool_t handle) {
  GUDA_ENTER();
  if (device != 0) return invalid_device();
  MemoryPool* pool = find_pool(handle);
  if (!pool || pool->imported()) return invalid_value();
  std::unique_lock lock(pools().mutex);
  pools().current = pool;
  return kSuccess;
}
GUDA_API(cudaMemGetDefaultMemPool)(cudaMemPool_t* out, cudaMemLocation* location, int) {
  return location
             ? device_pool(out, location->type == 1 ? location->id : 0, &MemoryPool::default_pool())
             : invalid_value();
}
GUDA_API(cudaMemGetMemPool)(cudaMemPool_t* out, cudaMemLocation* location, int) {
  return location ? device_pool(out, location->type == 1 ? location->id : 0, current_pool())
                  : invalid_value();
}
GUDA_API(cudaMemSetMemPool)(cudaMemLocation* location, int, cudaMemPool_t pool) {
  return location ? guda_cudart_cudaDeviceSetMemPool(location->type == 1 ? location->id : 0, pool)
                  : invalid_value();
}

GUDA_API(cudaMemPoolCreate)(cudaMemPool_t* out, const cudaMemPoolProps* properties) {
  GUDA_ENTER();
  if (!out || !properties) return invalid_value();
  constexpr int kDevice = 1, kHost = 2;  // location types
  if (properties->location.type == kDevice && properties->location.id != 0) return invalid_device();
  if (properties->location.type == kHost && properties->handleTypes != 0) return invalid_value();
  if (properties->handleTypes & ~kPosixFile) {
    return finish({StatusCode::not_supported, "only file descriptors share pools"});
  }
  if (properties->handleTypes == 0) {
    *out = keep(std::make_unique<MemoryPool>(properties->maxSize));
    return kSuccess;
  }
  auto pool = MemoryPool::create_exportable(properties->maxSize);
  if (!pool) return finish(pool.status());
  *out = keep(std::move(*pool));
  return kSuccess;
}

GUDA_API(cudaMemPoolExportToShareableHandle)(void* out, cudaMemPool_t handle, int type,
                                             unsigned flags) {
  GUDA_ENTER();
  MemoryPool* pool = find_pool(handle);
  if (!out || !pool || type != kPosixFile || flags != 0) return invalid_value();
  auto file = pool->export_file();
  if (!file) return finish(file.status());
  *static_cast<int*>(out) = *file;
  return kSuccess;
}

GUDA_API(cudaMemPoolImportFromShareableHandle)(cudaMemPool_t* out, void* handle, int type,
                                               unsigned flags) {
  GUDA_ENTER();
  if (!out || flags != 0 || type != kPosixFile) return invalid_value();
  auto pool = MemoryPool::import_file(static_cast<int>(reinterpret_cast<intptr_t>(handle)));
  if (!pool) return finish(pool.status());
  *out = keep(std::move(*pool));
  return kSuccess;
}

GUDA_API(cudaMemPoolExportPointer)(cudaMemPoolPtrExportData* out, void* pointer) {
  GUDA_ENTER();
  auto found = pointer ? Heap::instance().find(pointer) : std::nullopt;
  if (!out || !found || found->kind != AllocationKind::pool || !found->owner)
    return invalid_value();
  auto exported = static_cast<MemoryPool*>(found->owner)->export_pointer(pointer);
  if (!exported) return finish(exported.status());
  const PointerContents contents{kPointerMagic, *exported};
  *out = {};
  std::memcpy(out, &contents, sizeof contents);
  return kSuccess;
}

GUDA_API(cudaMemPoolImportPointer)(void** out, cudaMemPool_t handle,
                                   cudaMemPoolPtrExportData* data) {
  GUDA_ENTER();
  MemoryPool* pool = find_pool(handle);
  if (!out || !pool || !data) return invalid_value();
  PointerContents contents;
  std::memcpy(static_cast<void*>(&contents), data, sizeof contents);
  if (contents.magic != kPointerMagic) return invalid_value();
  auto memory = pool->import_pointer(contents.exported);
  if (!memory) return finish(memory.status());
  *out = *memory;
  return kSuccess;
}

GUDA_API(cudaMemPoolDestroy)(cudaMemPool_t handle) {
  GUDA_ENTER();
  if (handle == &MemoryPool::default_pool()) return invalid_value();
  runtime::Context::instance().synchronize();  // frees in flight refer to the pool
  std::unique_lock lock(pools().mutex);
  if (!pools().created.contains(handle)) return invalid_value();
  if (pools().current == handle) pools().current = &MemoryPool::default_pool();
  pools().created.erase(handle);
  return kSuccess;
}

GUDA_API(cudaMemPoolTrimTo)(cudaMemPool_t handle, size_t keep) {
  GUDA_ENTER();
  MemoryPool* pool = find_pool(handle);
  if (!pool) return invalid_value();
  pool->trim(keep);
  return kSuccess;
}

GUDA_API(cudaMemPoolSetAttribute)(cudaMemPool_t handle, int attribute, void* value) {
  GUDA_ENTER();
  MemoryPool* pool = find_pool(handle);
  if (!pool || !value) return invalid_value();
  switch (attribute) {
    case kReuseFollowEvents:
    case kReuseOpportunistic:
    case kReuseInternal:
      pool->reuse_flags[attribute - 1] = *static_cast<int*>(value);
      return kSuccess;
    case kReleaseThreshold:
      pool->set_release_threshold(*static_cast<uint64_t*>(value));
      return kSuccess;
    case kReservedHigh:
      if (*static_cast<uint64_t*>(value) != 0) return invalid_value();
      pool->reset_reserved_high();
      return kSuccess;
    case kUsedHigh:
      if (*static_cast<uint64_t*>(value) != 0) return invalid_value();
      pool->reset_used_high();
      return kSuccess;
    default: return invalid_value();
  }
}

GUDA_API(cudaMemPoolGetAttribute)(cudaMemPool_t handle, int attribute, void* value) {
  GUDA_ENTER();
  MemoryPool* pool = find_pool(handle);
  if (!pool || !value) return invalid_value();
  auto* number = static_cast<uint64_t*>(value);
  auto statistics = pool->statistics();
  switch (attribute) {
    case kReuseFollowEvents:
    case kReuseOpportunistic:
    case kReuseInternal:
      *static_cast<int*>(value) = pool->reuse_flags[attribute - 1];
      return kSuccess;
    case kReleaseThreshold: *number = pool->release_threshold(); return kSuccess;
    case kReservedCurrent: *number = statistics.reserved; return kSuccess;
    case kReservedHigh: *number = statistics.reserved_high; return kSuccess;
    case kUsedCurrent: *number = statistics.used; return kSuccess;
    case kUsedHigh: *number = statistics.used_high; return kSuccess;
    default: return invalid_value();
  }
}

GUDA_API(cudaMemPoolSetAccess)(cudaMemPool_t handle, const cudaMemAccessDesc* list, size_t count) {
  GUDA_ENTER();
  if (!find_pool(handle) || (count && !list)) return invalid_value();
  for (size_t i = 0; i < count; ++i) {
    if (list[i].location.type == 1 && list[i].location.id != 0) return invalid_device();
    if (list[i].flags != 3) return invalid_value();  // the device always has access to its own pool
  }
  return kSuccess;
}

GUDA_API(cudaMemPoolGetAccess)(int* flags, cudaMemPool_t handle, cudaMemLocation* location) {
  GUDA_ENTER();
  if (!flags || !location || !find_pool(handle)) return invalid_value();
  if (location->type == 1 && location->id != 0) return invalid_device();
  *flags = 3;  // read and write
  return kSuccess;
}

}  // namespace guda::cudart
