// The layer between streams and engines when there is more than the CPU: chooses an engine for each operation,
// has its operands brought there, and stamps what it wrote.
//
// With the CPU alone nothing of this exists; run_operation() is then one load more than calling execute() (support/detours.h).
//
// The home device, if there is one, is where data lives: work for it alone is handed over to its queues, one per stream
// (device_tail.h), and not waited for (engine_handover.cpp). Everything else (work on several engines, on the host, or
// that moves data between memories) runs to its end on the thread that runs the operation, after what the home device
// has been handed.
#pragma once

#include "backends/discovery.h"
#include "memory/coherent_pool.h"
#include "memory/heap.h"
#include "runtime/device_tail.h"
#include "runtime/engine_textures.h"
#include "runtime/memory_order.h"
#include "runtime/operation.h"
#include "runtime/prefetch.h"
#include "scheduler/co_execution.h"
#include "scheduler/pool_residency.h"
#include "scheduler/scheduler.h"
#include "support/detours.h"
#include "support/live_counters.h"
#include "support/status.h"
#include "support/timed_calls.h"
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
class Kernel;
class KernelOperation;

class Engines final : public memory::RegionObserver {
 public:
  /// Null when the CPU is the only engine; always where other engines are compiled out (GUDA_ENGINES=OFF).
  static Engines* active() {
#ifdef GUDA_WITHOUT_ENGINES
    return nullptr;
#else
    return active_.load(std::memory_order_acquire);
#endif
  }
  /// Looks for devices as GUDA_DEVICES says; once, before the first allocation.
  static void start();

  /// The same when there is a home device.
  static Engines* with_home() {
    Engines* engines = active();
    return engines != nullptr && engines->home() != nullptr ? engines : nullptr;
  }

  /// Null when nothing is to be brought ahead.
  static Prefetcher* prefetcher() {
#ifdef GUDA_WITHOUT_ENGINES
    return nullptr;
#else
    return prefetcher_.load(std::memory_order_acquire);
#endif
  }
  /// What an operation that is being queued will touch, and where it will probably run.
  std::shared_ptr<const Upcoming> upcoming(Operation& operation);

  /// Runs the operation to its end on the engine that suits it.
  Status run(Operation& operation);
  /// Hands operation `ticket` of the stream to the home device when that is where it belongs, and does not wait for it.
  /// Empty: run() has to do it.
  std::optional<Status> hand_over(Operation& operation, Stream& stream, uint64_t ticket);
  /// The stream's queue on the home device, made now if need be; null: there is none. Only for the thread that runs the
  /// stream's operations.
  DeviceTail* open_tail(Stream& stream);
  /// Waits until the home device has finished all that it has been handed.
  void quiesce();
  /// After a failure of work on the home device: takes it out of service when it is gone.
  void home_failed(const Status& status);
  /// When the home device reached the mark, by the host's clock (now_nanoseconds()).
  int64_t time_of(const backend::Mark& mark) const;
  /// Copies to the home device have read the program's own memory when they have been handed over.
  bool home_reads_at_once() const {
    const Engine* engine = home();
    return engine != nullptr && engine->device->info().reads_at_once;
  }

  /// Makes the kernel's code for the devices ready, on the launching thread: streams do not wait for compilers.
  void prepare(KernelOperation& operation);
  /// For modules (module/module.h). Errors: no_binary_for_gpu where data does not live on a device.
  Result<std::shared_ptr<backend::MachineCode>> load_machine_code(const void* image,
                                                                  const std::string& name);
  Status adopt(const backend::MachineVariable& variable);
  Status runs_at_home(Kernel& kernel, const kernel::Dim3& block);
  /// Around writes of our own host code to device memory, outside of any operation: before them the memory's
  /// neighbourhood is made current on the host, after them devices' copies are stale.
  Status host_will_write(const void* start, size_t bytes);
  void host_wrote(const void* start, size_t bytes);

  /// The device whose properties programs see; null: the CPU's own.
  const backend::Device* visible_device() const { return visible_; }

  memory::CoherentPool& pool() { return pool_; }
  /// Launches of graphs that were recordings of the device's own.
  uint64_t replays() const { return replays_.load(std::memory_order_relaxed); }
  EngineTextures& textures() { return textures_; }

  void region_added(std::byte* base, size_t size, int file, bool fresh) override;
  void region_removed(std::byte* base) override;
  void region_withdrawn(std::byte* base, size_t size) override;
  void before_release() override { quiesce(); }
  void released(std::byte* base, size_t size) override;

 private:
  /// A queue with the thread that waits for its device, up to a limit.
  struct WorkQueue {
    std::shared_ptr<std::unique_ptr<backend::Queue>> queue;  // the thread's when it hangs
    std::unique_ptr<TimedCalls> calls;
  };
  struct Engine {
    scheduler::EngineIndex index = 0;
    std::unique_ptr<backend::Device> device;  // null: the CPU engine
    memory::Space space = memory::kHostSpace;
    LiveEngine* live = nullptr;
    std::atomic<uint32_t> refused_products{0};  // kinds of arithmetic, by bit

    bool multiplies(scheduler::Arithmetic kind) const {
      return (refused_products.load() >> static_cast<uint32_t>(kind) & 1) == 0;
    }
    void refuses(scheduler::Arithmetic kind) {
      refused_products.fetch_or(1u << static_cast<uint32_t>(kind));
    }
    std::atomic<bool> hung{false};  // it has not come back from work within the limit
    std::mutex queues_mutex;
    std::vector<WorkQueue> idle_queues;
    std::vector<std::unique_ptr<backend::Queue>> idle_recorders;  // queues that record
  };
  struct KernelOnEngines;
  struct HomeLaunch;
  struct HomeProduct;
  struct Place;
  struct LaunchPlace;
  struct ProductPlace;
  struct HomeCopy;
  struct HomeFill;
  struct HomeProgram;
  struct Operands;
  struct LaunchPlan;

  explicit Engines(std::vector<backend::Choice> choices);

  /// An idle queue of the engine, which goes back at the end of its life.
  class QueueLoan;

  Status launch(KernelOperation& operation);
  std::optional<Status> launch_again(KernelOperation& operation);
  Status launch_on(Engine& engine, KernelOperation& operation, const Operands& operands,
                   const LaunchPlan& plan);
  Status launch_split(KernelOperation& operation, const Operands& operands, const LaunchPlan& plan);
  /// host_work() that the scheduler learns from, when there is a plan.
  Status work_on_host(Operation& operation, const Operands& operands, const LaunchPlan* plan);
  void trace_launch(const std::string& track, const LaunchPlan& plan, int64_t start, int64_t began,
                    int64_t finished, int64_t end);
  /// Which engines can run it, what it costs, and the scheduler's decision.
  LaunchPlan plan(KernelOperation& operation, const Operands& operands);
  Status product(Operation& operation);
  Status run_here(Operation& operation);
  /// The whole work on one device: operands there, `start` hands it over, results committed. `start` owns what it uses:
  /// a device that hangs keeps it.
  Status run_on(Engine& engine, const Operands& operands, const LaunchPlan& plan,
                const std::function<Status(backend::Queue&)>& start);
  /// On several engines, as the plan's decision says.
  Status run_split(const std::shared_ptr<const scheduler::DivisibleWork>& work,
                   const Operands& operands, const LaunchPlan& plan,
                   std::span<const scheduler::Participant> participants);
  Status copy(CopyOperation& operation);
  /// Where the data lives; null: in host memory.
  Engine* home() const { return home_.load(std::memory_order_acquire); }
  void choose_home();
  /// Everything that the program may have put somewhere else than on devices is reached by the device.
  bool reaches_everything(const Engine& engine) const;
  std::optional<Status> hand_over_launch(Engine& engine, KernelOperation& operation, Stream& stream,
                                         uint64_t ticket);
  std::optional<Status> hand_over_product(Engine& engine, Operation& operation, Stream& stream,
                                          uint64_t ticket);
  /// Under home_mutex_: a product that goes home without asking; null: it has to be planned. Not for those that are
  /// always planned.
  HomeProduct* remembered(const backend::GemmProblem& problem);
  /// The turn of such a product while everything is at home; none: it goes the longer way.
  DeviceTail::Turn turn_of_remembered(Engine& engine, const backend::GemmProblem& problem,
                                      Stream& stream, uint64_t ticket);
  std::optional<Status> hand_over_library(Engine& engine, Operation& operation, Stream& stream,
                                          uint64_t ticket);
  std::optional<Status> hand_over_copy(Engine& engine, CopyOperation& operation, Stream& stream,
                                       uint64_t ticket);
  std::optional<Status> hand_over_fill(Engine& engine, FillOperation& operation, Stream& stream,
                                       uint64_t ticket);
  std::optional<Status> hand_over_program(Engine& engine, Operation& operation, Stream& stream,
                                          uint64_t ticket);
  /// Copies and fills as the home device can do them; empty: it cannot.
  std::optional<HomeCopy> home_copy(const Engine& engine, const CopyOperation& operation) const;
  std::optional<HomeFill> home_fill(const Engine& engine, const FillOperation& operation) const;
  /// Of programs that the device has recorded (engine_program.cpp).
  HomeProgram& home_program(Engine& engine, Program& program) const;
  bool runs_at_home(Engine& engine, const Program& program) const;
  std::optional<Status> replay(Engine& engine, HomeProgram& known, Program& program, Stream& stream,
                               uint64_t ticket);
  Status record(Engine& engine, HomeProgram& known, Program& program);
  /// A queue to record with; it works for nobody else meanwhile.
  static Result<std::unique_ptr<backend::Queue>> recorder(Engine& engine);
  Result<std::function<Status(backend::Queue&)>> recordable(Engine& engine, HomeProgram& known,
                                                            Operation& operation);
  bool outdated(const Engine& engine, const HomeProgram& known) const;
  std::optional<Operands> operands_of(const Engine& engine, const Program& program);
  /// The device gets at memory of the program's where it is.
  bool in_place(const Engine& engine, const void* address) const;
  /// Memory in order and current at home, the ticket announced.
  DeviceTail::Turn prepare_home(Engine& engine, Stream& stream, uint64_t ticket,
                                std::span<const memory::Range> accessed,
                                std::span<const memory::Range> overwritten,
                                std::span<const memory::Range> written, bool all_home);
  /// What became of handing over; empty: run() shall do it.
  std::optional<Status> handed(Engine& engine, const Status& status);
  /// A launch that goes home (or, with null code, to the CPU) without asking; `use` counts it.
  std::optional<HomeLaunch> remembered(KernelOperation& operation, bool use = true);
  void remember(KernelOperation& operation, const Operands& operands,
                std::shared_ptr<backend::DeviceKernel> code);
  // For the prefetcher: where work of a kind ran last.
  Place place_of(const scheduler::Decision& decision) const;
  void ran_at(KernelOperation& operation, const scheduler::Decision& decision);
  void ran_at(const backend::GemmProblem& problem, const scheduler::Decision& decision);
  /// What chunks of the launch, which may be divided, touch.
  static std::function<scheduler::ChunkMemory(scheduler::Chunk)> memory_of_chunks(
      KernelOperation& operation, const Operands& operands);
  /// Operands that the devices of the place will get: all of them, or those of their parts.
  void want(const Place& place, const Operands& operands,
            const std::function<scheduler::ChunkMemory(scheduler::Chunk)>& memory_of,
            Upcoming& upcoming) const;
  void start_prefetching();
  /// The turn of work that is not handed over; the home device has finished what could be in its way.
  MemoryOrder::Turn take_turn(memory::Space space, std::span<const memory::Range> reads,
                              std::span<const memory::Range> writes);
  bool on_devices(memory::Range range) const;
  /// The same of the byte at `address`; remembers, for each thread, what it was asked last.
  bool on_devices(const void* address) const;
  static bool holds(const Engine& engine, memory::Range range);
  template <typename HomeWork>
  Status run_at_variables(const std::optional<HomeWork>& work, const Operands& operands);
  Status fill(FillOperation& operation);
  Status host_work(Operation& operation, const Operands& operands, int64_t* began = nullptr);
  void host_wrote_operands(const Operands& operands);
  static Operands everything();
  Operands operands_of(KernelOperation& operation);
  Operands operands_of(const scheduler::ChunkMemory& touched);
  /// Of a library call: what it has declared.
  static Operands declared_by(const Operation& operation);
  /// The same with what the vendor's library uses besides.
  static Operands declared_by(const Operation& operation, const backend::LibraryCall& call);
  bool calls_vendor(Engine& engine, const backend::LibraryCall* call) const;
  /// By the home device's vendor's library, to its end; empty: not there.
  std::optional<Status> library_at_home(Operation& operation);
  /// Whole matrices.
  Operands operands_of(const backend::GemmProblem& problem);
  LaunchPlan plan_product(Operation& operation, const Operands& operands, uint64_t units);
  /// Tells the scheduler how long the home device took.
  DeviceTail::Report report_of(Engine& engine, const scheduler::Work& work,
                               const scheduler::Decision& decision);
  Result<std::shared_ptr<backend::DeviceKernel>> load(Engine& engine, Kernel& kernel,
                                                      const kernel::Dim3& block);
  /// Takes the device out of service after `why`. False when contents are lost with it.
  bool quarantine(Engine& engine, const Status& why);
  void enter_engines();
  bool in_service(const Engine& engine) const;
  void wait_for_host_only();
  /// It has vanished or hangs: nothing may be asked of it any more.
  bool gone(const Engine& engine) const {
    return !engine.device->usable() || engine.hung.load() || pool_.hung(engine.space);
  }
  /// After a failure: engines that are gone leave.
  void retire_gone(const Status& why);

  static std::atomic<Engines*> active_;
  static std::atomic<Prefetcher*> prefetcher_;
  std::vector<std::unique_ptr<Engine>> engines_;  // in order of preference
  const backend::Device* visible_ = nullptr;
  const TimeLimit limit_ = TimeLimit::of_process();
  memory::CoherentPool pool_;
  EngineTextures textures_{pool_};
  MemoryOrder order_;
  scheduler::Scheduler& scheduler_;
  std::unique_ptr<scheduler::PoolResidency> residency_;
  std::unique_ptr<scheduler::CoExecutor> co_executor_;
  /// Kernels on the CPU that wait for other threads: while there are any, everything stays with the host.
  std::atomic<int> host_only_{0};
  std::mutex kernels_mutex_;  // guards KernelOnEngines of all kernels
  std::atomic<Engine*> home_{nullptr};
  std::mutex
      home_mutex_;  // held from looking whether work can be handed over until its ticket is announced
  std::mutex tails_mutex_;  // guards tails_; nothing else is locked under it
  std::vector<std::weak_ptr<DeviceTail>> tails_;
  std::unique_ptr<backend::Mark> clock_mark_;  // of the home device, reached at clock_ns_
  int64_t clock_ns_ = 0;
  std::vector<HomeProduct> home_products_;  // guarded by home_mutex_
  std::atomic<uint64_t> region_changes_{0};  // regions that came to the pool or left it
  std::vector<ProductPlace> product_places_;  // guarded by kernels_mutex_
  std::unique_ptr<Prefetcher> owned_prefetcher_;
  std::atomic<uint64_t> replays_{0};
};

/// run_operation() with several engines, or a span in the trace.
Status run_with_detour(Operation& operation);

/// Runs the operation to its end.
inline Status run_operation(Operation& operation) {
  if (has_detour()) [[unlikely]]
    return run_with_detour(operation);
  return operation.execute();
}

/// The way in for streams: operation `ticket` of `stream`.
inline Status run_operation(Operation& operation, Stream& stream, uint64_t ticket) {
  if (!has_detour()) [[likely]]
    return operation.execute();
  if (Engines* engines = Engines::active()) {
    if (auto handed = engines->hand_over(operation, stream, ticket)) return *handed;
  }
  return run_with_detour(operation);
}

}  // namespace guda::runtime
