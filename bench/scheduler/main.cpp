// What a decision costs. Times are the least of many short samples, taken in turn, and stand against a lock and
// unlock of an idle mutex and against waking a thread and hearing back from it.
#include "scheduler/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace guda::scheduler;
using Clock = std::chrono::steady_clock;

struct Case {
  std::string name;
  int repetitions;
  std::function<void()> run;
  double best_ns = std::numeric_limits<double>::infinity();
};

class AllThere final : public Residency {
 public:
  Missing missing(EngineIndex, const MemoryUse&) const override { return {}; }
  uint64_t signature(std::span<const MemoryUse> uses) const override { return uses.size(); }
};

/// Another thread that answers each call.
class Echo {
 public:
  Echo() : thread_([this] { serve(); }) {}
  ~Echo() {
    {
      const std::lock_guard lock(mutex_);
      end_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void call() {
    std::unique_lock lock(mutex_);
    asked_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !asked_; });
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return asked_ || end_; });
      if (end_) return;
      asked_ = false;
      changed_.notify_all();
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool asked_ = false;
  bool end_ = false;
  std::thread thread_;
};

EngineDescription engine(const char* id, double rate, bool host) {
  EngineDescription description;
  description.identity = {id, "bench", "1", 16};
  description.model.kernel_rate[static_cast<size_t>(Arithmetic::f32)] = rate;
  description.model.memory_rate = rate / 8;
  description.model.launch_ns = 5'000;
  description.host_memory = host;
  if (!host) description.model.upload = description.model.download = {8'000, 50};
  return description;
}

}  // namespace

int main() {
  Scheduler scheduler;
  for (const auto& [id, rate] :
       {std::pair{"cpu", 1'000.0}, {"cuda:0", 2'000.0}, {"cuda:1", 2'000.0}}) {
    if (!scheduler.add_engine(engine(id, rate, std::string_view(id) == "cpu"))) return 1;
  }
  const std::array<MemoryUse, 4> uses = {{{nullptr, 1 << 20, true, false, true},
                                          {nullptr, 1 << 22, true, false, false},
                                          {nullptr, 1 << 24, true, true, true},
                                          {nullptr, 1 << 16, false, true, true}}};
  Work work;
  work.name = "kernel";
  work.units = 4096;
  work.amount = 4096;
  work.operations[static_cast<size_t>(Arithmetic::f32)] = 1e9;
  work.divisible = true;
  work.memory = uses;
  const AllThere residency;
  for (work.key = 1; work.key <= 64; ++work.key) {
    for (EngineIndex e = 0; e < 3; ++e) {
      for (int i = 0; i < 30; ++i) scheduler.observe(e, work, 4096, 1e6 * (1 + 0.01 * (i % 3)));
    }
  }
  std::mutex idle;
  Echo echo;
  uint64_t next = 0;
  double sum = 0;
  std::vector<Case> cases;
  cases.push_back({"lock and unlock a mutex", 10'000, [&] { const std::lock_guard lock(idle); }});
  cases.push_back({"wake a thread and hear back", 20, [&] { echo.call(); }});
  cases.push_back({"decision, 64 kernels in turn, known", 10'000, [&] {
                     work.key = 1 + ++next % 64;
                     sum += scheduler.plan(work, &residency).predicted_ns;
                   }});
  cases.push_back({"decision, 3 engines, new size each time", 2'000, [&] {
                     work.key = 1 + ++next % 64;
                     work.units = 4096 + next;
                     sum += scheduler.plan(work, &residency).predicted_ns;
                     work.units = 4096;
                   }});
  cases.push_back({"learning from one measured run", 5'000, [&] {
                     work.key = 1 + ++next % 64;
                     scheduler.observe(0, work, 4096,
                                       1e6 * (1 + 0.01 * static_cast<double>(next % 3)));
                   }});
  for (int sample = 0; sample < 60; ++sample) {
    for (Case& c : cases) {
      const auto start = Clock::now();
      for (int i = 0; i < c.repetitions; ++i) c.run();
      const std::chrono::duration<double, std::nano> time = Clock::now() - start;
      c.best_ns = std::min(c.best_ns, time.count() / c.repetitions);
    }
  }
  fmt::print("{:42} {:>10} {:>8} {:>10}\n", "", "ns", "mutexes", "wake-ups");
  for (const Case& c : cases) {
    fmt::print("{:42} {:10.1f} {:8.2f} {:10.4f}\n", c.name, c.best_ns, c.best_ns / cases[0].best_ns,
               c.best_ns / cases[1].best_ns);
  }
  return sum > 0 ? 0 : 1;
}
