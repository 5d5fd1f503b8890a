#include "memory/virtual_memory.h"

#include "memory/file_arena.h"
#include "memory/heap_layout.h"
#include "support/log.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

namespace guda::memory {
namespace {

constexpr const char* kMemoryFile = "guda-physical";

Status invalid(std::string message) { return {StatusCode::invalid_value, std::move(message)}; }

std::byte* round_up(std::byte* pointer, size_t multiple) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  return pointer + ((multiple - address % multiple) % multiple);
}

bool is_multiple(const void* pointer, size_t of) {
  return reinterpret_cast<uintptr_t>(pointer) % of == 0;
}

int protection(VirtualMemory::Access access) {
  return access == VirtualMemory::Access::none   ? PROT_NONE
         : access == VirtualMemory::Access::read ? PROT_READ
                                                 : PROT_READ | PROT_WRITE;
}

/// Nothing is there any more but the reservation.
void map_nothing(std::byte* base, size_t size) {
  mmap(base, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

}  // namespace

VirtualMemory::VirtualMemory(Heap& heap) : heap_(heap) {}

VirtualMemory& VirtualMemory::instance() {
  static VirtualMemory* all = new VirtualMemory(Heap::instance());
  return *all;
}

VirtualMemory::~VirtualMemory() {
  while (!mappings_.empty()) {
    Mapping& mapping = *mappings_.begin()->second;
    (void)unmap(mapping.base, mapping.size);
  }
  while (!memories_.empty()) (void)release(memories_.begin()->first);
  while (!reservations_.empty())
    (void)free(reservations_.begin()->first, reservations_.begin()->second.size);
}

size_t VirtualMemory::granularity() const { return std::max(kHugePage, heap_.region_alignment()); }

// Addresses --------------------------------------------------------------------------------------------

Result<std::byte*> VirtualMemory::reserve(size_t size, size_t alignment, std::byte* hint) {
  if (size == 0 || size % kPage != 0 || !is_multiple(hint, kPage) ||
      (alignment != 0 && !std::has_single_bit(alignment)))
    return invalid(fmt::format("addresses for {} bytes aligned to {}", size, alignment));
  alignment = std::max(alignment, granularity());
  const size_t guard = granularity();
  if (size > (size_t{1} << 47) || alignment > (size_t{1} << 46))
    return Status(StatusCode::out_of_memory,
                  fmt::format("no room for {} bytes of addresses", size));
  std::unique_lock lock(mutex_);
  if (hint != nullptr && is_multiple(hint, alignment)) {
    if (auto base = extend(size, alignment, hint)) return *base;
  } else {
    hint = nullptr;
  }
  const size_t whole = size + 2 * guard + alignment;
  auto start = heap_.reserve_addresses(whole, hint != nullptr ? hint - guard : nullptr);
  if (!start) return start.status();
  std::byte* base = round_up(*start + guard, alignment);
  reservations_.emplace(
      base, Reservation{size, {*start}, static_cast<size_t>(*start + whole - (base + size))});
  return base;
}

/// Right behind another reservation, whose guard pages become part of this one: how a vector grows in place.
std::optional<std::byte*> VirtualMemory::extend(size_t size, size_t alignment, std::byte* hint) {
  auto after = reservations_.lower_bound(hint);
  if (after == reservations_.begin()) return std::nullopt;
  auto& [before, reservation] = *std::prev(after);
  if (before + reservation.size != hint || reservation.guard == 0) return std::nullopt;
  std::byte* free_from = hint + reservation.guard;
  const size_t more = size + alignment;  // with a guard of its own, and what is left of the other's
  auto start = heap_.reserve_addresses(more, free_from);
  if (!start) return std::nullopt;
  if (*start != free_from) {
    heap_.give_addresses(*start);
    return std::nullopt;
  }
  Reservation grown{size, {}, reservation.guard + more - size};
  auto moved = std::lower_bound(reservation.entries.begin(), reservation.entries.end(), hint);
  if (moved == reservation.entries.end() || *moved != hint) {
    heap_.split_reservation(*std::prev(moved), static_cast<size_t>(hint - *std::prev(moved)));
    grown.entries.push_back(hint);
  }
  grown.entries.insert(grown.entries.end(), moved, reservation.entries.end());
  reservation.entries.erase(moved, reservation.entries.end());
  grown.entries.push_back(free_from);
  reservations_.emplace(hint, std::move(grown));
  reservation.guard = 0;
  return hint;
}

Status VirtualMemory::free(std::byte* base, size_t size) {
  std::unique_lock lock(mutex_);
  auto found = reservations_.find(base);
  if (found == reservations_.end() || found->second.size != size)
    return invalid(
        fmt::format("{} with {} bytes is no reservation", static_cast<void*>(base), size));
  if (auto mapped = mappings_.lower_bound(base);
      mapped != mappings_.end() && mapped->first < base + size)
    return invalid(fmt::format("memory is mapped at {}", static_cast<void*>(mapped->first)));
  for (std::byte* entry : found->second.entries) heap_.give_addresses(entry);
  reservations_.erase(found);
  return Status::ok();
}

// Memory -----------------------------------------------------------------------------------------------

Result<VirtualMemory::Handle> VirtualMemory::create(size_t size, const Properties& properties) {
  if (size == 0 || size % granularity() != 0)
    return invalid(fmt::format("memory of {} bytes, no multiple of {}", size, granularity()));
  if (Status status = heap_.charge(size); !status) return status;
  std::unique_lock lock(mutex_);
  auto memory = std::make_unique<Memory>();
  memory->properties = properties;
  memory->size = size;
  memory->charged = true;
  memory->references = 1;
  // Devices transfer faster from a file of its own.
  if (properties.exportable || heap_.observer() != nullptr)
    memory->file = create_memory_file(kMemoryFile, size);
  memory->own_file = memory->file >= 0;
  if (!memory->own_file) {
    Result<size_t> place = Status(StatusCode::operating_system, "no file for exportable memory");
    if (!properties.exportable) {
      if (!arena_) {
        auto made = FileArena::create("guda-arena");
        if (made) arena_ = std::move(*made);
      }
      place = arena_ ? arena_->take(size)
                     : Result<size_t>(Status(StatusCode::out_of_memory, "no file for memory"));
    }
    if (!place) {
      heap_.refund(size);
      return Status(StatusCode::out_of_memory, place.status().message());
    }
    memory->file = arena_->descriptor();
    memory->offset = *place;
  }
  const Handle handle = memory->handle = next_handle_++;
  memories_.emplace(handle, std::move(memory));
  return handle;
}

VirtualMemory::Memory* VirtualMemory::memory_of(Handle handle) const {
  auto found = memories_.find(handle);
  return found == memories_.end() || found->second->references == 0 ? nullptr : found->second.get();
}

void VirtualMemory::drop_if_unused(Memory& memory) {
  if (memory.references > 0 || !memory.mappings.empty()) return;
  if (memory.own_file) {
    close(memory.file);
  } else {
    arena_->give(memory.offset, memory.size);
  }
  if (memory.charged) heap_.refund(memory.size);
  memories_.erase(memory.handle);
}

Status VirtualMemory::release(Handle handle) {
  std::unique_lock lock(mutex_);
  Memory* memory = memory_of(handle);
  if (memory == nullptr) return invalid(fmt::format("{} is no memory handle", handle));
  --memory->references;
  drop_if_unused(*memory);
  return Status::ok();
}

Result<VirtualMemory::Handle> VirtualMemory::retain(const void* address) {
  std::unique_lock lock(mutex_);
  const Mapping* mapping = mapping_at(address);
  if (mapping == nullptr) return invalid(fmt::format("nothing is mapped at {}", address));
  ++mapping->memory->references;
  return mapping->memory->handle;
}

Result<VirtualMemory::Properties> VirtualMemory::properties(Handle handle) const {
  std::unique_lock lock(mutex_);
  Memory* memory = memory_of(handle);
  if (memory == nullptr) return invalid(fmt::format("{} is no memory handle", handle));
  return memory->properties;
}

Result<int> VirtualMemory::export_file(Handle handle) {
  std::unique_lock lock(mutex_);
  Memory* memory = memory_of(handle);
  if (memory == nullptr || !memory->properties.exportable)
    return invalid(fmt::format("{} is no handle of memory that can be exported", handle));
  const int descriptor = dup(memory->file);
  if (descriptor < 0) return Status(StatusCode::operating_system, "no descriptor is left");
  memory->shared = true;
  announce_as_fit(*memory);
  return descriptor;
}

Result<VirtualMemory::Handle> VirtualMemory::import_file(int descriptor) {
  const size_t size = is_memory_file(descriptor, kMemoryFile) ? file_size(descriptor) : 0;
  if (size == 0 || size % granularity() != 0)
    return invalid(fmt::format("descriptor {} is not memory that was exported", descriptor));
  auto memory = std::make_unique<Memory>();
  memory->file = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (memory->file < 0) return Status(StatusCode::operating_system, "no descriptor is left");
  memory->properties.exportable = true;
  memory->size = size;
  memory->own_file = true;
  memory->shared = true;
  memory->fresh = false;
  memory->references = 1;
  std::unique_lock lock(mutex_);
  const Handle handle = memory->handle = next_handle_++;
  memories_.emplace(handle, std::move(memory));
  return handle;
}

// Mappings ---------------------------------------------------------------------------------------------

const VirtualMemory::Mapping* VirtualMemory::mapping_at(const void* address) const {
  auto next = mappings_.upper_bound(static_cast<std::byte*>(const_cast<void*>(address)));
  if (next == mappings_.begin()) return nullptr;
  const Mapping& mapping = *std::prev(next)->second;
  return address < mapping.end() ? &mapping : nullptr;
}

Status VirtualMemory::map(std::byte* base, size_t size, size_t offset, Handle handle) {
  const size_t unit = granularity();
  if (size == 0 || size % unit != 0 || offset % unit != 0 || !is_multiple(base, unit))
    return invalid(fmt::format("a mapping of {} bytes at {}, offset {}: not multiples of {}", size,
                               static_cast<void*>(base), offset, unit));
  std::unique_lock lock(mutex_);
  Memory* memory = memory_of(handle);
  if (memory == nullptr) return invalid(fmt::format("{} is no memory handle", handle));
  if (offset > memory->size || size > memory->size - offset)
    return invalid(fmt::format("{} bytes at {} of memory of {}", size, offset, memory->size));
  auto next = reservations_.upper_bound(base);
  if (next == reservations_.begin() ||
      base + size > std::prev(next)->first + std::prev(next)->second.size)
    return invalid(fmt::format("{} with {} bytes is not reserved", static_cast<void*>(base), size));
  auto after = mappings_.lower_bound(base + size);
  if (after != mappings_.begin() && std::prev(after)->second->end() > base)
    return invalid(fmt::format("something is mapped at {} already", static_cast<void*>(base)));
  if (mmap(base, size, PROT_NONE, MAP_SHARED | MAP_FIXED, memory->file,
           static_cast<off_t>(memory->offset + offset)) == MAP_FAILED) {
    map_nothing(base, size);
    return {StatusCode::out_of_memory,
            fmt::format("the system refuses a mapping of {} bytes", size)};
  }
  madvise(base, size, MADV_HUGEPAGE);
  auto mapping = std::make_unique<Mapping>();
  mapping->base = base;
  mapping->size = size;
  mapping->offset = offset;
  mapping->memory = memory;
  memory->mappings.push_back(mapping.get());
  mappings_.emplace(base, std::move(mapping));
  announce_as_fit(*memory);  // the other mappings of these bytes
  return Status::ok();
}

std::vector<VirtualMemory::Mapping*> VirtualMemory::whole_mappings(std::byte* base, size_t size) {
  std::vector<Mapping*> whole;
  std::byte* reached = base;
  for (auto each = mappings_.lower_bound(base);
       each != mappings_.end() && each->first == reached && reached < base + size; ++each) {
    whole.push_back(each->second.get());
    reached = each->second->end();
  }
  if (size == 0 || reached != base + size) whole.clear();
  return whole;
}

Status VirtualMemory::unmap(std::byte* base, size_t size) {
  std::unique_lock lock(mutex_);
  const std::vector<Mapping*> going = whole_mappings(base, size);
  if (going.empty())
    return invalid(
        fmt::format("{} with {} bytes is not what was mapped", static_cast<void*>(base), size));
  for (Mapping* mapping : going) {
    Memory& memory = *mapping->memory;
    withdraw(*mapping, memory.references > 0 || memory.mappings.size() > 1);
    map_nothing(mapping->base, mapping->size);
    std::erase(memory.mappings, mapping);
    mappings_.erase(mapping->base);
    announce_as_fit(memory);
    drop_if_unused(memory);
  }
  tell_heap(base, base + size);
  return Status::ok();
}

Status VirtualMemory::set_access(std::byte* base, size_t size, Side side, Access access) {
  std::unique_lock lock(mutex_);
  const std::vector<Mapping*> changing = whole_mappings(base, size);
  if (changing.empty())
    return invalid(
        fmt::format("{} with {} bytes is not what was mapped", static_cast<void*>(base), size));
  for (const Mapping* mapping : changing) {
    if (side == Side::host && !mapping->memory->properties.on_host)
      return invalid("device memory cannot be made accessible to the host");
  }
  for (Mapping* mapping : changing) {
    (side == Side::device ? mapping->device : mapping->host) = access;
    if (mprotect(mapping->base, mapping->size, protection(mapping->effective())) != 0)
      return {StatusCode::out_of_memory, "the system refuses to change the access"};
    announce_as_fit(*mapping->memory);
    mapping->memory->fresh = false;  // whoever may use it now may write it
  }
  tell_heap(base, base + size);
  return Status::ok();
}

Result<VirtualMemory::Access> VirtualMemory::access(const void* address, Side side) const {
  std::unique_lock lock(mutex_);
  const Mapping* mapping = mapping_at(address);
  if (mapping == nullptr) return invalid(fmt::format("nothing is mapped at {}", address));
  return side == Side::device ? mapping->device : mapping->host;
}

std::optional<VirtualMemory::Place> VirtualMemory::find(const void* address) const {
  std::unique_lock lock(mutex_);
  auto* pointer = static_cast<std::byte*>(const_cast<void*>(address));
  auto next = reservations_.upper_bound(pointer);
  if (next == reservations_.begin()) return std::nullopt;
  auto& [base, reservation] = *std::prev(next);
  if (pointer >= base + reservation.size) return std::nullopt;
  Place place;
  place.reservation = {base, reservation.size};
  if (const Mapping* mapping = mapping_at(address)) {
    place.mapping = {mapping->base, mapping->size};
    place.handle = mapping->memory->handle;
    place.properties = mapping->memory->properties;
    place.device = mapping->device;
    place.host = mapping->host;
  }
  return place;
}

// What the heap and devices know -----------------------------------------------------------------------

bool VirtualMemory::suits_devices(const Mapping& mapping) const {
  if (mapping.device != Access::read_write || mapping.memory->shared ||
      mapping.memory->properties.on_host)
    return false;
  return std::none_of(mapping.memory->mappings.begin(), mapping.memory->mappings.end(),
                      [&](Mapping* other) {
                        return other != &mapping && other->offset < mapping.offset + mapping.size &&
                               mapping.offset < other->offset + other->size;
                      });
}

void VirtualMemory::withdraw(Mapping& mapping, bool keep_contents) {
  if (!mapping.announced) return;
  mapping.announced = false;
  if (keep_contents) {
    heap_.observer()->region_withdrawn(mapping.base, mapping.size);
  } else {
    heap_.observer()->region_removed(mapping.base);
  }
}

/// After a change of the memory or of one of its mappings: which of them devices may have copies of.
void VirtualMemory::announce_as_fit(Memory& memory) {
  RegionObserver* observer = heap_.observer();
  if (observer == nullptr) return;
  // Latest contents come home before another address gets to see them.
  for (Mapping* mapping : memory.mappings) {
    if (!mapping->announced || suits_devices(*mapping)) continue;
    log(LogPart::memory, LogLevel::info, "{} bytes at {} stay on the host: {}", mapping->size,
        static_cast<void*>(mapping->base),
        memory.shared                           ? "other processes may have them"
        : mapping->device != Access::read_write ? "they may not be written"
                                                : "they are mapped elsewhere, too");
    withdraw(*mapping, true);
    tell_heap(mapping->base, mapping->end());
  }
  for (Mapping* mapping : memory.mappings) {
    if (mapping->announced || !suits_devices(*mapping)) continue;
    // The file's first page must be the mapping's; else transfers go without it.
    const bool from_start = memory.own_file && mapping->offset == 0;
    observer->region_added(mapping->base, mapping->size, from_start ? memory.file : -1,
                           memory.fresh);
    memory.fresh = false;
    mapping->announced = true;
    tell_heap(mapping->base, mapping->end());
  }
}

/// Contiguous mappings that may be used are one allocation: kernels and copies run across their borders.
void VirtualMemory::tell_heap(std::byte* begin, std::byte* end) {
  auto usable = [](const Mapping& mapping) { return mapping.effective() != Access::none; };
  auto first = mappings_.lower_bound(begin);
  while (first != mappings_.begin() && usable(*std::prev(first)->second) &&
         std::prev(first)->second->end() == begin) {
    --first;
    begin = first->first;
  }
  for (auto last = mappings_.lower_bound(end);
       last != mappings_.end() && last->first == end && usable(*last->second); ++last)
    end = last->second->end();

  std::vector<Allocation> runs;
  for (auto run = first; run != mappings_.end() && run->first < end;) {
    if (!usable(*run->second)) {
      ++run;
      continue;
    }
    // One run of addresses; pieces of it that differ in access are allocations of their own, but devices that
    // cannot have one of them must not have a kernel that may run into it.
    const size_t group = runs.size();
    bool host_only = false;
    std::byte* reached = run->first;
    for (; run != mappings_.end() && run->first == reached && usable(*run->second); ++run) {
      const Mapping& mapping = *run->second;
      const bool read_only = mapping.effective() == Access::read;
      const uint32_t flags = mapping.memory->properties.on_host ? 1 : 0;
      host_only = host_only || (heap_.observer() != nullptr && !mapping.announced);
      if (runs.size() > group && runs.back().read_only == read_only && runs.back().flags == flags) {
        runs.back().size += mapping.size;
      } else {
        Allocation allocation;
        allocation.base = mapping.base;
        allocation.size = mapping.size;
        allocation.kind = AllocationKind::mapped;
        allocation.flags = flags;
        allocation.read_only = read_only;
        runs.push_back(allocation);
      }
      reached = mapping.end();
    }
    for (size_t i = group; i < runs.size(); ++i) runs[i].host_only = host_only;
  }
  heap_.replace_mapped(begin, static_cast<size_t>(end - begin), runs);
}

}  // namespace guda::memory
