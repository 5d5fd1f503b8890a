#include "memory/coherent_pool.h"

#include "support/log.h"

#include <fmt/format.h>

#include <algorithm>

namespace guda::memory {
namespace {

Range intersection(Range a, Range b) {
  return {std::max(a.begin, b.begin), std::min(a.end, b.end)};
}

void* pointer(uintptr_t address) { return reinterpret_cast<void*>(address); }

}  // namespace

Range CoherentPool::Region::bytes_of(size_t first, size_t last) const {
  return {base + first * kGranule, std::min(base + last * kGranule, base + size)};
}

CoherentPool::~CoherentPool() {
  for (auto& [base, region] : regions_) {
    for (Space space = 1; space <= devices_.size(); ++space) {
      backend::Device& device = *devices_[space - 1].device;
      if (region.mapped(space) && device.usable()) (void)device.unmap(pointer(base), region.size);
    }
  }
}

Space CoherentPool::add_device(backend::Device& device) {
  std::unique_lock lock(mutex_);
  devices_.push_back({&device, nullptr});
  return static_cast<Space>(devices_.size());
}

void CoherentPool::add_region(void* base, size_t size, int host_file) {
  Region region;
  region.base = reinterpret_cast<uintptr_t>(base);
  region.size = size;
  region.host_file = host_file;
  size_t granules = (size + kGranule - 1) / kGranule;
  region.latest.assign(granules, 1);
  std::unique_lock lock(mutex_);
  region.held.resize(devices_.size() + 1);
  region.held[kHostSpace].assign(granules, 1);
  region.last_use.resize(devices_.size() + 1);
  region.pins.resize(devices_.size() + 1);
  regions_.insert_or_assign(region.base, std::move(region));
}

void CoherentPool::remove_region(void* base) {
  std::unique_lock lock(mutex_);
  auto found = regions_.find(reinterpret_cast<uintptr_t>(base));
  if (found == regions_.end()) return;
  for (Space space = 1; space <= devices_.size(); ++space) {
    backend::Device& device = *devices_[space - 1].device;
    if (!found->second.mapped(space) || !device.usable()) continue;
    if (Status status = device.unmap(base, found->second.size); !status)
      log(LogPart::memory, LogLevel::warn, "{}: {}", device.info().id(), status.message());
  }
  regions_.erase(found);
}

CoherentPool::Region* CoherentPool::region_of(uintptr_t address) {
  return const_cast<Region*>(static_cast<const CoherentPool*>(this)->region_of(address));
}

const CoherentPool::Region* CoherentPool::region_of(uintptr_t address) const {
  auto next = regions_.upper_bound(address);
  if (next == regions_.begin()) return nullptr;
  const Region& region = std::prev(next)->second;
  return address < region.base + region.size ? &region : nullptr;
}

bool CoherentPool::covers(Range range) const {
  std::unique_lock lock(mutex_);
  while (!range.empty()) {
    const Region* region = region_of(range.begin);
    if (region == nullptr) return false;
    range.begin = region->base + region->size;
  }
  return true;
}

/// Calls visit(region, part of the range in it). What lies outside all regions exists on the host only.
template <typename Visit>
Status CoherentPool::for_each_piece(std::span<const Range> ranges, Space space, Visit&& visit) {
  for (Range range : ranges) {
    while (!range.empty()) {
      Region* region = region_of(range.begin);
      if (region == nullptr) {
        if (space != kHostSpace) {
          return {StatusCode::invalid_value,
                  fmt::format("{:#x} is not memory that devices can have", range.begin)};
        }
        auto next = regions_.upper_bound(range.begin);
        range.begin = next == regions_.end() ? range.end : next->first;
        continue;
      }
      Range piece = intersection(range, {region->base, region->base + region->size});
      if (Status status = visit(*region, piece); !status) return status;
      range.begin = piece.end;
    }
  }
  return Status::ok();
}

Result<CoherentPool::Lease> CoherentPool::acquire(Space space, std::span<const Range> accessed,
                                                  std::span<const Range> overwritten) {
  std::unique_lock lock(mutex_);
  Lease lease;
  lease.space_ = space;
  auto use = [&](Region& region) {
    region.last_use[space] = ++clock_;
    if (space == kHostSpace) return Status::ok();
    if (std::find(lease.regions_.begin(), lease.regions_.end(), region.base) ==
        lease.regions_.end()) {
      lease.regions_.push_back(region.base);
      ++region.pins[space];  // before mapping: making room must not take it
    }
    return ensure_mapped(region, space);
  };
  Status status = for_each_piece(accessed, space, [&](Region& region, Range piece) {
    if (Status used = use(region); !used) return used;
    return make_current(region, space, region.granule(piece.begin), region.end_granule(piece.end));
  });
  if (status) {
    status = for_each_piece(overwritten, space, [&](Region& region, Range piece) {
      if (Status used = use(region); !used) return used;
      // Granules that are written in part keep the rest of their contents.
      size_t first = region.granule(piece.begin), last = region.end_granule(piece.end);
      Range edges[2] = {region.bytes_of(first, first + 1), region.bytes_of(last - 1, last)};
      if (edges[0].begin < piece.begin || edges[0].end > piece.end) {
        if (Status current = make_current(region, space, first, first + 1); !current)
          return current;
      }
      if (last - 1 > first && edges[1].end > piece.end)
        return make_current(region, space, last - 1, last);
      return Status::ok();
    });
  }
  if (space != kHostSpace) {
    if (Status finished = finish(space); status) status = finished;
    // Uploads that may not have arrived: the host has the same contents.
    if (!status) forget_copies(space, accessed, overwritten);
  }
  lease.pool_ = this;
  lock.unlock();
  if (!status) return status;  // the lease's end unpins
  return lease;
}

Result<CoherentPool::Lease> CoherentPool::acquire_scratch(Space space,
                                                          std::span<const Range> scratch) {
  if (Status status = bring_to_host(scratch); !status) return status;
  auto lease = acquire(space, {}, scratch);
  if (!lease) return lease;
  std::unique_lock lock(mutex_);
  (void)for_each_piece(scratch, kHostSpace, [&](Region& region, Range piece) {
    const Range granules =
        region.bytes_of(region.granule(piece.begin), region.end_granule(piece.end));
    scratch_.push_back({space, granules});
    lease->scratch_.push_back(granules);
    return Status::ok();
  });
  forget_copies(space, scratch, {});
  return lease;
}

void CoherentPool::forget_copies(Space space, std::span<const Range> first,
                                 std::span<const Range> second) {
  auto forget = [&](Region& region, Range piece) {
    if (!region.mapped(space)) return Status::ok();
    for (size_t g = region.granule(piece.begin); g < region.end_granule(piece.end); ++g) {
      if (region.held[kHostSpace][g] == region.latest[g]) region.held[space][g] = 0;
    }
    return Status::ok();
  };
  (void)for_each_piece(first, kHostSpace, forget);
  (void)for_each_piece(second, kHostSpace, forget);
}

void CoherentPool::Lease::release() {
  if (pool_ == nullptr) return;
  std::unique_lock lock(pool_->mutex_);
  for (uintptr_t base : regions_) {
    if (auto found = pool_->regions_.find(base); found != pool_->regions_.end())
      --found->second.pins[space_];
  }
  for (const Range& granules : scratch_) {
    const auto found =
        std::find(pool_->scratch_.begin(), pool_->scratch_.end(), Scratch{space_, granules});
    if (found != pool_->scratch_.end()) pool_->scratch_.erase(found);
  }
  scratch_.clear();
  regions_.clear();
  pool_ = nullptr;
}

void CoherentPool::commit(Space space, std::span<const Range> written) {
  std::unique_lock lock(mutex_);
  (void)for_each_piece(written, kHostSpace, [&](Region& region, Range piece) {
    if (!region.mapped(space)) return Status::ok();
    for (size_t g = region.granule(piece.begin); g < region.end_granule(piece.end); ++g)
      region.held[space][g] = ++region.latest[g];
    return Status::ok();
  });
}

void CoherentPool::commit_copied(Space space, std::span<const Range> written) {
  std::unique_lock lock(mutex_);
  (void)for_each_piece(written, kHostSpace, [&](Region& region, Range piece) {
    if (!region.mapped(space)) return Status::ok();
    auto& host = region.held[kHostSpace];
    for (size_t g = region.granule(piece.begin); g < region.end_granule(piece.end); ++g) {
      const bool current = host[g] == region.latest[g];
      region.held[space][g] = ++region.latest[g];
      if (current) host[g] = region.latest[g];
    }
    return Status::ok();
  });
}

Status CoherentPool::commit_parts(std::span<const Part> parts) {
  std::unique_lock lock(mutex_);
  // Who writes in each granule: one space, or several.
  constexpr Space kSeveral = ~Space{0};
  std::map<uintptr_t, Space> writer;
  for (const Part& part : parts) {
    (void)for_each_piece(part.written, kHostSpace, [&](Region& region, Range piece) {
      for (size_t g = region.granule(piece.begin); g < region.end_granule(piece.end); ++g) {
        auto [entry, fresh] = writer.emplace(region.base + g * kGranule, part.space);
        if (!fresh && entry->second != part.space) entry->second = kSeveral;
      }
      return Status::ok();
    });
  }
  // Shared granules first: the host gets the contents from before, then each device's bytes.
  for (auto& [address, space] : writer) {
    if (space != kSeveral) continue;
    Region& region = *region_of(address);
    size_t g = region.granule(address);
    if (region.held[kHostSpace][g] != region.latest[g]) {
      return {StatusCode::illegal_state, "a shared granule is not current on the host"};
    }
    for (const Part& part : parts) {
      if (part.space == kHostSpace) continue;
      for (Range range : part.written) {
        Range bytes = intersection(range, region.bytes_of(g, g + 1));
        if (bytes.empty()) continue;
        if (Status status = transfer(part.space, bytes, false); !status) return status;
      }
      if (Status status = finish(part.space); !status) return status;
    }
  }
  for (auto& [address, space] : writer) {
    Region& region = *region_of(address);
    size_t g = region.granule(address);
    region.held[space == kSeveral ? kHostSpace : space][g] = ++region.latest[g];
  }
  return Status::ok();
}

Status CoherentPool::bring_to_host(std::span<const Range> ranges) {
  auto lease = acquire(kHostSpace, ranges);
  return lease.status();
}

size_t CoherentPool::missing_bytes(Space space, std::span<const Range> accessed) const {
  std::unique_lock lock(mutex_);
  size_t missing = 0;
  (void)const_cast<CoherentPool*>(this)->for_each_piece(
      accessed, kHostSpace, [&](Region& region, Range piece) {
        const size_t first = region.granule(piece.begin), last = region.end_granule(piece.end);
        if (!region.mapped(space)) {
          missing += region.bytes_of(first, last).bytes();
          return Status::ok();
        }
        // Asked for every launch, so counted in a form that becomes SIMD code: a gigabyte has 16384 granules.
        const uint32_t* held = region.held[space].data();
        const uint32_t* latest = region.latest.data();
        size_t stale = 0;
        for (size_t g = first; g < last; ++g) stale += held[g] != latest[g] ? 1 : 0;
        missing += stale * kGranule;
        // The region's last granule may be shorter.
        if (last > first && held[last - 1] != latest[last - 1])
          missing -= kGranule - region.bytes_of(last - 1, last).bytes();
        return Status::ok();
      });
  return missing;
}

std::vector<Range> CoherentPool::lose(Space space) {
  std::unique_lock lock(mutex_);
  std::vector<Range> lost;
  for (auto& [base, region] : regions_) {
    if (!region.mapped(space)) continue;
    region.held[space].clear();
    for (size_t g = 0; g < region.latest.size(); ++g) {
      uint32_t newest = 0;
      for (auto& held : region.held) {
        if (!held.empty()) newest = std::max(newest, held[g]);
      }
      if (newest == region.latest[g]) continue;
      region.latest[g] = newest;
      Range bytes = region.bytes_of(g, g + 1);
      if (!lost.empty() && lost.back().end == bytes.begin) {
        lost.back().end = bytes.end;
      } else {
        lost.push_back(bytes);
      }
    }
  }
  return lost;
}

CoherentPool::Statistics CoherentPool::statistics() const {
  std::unique_lock lock(mutex_);
  return statistics_;
}

Status CoherentPool::ensure_mapped(Region& region, Space space) {
  if (region.mapped(space)) return Status::ok();
  backend::Device& device = *devices_[space - 1].device;
  Status status = device.map(pointer(region.base), region.size, region.host_file);
  while (status.code() == StatusCode::out_of_memory) {
    if (Status evicted = evict_one(space); !evicted) return evicted;
    status = device.map(pointer(region.base), region.size, region.host_file);
  }
  if (status) region.held[space].assign(region.latest.size(), 0);
  return status;
}

/// Takes the device's copy of the region used longest ago.
Status CoherentPool::evict_one(Space space) {
  Region* oldest = nullptr;
  for (auto& [base, region] : regions_) {
    if (region.mapped(space) && region.pins[space] == 0 &&
        (oldest == nullptr || region.last_use[space] < oldest->last_use[space]))
      oldest = &region;
  }
  backend::Device& device = *devices_[space - 1].device;
  if (oldest == nullptr) {
    return {StatusCode::out_of_memory,
            fmt::format("{}: the work does not fit in its memory", device.info().id())};
  }
  // Only what nobody else has must be saved.
  for (size_t g = 0; g < oldest->latest.size(); ++g) {
    if (oldest->held[space][g] != oldest->latest[g]) continue;
    if (Status status = make_current(*oldest, kHostSpace, g, g + 1); !status) return status;
  }
  if (Status status = device.unmap(pointer(oldest->base), oldest->size); !status) return status;
  oldest->held[space].clear();
  ++statistics_.evictions;
  log(LogPart::memory, LogLevel::debug, "{}: {} bytes at {:#x} evicted", device.info().id(),
      oldest->size, oldest->base);
  return Status::ok();
}

/// Copies what is stale of granules [first, last) into `space`, in runs. Uploads may still be under way afterwards.
Status CoherentPool::make_current(Region& region, Space space, size_t first, size_t last) {
  if (space == kHostSpace) return to_host(region, first, last);
  for (const Scratch& scratch : scratch_) {
    if (scratch.space != space) continue;
    const Range taken = intersection(scratch.granules, region.bytes_of(first, last));
    if (taken.empty()) continue;
    // On both sides of it; other scratch is found there.
    const size_t begin = region.granule(taken.begin), end = region.end_granule(taken.end);
    if (Status status = make_current(region, space, first, begin); !status) return status;
    return make_current(region, space, end, last);
  }
  auto& held = region.held[space];
  for (size_t g = first; g < last;) {
    if (held[g] == region.latest[g]) {
      ++g;
      continue;
    }
    size_t run = g;
    while (run < last && held[run] != region.latest[run]) ++run;
    if (Status status = to_host(region, g, run); !status) return status;
    if (Status status = transfer(space, region.bytes_of(g, run), true); !status) return status;
    for (; g < run; ++g) held[g] = region.latest[g];
  }
  return Status::ok();
}

/// The latest contents of granules [first, last) to the host, from whichever device has them.
Status CoherentPool::to_host(Region& region, size_t first, size_t last) {
  auto& host = region.held[kHostSpace];
  for (size_t g = first; g < last;) {
    if (host[g] == region.latest[g]) {
      ++g;
      continue;
    }
    Space owner = kHostSpace;
    for (Space space = 1; space <= devices_.size() && owner == kHostSpace; ++space) {
      if (region.mapped(space) && region.held[space][g] == region.latest[g]) owner = space;
    }
    if (owner == kHostSpace) {
      return {StatusCode::illegal_state,
              fmt::format("nobody has the latest contents of {:#x}", region.bytes_of(g, g).begin)};
    }
    size_t run = g;
    while (run < last && host[run] != region.latest[run] &&
           region.held[owner][run] == region.latest[run])
      ++run;
    if (Status status = transfer(owner, region.bytes_of(g, run), false); !status) return status;
    if (Status status = finish(owner); !status) return status;
    for (; g < run; ++g) host[g] = region.latest[g];
  }
  return Status::ok();
}

Status CoherentPool::transfer(Space space, Range bytes, bool upload) {
  DeviceState& state = devices_[space - 1];
  if (!state.transfers) {
    auto queue = state.device->create_queue();
    if (!queue) return queue.status();
    state.transfers = std::move(*queue);
  }
  ++statistics_.transfers;
  (upload ? statistics_.uploaded_bytes : statistics_.downloaded_bytes) += bytes.bytes();
  void* address = pointer(bytes.begin);
  return upload ? state.transfers->upload(address, address, bytes.bytes())
                : state.transfers->download(address, address, bytes.bytes());
}

Status CoherentPool::finish(Space space) {
  DeviceState& state = devices_[space - 1];
  return state.transfers ? state.transfers->synchronize() : Status::ok();
}

}  // namespace guda::memory
