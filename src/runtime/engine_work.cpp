// Work on one device or several, whatever it is: turns, operands, results, figures.
#include "runtime/engine_work.h"

#include "runtime/event.h"

#include <fmt/format.h>

#include <cstring>

namespace guda::runtime {
namespace {

/// What a device does with a piece of work. Belongs to whoever asks the device, which may never come back.
class Errand {
 public:
  /// `results`: what comes to the host afterwards.
  Errand(std::function<Status(backend::Queue&)> start, std::span<const memory::Range> results)
      : start_(std::move(start)), results_(results.begin(), results.end()) {}

  Status run(backend::Queue& queue) {
    if (Status status = start_(queue); !status) return status;
    if (Status status = queue.synchronize(); !status) return status;
    finished_ = now_nanoseconds();
    return copy_results(queue);
  }
  int64_t finished() const { return finished_; }
  /// After success: all bytes that the device has written, to the host.
  void deliver() const {
    const std::byte* at = copied_.get();
    for (memory::Range range : results_) {
      std::memcpy(reinterpret_cast<void*>(range.begin), at, range.bytes());
      at += range.bytes();
    }
  }

 private:
  /// Not yet to their places: all of them or none, since inputs may be among them and the work would have to be done
  /// again.
  Status copy_results(backend::Queue& queue) {
    size_t bytes = 0;
    for (memory::Range range : results_) bytes += range.bytes();
    if (bytes == 0) return Status::ok();
    copied_ = std::make_unique_for_overwrite<std::byte[]>(bytes);
    std::byte* at = copied_.get();
    Status status;
    for (memory::Range range : results_) {
      status = queue.download(at, reinterpret_cast<const void*>(range.begin), range.bytes());
      if (!status) break;
      at += range.bytes();
    }
    const Status ended = queue.synchronize();
    return status ? ended : status;
  }

  std::function<Status(backend::Queue&)> start_;
  std::vector<memory::Range> results_;
  std::unique_ptr<std::byte[]> copied_;
  int64_t finished_ = 0;
};

/// Host memory that a device writes where it is. Until keep() its contents from before come back at the end, so that
/// work which failed half-way can be done again.
class Undo {
 public:
  explicit Undo(std::span<const memory::Range> ranges) {
    for (memory::Range range : ranges) {
      const auto* from = reinterpret_cast<const std::byte*>(range.begin);
      saved_.emplace_back(range, std::vector<std::byte>(from, from + range.bytes()));
    }
  }
  ~Undo() {
    for (auto& [range, bytes] : saved_)
      std::memcpy(reinterpret_cast<void*>(range.begin), bytes.data(), bytes.size());
  }
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  void keep() { saved_.clear(); }

 private:
  std::vector<std::pair<memory::Range, std::vector<std::byte>>> saved_;
};

}  // namespace

void Engines::Operands::enter(const memory::Allocation& allocation, memory::Range range,
                              std::vector<memory::Range>& uses) {
  if (allocation.kind == memory::AllocationKind::device_variable) {
    only = allocation.shared_by;
    return;
  }
  if (allocation.shared_by != nullptr) {
    shared_with = allocation.shared_by->info().backend;
    if (&uses == &writes) shared_writes.push_back(range);
    return;
  }
  if (allocation.kind == memory::AllocationKind::registered || allocation.host_only) {
    outside = true;
    return;
  }
  if (Engines* engines = active();
      engines != nullptr && !several_regions && allocation.kind == memory::AllocationKind::mapped)
    several_regions =
        !engines->pool_.in_one_region(memory::Range::of(allocation.base, allocation.size));
  uses.push_back(range);
  all.push_back(range);
  if (memory::host_visible(allocation.kind)) host_visible.push_back(range);
}

/// Transfers, the kernel, and the way back, with what was predicted.
void Engines::trace_launch(const std::string& track, const LaunchPlan& plan, int64_t start,
                           int64_t began, int64_t finished, int64_t end) {
  trace::span(track, "operands", "transfer", start, began);
  trace::span(
      track, plan.work.name, "kernel", began, finished,
      fmt::format("\"predicted_us\": {:.1f}, \"actual_us\": {:.1f}, \"decision\": \"{}\"",
                  plan.decision.predicted_ns * 1e-3, static_cast<double>(end - start) * 1e-3,
                  trace::escaped(scheduler_.explain(plan.work, plan.decision))));
  trace::span(track, "results", "transfer", finished, end);
}

Status Engines::run_on(Engine& engine, const Operands& operands, const LaunchPlan& plan,
                       const std::function<Status(backend::Queue&)>& start) {
  /// A guess of how long work takes may be wrong by more than a device that has hung is worth waiting for.
  constexpr double kGuess = 0.3;
  constexpr int kPatience = 12;
  const int64_t arrived = now_nanoseconds();
  // Memory that the program writes comes from the host and goes back to it: two memories are at work.
  const memory::Space space =
      operands.host_visible.empty() ? engine.space : memory::Space{MemoryOrder::kSeveral};
  auto turn = take_turn(space, operands.reads, operands.writes);
  if (host_only_.load() > 0)
    return {StatusCode::not_supported, "a kernel that waits for others is running on the CPU"};
  // The program may have written there at any time.
  pool_.commit(memory::kHostSpace, operands.host_visible);
  auto lease = pool_.acquire(engine.space, operands.all);
  if (lease.status().code() == StatusCode::invalid_value)
    return {StatusCode::not_supported, lease.status().message()};
  if (!lease) return lease.status();

  // The home device's failures are the program's, and nobody does its work again.
  const bool at_home = &engine == home();
  const bool redone = !at_home && engine.space != memory::kHostSpace;
  const std::span<const memory::Range> none;
  Undo undo(redone ? std::span<const memory::Range>(operands.shared_writes) : none);
  // A device that only helps may go away without taking anything with it.
  auto errand = std::make_shared<Errand>(
      start, redone ? std::span<const memory::Range>(operands.writes) : none);
  auto work = [errand](backend::Queue& queue) { return errand->run(queue); };
  QueueLoan queue(engine);
  const int64_t began = now_nanoseconds();
  Status status;
  if (at_home) {
    status = queue.run(work);
  } else {
    auto limit = limit_.of(plan.decision.predicted_ns);
    if (plan.decision.sigma > kGuess) limit = std::max(limit, kPatience * limit_.least);
    pool_.expect_busy(engine.space, std::chrono::steady_clock::now() + limit);
    status = queue.run_timed(limit, work, [&] { return pool_.busy(engine.space); });
  }
  if (!status) return status;
  const int64_t finished = errand->finished();
  const bool planned = plan.decision.part_count > 0;
  if (planned)
    scheduler_.observe(engine.index, plan.work, static_cast<double>(plan.work.units),
                       static_cast<double>(finished - began));
  engine.live->count(1, static_cast<uint64_t>(finished - began));
  if (at_home) {
    pool_.commit(engine.space, operands.writes);
    if (Status back = pool_.bring_to_host(operands.host_visible); !back) return back;
  } else if (redone) {
    errand->deliver();
    undo.keep();
    pool_.commit_copied(engine.space, operands.writes);
  }
  const int64_t end = now_nanoseconds();
  scheduler_.record_outcome(plan.work, plan.decision, static_cast<double>(end - arrived));
  if (trace::enabled() && planned)
    trace_launch(engine.device->info().id(), plan, arrived, began, finished, end);
  return Status::ok();
}

Status Engines::run_split(const std::shared_ptr<const scheduler::DivisibleWork>& work,
                          const Operands& operands, const LaunchPlan& plan,
                          std::span<const scheduler::Participant> participants) {
  const int64_t start = now_nanoseconds();
  auto turn = take_turn(MemoryOrder::kSeveral, operands.reads, operands.writes);
  auto outcome = co_executor_->run(work, plan.work, plan.decision, participants);
  const int64_t end = now_nanoseconds();
  for (const scheduler::EngineOutcome& each : outcome.engines) {
    Engine& engine = *engines_[each.engine];
    engine.live->count(1, static_cast<uint64_t>(each.compute_ns));
    if (plan.work.kind == scheduler::WorkKind::gemm &&
        each.failure.code() == StatusCode::not_supported) {
      for (size_t kind = 0; kind < scheduler::kArithmeticKinds; ++kind)
        if (plan.work.operations[kind] > 0)
          engine.refuses(static_cast<scheduler::Arithmetic>(kind));
    }
    if (!each.failure && engine.device &&
        (gone(engine) || each.failure.code() == StatusCode::launch_timeout)) {
      engine.hung.store(engine.device->usable());
      (void)quarantine(engine, each.failure);
    }
  }
  if (!outcome.status) return outcome.status;
  const bool as_planned =
      std::all_of(outcome.engines.begin(), outcome.engines.end(),
                  [](const scheduler::EngineOutcome& each) { return each.failure.is_ok(); });
  scheduler_.record_outcome(plan.work, plan.decision, as_planned ? outcome.ns : 0);
  if (trace::enabled()) {
    std::string shares;
    for (const scheduler::EngineOutcome& each : outcome.engines)
      shares += fmt::format("\"{}\": {}, ", scheduler_.engine(each.engine).identity.id, each.units);
    trace::span(
        trace::thread_track(), plan.work.name, "split", start, end,
        fmt::format("{}\"predicted_us\": {:.1f}, \"actual_us\": {:.1f}, \"decision\": \"{}\"",
                    shares, plan.decision.predicted_ns * 1e-3,
                    static_cast<double>(end - start) * 1e-3,
                    trace::escaped(scheduler_.explain(plan.work, plan.decision))));
  }
  return outcome.status;
}

}  // namespace guda::runtime
