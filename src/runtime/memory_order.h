// Keeps apart operations of different streams that run on engines with different memories and touch the same
// granules. Programs order accesses to the same bytes; bytes that merely are neighbours are kept apart here.
#pragma once

#include "memory/coherent_pool.h"

#include <atomic>
#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace guda::runtime {

class MemoryOrder {
  struct Entry {
    memory::Space space;
    std::vector<memory::Range> reads, writes;  // whole granules
  };

 public:
  /// Work that spans several memories.
  static constexpr memory::Space kSeveral = ~memory::Space{0};

  /// While it lives, conflicting work in other memories waits.
  class Turn {
   public:
    explicit Turn(MemoryOrder& order, std::list<Entry>::iterator entry)
        : order_(&order), entry_(entry) {}
    Turn(Turn&& other) noexcept
        : order_(std::exchange(other.order_, nullptr)), entry_(other.entry_) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() { end(); }
    void end();

   private:
    MemoryOrder* order_;
    std::list<Entry>::iterator entry_;
  };

  /// No work that waits or runs now would have to be waited for.
  bool clear(memory::Space space, std::span<const memory::Range> reads,
             std::span<const memory::Range> writes) const;
  /// There is no work at all.
  bool idle() const { return entry_count_.load(std::memory_order_acquire) == 0; }
  /// The same when nothing has to be waited for; else none.
  std::optional<Turn> take(memory::Space space, std::span<const memory::Range> reads,
                           std::span<const memory::Range> writes);
  /// Waits until no work in another memory writes what this reads, or touches what this writes. First come, first
  /// served among conflicting work.
  Turn wait(memory::Space space, std::span<const memory::Range> reads,
            std::span<const memory::Range> writes);

 private:
  static bool conflict(const Entry& a, const Entry& b);

  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::list<Entry> entries_;  // waiting and running, in order of arrival
  std::atomic<size_t> entry_count_{0};
};

}  // namespace guda::runtime
