// Launches of graphs on the home device: one operation after the other the first time, later as a recording of the
// device's own (backend::Recording), when it has them and all of the graph belongs there.
//
// A recording keeps code, arguments and addresses. It is made anew when the graph changes (another Program). One with
// addresses of copies, fills or products is also when the heap has changed, regions have lost their memory on the device,
// or arrays have come there that may have to follow a copy; so often in vain, the longer it waits. What the scheduler would
// have been asked meanwhile it is asked now and then: such a launch goes one by one, and the recording stays when all of it
// still goes home.
#include "runtime/copy.h"
#include "runtime/engine_work.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/program_branches.h"
#include "support/log.h"

#include <algorithm>
#include <iterator>

namespace guda::runtime {

using memory::Range;

namespace {

/// Queues of one recording.
constexpr uint32_t kMostBranches = 8;
/// Launches without a change that a recording waits for at most.
constexpr uint32_t kMostPatience = 64;

}  // namespace

struct Engines::HomeProgram {
  std::mutex mutex;  // all of it
  bool at_home = false;  // its operations are such as are handed over
  bool refused = false;  // it cannot be recorded
  std::shared_ptr<backend::Recording> recording;  // null: none
  Engine* engine = nullptr;  // whose recording
  std::vector<std::unique_ptr<backend::Queue>> queues;  // that took part: products use their means
  std::vector<std::shared_ptr<backend::DeviceKernel>> code;
  bool replayed = false;
  bool kernels = false;  // it has some
  bool addresses = false;  // other than arguments of kernels
  // Of heap, pool and textures, when it was recorded.
  uint64_t generation = 0, evictions = 0, arrays = 0;
  uint64_t epoch = 0;  // of the scheduler
  uint32_t uses_left = 0;
  uint32_t calm = 0, patience = 1;  // launches without a change: so many, and so many are wanted

  HomeProgram() = default;
  ~HomeProgram() { drop(); }
  HomeProgram(const HomeProgram&) = delete;
  HomeProgram& operator=(const HomeProgram&) = delete;

  void drop() {
    if (Engines* engines = Engines::active(); recording && replayed && engines != nullptr)
      engines->quiesce();
    recording.reset();
    if (engine != nullptr && engine->device->usable()) {
      const std::lock_guard lock(engine->queues_mutex);
      std::move(queues.begin(), queues.end(), std::back_inserter(engine->idle_recorders));
    }
    queues.clear();
    code.clear();
    replayed = kernels = addresses = false;
    calm = 0;
  }
};

/// Only what belongs on the device throughout: the caller may be the program's own thread.
bool Engines::runs_at_home(Engine& engine, const Program& program) const {
  return std::all_of(program.operations.begin(), program.operations.end(), [&](const auto& each) {
    switch (each->operation_kind()) {
      case OperationKind::kernel: return !static_cast<KernelOperation&>(*each).may_wait();
      case OperationKind::host_memory: return calls_vendor(engine, each->library_call());
      case OperationKind::copy:
      case OperationKind::fill:
      case OperationKind::gemm: return true;
      default: return false;
    }
  });
}

Engines::HomeProgram& Engines::home_program(Engine& engine, Program& program) const {
  static std::mutex mutex;  // guards engine_data of all programs
  const std::lock_guard lock(mutex);
  if (!program.engine_data) {
    auto known = std::make_shared<HomeProgram>();
    known->at_home = runs_at_home(engine, program);
    known->refused = program.operations.size() < 2;  // nothing gained
    program.engine_data = std::move(known);
  }
  return *static_cast<HomeProgram*>(program.engine_data.get());
}

std::optional<Status> Engines::hand_over_program(Engine& engine, Operation& operation,
                                                 Stream& stream, uint64_t ticket) {
  Program& program = *operation.program();
  HomeProgram& known = home_program(engine, program);
  if (!known.at_home) return std::nullopt;
  if (auto replayed = replay(engine, known, program, stream, ticket)) return replayed;
  bool all = true;
  for (const auto& each : program.operations) {
    auto handed = hand_over(*each, stream, ticket);
    all = all && handed;
    const Status status = handed ? *handed : run(*each);
    if (!status) return status;
  }
  const std::lock_guard lock(known.mutex);
  if (!all) {
    known.drop();
  } else {
    ++known.calm;
    known.uses_left = kHomeUses;
    known.epoch = scheduler_.epoch();
  }
  return Status::ok();
}

bool Engines::in_place(const Engine& engine, const void* address) const {
  if (on_devices(Range::of(address, 1))) return true;
  auto allocation = memory::Heap::instance().find(address);
  return allocation && allocation->shared_by != nullptr &&
         allocation->shared_by->info().backend == engine.device->info().backend;
}

bool Engines::outdated(const Engine& engine, const HomeProgram& known) const {
  return known.engine != &engine ||
         (known.addresses &&
          (known.generation != memory::Heap::instance().generation() ||
           known.evictions != pool_.evictions() || known.arrays != textures_.arrays_made()));
}

std::optional<Status> Engines::replay(Engine& engine, HomeProgram& known, Program& program,
                                      Stream& stream, uint64_t ticket) {
  const std::lock_guard lock(known.mutex);
  if (known.refused || scheduler::Scheduler::forced_engine() != scheduler::kNoEngine)
    return std::nullopt;
  if (known.recording && outdated(engine, known)) {
    known.drop();
    known.patience = std::min(2 * known.patience, kMostPatience);
  }
  if (known.uses_left == 0 || known.epoch != scheduler_.epoch()) return std::nullopt;
  if (!known.recording) {
    if (known.calm < known.patience) return std::nullopt;
    if (Status status = record(engine, known, program); !status) {
      known.drop();
      if (status.code() == StatusCode::not_ready) return std::nullopt;
      known.refused = true;
      log(LogPart::scheduler, LogLevel::info, "a graph is handed to {} one by one: {}",
          engine.device->info().id(), status.message());
      home_failed(status);
      return std::nullopt;
    }
  }
  const bool all_home =
      pool_.all_in(engine.space) && (!known.kernels || reaches_everything(engine));
  std::optional<Operands> operands;
  if (!all_home) {
    operands = operands_of(engine, program);
    if (!operands) return std::nullopt;
  } else {
    operands.emplace();
  }
  DeviceTail::Turn turn =
      prepare_home(engine, stream, ticket, operands->all, {}, operands->writes, all_home);
  if (!turn || outdated(engine, known)) return std::nullopt;
  --known.uses_left;
  Status status =
      turn.hand_over([&](backend::Queue& queue) { return queue.replay(known.recording); });
  known.replayed = true;
  if (status) {
    engine.live->count(program.operations.size() - 1, 0);
    replays_.fetch_add(1, std::memory_order_relaxed);
  }
  auto handed = this->handed(engine, status);
  if (!handed) {
    known.drop();
    known.refused = true;
  }
  return handed;
}

std::optional<Engines::Operands> Engines::operands_of(const Engine& engine,
                                                      const Program& program) {
  Operands whole;
  for (const auto& each : program.operations) {
    Operands operands;
    switch (each->operation_kind()) {
      case OperationKind::kernel:
        operands = operands_of(static_cast<KernelOperation&>(*each));
        if (operands.textures) return std::nullopt;
        break;
      case OperationKind::gemm: operands = operands_of(*each->gemm()); break;
      case OperationKind::copy: {
        const auto& given = static_cast<CopyOperation&>(*each);
        if (given.shape().bytes() == 0) break;
        auto copy = home_copy(engine, given);
        if (!copy) return std::nullopt;
        if (copy->from_pool) operands.all.push_back(copy->from);
        if (copy->to_pool) operands.all.push_back(copy->to);
        if (copy->to_pool) operands.writes.push_back(copy->to);
        break;
      }
      case OperationKind::fill: {
        const auto& given = static_cast<FillOperation&>(*each);
        if (given.shape().bytes() == 0) break;
        auto fill = home_fill(engine, given);
        if (!fill) return std::nullopt;
        if (fill->to_pool) {
          operands.all.push_back(fill->to);
          operands.writes.push_back(fill->to);
        }
        break;
      }
      default: return std::nullopt;
    }
    if (!operands.reached_by(*engine.device) || !operands.host_visible.empty()) return std::nullopt;
    whole.all.insert(whole.all.end(), operands.all.begin(), operands.all.end());
    whole.writes.insert(whole.writes.end(), operands.writes.begin(), operands.writes.end());
  }
  return whole;
}

/// What the operation does in a recording. Errors: not_ready: maybe later.
Result<std::function<Status(backend::Queue&)>> Engines::recordable(Engine& engine,
                                                                   HomeProgram& known,
                                                                   Operation& operation) {
  using Start = std::function<Status(backend::Queue&)>;
  switch (operation.operation_kind()) {
    case OperationKind::kernel: {
      auto& kernel = static_cast<KernelOperation&>(operation);
      auto launched = remembered(kernel, false);
      if (!launched || !launched->code)
        return Status(StatusCode::not_ready, "a kernel's place is not settled");
      if (launched->textures) return Status(StatusCode::not_supported, "a kernel with textures");
      const LaunchConfiguration& configuration = kernel.configuration();
      backend::Launch launch;
      launch.kernel = launched->code.get();
      launch.params = kernel.parameter_block();
      launch.grid = launch.count = configuration.grid;
      launch.block = configuration.block;
      launch.dynamic_shared_bytes = static_cast<uint32_t>(configuration.dynamic_shared);
      launch.cooperative = configuration.cooperative;
      launch.cluster = configuration.cluster;
      known.code.push_back(std::move(launched->code));
      known.kernels = true;
      return Start([launch](backend::Queue& queue) { return queue.launch(launch); });
    }
    case OperationKind::copy: {
      const auto& given = static_cast<CopyOperation&>(operation);
      known.addresses = true;
      if (given.shape().bytes() == 0) return Start([](backend::Queue&) { return Status::ok(); });
      auto copy = home_copy(engine, given);
      if (!copy) return Status(StatusCode::not_supported, "a copy that the host does");
      if (textures_.has_rows(copy->to))
        return Status(StatusCode::not_supported, "a copy to an array");
      return Start([copy = *copy](backend::Queue& queue) { return copy.start(queue); });
    }
    case OperationKind::fill: {
      const auto& given = static_cast<FillOperation&>(operation);
      known.addresses = true;
      if (given.shape().bytes() == 0) return Start([](backend::Queue&) { return Status::ok(); });
      auto fill = home_fill(engine, given);
      if (!fill) return Status(StatusCode::not_supported, "a fill that the host does");
      return Start([fill = *fill](backend::Queue& queue) { return fill.start(queue); });
    }
    case OperationKind::gemm: {
      const backend::GemmProblem* problem = operation.gemm();
      known.addresses = true;
      if (!in_place(engine, problem->a) || !in_place(engine, problem->b) ||
          !in_place(engine, problem->c))
        return Status(StatusCode::not_supported, "a product that the host does");
      return Start([problem](backend::Queue& queue) { return queue.gemm(*problem); });
    }
    default: return Status(StatusCode::not_supported, "a call that is not recorded");
  }
}

Result<std::unique_ptr<backend::Queue>> Engines::recorder(Engine& engine) {
  {
    const std::lock_guard lock(engine.queues_mutex);
    if (!engine.idle_recorders.empty()) {
      auto queue = std::move(engine.idle_recorders.back());
      engine.idle_recorders.pop_back();
      return queue;
    }
  }
  return engine.device->create_queue();
}

Status Engines::record(Engine& engine, HomeProgram& known, Program& program) {
  known.engine = &engine;
  known.generation = memory::Heap::instance().generation();
  known.evictions = pool_.evictions();
  known.arrays = textures_.arrays_made();
  std::vector<std::function<Status(backend::Queue&)>> starts;
  for (const auto& each : program.operations) {
    auto start = recordable(engine, known, *each);
    if (!start) return start.status();
    starts.push_back(std::move(*start));
  }
  const Branches branches = plan_branches(program.after, kMostBranches);
  for (uint32_t i = 0; i < branches.count; ++i) {
    auto queue = recorder(engine);
    if (!queue) return queue.status();
    known.queues.push_back(std::move(*queue));
  }
  for (size_t i = 0; i < starts.size(); ++i) {
    if (program.operations[i]->operation_kind() != OperationKind::gemm) continue;
    backend::Queue& queue = *known.queues[branches.operations[i].branch];
    if (Status status = queue.prepare_products(); !status) return status;
  }
  backend::Queue& first = *known.queues[0];
  if (Status status = first.begin_recording(); !status) return status;
  std::vector<std::unique_ptr<backend::Mark>> marks(starts.size());
  auto hand_over_all = [&]() -> Status {
    std::unique_ptr<backend::Mark> beginning;
    if (branches.count > 1) {
      auto mark = first.mark_order();
      if (!mark) return mark.status();
      beginning = std::move(*mark);
    }
    std::vector<bool> begun(branches.count);
    begun[0] = true;
    for (size_t i = 0; i < starts.size(); ++i) {
      const BranchedOperation& operation = branches.operations[i];
      backend::Queue& queue = *known.queues[operation.branch];
      Status status;
      if (!begun[operation.branch] && operation.waits.empty()) status = queue.wait_for(*beginning);
      begun[operation.branch] = true;
      for (uint32_t earlier : operation.waits) {
        if (status) status = queue.wait_for(*marks[earlier]);
      }
      if (status) status = starts[i](queue);
      if (!status) return status;
      if (!operation.marked) continue;
      auto mark = queue.mark_order();
      if (!mark) return mark.status();
      marks[i] = std::move(*mark);
    }
    for (uint32_t end : branches.ends) {
      if (Status status = first.wait_for(*marks[end]); !status) return status;
    }
    return Status::ok();
  };
  const Status status = hand_over_all();
  auto recording = first.end_recording();
  if (!status) return status;
  if (!recording) return recording.status();
  known.recording = std::move(*recording);
  log(LogPart::scheduler, LogLevel::debug, "a graph of {} operations is recorded on {}: {} queues",
      starts.size(), engine.device->info().id(), branches.count);
  return Status::ok();
}

}  // namespace guda::runtime
