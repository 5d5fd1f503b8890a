// The heap's memory as other processes and other parts of the program put it together: files, shared memory,
// reserved addresses.
#include "memory/heap.h"
#include "memory/heap_layout.h"
#include "support/log.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <string>

namespace guda::memory {
namespace {

/// Puts the contents of [start, start + size) into a file and the file in their place. The descriptor, or -1.
int back_by_file(std::byte* start, size_t size) {
  int descriptor = memfd_create("guda-shared", MFD_CLOEXEC);
  if (descriptor < 0) return -1;
  void* copy = MAP_FAILED;
  if (ftruncate(descriptor, static_cast<off_t>(size)) == 0) {
    copy = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  }
  if (copy != MAP_FAILED) {
    std::memcpy(copy, start, size);
    munmap(copy, size);
    if (mmap(start, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, 0) !=
        MAP_FAILED) {
      return descriptor;
    }
  }
  close(descriptor);
  return -1;
}

}  // namespace

/// From now on devices have no copies of a region, and work that touches it stays on the host: what another process
/// writes there, nobody is told of.
void Heap::keep_on_host(std::byte* region, size_t size) {
  auto record = records_.lower_bound(reinterpret_cast<uintptr_t>(region));
  bool news = false;
  for (; record != records_.end() && record->first < reinterpret_cast<uintptr_t>(region) + size;
       ++record) {
    Allocation& allocation = record->second.allocation;
    if (!special(allocation)) special_.fetch_add(1, std::memory_order_relaxed);
    news = news || !allocation.host_only;
    allocation.host_only = true;
  }
  if (!news) return;
  generation_.fetch_add(1, std::memory_order_relaxed);
  observer_->region_withdrawn(region, size);
  log(LogPart::memory, LogLevel::info, "{} bytes at {} are shared: devices do not use them", size,
      static_cast<void*>(region));
}

Result<Heap::Shared> Heap::share(void* pointer) {
  std::unique_lock lock(mutex_);
  auto found = records_.find(reinterpret_cast<uintptr_t>(pointer));
  if (found == records_.end() || found->second.allocation.kind != AllocationKind::device) {
    return Status(StatusCode::invalid_value, "only memory of cudaMalloc can be shared");
  }
  auto& [allocation, block] = found->second;
  Shared shared{getpid(), -1, 0, 0, allocation.size};
  std::byte* region = allocation.base;
  if (block.mapping) {
    if (block.descriptor < 0) block.descriptor = back_by_file(allocation.base, block.charged);
    shared.descriptor = block.descriptor;
    shared.region_size = block.charged;
  } else {
    // Small blocks take their whole chunk along, as on a GPU.
    Chunk& chunk = std::prev(chunks_.upper_bound(found->first))->second;
    if (chunk.descriptor < 0) chunk.descriptor = back_by_file(chunk.usable, kChunk);
    shared.descriptor = chunk.descriptor;
    shared.region_size = kChunk;
    shared.offset = static_cast<size_t>(allocation.base - chunk.usable);
    region = chunk.usable;
    if (observer_ != nullptr && chunk.ranges != kSharedRanges) {
      std::vector<std::pair<std::byte*, size_t>> moving;
      auto& [by_address, by_size] = small_[chunk.ranges];
      auto first = by_address.lower_bound(reinterpret_cast<uintptr_t>(region));
      for (;
           first != by_address.end() && first->first < reinterpret_cast<uintptr_t>(region) + kChunk;
           first = by_address.erase(first)) {
        by_size.erase({first->second, first->first});
        moving.emplace_back(reinterpret_cast<std::byte*>(first->first), first->second);
      }
      chunk.ranges = kSharedRanges;
      for (auto [start, bytes] : moving) give_small(start, bytes);
    }
  }
  if (shared.descriptor < 0)
    return Status(StatusCode::operating_system, "no file behind shared memory");
  if (observer_ != nullptr) keep_on_host(region, shared.region_size);
  return shared;
}

Result<void*> Heap::import(const Shared& shared) {
  std::string path = fmt::format("/proc/{}/fd/{}", shared.process, shared.descriptor);
  int descriptor = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0)
    return Status(StatusCode::operating_system, fmt::format("cannot open {}", path));
  void* region =
      mmap(nullptr, shared.region_size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  close(descriptor);
  if (region == MAP_FAILED)
    return Status(StatusCode::operating_system, fmt::format("cannot map {}", path));
  auto* base = static_cast<std::byte*>(region) + shared.offset;
  std::unique_lock lock(mutex_);
  Record record;
  record.allocation = {base, shared.size, AllocationKind::imported, 0, next_id_++, nullptr, false,
                       true, nullptr};
  record.block = {static_cast<std::byte*>(region), shared.region_size, 0, -1, false, nullptr};
  add_record(record);
  return static_cast<void*>(base);
}

Status Heap::charge(size_t bytes) {
  std::unique_lock lock(mutex_);
  if (bytes > limit_ || used_ > limit_ - bytes) {
    return {StatusCode::out_of_memory,
            fmt::format("{} bytes asked, {} of {} in use", bytes, used_, limit_)};
  }
  used_ += bytes;
  return Status::ok();
}

void Heap::refund(size_t bytes) {
  std::unique_lock lock(mutex_);
  used_ -= bytes;
}

Result<std::byte*> Heap::reserve_addresses(size_t bytes, std::byte* hint) {
  std::unique_lock lock(mutex_);
  void* start = nullptr;
  if (hint != nullptr && placed_ && hint == addresses_.data() && bytes <= addresses_.size()) {
    start = hint;
    addresses_ = addresses_.subspan(bytes);
  } else if (hint != nullptr && !placed_) {
    start = mmap(hint, bytes, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (start != MAP_FAILED && start != hint)
      munmap(start, bytes);  // kernels that do not know the flag
    if (start != hint) start = nullptr;
  }
  if (start == nullptr) start = reserve(bytes);
  if (start == nullptr)
    return Status(StatusCode::out_of_memory,
                  fmt::format("no room for {} bytes of addresses", bytes));
  reserved_.emplace(reinterpret_cast<uintptr_t>(start), bytes);
  return static_cast<std::byte*>(start);
}

void Heap::split_reservation(std::byte* start, size_t bytes) {
  std::unique_lock lock(mutex_);
  size_t& size = reserved_.at(reinterpret_cast<uintptr_t>(start));
  reserved_.emplace(reinterpret_cast<uintptr_t>(start) + bytes, size - bytes);
  size = bytes;
}

void Heap::give_addresses(std::byte* start) {
  std::unique_lock lock(mutex_);
  auto found = reserved_.find(reinterpret_cast<uintptr_t>(start));
  if (found == reserved_.end()) return;
  give_reservation(start, found->second);
  reserved_.erase(found);
}

void Heap::replace_mapped(std::byte* begin, size_t bytes, std::span<const Allocation> usable) {
  std::unique_lock lock(mutex_);
  auto old = records_.lower_bound(reinterpret_cast<uintptr_t>(begin));
  while (old != records_.end() && old->first < reinterpret_cast<uintptr_t>(begin) + bytes)
    old =
        old->second.allocation.kind == AllocationKind::mapped ? erase_record(old) : std::next(old);
  for (const Allocation& allocation : usable) {
    Record record;
    record.allocation = allocation;
    record.allocation.id = next_id_++;
    add_record(record);
  }
  generation_.fetch_add(1, std::memory_order_relaxed);
}

Result<void*> Heap::map_file(int file, size_t offset, size_t size, AllocationKind kind,
                             void* owner) {
  if (size == 0 || size % kPage != 0 || offset % kPage != 0)
    return Status(StatusCode::invalid_value, "not whole pages of a file");
  if (Status status = charge(size); !status) return status;
  std::unique_lock lock(mutex_);
  const size_t whole = size + 2 * kGuard;
  auto* start = static_cast<std::byte*>(reserve(whole));
  std::byte* base = start == nullptr ? nullptr : start + kGuard;
  if (base == nullptr || mmap(base, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file,
                              static_cast<off_t>(offset)) == MAP_FAILED) {
    if (start != nullptr) give_reservation(start, whole);
    used_ -= size;
    return Status(StatusCode::out_of_memory, fmt::format("the system refuses {} bytes", size));
  }
  Record record;
  record.allocation = {base, size, kind, 0, next_id_++, owner, false, true, nullptr};
  record.block = {start, whole, size, -1, true, nullptr};
  add_record(record);
  return static_cast<void*>(base);
}

}  // namespace guda::memory
