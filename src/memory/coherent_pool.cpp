#include "memory/coherent_pool.h"

#include "support/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace guda::memory {
Range CoherentPool::Region::bytes_of(size_t first, size_t last) const {
  return {base + first * kGranule, std::min(base + last * kGranule, base + size)};
}

CoherentPool::~CoherentPool() {
  for (auto& [base, region] : regions_) {
    for (Space space = 1; space <= devices_.size(); ++space) {
      backend::Device& device = *devices_[space - 1].device;
      if (region.is_mapped(space) && device.usable() && !hung(space))
        (void)device.unmap(reinterpret_cast<void*>(base), region.size);
    }
  }
  for (Space space = 1; space <= devices_.size(); ++space) {
    // Destroying a queue waits for its work.
    // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): without memory for this the process ends
    static auto* const left_behind = new std::vector<SharedQueue>;
    if (!hung(space)) continue;
    left_behind->push_back(std::move(devices_[space - 1].main.queue));
    left_behind->push_back(std::move(devices_[space - 1].ahead.queue));
  }
}

Space CoherentPool::add_device(backend::Device& device) {
  std::unique_lock lock(mutex_);
  DeviceState state;
  state.device = &device;
  devices_.push_back(std::move(state));
  return static_cast<Space>(devices_.size());
}

void CoherentPool::set_link(Space space, double up_bytes_per_ns, double down_bytes_per_ns) {
  std::unique_lock lock(mutex_);
  devices_[space - 1].up = up_bytes_per_ns;
  devices_[space - 1].down = down_bytes_per_ns;
}

void CoherentPool::expect_busy(Space space, std::chrono::steady_clock::time_point until) {
  if (space == kHostSpace) return;
  const int64_t wanted = until.time_since_epoch() / std::chrono::nanoseconds(1);
  int64_t known = busy_until_[space].load(std::memory_order_relaxed);
  while (known < wanted && !busy_until_[space].compare_exchange_weak(known, wanted)) {
  }
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
  const Range all = Range::of(base, found->second.size);
  for (Space space = 1; space <= devices_.size(); ++space) await_transits(lock, space, {&all, 1});
  for (Space space = 1; space <= devices_.size(); ++space) {
    backend::Device& device = *devices_[space - 1].device;
    if (!found->second.is_mapped(space) || !device.usable() || hung(space)) continue;
    if (quiesce_) quiesce_(space);
    if (Status status = unmap(found->second, space); !status)
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

bool CoherentPool::in_one_region(Range range) const {
  std::unique_lock lock(mutex_);
  const Region* region = region_of(range.begin);
  return region != nullptr && range.end <= region->base + region->size;
}

Status CoherentPool::not_for_devices(uintptr_t address) {
  return {StatusCode::invalid_value,
          fmt::format("{:#x} is not memory that devices can have", address)};
}

Result<CoherentPool::Lease> CoherentPool::acquire(Space space, std::span<const Range> accessed,
                                                  std::span<const Range> overwritten) {
  std::unique_lock lock(mutex_);
  await_transits(lock, space, accessed);
  await_transits(lock, space, overwritten);
  if (hung(space)) return no_answer(space);
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
  if (space != kHostSpace) {
    if (Status finished = finish(space); status) status = finished;
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
  forget_copies(space, scratch);
  return lease;
}

void CoherentPool::forget_copies(Space space, std::span<const Range> ranges, bool only_stale) {
  (void)for_each_piece(ranges, kHostSpace, [&](Region& region, Range piece) {
    spoil(piece, space);
    if (!region.is_mapped(space)) return Status::ok();
    region.versions.change(region.granule(piece.begin), region.end_granule(piece.end),
                           [&](HeldVersions& held) {
                             if (only_stale ? !held.current(space) : !held.only_current(space))
                               held.forget(space);
                           });
    count_owner(region);
    return Status::ok();
  });
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
    spoil(piece);
    if (!region.is_mapped(space)) return Status::ok();
    region.versions.change(region.granule(piece.begin), region.end_granule(piece.end),
                           [&](HeldVersions& held) { held.write(space); });
    count_owner(region);
    return Status::ok();
  });
}

void CoherentPool::discard(Range range) {
  if (home_ == kHostSpace) return;
  std::unique_lock lock(mutex_);
  (void)for_each_piece({&range, 1}, kHostSpace, [&](Region& region, Range piece) {
    spoil(piece);
    if (!region.is_mapped(home_)) return Status::ok();
    const auto first = static_cast<uint32_t>((piece.begin - region.base + kGranule - 1) / kGranule);
    const bool to_end = piece.end == region.base + region.size;
    const uint32_t last = to_end ? region.granules() : region.granule(piece.end);
    region.versions.change(first, last,
                           [&](HeldVersions& held) { held = HeldVersions::only(home_); });
    count_owner(region);
    return Status::ok();
  });
}

void CoherentPool::commit_copied(Space space, std::span<const Range> written) {
  std::unique_lock lock(mutex_);
  (void)for_each_piece(written, kHostSpace, [&](Region& region, Range piece) {
    spoil(piece);
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

/// `ranges` are sorted and have no byte in common.
std::vector<CoherentPool::Written> CoherentPool::writers_of(std::span<const WrittenRange> ranges) {
  std::vector<Written> written;
  for (const WrittenRange& range : ranges) {
    (void)for_each_piece({&range.bytes, 1}, kHostSpace, [&](Region& region, Range piece) {
      uint32_t first = region.granule(piece.begin);
      const uint32_t last = region.end_granule(piece.end);
      // Only the last granule so far can have other bytes of this piece.
      if (!written.empty() && written.back().region == &region && first < written.back().last) {
        Written& before = written.back();
        if (before.space == range.space) {
          before.last = last;
          return Status::ok();
        }
        if (before.space != kSeveral) {
          if (--before.last == before.first) written.pop_back();
          written.push_back({&region, first, first + 1, kSeveral});
        }
        ++first;
      }
      if (first >= last) return Status::ok();
      if (!written.empty() && written.back().region == &region && written.back().last == first &&
          written.back().space == range.space) {
        written.back().last = last;
      } else {
        written.push_back({&region, first, last, range.space});
      }
      return Status::ok();
    });
  }
  return written;
}

/// The host has the contents from before of the shared granules; each device's bytes come to them. Adds the devices that
/// have something to send to `asked`.
Status CoherentPool::merge_on_host(const Written& shared, std::span<const WrittenRange> ranges,
                                   uint32_t& asked) {
  Region& region = *shared.region;
  const Range granules = region.bytes_of(shared.first, shared.last);
  for (uint32_t g = shared.first; g < shared.last; ++g) {
    if (!region.versions.at(g).current(kHostSpace))
      return {StatusCode::illegal_state, "a shared granule is not current on the host"};
  }
  auto range = std::partition_point(ranges.begin(), ranges.end(), [&](const WrittenRange& each) {
    return each.bytes.end <= granules.begin;
  });
  for (; range != ranges.end() && range->bytes.begin < granules.end; ++range) {
    if (range->space == kHostSpace) continue;
    asked |= 1u << range->space;
    transfer(range->space, intersection(range->bytes, granules), false);
  }
  return Status::ok();
}

Status CoherentPool::commit_parts(std::span<const Part> parts) {
  std::vector<WrittenRange> ranges;
  for (const Part& part : parts) {
    for (const Range& range : part.written) {
      if (!range.empty()) ranges.push_back({range, part.space});
    }
  }
  std::sort(ranges.begin(), ranges.end(), [](const WrittenRange& a, const WrittenRange& b) {
    return a.bytes.begin < b.bytes.begin;
  });
  std::unique_lock lock(mutex_);
  const std::vector<Written> written = writers_of(ranges);
  Status status;
  uint32_t asked = 0;  // devices, by bit
  for (const Written& each : written) {
    if (each.space == kSeveral && status) status = merge_on_host(each, ranges, asked);
  }
  for (Space space = 1; space <= devices_.size(); ++space) {
    if ((asked >> space & 1) == 0) continue;
    if (Status finished = finish(space); status) status = finished;
  }
  if (status) {
    for (const Written& each : written) {
      const Space owner = each.space == kSeveral ? kHostSpace : each.space;
      spoil(each.region->bytes_of(each.first, each.last));
      each.region->versions.change(each.first, each.last,
                                   [&](HeldVersions& held) { held.write(owner); });
      count_owner(*each.region);
    }
  }
  // What else devices have of it is neither old nor new.
  for (const WrittenRange& each : ranges) {
    if (each.space != kHostSpace) forget_copies(each.space, {&each.bytes, 1});
  }
  return status;
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

bool CoherentPool::busy(Space space) const {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return busy_until_[space].load(std::memory_order_relaxed) > now / std::chrono::nanoseconds(1);
}

std::vector<Range> CoherentPool::lose(Space space) {
  std::unique_lock lock(mutex_);
  std::vector<Range> lost;
  for (Transit& transit : transits_) transit.spoiled |= transit.space == space;
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

}  // namespace guda::memory
