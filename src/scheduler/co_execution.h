// Runs one piece of work on several engines at once, and brings it to its end whatever the devices do.
//
// The calling thread runs the CPU engine's chunks and watches; each device has one thread, which prefetches the next
// chunk's operands while one computes. Results count after everything has succeeded: then the parts are committed to
// the coherent pool together. Until then the old contents stay valid, so the chunks of a device that fails, hangs or
// vanishes are computed again elsewhere, in the end by the CPU.
//
// Memory that the work reduces into is combined in place by the CPU engine's chunks; each device has a copy of its own
// (reduction_copy.h). Devices that work in host memory take no part in such work: what they added could not be undone.
#pragma once

#include "scheduler/decision.h"
#include "scheduler/divisible_work.h"
#include "scheduler/scheduler.h"
#include "support/engine_thread.h"

#include <array>
#include <chrono>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace guda::scheduler {

struct Participant {
  EngineIndex engine = 0;
  /// Null: the CPU engine.
  backend::Device* device = nullptr;
  /// Of the pool; the host's for devices that work in host memory.
  memory::Space space = memory::kHostSpace;
};

struct CoExecutionOptions {
  /// A device that takes longer than this many times what was predicted, and at least `least_limit`, hangs.
  double limit_multiple = 20;
  std::chrono::nanoseconds least_limit = std::chrono::seconds(5);
  /// Results are copied to the host before the work counts as done, so that nothing is lost with a device that vanishes
  /// later. Costs that copy for every part that a device computed.
  bool write_back = false;
};

struct EngineOutcome {
  EngineIndex engine = 0;
  uint64_t units = 0;  // that counted in the end
  double compute_ns = 0;  // of these, without transfers
  /// Why the engine left; it was quarantined unless it only lacked memory or support.
  Status failure;
};

struct CoExecutionOutcome {
  /// Errors are those of the CPU engine, which runs what everybody else failed at; and illegal_state when memory
  /// that only a failed device had is needed.
  Status status;
  std::vector<EngineOutcome> engines;
  uint64_t chunks = 0;
  uint64_t repeated_units = 0;  // computed again after a failure
  double ns = 0;
};

/// Runs one work at a time; others wait.
class CoExecutor {
 public:
  /// What chunks took and quarantines go to `scheduler`, which has to outlive this; the outcome of the whole is the
  /// caller's to record.
  CoExecutor(Scheduler& scheduler, memory::CoherentPool& pool, CoExecutionOptions options = {});
  ~CoExecutor();
  CoExecutor(const CoExecutor&) = delete;
  CoExecutor& operator=(const CoExecutor&) = delete;

  /// Runs `work`, described to the scheduler as `description`, as `decision` (a split, of all its units) says. The parts'
  /// engines are among the participants; the CPU engine must be, and takes over when no device can. Nothing
  /// else uses the memory of the work meanwhile.
  CoExecutionOutcome run(const std::shared_ptr<const DivisibleWork>& work, const Work& description,
                         const Decision& decision, std::span<const Participant> participants);

 private:
  struct Run;
  struct Slot;

  bool start_threads(const std::shared_ptr<Run>& run);
  void compute(const std::shared_ptr<Run>& run);
  Status commit(Run& run);

  Scheduler& scheduler_;
  memory::CoherentPool& pool_;
  const CoExecutionOptions options_;
  std::mutex mutex_;
  std::array<std::unique_ptr<EngineThread>, kMaxEngines> threads_;
  std::array<std::shared_ptr<backend::Queue>, kMaxEngines>
      queues_;  // kept while their device works
};

}  // namespace guda::scheduler
