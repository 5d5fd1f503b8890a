// The layer between streams and engines when there is more than the CPU: chooses an engine for each operation,
// has its operands brought there, and stamps what it wrote.
//
// With the CPU alone nothing of this exists; run_operation() is then one load more than calling execute().
#pragma once

#include "backends/discovery.h"
#include "memory/coherent_pool.h"
#include "memory/heap.h"
#include "runtime/memory_order.h"
#include "runtime/operation.h"
#include "scheduler/co_execution.h"
#include "scheduler/pool_residency.h"
#include "scheduler/scheduler.h"
#include "support/live_counters.h"
#include "support/status.h"
#include "support/trace.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace guda::runtime {

class CopyOperation;
class FillOperation;
class KernelOperation;

class Engines final : public memory::RegionObserver {
 public:
  /// Null when the CPU is the only engine.
  static Engines* active() { return active_.load(std::memory_order_acquire); }
  /// Looks for devices as GUDA_DEVICES says; once, before the first allocation.
  static void start();

  /// Runs the operation to its end on the engine that suits it.
  Status run(Operation& operation);
  /// Makes the kernel's code for the devices ready, on the launching thread: streams do not wait for compilers.
  void prepare(KernelOperation& operation);
  /// Around writes of our own host code to device memory, outside of any operation: before them the memory's
  /// neighbourhood is made current on the host, after them devices' copies are stale.
  Status host_will_write(const void* start, size_t bytes);
  void host_wrote(const void* start, size_t bytes);

  /// The device whose properties programs see; null: the CPU's own.
  const backend::Device* visible_device() const { return visible_; }

  memory::CoherentPool& pool() { return pool_; }

  void region_added(std::byte* base, size_t size, int file, bool fresh) override;
  void region_removed(std::byte* base) override;
  void region_withdrawn(std::byte* base, size_t size) override;

 private:
  struct Engine {
    scheduler::EngineIndex index = 0;
    std::unique_ptr<backend::Device> device;  // null: the CPU engine
    memory::Space space = memory::kHostSpace;
    LiveEngine* live = nullptr;
    std::atomic<bool> multiplies{true};  // false once it has refused a product
    std::mutex queues_mutex;
    std::vector<std::unique_ptr<backend::Queue>> idle_queues;
  };
  struct KernelOnEngines;
  struct Operands;
  struct LaunchPlan;

  explicit Engines(std::vector<backend::Choice> choices);

  /// An idle queue of the engine, which goes back at the end of its life.
  class QueueLoan;

  Status launch(KernelOperation& operation);
  Status launch_on(Engine& engine, KernelOperation& operation, const Operands& operands,
                   const LaunchPlan& plan);
  Status launch_split(KernelOperation& operation, const Operands& operands, const LaunchPlan& plan);
  Status launch_on_host(KernelOperation& operation, const Operands& operands,
                        const LaunchPlan* plan);
  void trace_launch(const std::string& track, const LaunchPlan& plan, int64_t start, int64_t began,
                    int64_t finished, int64_t end);
  /// Which engines can run it, what it costs, and the scheduler's decision.
  LaunchPlan plan(KernelOperation& operation, const Operands& operands);
  Status product(Operation& operation);
  /// The whole work on one device: operands there, `start` hands it over, results committed.
  Status run_on(Engine& engine, const Operands& operands, const LaunchPlan& plan,
                const std::function<Status(backend::Queue&)>& start);
  /// On several engines, as the plan's decision says.
  Status run_split(const std::shared_ptr<const scheduler::DivisibleWork>& work,
                   const Operands& operands, const LaunchPlan& plan,
                   std::span<const scheduler::Participant> participants);
  Status copy(CopyOperation& operation);
  std::optional<Status> copy_at_home(const CopyOperation& operation, memory::Range from,
                                     memory::Range to);
  Engine* home() const;
  bool on_devices(memory::Range range) const;
  Status fill(FillOperation& operation);
  Status host_work(Operation& operation, const Operands& operands, int64_t* began = nullptr);
  static Operands everything();
  static Operands operands_of(KernelOperation& operation);
  Result<std::shared_ptr<backend::DeviceKernel>> load(Engine& engine, KernelOperation& operation);
  /// Takes the device out of service after `why`. False when contents are lost with it.
  bool quarantine(Engine& engine, const Status& why);
  void enter_engines();
  bool in_service(const Engine& engine) const;

  static std::atomic<Engines*> active_;
  std::vector<std::unique_ptr<Engine>> engines_;  // in order of preference
  const backend::Device* visible_ = nullptr;
  memory::CoherentPool pool_;
  MemoryOrder order_;
  scheduler::Scheduler& scheduler_;
  std::unique_ptr<scheduler::PoolResidency> residency_;
  std::unique_ptr<scheduler::CoExecutor> co_executor_;
  /// Kernels on the CPU that wait for other threads: while there are any, everything stays with the host.
  std::atomic<int> host_only_{0};
  std::mutex kernels_mutex_;  // guards KernelOnEngines of all kernels
};

/// run_operation() with a span in the trace.
Status run_traced(Operation& operation);

/// The way in for streams and graphs.
inline Status run_operation(Operation& operation) {
  if (trace::enabled()) [[unlikely]]
    return run_traced(operation);
  if (Engines* engines = Engines::active()) [[unlikely]]
    return engines->run(operation);
  return operation.execute();
}

}  // namespace guda::runtime
