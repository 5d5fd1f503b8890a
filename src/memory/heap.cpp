#include "memory/heap.h"

#include "memory/coherent_pool.h"
#include "memory/heap_layout.h"
#include "support/log.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <mutex>
#include <string>

namespace guda::memory {
namespace {

size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// What a device calls memory of this kind; empty: it has no part in it.
std::optional<backend::SharedKind> shared_kind(AllocationKind kind) {
  if (kind == AllocationKind::host) return backend::SharedKind::pinned;
  if (kind == AllocationKind::managed) return backend::SharedKind::managed;
  return std::nullopt;
}

void give_back(backend::Device& device, void* memory) {
  Status status = device.free_shared(memory);
  // A device that has vanished takes nothing back.
  if (!status && device.usable())
    log(LogPart::memory, LogLevel::warn, "{}: {}", device.info().id(), status.message());
}

}  // namespace

struct Heap::Mapping {
  std::byte* start = nullptr;  // of the reservation
  size_t size = 0;
  std::byte* usable = nullptr;  // aligned, readable and writable for the bytes asked
  int descriptor = -1;          // of the file behind it, when somebody observes
};

/// Reserves guard + bytes + guard with the middle accessible. usable is null when the system refuses.
Heap::Mapping Heap::map(size_t bytes, size_t alignment) {
  if (observer_ != nullptr) {
    alignment = std::max(alignment, region_alignment_);
    bytes = round_up(bytes, region_alignment_);
  }
  // A device maps whole multiples of its alignment: none of them may reach into a neighbour.
  const size_t guard = std::max(kGuard, region_alignment_);
  size_t size = bytes + 2 * guard + (alignment > kPage ? alignment : 0);
  void* start = reserve(size);
  if (start == nullptr) return {};
  auto first = reinterpret_cast<uintptr_t>(start) + guard;
  auto* usable = reinterpret_cast<std::byte*>(round_up(first, std::max(alignment, kPage)));
  int descriptor = -1;
  bool accessible = false;
  if (observer_ == nullptr) {
    accessible = mprotect(usable, bytes, PROT_READ | PROT_WRITE) == 0;
  } else {
    descriptor = memfd_create("guda-memory", MFD_CLOEXEC);
    accessible = descriptor >= 0 && ftruncate(descriptor, static_cast<off_t>(bytes)) == 0 &&
                 mmap(usable, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor,
                      0) != MAP_FAILED;
  }
  if (!accessible) {
    give_reservation(start, size);
    if (descriptor >= 0) close(descriptor);
    return {};
  }
  if (bytes >= kHugePage) madvise(usable, bytes, MADV_HUGEPAGE);
  if (observer_ != nullptr) observer_->region_added(usable, bytes, descriptor, true);
  return {static_cast<std::byte*>(start), size, usable, descriptor};
}

/// Inaccessible pages; null when there is no room.
void* Heap::reserve(size_t size) {
  if (!placed_) {
    void* start =
        mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return start == MAP_FAILED ? nullptr : start;
  }
  if (auto found = returned_.lower_bound(size); found != returned_.end()) {
    auto [length, start] = *found;
    returned_.erase(found);
    if (length > size) returned_.emplace(length - size, static_cast<std::byte*>(start) + size);
    return start;
  }
  if (addresses_.size() < size) return nullptr;
  void* start = addresses_.data();
  addresses_ = addresses_.subspan(size);
  return start;
}

void Heap::give_reservation(void* start, size_t size) {
  if (!placed_) {
    munmap(start, size);
    return;
  }
  // The addresses stay taken: somebody else has a claim on them.
  mmap(start, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  returned_.emplace(size, start);
}

void Heap::unmap(const Block& block, std::byte* usable) {
  if (observer_ != nullptr) observer_->region_removed(usable);
  give_reservation(block.mapping, block.mapping_size);
  if (block.descriptor >= 0) close(block.descriptor);
}

namespace {

/// First number in a file such as memory.max; 0 when there is none ("max", no file).
size_t number_in_file(const char* path) {
  std::ifstream file(path);
  size_t value = 0;
  return file >> value ? value : 0;
}

}  // namespace

size_t machine_memory_bytes() {
  auto physical =
      static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    if (size_t limit = number_in_file(path)) physical = std::min(physical, limit);
  }
  return physical;
}

size_t machine_memory_available() {
  std::ifstream file("/proc/meminfo");
  std::string word;
  while (file >> word) {
    if (word != "MemAvailable:") continue;
    size_t kilobytes = 0;
    file >> kilobytes;
    return kilobytes * 1024;
  }
  return machine_memory_bytes();
}

Heap::Heap(size_t limit) : limit_(limit ? limit : machine_memory_bytes()) {}

Heap::~Heap() {
  for (auto& [address, record] : records_) {
    if (record.block.shared_by) {
      give_back(*record.block.shared_by, record.block.mapping);
    } else if (record.block.mapping) {
      munmap(record.block.mapping, record.block.mapping_size);
    }
  }
  for (auto& [size, kept] : kept_) munmap(kept.block.mapping, kept.block.mapping_size);
  for (auto& [start, chunk] : chunks_) {
    if (chunk.shared_by) {
      give_back(*chunk.shared_by, reinterpret_cast<void*>(start));
    } else {
      munmap(reinterpret_cast<void*>(start), chunk.size);
    }
  }
  for (auto& [start, size] : reserved_) munmap(reinterpret_cast<void*>(start), size);
}

Heap& Heap::instance() {
  static Heap* heap = new Heap;  // never destroyed, see the header
  return *heap;
}

Result<void*> Heap::allocate(size_t size, AllocationKind kind, uint32_t flags, void* owner,
                             size_t alignment) {
  if (size == 0) return Status(StatusCode::invalid_value, "allocation of 0 bytes");
  alignment = std::max(alignment, kGranule);
  size_t unit = kGranule;
  std::unique_lock lock(mutex_);
  // The host writes variables when their module is loaded, whatever runs meanwhile: where devices have copies, variables
  // share no granule of the pool's with other memory.
  if (observer_ != nullptr && kind == AllocationKind::variable && alignment <= kPage)
    alignment = unit = CoherentPool::kGranule;
  const bool large = size >= kLarge || (alignment > kPage && unit == kGranule);
  const size_t charged = round_up(size, large ? kPage : unit);
  if (charged < size || charged > limit_ || used_ > limit_ - charged) {
    return Status(StatusCode::out_of_memory,
                  fmt::format("{} bytes asked, {} of {} in use", size, used_, limit_));
  }
  used_ += charged;
  Block block{nullptr, 0, charged, -1, false, nullptr};
  std::byte* base = nullptr;
  backend::Device* shared_by = nullptr;
  if (auto shared = shared_kind(kind); shared && sharing_ != nullptr) {
    shared_by = sharing_;
    base = take_shared(lock, alignment, *shared, block);
  }
  if (base == nullptr) {
    shared_by = nullptr;
    if (large) {
      block = take_mapping(
          charged,
          charged >= kHugePage ? std::max(alignment, kHugePage) : std::max(alignment, kPage), base);
    } else if (auto taken =
                   take_small(charged, alignment, observer_ != nullptr && host_visible(kind))) {
      base = *taken;
    }
  }
  if (base == nullptr) {
    used_ -= charged;
    return Status(StatusCode::out_of_memory, fmt::format("the system refuses {} bytes", size));
  }
  Record record;
  record.allocation = {base, size, kind, flags, next_id_++, owner, false, false, shared_by};
  record.block = block;
  add_record(record);
  return static_cast<void*>(base);
}

void Heap::add_record(const Record& record) {
  generation_.fetch_add(1, std::memory_order_relaxed);
  if (special(record.allocation)) special_.fetch_add(1, std::memory_order_relaxed);
  records_.emplace(reinterpret_cast<uintptr_t>(record.allocation.base), record);
}

Heap::Records::iterator Heap::erase_record(Records::iterator record) {
  generation_.fetch_add(1, std::memory_order_relaxed);
  if (special(record->second.allocation)) special_.fetch_sub(1, std::memory_order_relaxed);
  return records_.erase(record);
}

Status Heap::release(void* pointer, uint32_t kinds) {
  if (observer_ != nullptr) observer_->before_release();
  std::unique_lock lock(mutex_);
  auto found = records_.find(reinterpret_cast<uintptr_t>(pointer));
  if (found == records_.end() || !(kind_bit(found->second.allocation.kind) & kinds)) {
    return {StatusCode::invalid_value,
            fmt::format("{} is not an allocation of this kind", pointer)};
  }
  Record record = found->second;
  erase_record(found);
  used_ -= record.block.charged;
  // Before anybody else can get it.
  if (observer_ != nullptr && record.allocation.shared_by == nullptr)
    observer_->released(record.allocation.base, record.allocation.size);
  if (record.block.shared_by) {
    lock.unlock();  // as in take_shared()
    give_back(*record.block.shared_by, record.block.mapping);
  } else if (record.allocation.kind == AllocationKind::imported) {
    munmap(record.block.mapping, record.block.mapping_size);
  } else if (record.block.of_file) {
    give_reservation(record.block.mapping, record.block.mapping_size);
  } else if (record.block.mapping) {
    keep_mapping(record.block, record.allocation.base, record.block.charged);
  } else if (record.block.charged) {
    give_small(record.allocation.base, record.block.charged);
  }
  return Status::ok();
}

/// Some byte of it belongs to an allocation.
bool Heap::known_in(uintptr_t start, size_t size) const {
  auto next = records_.lower_bound(start + size);
  if (next == records_.begin()) return false;
  const Allocation& before = std::prev(next)->second.allocation;
  return reinterpret_cast<uintptr_t>(before.base) + before.size > start;
}

Status Heap::add_registered(void* pointer, size_t size, uint32_t flags) {
  if (!pointer || size == 0) return {StatusCode::invalid_value, "nothing to register"};
  auto start = reinterpret_cast<uintptr_t>(pointer);
  std::unique_lock lock(mutex_);
  if (known_in(start, size))
    return {StatusCode::host_memory_already_registered,
            fmt::format("{} is already registered", pointer)};
  Record record;
  record.allocation = {static_cast<std::byte*>(pointer),
                       size,
                       AllocationKind::registered,
                       flags,
                       next_id_++,
                       nullptr,
                       false,
                       false,
                       nullptr};
  add_record(record);
  backend::Device* device = sharing_;
  if (device == nullptr || !device->usable()) return Status::ok();
  lock.unlock();  // as in take_shared()
  if (Status status = device->register_host(pointer, size); !status) {
    log(LogPart::memory, LogLevel::info, "{} does not reach registered memory at {}: {}",
        device->info().id(), pointer, status.message());
    return Status::ok();
  }
  lock.lock();
  if (auto found = records_.find(start); found != records_.end()) {
    erase_record(found);
    record.allocation.shared_by = device;
    add_record(record);
  }
  return Status::ok();
}

Status Heap::remove_registered(void* pointer) {
  std::unique_lock lock(mutex_);
  auto found = records_.find(reinterpret_cast<uintptr_t>(pointer));
  if (found == records_.end() || found->second.allocation.kind != AllocationKind::registered) {
    return {StatusCode::host_memory_not_registered, fmt::format("{} is not registered", pointer)};
  }
  backend::Device* device = found->second.allocation.shared_by;
  erase_record(found);
  lock.unlock();
  if (device == nullptr) return Status::ok();
  if (Status status = device->unregister_host(pointer); !status && device->usable())
    log(LogPart::memory, LogLevel::warn, "{}: {}", device->info().id(), status.message());
  return Status::ok();
}

Status Heap::add_device_variable(void* pointer, size_t size, bool managed,
                                 backend::Device& device) {
  std::unique_lock lock(mutex_);
  if (known_in(reinterpret_cast<uintptr_t>(pointer), size))
    return {StatusCode::invalid_value, fmt::format("something is at {} already", pointer)};
  Record record;
  record.allocation = {static_cast<std::byte*>(pointer),
                       size,
                       managed ? AllocationKind::managed : AllocationKind::device_variable,
                       1,  // cudaMemAttachGlobal
                       next_id_++,
                       nullptr,
                       false,
                       false,
                       &device};
  add_record(record);
  return Status::ok();
}

void Heap::remove_device_variable(void* pointer) {
  std::unique_lock lock(mutex_);
  auto found = records_.find(reinterpret_cast<uintptr_t>(pointer));
  if (found != records_.end()) erase_record(found);
}

void Heap::share_with(backend::Device& device) {
  std::unique_lock lock(mutex_);
  sharing_ = &device;
}

/// Room for `block.charged` bytes that the sharing device gives; null when it gives none. Large blocks are its own
/// pieces, small ones parts of chunks: a call of a driver takes long. The lock is open meanwhile: drivers wait for
/// the device's work, and that may wait for a thread that needs the heap.
std::byte* Heap::take_shared(std::unique_lock<std::shared_mutex>& lock, size_t alignment,
                             backend::SharedKind kind, Block& block) {
  backend::Device* device = sharing_;
  const size_t ranges = kind == backend::SharedKind::pinned ? kPinnedRanges : kManagedRanges;
  const bool large = block.charged >= kLarge || alignment > kPage;
  if (!large) {
    if (std::byte* found = take_free(block.charged, alignment, ranges)) return found;
  }
  if (!device->usable()) return nullptr;
  const size_t bytes = large ? round_up(block.charged, kPage) : kSharedChunk;
  lock.unlock();
  auto memory = device->allocate_shared(bytes, kind);
  if (memory && reinterpret_cast<uintptr_t>(*memory) % std::max(alignment, kPage) != 0) {
    give_back(*device, *memory);
    memory = Status(StatusCode::not_supported, "memory that is not aligned");
  }
  lock.lock();
  if (!memory) {
    log(LogPart::memory, LogLevel::info, "{} shares no memory of {} bytes: {}", device->info().id(),
        bytes, memory.status().message());
    return nullptr;
  }
  auto* start = static_cast<std::byte*>(*memory);
  if (!large) {
    chunks_.emplace(reinterpret_cast<uintptr_t>(start), Chunk{bytes, start, -1, ranges, device});
    give_small(start, bytes);
    return take_free(block.charged, alignment, ranges);
  }
  block.mapping = start;
  block.mapping_size = bytes;
  block.shared_by = device;
  return start;
}

Status Heap::observe_regions(RegionObserver& observer, size_t alignment,
                             std::span<std::byte> addresses) {
  std::unique_lock lock(mutex_);
  if (!records_.empty() || !chunks_.empty() || !reserved_.empty())
    return {StatusCode::illegal_state, "memory is in use already"};
  observer_ = &observer;
  region_alignment_ = std::max(alignment, kPage);
  addresses_ = addresses;
  placed_ = !addresses.empty();
  return Status::ok();
}

std::vector<Allocation> Heap::allocations() const {
  std::shared_lock lock(mutex_);
  std::vector<Allocation> all;
  all.reserve(records_.size());
  for (auto& [address, record] : records_) all.push_back(record.allocation);
  return all;
}

std::optional<Allocation> Heap::find(const void* pointer) const {
  std::shared_lock lock(mutex_);
  auto next = records_.upper_bound(reinterpret_cast<uintptr_t>(pointer));
  if (next == records_.begin()) return std::nullopt;
  const Allocation& candidate = std::prev(next)->second.allocation;
  if (!candidate.contains(pointer)) return std::nullopt;
  return candidate;
}

bool Heap::in_bounds(const void* pointer, size_t size) const {
  auto address = reinterpret_cast<uintptr_t>(pointer);
  std::shared_lock lock(mutex_);
  auto next = records_.upper_bound(address);
  if (next != records_.begin()) {
    const Allocation& candidate = std::prev(next)->second.allocation;
    if (candidate.contains(pointer)) {
      return size <= candidate.size - static_cast<size_t>(static_cast<const std::byte*>(pointer) -
                                                          candidate.base);
    }
  }
  return !in_heap_locked(address);
}

bool Heap::in_heap_locked(uintptr_t address) const {
  auto next = chunks_.upper_bound(address);
  if (next != chunks_.begin()) {
    if (address < std::prev(next)->first + std::prev(next)->second.size) return true;
  }
  if (auto after = reserved_.upper_bound(address);
      after != reserved_.begin() && address < std::prev(after)->first + std::prev(after)->second)
    return true;
  for (auto& [size, kept] : kept_) {
    auto start = reinterpret_cast<uintptr_t>(kept.block.mapping);
    if (address >= start && address < start + kept.block.mapping_size) return true;
  }
  // The guard pages around a live mapping.
  auto in_mapping = [&](const Record& record) {
    auto start = reinterpret_cast<uintptr_t>(record.block.mapping);
    return start && address >= start && address < start + record.block.mapping_size;
  };
  auto after = records_.upper_bound(address);
  return (after != records_.end() && in_mapping(after->second)) ||
         (after != records_.begin() && in_mapping(std::prev(after)->second));
}

Heap::Block Heap::take_mapping(size_t bytes, size_t alignment, std::byte*& base) {
  auto [first, last] = kept_.equal_range(bytes);
  for (auto kept = first; kept != last; ++kept) {
    if (reinterpret_cast<uintptr_t>(kept->second.base) % alignment != 0) continue;
    if (mprotect(kept->second.base, bytes, PROT_READ | PROT_WRITE) != 0) break;
    Block block = kept->second.block;
    base = kept->second.base;
    kept_.erase(kept);
    kept_bytes_ -= bytes;
    return block;
  }
  Mapping mapping = map(bytes, alignment);
  if (!mapping.usable && !kept_.empty()) {
    for (auto& [size, kept] : kept_) munmap(kept.block.mapping, kept.block.mapping_size);
    kept_.clear();
    kept_bytes_ = 0;
    mapping = map(bytes, alignment);
  }
  base = mapping.usable;
  return {mapping.start, mapping.size, bytes, mapping.descriptor, false, nullptr};
}

void Heap::keep_mapping(const Block& block, std::byte* base, size_t bytes) {
  if (block.descriptor >= 0 || bytes > std::min(kMostKept, limit_ / 8) ||
      mprotect(base, bytes, PROT_NONE) != 0) {
    unmap(block, base);
    return;
  }
  kept_.emplace(bytes, Kept{block, base});
  kept_bytes_ += bytes;
  while (kept_bytes_ > std::min(kMostKept, limit_ / 8)) {
    auto largest = std::prev(kept_.end());
    munmap(largest->second.block.mapping, largest->second.block.mapping_size);
    kept_bytes_ -= largest->first;
    kept_.erase(largest);
  }
}

void Heap::release_all(uint32_t kinds) {
  std::vector<Block> shared;
  std::unique_lock lock(mutex_);
  for (auto record = records_.begin(); record != records_.end();) {
    auto& [allocation, block] = record->second;
    if (!(kind_bit(allocation.kind) & kinds)) {
      ++record;
      continue;
    }
    used_ -= block.charged;
    if (block.shared_by) {
      shared.push_back(block);
    } else if (block.of_file) {
      give_reservation(block.mapping, block.mapping_size);
    } else if (block.mapping) {
      unmap(block, allocation.base);
    } else if (block.charged) {
      give_small(allocation.base, block.charged);
    }
    record = erase_record(record);
  }
  lock.unlock();
  for (const Block& block : shared) give_back(*block.shared_by, block.mapping);
}

size_t Heap::used_bytes() const {
  std::shared_lock lock(mutex_);
  return used_;
}

size_t Heap::free_bytes() const {
  std::shared_lock lock(mutex_);
  return std::min(limit_ - used_, machine_memory_available());
}

size_t Heap::allocation_count() const {
  std::shared_lock lock(mutex_);
  return records_.size();
}

Status Heap::add_chunk(size_t ranges) {
  Mapping mapping = map(kChunk, kHugePage);
  if (!mapping.usable) return {StatusCode::out_of_memory, "the system refuses another chunk"};
  chunks_.emplace(reinterpret_cast<uintptr_t>(mapping.start),
                  Chunk{mapping.size, mapping.usable, mapping.descriptor, ranges, nullptr});
  give_small(mapping.usable, kChunk);
  return Status::ok();
}

Result<std::byte*> Heap::take_small(size_t bytes, size_t alignment, size_t ranges) {
  if (std::byte* found = take_free(bytes, alignment, ranges)) return found;
  if (auto status = add_chunk(ranges); !status) return status;
  return take_free(bytes, alignment, ranges);
}

// Best fit; the range's tail goes back. Ranges keep their start, so alignment beyond the granule is got
// by returning the head as well. Null when no range is large enough.
std::byte* Heap::take_free(size_t bytes, size_t alignment, size_t ranges) {
  auto& [by_address, by_size] = small_[ranges];
  size_t slack = alignment > kGranule ? alignment : 0;
  auto best = by_size.lower_bound({bytes + slack, 0});
  if (best == by_size.end()) return nullptr;
  auto [size, start] = *best;
  by_size.erase(best);
  by_address.erase(start);
  uintptr_t aligned = round_up(start, alignment);
  auto add = [&](uintptr_t address, size_t length) {
    if (length == 0) return;
    by_address.emplace(address, length);
    by_size.emplace(length, address);
  };
  add(start, aligned - start);
  add(aligned + bytes, start + size - (aligned + bytes));
  return reinterpret_cast<std::byte*>(aligned);
}

void Heap::give_small(std::byte* pointer, size_t bytes) {
  auto start = reinterpret_cast<uintptr_t>(pointer);
  auto& [by_address, by_size] = small_[std::prev(chunks_.upper_bound(start))->second.ranges];
  auto next = by_address.lower_bound(start);
  // Pieces of the sharing device may be neighbours, and yet copies do not cross from one to the other.
  auto starts_chunk = [&](uintptr_t address) { return chunks_.count(address) != 0; };
  if (next != by_address.end() && start + bytes == next->first && !starts_chunk(next->first)) {
    bytes += next->second;
    by_size.erase({next->second, next->first});
    next = by_address.erase(next);
  }
  if (next != by_address.begin() && !starts_chunk(start)) {
    auto before = std::prev(next);
    if (before->first + before->second == start) {
      by_size.erase({before->second, before->first});
      start = before->first;
      bytes += before->second;
      by_address.erase(before);
    }
  }
  by_address.emplace(start, bytes);
  by_size.emplace(bytes, start);
}

}  // namespace guda::memory
