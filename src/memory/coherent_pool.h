// Coherence between the memories of several engines: which of them holds the latest contents of what.
//
// Every allocation has one address. The host's copy lives there; a device has one of its own after its region was
// mapped on it. For each granule of a region the pool knows which version each memory holds (memory/versions.h).
// Work says beforehand what it may access, and stamps a new version after it has succeeded, so work that fails leaves
// the old contents valid wherever else they are.
//
// One device can be the home of data: fresh memory, whose contents are undefined, starts there, and work that it has
// been handed may be committed at once. Then whoever
// moves contents between memories has waited for that work first; the pool itself does so before it takes memory away.
//
// A device that does not answer within the limit for a transfer has hung: every call that needs it fails with
// launch_timeout from then on, and whoever sees that says lose(). What it was asked to do is left behind; should it ever
// go on, it may still write where a download was to go.
//
// Thread safe. Two pieces of work may use the pool at the same time as long as neither writes what the other
// accesses; the caller's stream order sees to that.
#pragma once

#include "backends/device.h"
#include "memory/versions.h"
#include "support/status.h"
#include "support/timed_calls.h"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace guda::memory {

/// Bytes begin <= a < end.
struct Range {
  uintptr_t begin = 0;
  uintptr_t end = 0;

  static Range of(const void* start, size_t bytes) {
    auto address = reinterpret_cast<uintptr_t>(start);
    return {address, address + bytes};
  }
  size_t bytes() const { return end - begin; }
  bool empty() const { return begin >= end; }
  friend bool operator==(const Range&, const Range&) = default;
};

inline Range intersection(Range a, Range b) {
  return {a.begin > b.begin ? a.begin : b.begin, a.end < b.end ? a.end : b.end};
}

class CoherentPool {
 public:
  /// What versions are kept for.
  static constexpr size_t kGranule = 64 << 10;

  CoherentPool() = default;
  ~CoherentPool();
  CoherentPool(const CoherentPool&) = delete;
  CoherentPool& operator=(const CoherentPool&) = delete;

  /// A device with memory of its own; must outlive the pool. Before the first region; at most kMaxSpaces - 1.
  Space add_device(backend::Device& device);
  /// Fresh memory starts in this device's memory from now on. Before the first region.
  void set_home(Space space) { home_ = space; }
  /// Called with the lock held, before a device loses memory: returns when it has finished what it has been handed.
  void set_quiesce(std::function<void(Space)> quiesce) { quiesce_ = std::move(quiesce); }
  /// How fast transfers are thought to be, for their limits; 0: slow. Before the first region.
  void set_link(Space space, double up_bytes_per_ns, double down_bytes_per_ns);
  void set_limit(TimeLimit limit) { limit_ = limit; }
  /// Asked when a transfer is past its limit: whether the device has work of others that it may be waiting behind.
  void set_occupied(std::function<bool(Space)> occupied) { occupied_ = std::move(occupied); }
  /// Work on the device may keep it until then; transfers get that time on top.
  void expect_busy(Space space, std::chrono::steady_clock::time_point until);
  /// Such work is expected now. Lock-free.
  bool busy(Space space) const;
  /// The device has not answered within a limit. Lock-free.
  bool hung(Space space) const {
    return space != kHostSpace && (hung_.load(std::memory_order_acquire) >> space & 1) != 0;
  }
  /// The latest contents of all regions are in this memory and nowhere else: work there needs no acquire() and no
  /// commit(). Lock-free; stays true as long as nobody acquires or commits for another memory.
  bool all_in(Space space) const { return sole_owner_.load(std::memory_order_acquire) == space; }
  /// Host memory at [base, base + size) that devices may get copies of; its present contents are the latest version.
  /// `host_file`: the file behind it, or -1. `fresh`: the contents do not matter.
  void add_region(void* base, size_t size, int host_file, bool fresh = false);
  /// Forgets the region; nothing uses it any more.
  void remove_region(void* base);
  /// All of the range lies in regions.
  bool covers(Range range) const;
  bool in_one_region(Range range) const;

  /// Regions in use by work on a device, kept from eviction until the lease ends.
  class Lease {
   public:
    Lease() = default;
    ~Lease() { release(); }
    Lease(Lease&& other) noexcept { *this = std::move(other); }
    Lease& operator=(Lease&& other) noexcept {
      std::swap(pool_, other.pool_);
      std::swap(regions_, other.regions_);
      std::swap(scratch_, other.scratch_);
      std::swap(space_, other.space_);
      return *this;
    }
    void release();

   private:
    friend class CoherentPool;
    CoherentPool* pool_ = nullptr;
    Space space_ = 0;
    std::vector<uintptr_t> regions_;
    std::vector<Range> scratch_;
  };

  /// Brings some of the range, at most kPrefetched bytes, to a device before it is asked for, and says how much; 0: there is
  /// nothing to bring. Only what the host has, never by taking something else's room, and while others use the pool:
  /// what is written meanwhile does not count as brought. The caller sees to it that nobody who works with the device's
  /// copy is disturbed: no work under way writes there. Errors: out_of_memory, the device's.
  Result<size_t> prefetch(Space space, Range range);
  static constexpr size_t kPrefetched = 4 << 20;

  /// Makes the latest contents of `accessed` (everything that may be read, or may be written but need not)
  /// and room for `overwritten` (written to the last byte) current in `space`. Returns when they are.
  /// Evicts other regions when the device's memory is full. Errors: out_of_memory, the device's; invalid_value
  /// for a range outside all regions unless `space` is the host.
  Result<Lease> acquire(Space space, std::span<const Range> accessed,
                        std::span<const Range> overwritten = {});
  /// Room in a device's memory for contents that are the work's own: until the lease ends the device's copy of `scratch`
  /// counts for nobody and nothing is brought there. Their neighbours in granules are current as of now, and the host has
  /// the latest contents. Errors: those of acquire().
  Result<Lease> acquire_scratch(Space space, std::span<const Range> scratch);
  /// Work in `space` has succeeded and may have written these ranges, which were acquired.
  void commit(Space space, std::span<const Range> written);
  /// The contents of the range do not matter any more: what of it is whole granules is fresh again.
  void discard(Range range);
  /// The same, and the host has got the written bytes by now: it stays current if it was before the work.
  void commit_copied(Space space, std::span<const Range> written);
  /// Parts of one piece of work ran in different spaces; `written` of each is exact to the byte where parts
  /// share a granule. Such granules are put together in host memory. Errors: the devices'.
  struct Part {
    Space space;
    std::vector<Range> written;
  };
  Status commit_parts(std::span<const Part> parts);
  /// Shorthand: the latest contents to the host.
  Status bring_to_host(std::span<const Range> ranges);

  /// A boundary of the granules that versions are kept for: work on either side of it shares none.
  bool at_granule(uintptr_t address) const;
  /// Contents come from one device's memory to another's directly, not through the host.
  bool direct(Space to, Space from) const;
  /// How fast, as last seen: bytes per ns; 0 before the first copy that says anything.
  double direct_rate(Space to) const;

  /// Bytes that acquire() would have to transfer.
  size_t missing_bytes(Space space, std::span<const Range> accessed) const;
  /// The device has vanished: nothing it held counts. Returns ranges whose latest contents are lost; what is
  /// left of them is the newest older version.
  std::vector<Range> lose(Space space);

  struct Statistics {
    uint64_t uploaded_bytes = 0, downloaded_bytes = 0;
    uint64_t direct_bytes = 0;  // from device to device
    uint64_t prefetched_bytes = 0;  // of those uploaded
    uint64_t transfers = 0, evictions = 0;
  };
  Statistics statistics() const;
  /// How often a region has lost its memory on a device to others; lock-free.
  uint64_t evictions() const { return evictions_.load(std::memory_order_acquire); }

 private:
  struct Region {
    uintptr_t base = 0;
    size_t size = 0;
    int host_file = -1;
    Versions versions;
    uint32_t mapped = 1u << kHostSpace;  // bit per space
    std::array<uint64_t, kMaxSpaces> last_use{};
    std::array<uint32_t, kMaxSpaces> pins{};
    Space counted_for = kNoSpace;  // sole owner of all of it, as counted in sole_regions_

    uint32_t granule(uintptr_t address) const {
      return static_cast<uint32_t>((address - base) / kGranule);
    }
    uint32_t end_granule(uintptr_t address) const {
      return static_cast<uint32_t>((address - base + kGranule - 1) / kGranule);
    }
    uint32_t granules() const { return static_cast<uint32_t>((size + kGranule - 1) / kGranule); }
    Range bytes_of(size_t first, size_t last) const;
    bool is_mapped(Space space) const { return mapped >> space & 1; }
  };
  struct Transfer {
    Range bytes;
    bool upload;
  };
  /// Made on the device's thread by the first transfer; belongs to that thread when it hangs.
  using SharedQueue = std::shared_ptr<std::unique_ptr<backend::Queue>>;
  struct Lane {
    SharedQueue queue = std::make_shared<std::unique_ptr<backend::Queue>>();
    std::unique_ptr<TimedCalls> calls = std::make_unique<TimedCalls>("guda-transfers");
  };
  struct DeviceState {
    backend::Device* device = nullptr;
    Lane main;  // under the lock
    Lane ahead;  // for prefetch(), one caller at a time
    std::unique_ptr<std::mutex> ahead_mutex = std::make_unique<std::mutex>();
    std::vector<Transfer> asked;  // transfers that finish() will do
    double direct_rate = 0;  // of copies from other devices, bytes per ns
    double up = 0, down = 0;  // bytes per ns, as predicted
  };

  /// Granules that one space has written, or several (kSeveral).
  struct Written {
    Region* region;
    uint32_t first, last;
    Space space;
  };
  static constexpr Space kSeveral = ~Space{0};
  struct WrittenRange {
    Range bytes;
    Space space;
  };
  std::vector<Written> writers_of(std::span<const WrittenRange> ranges);
  Status merge_on_host(const Written& shared, std::span<const WrittenRange> ranges,
                       uint32_t& asked);

  struct Scratch {
    Space space;
    Range granules;
    friend bool operator==(const Scratch&, const Scratch&) = default;
  };

  Region* region_of(uintptr_t address);
  const Region* region_of(uintptr_t address) const;
  static Status not_for_devices(uintptr_t address);
  template <typename Visit>
  Status for_each_piece(std::span<const Range> ranges, Space space, Visit&& visit);
  void forget_copies(Space space, std::span<const Range> ranges, bool only_stale = false);
  Status ensure_mapped(Region& region, Space space);
  Status evict_one(Space space);
  Status make_current(Region& region, Space space, uint32_t first, uint32_t last);
  Status to_host(Region& region, uint32_t first, uint32_t last, Space preferred = kHostSpace);
  void count_owner(Region& region);
  void uncount_owner(Region& region);
  /// Bytes on their way to a device, without the lock. Whole granules.
  struct Transit {
    Space space;
    Range bytes;
    bool spoiled = false;  // they have been written since, or the device's copy counts no more
  };
  struct Prefetchable {
    Region* region;
    uint32_t first, last;
  };
  std::optional<Prefetchable> find_prefetchable(Space space, Range range);
  Status make_room(Region& region, Space space);
  void await_transits(std::unique_lock<std::mutex>& lock, Space space,
                      std::span<const Range> ranges);
  void spoil(Range bytes, Space space = kNoSpace);
  /// Runs `call` on the device's thread; what it uses belongs to it. Locked.
  Status timed(Space space, double predicted_ns, std::function<Status()> call);
  /// The same with one of the device's queues for transfers. Locked only for the main one.
  Status timed(Space space, const Lane& lane, double predicted_ns,
               std::function<Status(backend::Queue&)> call);
  Status timed(Space space, const Lane& lane, double predicted_ns, std::function<Status()> call);
  Status no_answer(Space space) const;
  Status map(Region& region, Space space);
  Status unmap(Region& region, Space space);
  void transfer(Space space, Range bytes, bool upload);
  bool reaches(Space to, Space from) const;
  bool copy_directly(Space to, Space from, Range bytes);
  Status finish(Space space);

  std::atomic<uint32_t> hung_{0};  // bit per space
  std::array<std::atomic<int64_t>, kMaxSpaces> busy_until_{};  // of the steady clock
  TimeLimit limit_;
  std::function<bool(Space)> occupied_;
  mutable std::mutex
      mutex_;  // all of the below; held during transfers, which end within their limit
  std::map<uintptr_t, Region> regions_;
  std::vector<DeviceState> devices_;  // index: space - 1
  std::vector<Scratch> scratch_;  // as a rule none
  std::list<Transit> transits_;
  std::condition_variable transit_ended_;
  Space home_ = kHostSpace;
  std::function<void(Space)> quiesce_;
  std::array<size_t, kMaxSpaces> sole_regions_{};  // regions whose latest contents are only there
  std::atomic<Space> sole_owner_{kNoSpace};
  std::atomic<uint64_t> evictions_{0};
  uint64_t clock_ = 0;
  Statistics statistics_;
};

/// Calls visit(region, part of the range in it). What lies outside all regions exists on the host only.
template <typename Visit>
Status CoherentPool::for_each_piece(std::span<const Range> ranges, Space space, Visit&& visit) {
  for (Range range : ranges) {
    while (!range.empty()) {
      Region* region = region_of(range.begin);
      if (region == nullptr) {
        if (space != kHostSpace) {
          return not_for_devices(range.begin);
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

}  // namespace guda::memory
