#include "backends/cpu/executor.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "backends/cpu/fault_handler.h"
#include "backends/cpu/launch.h"
#include "backends/cpu/services.h"
#include "backends/cpu/worker.h"
#include "scheduler/topology.h"
#include "support/live_counters.h"
#include "support/log.h"
#include "support/options.h"
#include "support/relax.h"

namespace guda::cpu {
namespace {

// Waking a sleeping worker and fetching its caches costs a few microseconds: work below that stays
// on the calling thread, and each further worker has to be worth as much.
constexpr uint64_t kWorthWakingNs = 4'000;
// How long a worker that has run out of work looks for more before it sleeps, and a caller looks
// for its last helpers.
constexpr auto kSpin = std::chrono::microseconds(10);
constexpr uint32_t kHelperWaiting = 1u << 31;  // in Launch::helpers: the caller sleeps on it

long futex(std::atomic<uint32_t>* word, int operation, uint32_t value) {
  static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));
  return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
}

uint64_t now_ns() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

// Time per block of kernels that have run, direct mapped. Races lose an observation, no more.
class BlockTimes {
 public:
  uint64_t block_ns(const kernel::KernelInfo* kernel) const {
    const Entry& entry = entries_[slot(kernel)];
    if (entry.kernel.load(std::memory_order_relaxed) != kernel) return 0;
    return entry.ns.load(std::memory_order_relaxed);
  }

  void observe(const kernel::KernelInfo* kernel, uint64_t ns) {
    Entry& entry = entries_[slot(kernel)];
    const uint64_t known = block_ns(kernel);
    // Long blocks are believed at once, short ones slowly: staying inline by mistake costs more.
    const uint64_t value = ns >= known ? ns : (3 * known + ns) / 4;
    entry.kernel.store(kernel, std::memory_order_relaxed);
    entry.ns.store(std::max<uint64_t>(value, 1), std::memory_order_relaxed);
  }

 private:
  struct Entry {
    std::atomic<const kernel::KernelInfo*> kernel{nullptr};
    std::atomic<uint64_t> ns{0};
  };
  static constexpr size_t kEntries = 1024;

  static size_t slot(const kernel::KernelInfo* kernel) {
    const auto key = reinterpret_cast<uintptr_t>(kernel) >> 4;
    return (key * 0x9e3779b97f4a7c15u >> 32) % kEntries;
  }

  std::array<Entry, kEntries> entries_;
};

std::atomic<bool> g_forked{false};

}  // namespace

uint32_t worker_count() {
  static const uint32_t count = [] {
    const int64_t wanted = option_integer(Option::num_threads);
    if (wanted > 0) return static_cast<uint32_t>(std::min<int64_t>(wanted, 4096));
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
      return static_cast<uint32_t>(std::max(1, CPU_COUNT(&set)));
    }
    return static_cast<uint32_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  }();
  return count;
}

struct Executor::State {
  const uint32_t workers = worker_count();
  LiveEngine& live = live_page().engines[0];
  BlockTimes times;

  std::mutex mutex;  // guards the next three
  std::vector<Launch*> launches;  // that helpers may join
  size_t next_launch = 0;  // round robin
  bool started = false;

  alignas(64) std::atomic<uint32_t> epoch{0};  // counts published launches; workers sleep on it
  std::atomic<uint32_t> sleepers{0};
  std::atomic<uint32_t> launch_count{0};

  void start_workers();
  void worker_main(uint32_t index);
  Launch* join();
  static void leave(Launch& launch);
  void wake(Launch& launch);
  void publish(Launch& launch);
  void retire(Launch& launch);
};

void Executor::State::start_workers() {
  struct Start {
    State* state;
    uint32_t index;
  };
  for (uint32_t i = 1; i < workers; ++i) {
    pthread_t thread;
    auto start = std::make_unique<Start>(Start{this, i});
    const auto main = [](void* argument) -> void* {
      const std::unique_ptr<Start> own(static_cast<Start*>(argument));
      own->state->worker_main(own->index);
      return nullptr;
    };
    // Signals of the application belong to its own threads.
    sigset_t blocked;
    sigset_t previous;
    sigfillset(&blocked);
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF}) {
      sigdelset(&blocked, signal);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &previous);
    const int error = pthread_create(&thread, nullptr, main, start.get());
    pthread_sigmask(SIG_SETMASK, &previous, nullptr);
    if (error != 0) {
      log(LogPart::cpu, LogLevel::warn, "only {} of {} worker threads could be started", i,
          workers);
      return;
    }
    static_cast<void>(start.release());
    pthread_setname_np(thread, fmt::format("guda-cpu-{}", i).c_str());
    pthread_detach(thread);
  }
}

Launch* Executor::State::join() {
  const std::lock_guard lock(mutex);
  for (size_t i = 0; i < launches.size(); ++i) {
    Launch* launch = launches[next_launch++ % launches.size()];
    if (launch->exhausted() || launch->failed()) continue;
    if (launch->helpers.load(std::memory_order_relaxed) >= launch->max_helpers) continue;
    launch->helpers.fetch_add(1, std::memory_order_relaxed);
    return launch;
  }
  return nullptr;
}

void Executor::State::leave(Launch& launch) {
  // The caller may return as soon as the count is zero; waking a word that is gone is harmless.
  std::atomic<uint32_t>* word = &launch.helpers;
  if (word->fetch_sub(1, std::memory_order_acq_rel) == (kHelperWaiting | 1)) {
    futex(word, FUTEX_WAKE, 1);
  }
}

// Each woken worker wakes up to two more, so that the caller pays for two at most.
void Executor::State::wake(Launch& launch) {
  uint32_t budget = launch.wake_budget.load(std::memory_order_relaxed);
  uint32_t count = 0;
  do {
    if (budget == 0) return;
    count = std::min(budget, 2u);
  } while (
      !launch.wake_budget.compare_exchange_weak(budget, budget - count, std::memory_order_relaxed));
  if (sleepers.load(std::memory_order_seq_cst) != 0) {
    futex(&epoch, FUTEX_WAKE, count);
  }
}

void Executor::State::worker_main(uint32_t index) {
  Worker& worker = this_worker();
  worker.index = index;
  worker.worker_total = workers;
  scheduler::bind_worker_to_node(index);
  for (;;) {
    const uint32_t seen = epoch.load(std::memory_order_seq_cst);
    if (Launch* launch = join(); launch != nullptr) {
      wake(*launch);
      worker.execute(
          *launch,
          [](void* state) {
            return static_cast<State*>(state)->launch_count.load(std::memory_order_relaxed) > 1;
          },
          this);
      leave(*launch);
      continue;
    }
    if (spin_until(kSpin, [&] { return epoch.load(std::memory_order_relaxed) != seen; })) continue;
    sleepers.fetch_add(1, std::memory_order_seq_cst);
    futex(&epoch, FUTEX_WAIT, seen);
    sleepers.fetch_sub(1, std::memory_order_seq_cst);
  }
}

void Executor::State::publish(Launch& launch) {
  {
    const std::lock_guard lock(mutex);
    if (!started) {
      started = true;
      start_workers();
    }
    launches.push_back(&launch);
    launch_count.store(static_cast<uint32_t>(launches.size()), std::memory_order_relaxed);
  }
  epoch.fetch_add(1, std::memory_order_seq_cst);
  launch.wake_budget.store(launch.max_helpers, std::memory_order_relaxed);
  wake(launch);
}

void Executor::State::retire(Launch& launch) {
  {
    const std::lock_guard lock(mutex);
    std::erase(launches, &launch);
    launch_count.store(static_cast<uint32_t>(launches.size()), std::memory_order_relaxed);
  }
  const auto alone = [&] { return launch.helpers.load(std::memory_order_acquire) == 0; };
  if (spin_until(kSpin, alone)) return;
  uint32_t seen = launch.helpers.fetch_or(kHelperWaiting, std::memory_order_acq_rel);
  if (seen == 0) return;
  for (;;) {
    seen = launch.helpers.load(std::memory_order_acquire);
    if (seen == kHelperWaiting) return;
    futex(&launch.helpers, FUTEX_WAIT, seen);
  }
}

Executor::Executor() : state_(new State) {
  install_fault_handlers();
  pthread_atfork(nullptr, nullptr, [] { g_forked.store(true); });
}

Executor& Executor::instance() {
  static auto* executor = new Executor;
  return *executor;
}

uint32_t Executor::workers() const { return state_->workers; }

uint64_t Executor::predicted_ns(const LaunchDescription& launch) const {
  const kernel::Dim3& extent = launch.blocks.x != 0 ? launch.blocks : launch.grid;
  const uint64_t blocks = uint64_t{extent.x} * extent.y * extent.z;
  return state_->times.block_ns(launch.kernel) * blocks;
}

Status Executor::run(const LaunchDescription& description) {
  if (g_forked.load(std::memory_order_relaxed)) {
    return {StatusCode::not_initialized,
            "the process was forked after it had used the device; the child cannot use it"};
  }
  if (description.kernel == nullptr || description.kernel->abi_version != kernel::kAbiVersion) {
    return {StatusCode::invalid_image, "the kernel object is of another version"};
  }
  constexpr uint64_t kMaxBlockThreads = 1024;
  const kernel::Dim3& shape = description.block;
  if (uint64_t{shape.x} * shape.y * shape.z > kMaxBlockThreads) {
    return {StatusCode::invalid_value, "a block has more than 1024 threads"};
  }
  State& state = *state_;
  Launch launch(description, state.workers);
  if (launch.blocks() == 0 || launch.block_threads() == 0) return Status::ok();
  Worker& worker = this_worker();
  worker.worker_total = state.workers;

  const uint64_t predicted = predicted_ns(description);
  uint64_t helpers = std::min<uint64_t>(state.workers, launch.blocks()) - 1;
  // Blocks that wait for each other need all the company they can get, whatever they cost.
  if (predicted != 0 && !launch.cooperative() && !launch.polls()) {
    helpers = std::min(helpers, predicted / kWorthWakingNs);
  }
  launch.max_helpers = static_cast<uint32_t>(helpers);

  const uint64_t start = now_ns();
  if (helpers == 0) {
    worker.execute(launch, nullptr, nullptr);
  } else {
    state.publish(launch);
    worker.execute(launch, nullptr, nullptr);
  }
  const uint64_t blocks = worker.executed_blocks();
  const uint64_t elapsed = now_ns() - start;
  if (blocks != 0) state.times.observe(description.kernel, elapsed / blocks);
  state.live.count(1, elapsed);
  if (helpers != 0) state.retire(launch);
  return launch.take_status();
}

}  // namespace guda::cpu
