// Hands out a divided work in chunks: each engine its planned part first, in a few pieces, the last 15 % of it in ever
// smaller ones; an engine that is done early takes over from the one that would need longest. So a wrong
// prediction costs a small chunk's time and not the difference.
//
// Where predictions are known to be good, and nothing is moved that could overlap with computing, parts are handed out
// nearly whole: large chunks are the most efficient ones. What starting a chunk costs (packing a factor of a product
// anew, for example) bounds how small one may be.
//
// Pure bookkeeping, without threads and clocks; the caller locks.
#pragma once

#include "scheduler/split_plan.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace guda::scheduler {

struct Chunk {
  uint64_t begin = 0;  // units
  uint64_t end = 0;
  uint64_t units() const { return end - begin; }
  friend bool operator==(const Chunk&, const Chunk&) = default;
};

/// How parts are cut.
struct Cuts {
  double tail = 0.15;  // of each part, handed out in shrinking chunks
  uint64_t pieces = 4;  // the rest goes out in this many, so that moving data and computing overlap
  double largest_share = 0.3;  // a piece takes at most this part of the time that is left
};
inline constexpr Cuts kWhereSure{0.06, 1, 1.0};
/// Times are known, but others may disturb.
inline constexpr Cuts kWhereKnown{0.15, 1, 1.0};

/// One engine's planned part; empty for one that only helps out.
struct PlannedPart {
  Chunk part;
  CostLine cost;  // of one chunk
};

class ChunkHandout {
 public:
  /// Parts are disjoint and cover units from 0 on; at most kMaxEngines. Cuts are made at multiples of `tile`.
  ChunkHandout(std::span<const PlannedPart> parts, uint64_t tile, const Cuts& cuts = {});

  /// The next chunk for the engine; empty when there is none that it would finish in time. There may be one
  /// later, as long as finished() is false.
  std::optional<Chunk> next(size_t engine);
  /// The engine took `ns` for the chunk, without waiting for other chunks.
  void completed(size_t engine, Chunk chunk, double ns);
  /// It was handed out, but not computed: somebody else gets it.
  void give_back(Chunk chunk);
  /// It was completed, but the results are gone: the same.
  void revoke(Chunk chunk);
  /// The engine takes no more chunks.
  void retire(size_t engine);
  /// It does again.
  void rejoin(size_t engine) { slots_[engine].active = true; }

  /// Every unit has been completed and not been given back.
  bool finished() const { return completed_units_ == units_; }
  /// Somebody could still be given something, now or later.
  bool active(size_t engine) const { return slots_[engine].active; }
  /// All engines have retired.
  bool deserted() const;
  double expected_ns(size_t engine, uint64_t units) const;
  uint64_t units() const { return units_; }

 private:
  struct Slot {
    Chunk left;  // of its planned part, not yet handed out
    uint64_t planned = 0;
    uint64_t outstanding = 0;  // units handed out and not completed
    CostLine cost;
    bool measured = false;
    bool active = true;
  };

  uint64_t least_piece(const Slot& slot) const;
  uint64_t round_up(uint64_t units) const { return (units + tile_ - 1) / tile_ * tile_; }
  Chunk take_front(Chunk& from, uint64_t units) const;
  std::optional<Chunk> choose(size_t engine);
  std::optional<Chunk> take_over(size_t engine, double remaining_ns);
  static bool in_time(const Slot& slot, uint64_t units, double remaining_ns);
  double remaining_ns() const;

  std::vector<Slot> slots_;
  std::vector<Chunk> returned_;
  uint64_t tile_;
  Cuts cuts_;
  uint64_t units_ = 0;
  uint64_t completed_units_ = 0;
};

}  // namespace guda::scheduler
