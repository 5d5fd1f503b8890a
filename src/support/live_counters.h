// What this process's engines do, for other processes to look at (guda top): a page of counters in a file that
// the process maps. Writers add without locks, readers see numbers that may be a moment old.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace guda {

struct LiveEngine {
  char id[32];
  std::atomic<uint64_t> launches;
  std::atomic<uint64_t> busy_ns;
  std::atomic<uint64_t> moved_bytes;  // to and from it
  std::atomic<uint32_t> out_of_service;

  /// Two threads that count at the same moment may count once: a locked addition would cost a short launch 2 %.
  void count([[maybe_unused]] uint64_t more_launches, [[maybe_unused]] uint64_t ns) {
#ifndef GUDA_WITHOUT_ENGINES
    launches.store(launches.load(std::memory_order_relaxed) + more_launches,
                   std::memory_order_relaxed);
    busy_ns.store(busy_ns.load(std::memory_order_relaxed) + ns, std::memory_order_relaxed);
#endif
  }
};

struct LivePage {
  static constexpr uint64_t kMagic = 0x4755444131303031;  // changes with the layout
  static constexpr size_t kEngines = 9;
  uint64_t magic;
  int32_t process;
  std::atomic<uint32_t> engine_count;
  char program[64];
  std::atomic<uint64_t> memory_bytes;
  std::array<LiveEngine, kEngines> engines;
};

/// The process's page. Never null: without a place for the file it is in private memory. Engine 0 is the CPU.
LivePage& live_page();
/// Enters an engine; its place on the page. The last place is shared by all that find no other.
LiveEngine& add_live_engine(std::string_view id);

/// Directory of the pages of this user's processes; empty when there is none.
std::string live_directory();

/// A page as it was a moment ago.
struct LiveReading {
  struct Engine {
    std::string id;
    uint64_t launches = 0, busy_ns = 0, moved_bytes = 0;
    bool out_of_service = false;
  };
  int process = 0;
  std::string program;
  uint64_t memory_bytes = 0;
  std::vector<Engine> engines;
};
/// Pages of all living processes of this user; files of dead ones are removed.
std::vector<LiveReading> read_live_pages();

}  // namespace guda
