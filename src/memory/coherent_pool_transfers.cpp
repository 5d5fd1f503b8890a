// How contents get from one memory to another: mapping, eviction, transfers and prefetching.
#include "memory/coherent_pool.h"

#include "support/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace guda::memory {
namespace {

void* pointer(uintptr_t address) { return reinterpret_cast<void*>(address); }

double predicted_ns(size_t bytes, double bytes_per_ns) {
  /// Of links that nobody has measured: no device has a slower one.
  constexpr double kSlow = 0.1;
  return static_cast<double>(bytes) / (bytes_per_ns > 0 ? bytes_per_ns : kSlow);
}

}  // namespace

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
    // From here: on another device somebody may be working on its copy.
    if (Status status = to_host(*oldest, first, last, space); !status) return status;
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

/// The latest contents of granules [first, last) to the host, from `preferred` or whichever other device has them.
Status CoherentPool::to_host(Region& region, uint32_t first, uint32_t last, Space preferred) {
  struct Piece {
    uint32_t first, last;
    Space owner;
  };
  std::vector<Piece> stale;
  region.versions.for_each(first, last, [&](uint32_t from, uint32_t to, const HeldVersions& held) {
    if (held.current(kHostSpace)) return;
    Space owner = preferred != kHostSpace && held.current(preferred) ? preferred : 1;
    while (owner <= devices_.size() && !held.current(owner)) ++owner;
    if (!stale.empty() && stale.back().last == from && stale.back().owner == owner) {
      stale.back().last = to;
    } else {
      stale.push_back({from, to, owner});
    }
  });
  if (stale.empty()) return Status::ok();
  for (const Piece& piece : stale) {
    if (piece.owner > devices_.size())
      return {StatusCode::illegal_state,
              fmt::format("nobody has the latest contents of {:#x}",
                          region.bytes_of(piece.first, piece.last).begin)};
  }
  uint32_t asked = 0;  // devices, by bit
  for (const Piece& piece : stale) {
    transfer(piece.owner, region.bytes_of(piece.first, piece.last), false);
    asked |= 1u << piece.owner;
  }
  Status status;
  for (Space owner = 1; owner <= devices_.size(); ++owner) {
    if ((asked >> owner & 1) == 0) continue;
    if (Status finished = finish(owner); !finished) {
      asked &= ~(1u << owner);
      if (status) status = finished;
    }
  }
  for (const Piece& piece : stale) {
    if ((asked >> piece.owner & 1) == 0) continue;
    region.versions.change(piece.first, piece.last,
                           [&](HeldVersions& held) { held.copy_to(kHostSpace); });
  }
  count_owner(region);
  return status;
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
