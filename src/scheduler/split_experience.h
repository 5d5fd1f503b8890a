// What became of splits. Parts that are expected to finish in 6 ms, each of its engine's own, take 12 when another process
// has the cores, or when both engines wait for one memory: the time models, which know engines one by one, never learn that.
#pragma once

#include "scheduler/drift.h"
#include "scheduler/evict.h"
#include "scheduler/work.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace guda::scheduler {

/// Works of one key and about one amount are alike. Asking changes nothing: work is planned more often than it runs.
/// Thread safe.
class SplitExperience {
 public:
  /// How many times as long as expected splits of this work take; 1 as long as nobody knows.
  double factor(const Work& work) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key_of(work));
    return found == entries_.end() ? 1 : found->second.drift.factor(work.amount, kTimeless);
  }

  /// A split of this work took `measured` times as long as expected. A try is taken at its word: what was before has been
  /// given up for a look at what is. Returns factor() from now on.
  double observe(const Work& work, double measured, bool a_try) {
    const std::lock_guard lock(mutex_);
    Entry& entry = of(work);
    const bool first = entry.seen++ == 0;
    if (a_try) {
      entry.drift = Drift::of_one(work.amount, measured, kTimeless);
    } else if (!first || measured <= 1) {
      // The first one may have compiled, loaded, touched memory for the first time.
      entry.drift.observe(work.amount, 1, measured, 1, kTimeless);
    }
    const double factor = entry.drift.factor(work.amount, kTimeless);
    if (factor < kFine) entry.patience = kPatience;
    return factor;
  }

  /// A split that might pay is refused, because of factor() or because too little is known. Every so often it is worth a
  /// try; ever less often, so that tries cost next to nothing.
  bool try_is_due(const Work& work) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key_of(work));
    return found != entries_.end() && found->second.refused >= found->second.patience;
  }

  /// The work ran unsplit because of such a refusal. True: from now on a try is due.
  bool count_refusal(const Work& work) {
    const std::lock_guard lock(mutex_);
    Entry& entry = of(work);
    return ++entry.refused == entry.patience;
  }

  /// A try has been made, whatever became of it.
  void count_try(const Work& work) {
    const std::lock_guard lock(mutex_);
    Entry& entry = of(work);
    entry.refused = 0;
    entry.patience = std::min(2 * entry.patience, kMostPatience);
  }

 private:
  static constexpr size_t kMaxEntries = 8192;
  static constexpr uint32_t kPatience = 3;
  static constexpr uint32_t kMostPatience = 1024;
  static constexpr double kFine = 1.1;
  /// Not time but try_is_due() says when to look again.
  static constexpr Drift::Clock::time_point kTimeless{};

  struct Entry {
    Drift drift;
    uint64_t seen = 0;
    uint32_t refused = 0;
    uint32_t patience = kPatience;
  };

  /// Splits of small works may disappoint where those of large ones do not.
  static uint64_t key_of(const Work& work) {
    const int magnitude = work.amount > 0 ? std::ilogb(work.amount) : 0;
    return work.key ^ (static_cast<uint64_t>(magnitude) * 0x9e3779b97f4a7c15u);
  }

  Entry& of(const Work& work) {
    const uint64_t key = key_of(work);
    if (entries_.size() >= kMaxEntries && !entries_.contains(key)) evict_any(entries_, key);
    return entries_[key];
  }

  mutable std::mutex mutex_;
  std::unordered_map<uint64_t, Entry> entries_;
};

}  // namespace guda::scheduler
