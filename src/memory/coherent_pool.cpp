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
      if (region.is_mapped(space) && device.usable())
        (void)device.unmap(pointer(base), region.size);
    }
  }
}

Space CoherentPool::add_device(backend::Device& device) {
  std::unique_lock lock(mutex_);
  devices_.push_back({&device, nullptr, false});
  return static_cast<Space>(devices_.size());
}

void CoherentPool::add_region(void* base, size_t size, int host_file, bool fresh) {
  Region region;
  region.base = reinterpret_cast<uintptr_t>(base);
  region.size = size;
  region.host_file = host_file;
  std::unique_lock lock(mutex_);
  Space owner = kHostSpace;
  if (fresh && home_ != kHostSpace && devices_[home_ - 1].device->usable()) {
    if (Status status = ensure_mapped(region, home_); status) {
      owner = home_;
    } else {
      log(LogPart::memory, LogLevel::debug, "{} bytes start on the host: {}", size,
          status.message());
    }
  }
  region.versions = Versions(region.granules(), HeldVersions::only(owner));
  auto [entry, added] = regions_.insert_or_assign(region.base, std::move(region));
  count_owner(entry->second);
}

/// Keeps sole_owner_ true after a change of the region's versions.
void CoherentPool::count_owner(Region& region) {
  const Space owner = region.versions.sole_owner(static_cast<Space>(devices_.size() + 1));
  if (owner == region.counted_for && sole_owner_.load(std::memory_order_relaxed) == owner) return;
  uncount_owner(region);
  region.counted_for = owner;
  if (owner != kNoSpace) ++sole_regions_[owner];
  const bool all = owner != kNoSpace && sole_regions_[owner] == regions_.size();
  sole_owner_.store(all ? owner : kNoSpace, std::memory_order_release);
}

void CoherentPool::uncount_owner(Region& region) {
  if (region.counted_for != kNoSpace) --sole_regions_[region.counted_for];
  region.counted_for = kNoSpace;
}

void CoherentPool::remove_region(void* base) {
  std::unique_lock lock(mutex_);
  auto found = regions_.find(reinterpret_cast<uintptr_t>(base));
  if (found == regions_.end()) return;
  for (Space space = 1; space <= devices_.size(); ++space) {
    backend::Device& device = *devices_[space - 1].device;
    if (!found->second.is_mapped(space) || !device.usable()) continue;
    if (quiesce_) quiesce_(space);
    if (Status status = device.unmap(base, found->second.size); !status)
      log(LogPart::memory, LogLevel::warn, "{}: {}", device.info().id(), status.message());
  }
  uncount_owner(found->second);
  regions_.erase(found);
  Space owner = kNoSpace;
  for (Space space = 0; space <= devices_.size(); ++space) {
    if (!regions_.empty() && sole_regions_[space] == regions_.size()) owner = space;
  }
  sole_owner_.store(owner, std::memory_order_release);
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
      const uint32_t first = region.granule(piece.begin), last = region.end_granule(piece.end);
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
  if (space != kHostSpace && devices_[space - 1].busy) {
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
    if (!region.is_mapped(space)) return Status::ok();
    region.versions.change(region.granule(piece.begin), region.end_granule(piece.end),
                           [&](HeldVersions& held) {
                             if (held.current(kHostSpace)) held.forget(space);
                           });
    count_owner(region);
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
    if (!region.is_mapped(space)) return Status::ok();
    region.versions.change(region.granule(piece.begin), region.end_granule(piece.end),
                           [&](HeldVersions& held) { held.write(space); });
    count_owner(region);
    return Status::ok();
  });
}

void CoherentPool::commit_copied(Space space, std::span<const Range> written) {
  std::unique_lock lock(mutex_);
  (void)for_each_piece(written, kHostSpace, [&](Region& region, Range piece) {
    if (!region.is_mapped(space)) return Status::ok();
    region.versions.change(region.granule(piece.begin), region.end_granule(piece.end),
                           [&](HeldVersions& held) {
                             const bool current = held.current(kHostSpace);
                             held.write(space);
                             if (current) held.copy_to(kHostSpace);
                           });
    count_owner(region);
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
      for (uint32_t g = region.granule(piece.begin); g < region.end_granule(piece.end); ++g) {
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
    const uint32_t g = region.granule(address);
    if (!region.versions.at(g).current(kHostSpace)) {
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
    const uint32_t g = region.granule(address);
    region.versions.change(
        g, g + 1, [&](HeldVersions& held) { held.write(space == kSeveral ? kHostSpace : space); });
  }
  for (auto& [address, space] : writer) count_owner(*region_of(address));
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
        region.versions.for_each(region.granule(piece.begin), region.end_granule(piece.end),
                                 [&](uint32_t first, uint32_t last, const HeldVersions& held) {
                                   if (!held.current(space))
                                     missing += region.bytes_of(first, last).bytes();
                                 });
        return Status::ok();
      });
  return missing;
}

std::vector<Range> CoherentPool::lose(Space space) {
  std::unique_lock lock(mutex_);
  std::vector<Range> lost;
  for (auto& [base, region] : regions_) {
    if (!region.is_mapped(space)) continue;
    region.mapped &= ~(1u << space);
    const Region& seen = region;
    region.versions.for_each(0, region.granules(),
                             [&](uint32_t first, uint32_t last, const HeldVersions& held) {
                               if (!held.only_current(space)) return;
                               const Range bytes = seen.bytes_of(first, last);
                               if (!lost.empty() && lost.back().end == bytes.begin) {
                                 lost.back().end = bytes.end;
                               } else {
                                 lost.push_back(bytes);
                               }
                             });
    region.versions.change(0, region.granules(), [&](HeldVersions& held) {
      held.forget(space);
      if (held.latest() == 0)
        held = HeldVersions::only(kHostSpace);  // nobody ever had anything else
    });
    count_owner(region);
  }
  return lost;
}

CoherentPool::Statistics CoherentPool::statistics() const {
  std::unique_lock lock(mutex_);
  return statistics_;
}

Status CoherentPool::ensure_mapped(Region& region, Space space) {
  if (region.is_mapped(space)) return Status::ok();
  backend::Device& device = *devices_[space - 1].device;
  Status status = device.map(pointer(region.base), region.size, region.host_file);
  while (status.code() == StatusCode::out_of_memory) {
    if (Status evicted = evict_one(space); !evicted) return evicted;
    status = device.map(pointer(region.base), region.size, region.host_file);
  }
  if (status) region.mapped |= 1u << space;
  return status;
}

/// Takes the device's copy of the region used longest ago.
Status CoherentPool::evict_one(Space space) {
  Region* oldest = nullptr;
  for (auto& [base, region] : regions_) {
    if (region.is_mapped(space) && region.pins[space] == 0 &&
        (oldest == nullptr || region.last_use[space] < oldest->last_use[space]))
      oldest = &region;
  }
  backend::Device& device = *devices_[space - 1].device;
  if (oldest == nullptr) {
    return {StatusCode::out_of_memory,
            fmt::format("{}: the work does not fit in its memory", device.info().id())};
  }
  if (quiesce_) quiesce_(space);
  // Only what nobody else has must be saved.
  std::vector<std::pair<uint32_t, uint32_t>> here;
  oldest->versions.for_each(0, oldest->granules(),
                            [&](uint32_t first, uint32_t last, const HeldVersions& held) {
                              if (held.only_current(space)) here.emplace_back(first, last);
                            });
  for (auto [first, last] : here) {
    if (Status status = make_current(*oldest, kHostSpace, first, last); !status) return status;
  }
  if (Status status = device.unmap(pointer(oldest->base), oldest->size); !status) return status;
  oldest->mapped &= ~(1u << space);
  oldest->versions.change(0, oldest->granules(), [&](HeldVersions& held) { held.forget(space); });
  count_owner(*oldest);
  ++statistics_.evictions;
  log(LogPart::memory, LogLevel::debug, "{}: {} bytes at {:#x} evicted", device.info().id(),
      oldest->size, oldest->base);
  return Status::ok();
}

/// Copies what is stale of granules [first, last) into `space`, in runs. Uploads may still be under way afterwards.
Status CoherentPool::make_current(Region& region, Space space, uint32_t first, uint32_t last) {
  if (space == kHostSpace) return to_host(region, first, last);
  for (const Scratch& scratch : scratch_) {
    if (scratch.space != space) continue;
    const Range taken = intersection(scratch.granules, region.bytes_of(first, last));
    if (taken.empty()) continue;
    // On both sides of it; other scratch is found there.
    const uint32_t begin = region.granule(taken.begin), end = region.end_granule(taken.end);
    if (Status status = make_current(region, space, first, begin); !status) return status;
    return make_current(region, space, end, last);
  }
  std::vector<std::pair<uint32_t, uint32_t>> stale;
  region.versions.for_each(first, last, [&](uint32_t from, uint32_t to, const HeldVersions& held) {
    if (held.current(space)) return;
    if (!stale.empty() && stale.back().second == from) {
      stale.back().second = to;
    } else {
      stale.emplace_back(from, to);
    }
  });
  for (auto [from, to] : stale) {
    if (Status status = to_host(region, from, to); !status) return status;
    if (Status status = transfer(space, region.bytes_of(from, to), true); !status) return status;
    region.versions.change(from, to, [&](HeldVersions& held) { held.copy_to(space); });
  }
  if (!stale.empty()) count_owner(region);
  return Status::ok();
}

/// The latest contents of granules [first, last) to the host, from whichever device has them.
Status CoherentPool::to_host(Region& region, uint32_t first, uint32_t last) {
  struct Piece {
    uint32_t first, last;
    Space owner;
  };
  std::vector<Piece> stale;
  region.versions.for_each(first, last, [&](uint32_t from, uint32_t to, const HeldVersions& held) {
    if (held.current(kHostSpace)) return;
    Space owner = 1;
    while (owner <= devices_.size() && !held.current(owner)) ++owner;
    if (!stale.empty() && stale.back().last == from && stale.back().owner == owner) {
      stale.back().last = to;
    } else {
      stale.push_back({from, to, owner});
    }
  });
  for (const Piece& piece : stale) {
    const Range bytes = region.bytes_of(piece.first, piece.last);
    if (piece.owner > devices_.size()) {
      return {StatusCode::illegal_state,
              fmt::format("nobody has the latest contents of {:#x}", bytes.begin)};
    }
    if (Status status = transfer(piece.owner, bytes, false); !status) return status;
    if (Status status = finish(piece.owner); !status) return status;
    region.versions.change(piece.first, piece.last,
                           [&](HeldVersions& held) { held.copy_to(kHostSpace); });
  }
  if (!stale.empty()) count_owner(region);
  return Status::ok();
}

Status CoherentPool::transfer(Space space, Range bytes, bool upload) {
  DeviceState& state = devices_[space - 1];
  if (!state.transfers) {
    auto queue = state.device->create_queue();
    if (!queue) return queue.status();
    state.transfers = std::move(*queue);
  }
  state.busy = true;
  ++statistics_.transfers;
  (upload ? statistics_.uploaded_bytes : statistics_.downloaded_bytes) += bytes.bytes();
  void* address = pointer(bytes.begin);
  return upload ? state.transfers->upload(address, address, bytes.bytes())
                : state.transfers->download(address, address, bytes.bytes());
}

Status CoherentPool::finish(Space space) {
  DeviceState& state = devices_[space - 1];
  state.busy = false;
  return state.transfers ? state.transfers->synchronize() : Status::ok();
}

}  // namespace guda::memory
