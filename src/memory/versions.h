// Which version of a region's granules each memory holds, as runs of equal granules.
//
// Only the order of versions means anything: the latest is the largest that anybody holds, 0 is nothing. So each run
// keeps them as ranks (1, 2, ...), and runs that have come to the same state merge: a region of a gigabyte that is
// used as a whole is one run.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace guda::memory {

/// One of the memories: the host's is 0, devices follow in the order in which they were added.
using Space = uint32_t;
inline constexpr Space kHostSpace = 0;
inline constexpr Space kMaxSpaces = 16;
inline constexpr Space kNoSpace = ~Space{0};

/// What each memory holds of a run.
class HeldVersions {
 public:
  static HeldVersions only(Space space) {
    HeldVersions held;
    held.rank_[space] = 1;
    return held;
  }

  uint8_t latest() const { return *std::max_element(rank_.begin(), rank_.end()); }
  bool holds_any(Space space) const { return rank_[space] != 0; }
  bool current(Space space) const { return rank_[space] != 0 && rank_[space] == latest(); }
  /// Nobody else has the latest contents.
  bool only_current(Space space) const {
    const uint8_t newest = latest();
    return rank_[space] == newest && std::count(rank_.begin(), rank_.end(), newest) == 1;
  }

  /// A new version, held by `space` alone.
  void write(Space space) {
    rank_[space] = static_cast<uint8_t>(latest() + 1);
    normalize();
  }
  /// `space` has got a copy of the latest version.
  void copy_to(Space space) {
    rank_[space] = latest();
    normalize();
  }
  void forget(Space space) {
    rank_[space] = 0;
    normalize();
  }

  friend bool operator==(const HeldVersions&, const HeldVersions&) = default;

 private:
  /// Ranks without gaps. At most kMaxSpaces different ones, so they never overflow.
  void normalize() {
    uint32_t used = 0;
    for (uint8_t rank : rank_) used |= 1u << rank;
    used &= ~1u;
    for (uint8_t& rank : rank_) {
      if (rank != 0) rank = static_cast<uint8_t>(__builtin_popcount(used & ((2u << rank) - 1)));
    }
  }

  std::array<uint8_t, kMaxSpaces> rank_{};
};

class Versions {
 public:
  struct Run {
    uint32_t first;  // granule
    HeldVersions held;
  };

  Versions() = default;
  Versions(uint32_t granules, HeldVersions held) : granules_(granules), runs_{{0, held}} {}

  /// Calls visit(first, last, held) for the runs in granules [first, last), cut to it.
  template <typename Visit>
  void for_each(uint32_t first, uint32_t last, Visit&& visit) const {
    if (first >= last) return;
    for (size_t i = find(first); i < runs_.size() && runs_[i].first < last; ++i)
      visit(std::max(first, runs_[i].first), std::min(last, end(i)), runs_[i].held);
  }

  /// Calls change(held) for every run in granules [first, last), which it may change.
  template <typename Change>
  void change(uint32_t first, uint32_t last, Change&& change) {
    if (first >= last) return;
    size_t i = split(first);
    const size_t stop = split(last);
    for (size_t j = i; j < stop; ++j) change(runs_[j].held);
    // Merge what has become equal, the neighbours included.
    if (i > 0) --i;
    const size_t behind = std::min(stop + 1, runs_.size());
    size_t kept = i;
    for (size_t j = i + 1; j < behind; ++j) {
      if (runs_[j].held == runs_[kept].held) continue;
      runs_[++kept] = runs_[j];
    }
    if (behind > i)
      runs_.erase(runs_.begin() + static_cast<ptrdiff_t>(kept) + 1,
                  runs_.begin() + static_cast<ptrdiff_t>(behind));
  }

  const HeldVersions& at(uint32_t granule) const { return runs_[find(granule)].held; }
  size_t runs() const { return runs_.size(); }
  /// Who alone has the latest contents of everything; kNoSpace: nobody.
  Space sole_owner(Space spaces) const {
    for (Space space = 0; space < spaces; ++space) {
      if (std::all_of(runs_.begin(), runs_.end(),
                      [&](const Run& run) { return run.held.only_current(space); }))
        return space;
    }
    return kNoSpace;
  }

 private:
  uint32_t end(size_t run) const {
    return run + 1 < runs_.size() ? runs_[run + 1].first : granules_;
  }
  /// The run that holds the granule.
  size_t find(uint32_t granule) const {
    auto behind =
        std::upper_bound(runs_.begin(), runs_.end(), granule,
                         [](uint32_t value, const Run& run) { return value < run.first; });
    return static_cast<size_t>(behind - runs_.begin()) - 1;
  }
  /// The run that starts at the granule, made if need be; runs_.size() for the end.
  size_t split(uint32_t granule) {
    if (granule >= granules_) return runs_.size();
    const size_t run = find(granule);
    if (runs_[run].first == granule) return run;
    runs_.insert(runs_.begin() + static_cast<ptrdiff_t>(run) + 1, {granule, runs_[run].held});
    return run + 1;
  }

  uint32_t granules_ = 0;
  std::vector<Run> runs_;
};

}  // namespace guda::memory
