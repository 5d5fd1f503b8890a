// What became of splits. Parts that are expected to finish in 6 ms, each of its engine's own, take 12 when another process
// has the cores, or when both engines wait for one memory: the time models, which know engines one by one, never learn that.
#pragma once

#include "scheduler/drift.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace guda::scheduler {

/// Thread safe.
class SplitExperience {
 public:
  /// How many times as long as expected splits of this work take; 1 as long as nobody knows.
  double factor(uint64_t key, double amount) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    return found == entries_.end() ? 1 : found->second.drift.factor(amount, kTimeless);
  }

  /// A split of this work took `measured` times as long as expected.
  void observe(uint64_t key, double amount, double measured) {
    const std::lock_guard lock(mutex_);
    Entry& entry = of(key);
    // The first one may have compiled, loaded, touched memory for the first time.
    if (entry.seen++ == 0 && measured > 1) return;
    if (entry.trying) entry.drift = {};  // what was has been given up for a look at what is
    entry.trying = false;
    entry.drift.observe(amount, 1, measured, 1, kTimeless);
    if (entry.drift.factor(amount, kTimeless) < kFine) entry.patience = kPatience;
  }

  /// A split that might pay is to be refused, because of factor() or because too little is known. Every so often it is
  /// worth a try; ever less often, so that tries cost next to nothing.
  bool try_again(uint64_t key) {
    const std::lock_guard lock(mutex_);
    Entry& entry = of(key);
    if (++entry.refused < entry.patience) return false;
    entry.refused = 0;
    entry.trying = true;
    entry.patience = std::min(2 * entry.patience, kMostPatience);
    return true;
  }

 private:
  static constexpr size_t kMaxEntries = 8192;
  static constexpr uint32_t kPatience = 4;
  static constexpr uint32_t kMostPatience = 1024;
  static constexpr double kFine = 1.1;
  /// Not time but try_again() says when to look again.
  static constexpr Drift::Clock::time_point kTimeless{};

  struct Entry {
    Drift drift;
    uint64_t seen = 0;
    uint32_t refused = 0;
    uint32_t patience = kPatience;
    bool trying = false;
  };

  Entry& of(uint64_t key) {
    if (entries_.size() >= kMaxEntries && !entries_.contains(key)) entries_.erase(entries_.begin());
    return entries_[key];
  }

  mutable std::mutex mutex_;
  std::unordered_map<uint64_t, Entry> entries_;
};

}  // namespace guda::scheduler
