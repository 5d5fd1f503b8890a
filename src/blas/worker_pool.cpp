#include "blas/worker_pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <vector>

#include "support/log.h"
#include "support/options.h"

namespace guda::blas {
namespace {

// How long a worker looks for the next job before it sleeps. Callers of BLAS come in bursts, and waking
// a thread costs as much as a product of 200 x 200.
constexpr auto kSpin = std::chrono::microseconds(100);

// Moving a worker takes about a microsecond; of more, one is seldom in the caller's way.
constexpr size_t kMaxPlacedWorkers = 32;

thread_local int t_limit = 0;
thread_local bool t_inside = false;  // a task of a job
// Since when the thread has done small jobs alone, in quick succession, and when the last one ended.
thread_local std::chrono::steady_clock::time_point t_burst{};
thread_local std::chrono::steady_clock::time_point t_last_alone{};

const TaskTrap* g_trap = nullptr;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

void futex(std::atomic<uint32_t>& word, int operation, uint32_t value) {
  static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));
  syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
}

class Pool {
 public:
  Pool() : threads_(configured_threads()) {
    pthread_atfork(nullptr, nullptr, [] { g_forked.store(true, std::memory_order_relaxed); });
  }

  int threads() const { return g_forked.load(std::memory_order_relaxed) ? 1 : threads_; }

  bool abandoned() const { return faulted_.load(std::memory_order_relaxed); }

  void run(int count, int threads, Wake wake, void (*task)(void*, int), void* context) {
    const int helpers = std::min({threads, this->threads(), count}) - 1;
    if (helpers <= 0 || t_inside) return run_alone(count, task, context);
    if (wake == Wake::if_awake && !awake()) {
      if (!is_burst()) {
        run_alone(count, task, context);
        t_last_alone = std::chrono::steady_clock::now();
        return;
      }
      wake = Wake::always;
    }
    if (!mutex_.try_lock()) return run_alone(count, task, context);
    uintptr_t bad_address = 0;
    const TaskTrap* trap = g_trap != nullptr && g_trap->active() ? g_trap : nullptr;
    const bool completed = run_shared(count, helpers, wake, task, context, trap, &bad_address);
    // Other threads have left the caller's stack by now, and its lock is free.
    if (!completed) trap->leave(bad_address);
  }

 private:
  // With the lock taken. False when a bad address ended a task.
  bool run_shared(int count, int helpers, Wake wake, void (*task)(void*, int), void* context,
                  const TaskTrap* trap, uintptr_t* bad_address) {
    const std::lock_guard lock(mutex_, std::adopt_lock);
    if (!started_) start();
    keep_workers_off(sched_getcpu());
    trap_ = trap;
    faulted_.store(false, std::memory_order_relaxed);
    task_ = task;
    context_ = context;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    places_.store(helpers, std::memory_order_relaxed);
    members_.store(1, std::memory_order_release);
    epoch_.fetch_add(1, std::memory_order_seq_cst);
    if (wake == Wake::always && sleepers_.load(std::memory_order_seq_cst) != 0) {
      futex(epoch_, FUTEX_WAKE, static_cast<uint32_t>(helpers));
    }
    work();
    members_.fetch_sub(1, std::memory_order_acq_rel);
    for (int i = 0; members_.load(std::memory_order_acquire) != 0; ++i) {
      wait_a_little(i);
    }
    *bad_address = bad_address_.load(std::memory_order_relaxed);
    return !faulted_.load(std::memory_order_relaxed);
  }

  static int configured_threads() {
    const int64_t wanted = option_integer(Option::num_threads);
    if (wanted > 0) return static_cast<int>(std::min<int64_t>(wanted, 1024));
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
    return static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  }

  static void run_alone(int count, void (*task)(void*, int), void* context) {
    for (int i = 0; i < count; ++i) task(context, i);
  }

  void start() {
    started_ = true;
    CPU_ZERO(&allowed_);
    sched_getaffinity(getpid(), sizeof(allowed_), &allowed_);
    // Signals of the application belong to its own threads.
    sigset_t blocked;
    sigset_t previous;
    sigfillset(&blocked);
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF}) {
      sigdelset(&blocked, signal);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &previous);
    for (int i = 1; i < threads_; ++i) {
      pthread_t thread;
      const auto main = [](void* pool) -> void* {
        static_cast<Pool*>(pool)->worker();
        return nullptr;
      };
      if (pthread_create(&thread, nullptr, main, this) != 0) {
        log(LogPart::cpu, LogLevel::warn, "BLAS: only {} of {} threads could be started", i,
            threads_);
        break;
      }
      pthread_setname_np(thread, "guda-blas");
      pthread_detach(thread);
      workers_.push_back(thread);  // they never end
    }
    pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  }

  // A woken thread may be put on the processor of the thread that wakes it, although others are idle:
  // virtual machines hide that, when the host has taken back the idle ones. The caller would then be
  // stopped by its own helper.
  void keep_workers_off(int processor) {
    if (processor < 0 || processor == avoided_ || workers_.size() > kMaxPlacedWorkers) return;
    avoided_ = processor;
    cpu_set_t set = allowed_;
    CPU_CLR(processor, &set);
    if (CPU_COUNT(&set) == 0) return;
    for (const pthread_t worker : workers_) pthread_setaffinity_np(worker, sizeof(set), &set);
  }

  bool awake() const { return awake_.load(std::memory_order_relaxed) != 0; }

  // A small job does not repay waking a worker, a series of them does: jobs that follow one another so
  // fast that the worker would still be looking for work, for about as long as waking it takes.
  static bool is_burst() {
    const auto now = std::chrono::steady_clock::now();
    if (now - t_last_alone > kSpin / 2) t_burst = now;
    if (now - t_burst < kSpin) return false;
    t_burst = now;
    return true;
  }

  void work() {
    t_inside = true;
    for (int i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) {
      trap_ == nullptr ? task_(context_, i) : run_task_trapped(i);
    }
    t_inside = false;
  }

  void run_task_trapped(int index) {
    struct Call {
      Pool* pool;
      int index;
    } call{this, index};
    uintptr_t address = 0;
    const auto run = [](void* argument) {
      const Call& task_call = *static_cast<Call*>(argument);
      task_call.pool->task_(task_call.pool->context_, task_call.index);
    };
    if (trap_->run(run, &call, &address)) return;
    bad_address_.store(address, std::memory_order_relaxed);
    faulted_.store(true, std::memory_order_relaxed);
    next_.store(count_, std::memory_order_relaxed);  // the rest need not be done
  }

  // A job is open while it has members; the caller is one until it has run out of tasks.
  bool join() {
    int members = members_.load(std::memory_order_relaxed);
    do {
      if (members == 0) return false;
    } while (!members_.compare_exchange_weak(members, members + 1, std::memory_order_acq_rel));
    if (places_.fetch_sub(1, std::memory_order_relaxed) > 0) return true;
    members_.fetch_sub(1, std::memory_order_acq_rel);
    return false;
  }

  void worker() {
    awake_.fetch_add(1, std::memory_order_relaxed);
    uint32_t seen = epoch_.load(std::memory_order_seq_cst) - 1;
    for (;;) {
      const uint32_t now = epoch_.load(std::memory_order_seq_cst);
      if (now != seen) {
        seen = now;
        if (join()) {
          work();
          members_.fetch_sub(1, std::memory_order_acq_rel);
        }
      }
      const auto until = std::chrono::steady_clock::now() + kSpin;
      bool found = false;
      do {
        for (int i = 0; i < 32 && !found; ++i) {
          found = epoch_.load(std::memory_order_acquire) != seen;
          if (!found) pause();
        }
      } while (!found && std::chrono::steady_clock::now() < until);
      if (found) continue;
      awake_.fetch_sub(1, std::memory_order_relaxed);
      sleepers_.fetch_add(1, std::memory_order_seq_cst);
      futex(epoch_, FUTEX_WAIT, seen);
      sleepers_.fetch_sub(1, std::memory_order_seq_cst);
      awake_.fetch_add(1, std::memory_order_relaxed);
    }
  }

  static inline std::atomic<bool> g_forked{false};

  const int threads_;
  std::mutex mutex_;  // held by the caller whose job it is
  bool started_ = false;
  std::vector<pthread_t> workers_;
  cpu_set_t allowed_;
  int avoided_ = -1;
  void (*task_)(void*, int) = nullptr;
  void* context_ = nullptr;
  int count_ = 0;
  const TaskTrap* trap_ = nullptr;  // of this job
  std::atomic<bool> faulted_{false};
  std::atomic<uintptr_t> bad_address_{0};
  alignas(64) std::atomic<uint32_t> epoch_{0};  // counts jobs; workers sleep on it
  alignas(64) std::atomic<int> next_{0};
  alignas(64) std::atomic<int> members_{0};
  std::atomic<int> places_{0};  // helpers that may still join
  alignas(64) std::atomic<int> awake_{0};
  std::atomic<uint32_t> sleepers_{0};
};

// Lives as long as the process: workers may still run when it exits.
Pool& pool() {
  static auto* instance = new Pool;
  return *instance;
}

}  // namespace

int worker_limit() {
  if (t_inside) return 1;
  const int all = pool().threads();
  return t_limit > 0 ? std::min(t_limit, all) : all;
}

void wait_a_little(int i) {
  if (i < 4096) {
    pause();
  } else {
    sched_yield();
  }
}

void set_worker_limit(int threads) { t_limit = threads; }

bool job_abandoned() { return pool().abandoned(); }

void set_task_trap(const TaskTrap* trap) { g_trap = trap; }

void run_tasks(int count, int threads, Wake wake, void (*task)(void*, int), void* context) {
  pool().run(count, threads, wake, task, context);
}

}  // namespace guda::blas
