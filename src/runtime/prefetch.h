// Brings what queued operations will read to where they will run, while those before them run.
//
// What an operation will touch, and where operations like it ran last, is noted when it is queued. While another one
// runs, a thread of each device sends operands that nothing before their operation in the stream writes, a few megabytes
// at a time, looking again after each: what is too late, or does not fit into the device's free memory, is left to the
// operation. Versions decide whether what has come counts (memory/coherent_pool.h); the order of other streams' work is
// kept like that of any other work (memory_order.h).
//
// Only operands that the host has. So with a home device, where data lives, there is none of this.
#pragma once

#include "memory/coherent_pool.h"
#include "runtime/memory_order.h"
#include "support/engine_thread.h"

#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace guda::runtime {

class Stream;

/// What a queued operation does with memory.
struct Upcoming {
  struct Wanted {
    memory::Space space;
    std::vector<memory::Range> ranges;
  };
  std::vector<Wanted> wanted;  // by devices that it will run on, as far as known
  std::vector<memory::Range> writes;
  bool anything = false;  // it may write everywhere
};

/// A stream's operations in order; `running` of them, at most one, have begun.
struct UpcomingWork {
  std::vector<std::shared_ptr<const Upcoming>> operations;
  size_t running = 0;
};

/// What to send next: of what operations that have not begun want in `space`, the first range without a granule that an
/// operation before writes into, and of which `missing` says that not all is there. Empty: none.
template <typename Missing>
memory::Range next_to_prefetch(const UpcomingWork& work, memory::Space space, Missing&& missing);

/// Thread safe.
class Prefetcher {
 public:
  Prefetcher(memory::CoherentPool& pool, MemoryOrder& order) : pool_(pool), order_(order) {}
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  /// Before look().
  void add_device(memory::Space space);
  /// Something of the stream runs, and something is queued behind it. Does not wait.
  void look(const std::shared_ptr<Stream>& stream);

 private:
  struct Device {
    explicit Device(memory::Space s) : space(s) {}
    const memory::Space space;
    EngineThread thread{"guda-prefetch"};
    std::mutex mutex;
    std::vector<std::weak_ptr<Stream>> streams;  // to be looked at
    bool running = false;
  };

  void serve(Device& device);
  void serve(Device& device, Stream& stream);

  memory::CoherentPool& pool_;
  MemoryOrder& order_;
  std::vector<std::unique_ptr<Device>> devices_;
};

// ---------------------------------------------------------------------------------------------------

template <typename Missing>
memory::Range next_to_prefetch(const UpcomingWork& work, memory::Space space, Missing&& missing) {
  // Versions are of granules, so neighbours count.
  constexpr uintptr_t kGranule = memory::CoherentPool::kGranule;
  std::vector<memory::Range> written;
  const auto first_missing = [&](const memory::Range& range, size_t from, auto&& self) {
    if (range.empty()) return memory::Range{};
    for (size_t i = from; i < written.size(); ++i) {
      const memory::Range hole{written[i].begin / kGranule * kGranule,
                               (written[i].end + kGranule - 1) / kGranule * kGranule};
      if (hole.begin >= range.end || hole.end <= range.begin) continue;
      const memory::Range before = self({range.begin, hole.begin}, i + 1, self);
      return before.empty() ? self({hole.end, range.end}, i + 1, self) : before;
    }
    return missing(range) ? range : memory::Range{};
  };
  for (size_t i = 0; i < work.operations.size(); ++i) {
    const Upcoming& operation = *work.operations[i];
    for (const Upcoming::Wanted& wanted : operation.wanted) {
      if (i < work.running || wanted.space != space) continue;
      for (const memory::Range& range : wanted.ranges) {
        const memory::Range found = first_missing(range, 0, first_missing);
        if (!found.empty()) return found;
      }
    }
    if (operation.anything) return {};
    written.insert(written.end(), operation.writes.begin(), operation.writes.end());
  }
  return {};
}

}  // namespace guda::runtime
