#include "memory/coherent_pool.h"

#include "support/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace guda::memory {
namespace {

Range intersection(Range a, Range b) {
  return {std::max(a.begin, b.begin), std::min(a.end, b.end)};
}

void* pointer(uintptr_t address) { return reinterpret_cast<void*>(address); }

double predicted_ns(size_t bytes, double bytes_per_ns) {
  /// Of links that nobody has measured: no device has a slower one.
  constexpr double kSlow = 0.1;
  return static_cast<double>(bytes) / (bytes_per_ns > 0 ? bytes_per_ns : kSlow);
}

}  // namespace

Range CoherentPool::Region::bytes_of(size_t first, size_t last) const {
  return {base + first * kGranule, std::min(base + last * kGranule, base + size)};
}

CoherentPool::~CoherentPool() {
  for (auto& [base, region] : regions_) {
    for (Space space = 1; space <= devices_.size(); ++space) {
      backend::Device& device = *devices_[space - 1].device;
      if (region.is_mapped(space) && device.usable() && !hung(space))
        (void)device.unmap(pointer(base), region.size);
    }
  }
  for (Space space = 1; space <= devices_.size(); ++space) {
    // Destroying a queue waits for its work.
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

/// Transfers of the range to this memory that are under way end first.
void CoherentPool::await_transits(std::unique_lock<std::mutex>& lock, Space space,
                                  std::span<const Range> ranges) {
  transit_ended_.wait(lock, [&] {
    return std::none_of(transits_.begin(), transits_.end(), [&](const Transit& transit) {
      return transit.space == space &&
             std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) {
               return !intersection(transit.bytes, range).empty();
             });
    });
  });
}

/// What is on its way there (kNoSpace: anywhere) will not be the latest contents.
void CoherentPool::spoil(Range bytes, Space space) {
  for (Transit& transit : transits_) {
    if ((space == kNoSpace || transit.space == space) &&
        !intersection(transit.bytes, bytes).empty())
      transit.spoiled = true;
  }
}

/// The first granules of the range that the host could send.
std::optional<CoherentPool::Prefetchable> CoherentPool::find_prefetchable(Space space,
                                                                          Range range) {
  constexpr uint32_t kMost = kPrefetched / kGranule;
  std::optional<Prefetchable> found;
  (void)for_each_piece({&range, 1}, kHostSpace, [&](Region& region, Range piece) {
    if (found) return Status::ok();
    region.versions.for_each(
        region.granule(piece.begin), region.end_granule(piece.end),
        [&](uint32_t first, uint32_t last, const HeldVersions& held) {
          if (found || held.current(space) || !held.current(kHostSpace)) return;
          last = std::min(last, first + kMost);
          const Range bytes = region.bytes_of(first, last);
          const bool taken =
              std::any_of(transits_.begin(), transits_.end(),
                          [&](const Transit& each) {
                            return each.space == space && !intersection(each.bytes, bytes).empty();
                          }) ||
              std::any_of(scratch_.begin(), scratch_.end(), [&](const Scratch& each) {
                return each.space == space && !intersection(each.granules, bytes).empty();
              });
          if (!taken) found = Prefetchable{&region, first, last};
        });
    return Status::ok();
  });
  return found;
}

/// Without taking anybody's, and leaving as much again.
Status CoherentPool::make_room(Region& region, Space space) {
  if (region.is_mapped(space)) return Status::ok();
  const uint64_t free = devices_[space - 1].device->free_bytes();
  if (free != 0 && free < 2 * region.size)
    return {StatusCode::out_of_memory, "no room for what is not asked for yet"};
  Status status = map(region, space);
  if (status) region.mapped |= 1u << space;
  return status;
}

Result<size_t> CoherentPool::prefetch(Space space, Range range) {
  DeviceState& state = devices_[space - 1];
  const std::lock_guard one_at_a_time(*state.ahead_mutex);
  std::unique_lock lock(mutex_);
  if (hung(space)) return no_answer(space);
  const auto piece = find_prefetchable(space, range);
  if (!piece) return size_t{0};
  Region& region = *piece->region;
  if (Status status = make_room(region, space); !status) return status;
  const Range bytes = region.bytes_of(piece->first, piece->last);
  ++region.pins[space];
  region.last_use[space] = ++clock_;
  const auto transit = transits_.insert(transits_.end(), {space, bytes});
  lock.unlock();
  Status status = timed(space, state.ahead, predicted_ns(bytes.bytes(), state.up),
                        [bytes](backend::Queue& queue) {
                          void* address = pointer(bytes.begin);
                          Status sent = queue.upload(address, address, bytes.bytes());
                          const Status ended = queue.synchronize();
                          return sent ? ended : sent;
                        });
  lock.lock();
  --region.pins[space];  // it is still there: remove_region() waits for transits
  if (status && !transit->spoiled && region.is_mapped(space)) {
    region.versions.change(piece->first, piece->last,
                           [&](HeldVersions& held) { held.copy_to(space); });
    count_owner(region);
    ++statistics_.transfers;
    statistics_.uploaded_bytes += bytes.bytes();
    statistics_.prefetched_bytes += bytes.bytes();
  }
  transits_.erase(transit);
  transit_ended_.notify_all();
  if (!status) return status;
  return bytes.bytes();
}

CoherentPool::Statistics CoherentPool::statistics() const {
  std::unique_lock lock(mutex_);
  return statistics_;
}

Status CoherentPool::ensure_mapped(Region& region, Space space) {
  if (region.is_mapped(space)) return Status::ok();
  Status status = map(region, space);
  while (status.code() == StatusCode::out_of_memory) {
    if (Status evicted = evict_one(space); !evicted) return evicted;
    status = map(region, space);
  }
  if (status) region.mapped |= 1u << space;
  return status;
}

Status CoherentPool::map(Region& region, Space space) {
  backend::Device* device = devices_[space - 1].device;
  return timed(space, 0,
               [device, base = pointer(region.base), size = region.size, file = region.host_file] {
                 return device->map(base, size, file);
               });
}

Status CoherentPool::unmap(Region& region, Space space) {
  backend::Device* device = devices_[space - 1].device;
  return timed(space, 0, [device, base = pointer(region.base), size = region.size] {
    return device->unmap(base, size);
  });
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
  // What neither the host nor home has must be saved: a device that only helps may vanish with its copy.
  std::vector<std::pair<uint32_t, uint32_t>> here;
  oldest->versions.for_each(
      0, oldest->granules(), [&](uint32_t first, uint32_t last, const HeldVersions& held) {
        const bool safe = held.current(kHostSpace) || (space != home_ && held.current(home_));
        if (held.current(space) && !safe) here.emplace_back(first, last);
      });
  for (auto [first, last] : here) {
    if (Status status = make_current(*oldest, kHostSpace, first, last); !status) return status;
  }
  if (Status status = unmap(*oldest, space); !status) return status;
  oldest->mapped &= ~(1u << space);
  oldest->versions.change(0, oldest->granules(), [&](HeldVersions& held) { held.forget(space); });
  count_owner(*oldest);
  ++statistics_.evictions;
  evictions_.fetch_add(1, std::memory_order_release);
  log(LogPart::memory, LogLevel::debug, "{}: {} bytes at {:#x} evicted", device.info().id(),
      oldest->size, oldest->base);
  return Status::ok();
}

/// Copies what is stale of granules [first, last) into `space`, in runs. Uploads are left for finish().
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
  struct Piece {
    uint32_t first, last;
    Space from;
  };
  std::vector<Piece> stale;
  region.versions.for_each(first, last, [&](uint32_t from, uint32_t to, const HeldVersions& held) {
    if (held.current(space)) return;
    // What the host lacks comes from a device that has it, if there is a way.
    Space source = kHostSpace;
    for (Space other = 1; other <= devices_.size() && !held.current(kHostSpace); ++other) {
      if (!held.current(other) || !reaches(space, other)) continue;
      source = other;
      break;
    }
    if (!stale.empty() && stale.back().last == from && stale.back().from == source) {
      stale.back().last = to;
    } else {
      stale.push_back({from, to, source});
    }
  });
  for (const Piece& piece : stale) {
    const Range bytes = region.bytes_of(piece.first, piece.last);
    if (piece.from != kHostSpace) {
      // A failure of uploads is not the direct copy's.
      if (Status status = finish(space); !status) return status;
    }
    if (piece.from == kHostSpace || !copy_directly(space, piece.from, bytes)) {
      if (Status status = to_host(region, piece.first, piece.last); !status) return status;
      transfer(space, bytes, true);
    }
    region.versions.change(piece.first, piece.last,
                           [&](HeldVersions& held) { held.copy_to(space); });
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
    transfer(piece.owner, bytes, false);
    if (Status status = finish(piece.owner); !status) return status;
    region.versions.change(piece.first, piece.last,
                           [&](HeldVersions& held) { held.copy_to(kHostSpace); });
  }
  if (!stale.empty()) count_owner(region);
  return Status::ok();
}

bool CoherentPool::reaches(Space to, Space from) const {
  const backend::Device& source = *devices_[from - 1].device;
  return source.usable() && !hung(from) && devices_[to - 1].device->can_copy_from(source);
}

bool CoherentPool::direct(Space to, Space from) const {
  std::unique_lock lock(mutex_);
  return to != from && to != kHostSpace && from != kHostSpace && reaches(to, from);
}

double CoherentPool::direct_rate(Space to) const {
  std::unique_lock lock(mutex_);
  return to == kHostSpace ? 0 : devices_[to - 1].direct_rate;
}

bool CoherentPool::at_granule(uintptr_t address) const {
  std::unique_lock lock(mutex_);
  if (const Region* region = region_of(address)) return (address - region->base) % kGranule == 0;
  const Region* before = region_of(address - 1);
  return before == nullptr || address == before->base + before->size;
}

Status CoherentPool::timed(Space space, double predicted_ns, std::function<Status()> call) {
  return timed(space, devices_[space - 1].main, predicted_ns, std::move(call));
}

Status CoherentPool::timed(Space space, const Lane& lane, double predicted_ns,
                           std::function<Status()> call) {
  Status status = lane.calls->run(limit_.of(predicted_ns), std::move(call), [this, space] {
    return busy(space) || (occupied_ && occupied_(space));
  });
  if (!lane.calls->hung()) return status;
  hung_.fetch_or(1u << space, std::memory_order_release);
  return no_answer(space);
}

Status CoherentPool::no_answer(Space space) const {
  return {StatusCode::launch_timeout, fmt::format("{}: no answer within the time limit",
                                                  devices_[space - 1].device->info().id())};
}

Status CoherentPool::timed(Space space, const Lane& lane, double predicted_ns,
                           std::function<Status(backend::Queue&)> call) {
  return timed(space, lane, predicted_ns,
               [device = devices_[space - 1].device, queue = lane.queue, call = std::move(call)] {
                 if (!*queue) {
                   auto made = device->create_queue();
                   if (!made) return made.status();
                   *queue = std::move(*made);
                 }
                 return call(**queue);
               });
}

/// From one device's memory to another's, to the end. False: it did not work, and there is the way through the host.
bool CoherentPool::copy_directly(Space to, Space from, Range bytes) {
  /// Less says more of latency, and of opening memory to the other device, than of the link.
  constexpr size_t kTelling = size_t{64} << 20;
  DeviceState& state = devices_[to - 1];
  const auto start = std::chrono::steady_clock::now();
  const double predicted = predicted_ns(bytes.bytes(), state.direct_rate);
  Status status = timed(to, state.main, predicted,
                        [bytes, source = devices_[from - 1].device](backend::Queue& queue) {
                          void* address = pointer(bytes.begin);
                          Status copied =
                              queue.copy_from_peer(*source, address, address, bytes.bytes());
                          const Status ended = queue.synchronize();
                          return copied ? ended : copied;
                        });
  if (!status) {
    forget_copies(to, {&bytes, 1});  // whatever has arrived
    log(LogPart::memory, LogLevel::info, "{}: {} bytes go through the host: {}",
        state.device->info().id(), bytes.bytes(), status.message());
    return false;
  }
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  // Disturbances only slow down: what was faster is forgotten slowly.
  if (bytes.bytes() >= kTelling)
    state.direct_rate = std::max(static_cast<double>(bytes.bytes()) / std::max(took.count(), 1.0),
                                 0.8 * state.direct_rate);
  log(LogPart::memory, LogLevel::debug, "{}: {} bytes from {} in {:.0f} us",
      state.device->info().id(), bytes.bytes(), devices_[from - 1].device->info().id(),
      took.count() * 1e-3);
  ++statistics_.transfers;
  statistics_.direct_bytes += bytes.bytes();
  return true;
}

void CoherentPool::transfer(Space space, Range bytes, bool upload) {
  ++statistics_.transfers;
  (upload ? statistics_.uploaded_bytes : statistics_.downloaded_bytes) += bytes.bytes();
  devices_[space - 1].asked.push_back({bytes, upload});
}

/// Does the transfers asked for since the last time: one call on the device's thread for all of them. Copies that may
/// not have arrived count for nothing, nor does what was there before: somebody else has later contents.
Status CoherentPool::finish(Space space) {
  DeviceState& state = devices_[space - 1];
  if (state.asked.empty()) return Status::ok();
  double predicted = 0;
  for (const Transfer& each : state.asked)
    predicted += predicted_ns(each.bytes.bytes(), each.upload ? state.up : state.down);
  const std::vector<Transfer> asked = std::exchange(state.asked, {});
  Status status = timed(space, state.main, predicted, [asked](backend::Queue& queue) {
    Status status;
    for (const auto& [bytes, upload] : asked) {
      void* address = pointer(bytes.begin);
      status = upload ? queue.upload(address, address, bytes.bytes())
                      : queue.download(address, address, bytes.bytes());
      if (!status) break;
    }
    // Also after a failure: nothing is under way when it returns.
    const Status ended = queue.synchronize();
    return status ? ended : status;
  });
  if (!status) {
    for (const Transfer& each : asked)
      forget_copies(each.upload ? space : kHostSpace, {&each.bytes, 1}, !each.upload);
  }
  return status;
}

}  // namespace guda::memory
