// Cost of launches against the round trip of two threads that wake each other through condition
// variables, measured in the same run.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "backends/cpu/executor.h"
#include "backends/cpu/test_kernels.h"

namespace {

using namespace guda;  // NOLINT(google-build-using-namespace)
using Clock = std::chrono::steady_clock;

double nanoseconds(Clock::time_point start, int repeats) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / repeats;
}

template <typename Body>
double median_of(int runs, int repeats, Body body) {
  std::vector<double> times;
  for (int run = 0; run < runs; ++run) {
    const Clock::time_point start = Clock::now();
    for (int i = 0; i < repeats; ++i) body();
    times.push_back(nanoseconds(start, repeats));
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

double ping_pong() {
  std::mutex mutex;
  std::condition_variable wake;
  bool ping = false;
  bool stop = false;
  std::thread partner([&] {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [&] { return ping; });
      if (stop) return;
      ping = false;
      wake.notify_one();
    }
  });
  const double time = median_of(11, 1000, [&] {
    std::unique_lock lock(mutex);
    ping = true;
    wake.notify_one();
    wake.wait(lock, [&] { return !ping; });
  });
  {
    const std::lock_guard lock(mutex);
    ping = stop = true;
  }
  wake.notify_one();
  partner.join();
  return time;
}

void empty_block(const kernel::LaunchState*, kernel::BlockState*) {}

void busy_block(const kernel::LaunchState*, kernel::BlockState*) {
  for (int i = 0; i < 5000; ++i) asm volatile("");
}

uint32_t two_regions(const kernel::LaunchState*, kernel::BlockState*, uint32_t, void*,
                     uint32_t region) {
  return region == 0 ? 1 : kernel::kWarpDone;
}

void fiber_barriers(kernel::ThreadState* t) {
  for (int i = 0; i < 10; ++i) cpu::testing::barrier(t);
}

void fiber_shuffles(kernel::ThreadState* t) {
  for (int i = 0; i < 10; ++i) {
    cpu::testing::warp_op(t, kernel::WarpOp::shfl_bfly, ~0u, t->lane, 1, 31);
  }
}

}  // namespace

int main() {
  const double unit = ping_pong();
  fmt::print("condition variable round trip {:9.0f} ns, {} workers\n", unit, cpu::worker_count());
  const auto show = [&](const char* name, double ns) {
    fmt::print("{:40} {:9.0f} ns  {:.2f}\n", name, ns, ns / unit);
  };
  const kernel::KernelInfo empty = cpu::testing::block_kernel(empty_block);
  for (const uint32_t blocks : {1u, 2u, 16u, 256u, 100000u}) {
    const int repeats = blocks > 1000 ? 5 : 1000;
    show(fmt::format("empty blocks: {}", blocks).c_str(), median_of(11, repeats, [&] {
           static_cast<void>(cpu::testing::launch(empty, {blocks, 1, 1}, {32, 1, 1}, {}));
         }));
  }
  const kernel::KernelInfo busy = cpu::testing::block_kernel(busy_block);
  const double one = median_of(
      11, 100, [&] { static_cast<void>(cpu::testing::launch(busy, {1, 1, 1}, {32, 1, 1}, {})); });
  show("one busy block", one);
  for (const uint32_t blocks : {2u, 4u, 16u, 64u, 1024u}) {
    const double ns = median_of(11, 20, [&] {
      static_cast<void>(cpu::testing::launch(busy, {blocks, 1, 1}, {32, 1, 1}, {}));
    });
    fmt::print("{:40} {:9.0f} ns  speed-up {:.2f}\n", fmt::format("{} busy blocks", blocks), ns,
               one * blocks / ns);
  }
  kernel::KernelInfo regions = cpu::testing::block_kernel(nullptr);
  regions.run_warps = cpu::testing::run_warps<two_regions, 0>;
  show("8 warps, one barrier, 1 block", median_of(11, 1000, [&] {
         static_cast<void>(cpu::testing::launch(regions, {1, 1, 1}, {256, 1, 1}, {}));
       }));
  const kernel::KernelInfo barriers =
      cpu::testing::thread_kernel(fiber_barriers, kernel::kUsesBarrier);
  show("fibers: 256 threads x 10 barriers, each",
       median_of(11, 100, [&] {
         static_cast<void>(cpu::testing::launch(barriers, {1, 1, 1}, {256, 1, 1}, {}));
       }) / 2560);
  const kernel::KernelInfo shuffles =
      cpu::testing::thread_kernel(fiber_shuffles, kernel::kUsesWarpOps);
  show("fibers: 256 threads x 10 shuffles, each",
       median_of(11, 100, [&] {
         static_cast<void>(cpu::testing::launch(shuffles, {1, 1, 1}, {256, 1, 1}, {}));
       }) / 2560);
  return 0;
}
