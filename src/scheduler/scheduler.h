// Decides where work runs: on the engine that finishes it first, or on several when that pays.
//
// One object per process once there is a second engine (`process()`); tests make their own. Everything is thread
// safe. plan() costs well below a microsecond when the same work comes again (bench/scheduler).
#pragma once

#include "scheduler/decision.h"
#include "scheduler/model_store.h"
#include "scheduler/policy.h"
#include "scheduler/residency.h"
#include "scheduler/split_experience.h"
#include "scheduler/time_model.h"
#include "scheduler/work.h"
#include "support/status.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace guda::scheduler {

struct EngineDescription {
  EngineIdentity identity;
  EngineModel model;
  /// Works in host memory: nothing is moved to it.
  bool host_memory = false;
  /// Computes on the host's cores beside the CPU engine: used only when the device list names it.
  bool host_cores = false;
  /// What earlier processes learnt.
  std::vector<LearntTime> learnt;
};

struct EngineCounters {
  uint64_t placed = 0;  // whole works
  uint64_t split_parts = 0;  // parts of split works
  uint64_t failures = 0;  // reported failures
  bool quarantined = false;
};

struct Counters {
  uint64_t decisions = 0;
  uint64_t repeated = 0;  // answered from memory
  uint64_t splits = 0;
  uint64_t explored = 0;
  std::array<uint64_t, 6> refusals{};  // by Refusal
  uint64_t predictions = 0;  // outcomes reported
  double median_error = 0;  // |predicted / measured - 1|, to about 10 %
};

class Scheduler {
 public:
  Scheduler();
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// The process's own; has GUDA_SPLIT and GUDA_DEVICES. No engines until the runtime adds them.
  static Scheduler& process();

  /// Error out_of_memory when there are kMaxEngines. Before the first plan(), or between two.
  Result<EngineIndex> add_engine(EngineDescription description);
  size_t engine_count() const { return engine_count_.load(std::memory_order_acquire); }
  const EngineDescription& engine(EngineIndex index) const;
  const TimeModel& time_model(EngineIndex index) const;

  /// `residency` null: everything is everywhere. `backlog_ns[i]`: until engine i is free; may be shorter than the
  /// list of engines.
  Decision plan(const Work& work, const Residency* residency = nullptr,
                std::span<const double> backlog_ns = {});

  /// `units` of the work took `ns` on the engine, transfers not included.
  void observe(EngineIndex engine, const Work& work, double units, double ns);
  /// The work, planned as `decision`, finished `ns` after plan(). 0: the time says nothing, engines have failed.
  void record_outcome(const Work& work, const Decision& decision, double ns);

  /// Keeps what has been learnt for the next process; the process's own scheduler does so at exit. Engines that were
  /// not calibrated, or not measured, are left out.
  void keep_learnt(const ModelStore& store) const;

  /// The engine gets no more work, until release() says otherwise.
  void quarantine(EngineIndex engine, std::string why);
  void release(EngineIndex engine);
  bool quarantined(EngineIndex engine) const;
  /// Empty unless quarantined.
  std::string quarantine_reason(EngineIndex engine) const;

  void set_split_mode(SplitMode mode);
  SplitMode split_mode() const { return split_mode_.load(std::memory_order_relaxed); }
  /// Engines that are not in the list get no work. Logs entries that no engine has.
  void set_devices(DeviceList devices);
  /// The calling thread's work goes to this engine; kNoEngine: no wish.
  static void force_engine(EngineIndex engine);
  static EngineIndex forced_engine();

  /// Why: one line, for people.
  std::string explain(const Work& work, const Decision& decision) const;
  /// explain() of the calling thread's last decision; empty before the first.
  std::string explain_last() const;

  /// Changes when earlier decisions need not hold any more.
  uint64_t epoch() const { return epoch_.load(std::memory_order_relaxed); }

  Counters counters() const;
  EngineCounters engine_counters(EngineIndex engine) const;

 private:
  struct Engine;
  struct DecisionCache;
  struct Question;

  Decision decide(const Work& work, const Residency* residency, std::span<const double> backlog_ns);
  double moving_ns(const Engine& engine, const Missing& missing) const;
  void split(const Work& work, std::span<const Estimate> estimates,
             std::span<const CostLine> hopeful, Decision& decision);
  EngineIndex worth_exploring(std::span<const Estimate> estimates, const Decision& decision) const;
  std::string describe(const Decision& decision, uint64_t units,
                       std::string_view indivisible_because) const;
  void forget_decisions() { epoch_.fetch_add(1, std::memory_order_relaxed); }

  std::array<std::unique_ptr<Engine>, kMaxEngines> engines_;
  std::atomic<size_t> engine_count_{0};
  SplitExperience split_experience_;
  std::unique_ptr<DecisionCache> cache_;
  std::atomic<uint64_t> epoch_{0};  // changes with policy and engines
  std::atomic<SplitMode> split_mode_{SplitMode::automatic};
  mutable std::mutex mutex_;  // guards the next, and adding
  DeviceList devices_;

  struct AtomicCounters;
  std::unique_ptr<AtomicCounters> counters_;
};

}  // namespace guda::scheduler
