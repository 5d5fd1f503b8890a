// Work for the home device alone: handed over to the stream's queue there and not waited for.
//
// Contents that the home device holds are stamped when work on them is handed over, before it has run: the queues keep
// the order, and with the device everything would be lost anyway. Whoever moves contents between memories, or works on
// them elsewhere, waits for the device first (take_turn()).
#include "runtime/context.h"
#include "runtime/copy.h"
#include "runtime/engine_work.h"
#include "runtime/event.h"
#include "runtime/launch.h"
#include "runtime/module/module.h"
#include "support/log.h"

#include <algorithm>

namespace guda::runtime {

using memory::Range;

namespace {

bool same(const kernel::Dim3& a, const kernel::Dim3& b) {
  return a.x == b.x && a.y == b.y && a.z == b.z;
}

}  // namespace

DeviceTail* Engines::open_tail(Stream& stream) {
  Engine* engine = home();
  if (engine == nullptr) return nullptr;
  if (DeviceTail* tail = stream.tail()) return tail;
  auto queue = engine->device->create_queue();
  if (!queue) {
    log(LogPart::scheduler, LogLevel::warn, "{}: {}", engine->device->info().id(),
        queue.status().message());
    return nullptr;
  }
  auto tail = std::make_shared<DeviceTail>(std::move(*queue));
  {
    std::unique_lock lock(tails_mutex_);
    std::erase_if(tails_, [](const std::weak_ptr<DeviceTail>& each) { return each.expired(); });
    tails_.push_back(tail);
  }
  stream.set_tail(tail);
  return tail.get();
}

void Engines::quiesce() {
  if (home() == nullptr) return;
  std::vector<std::shared_ptr<DeviceTail>> open;
  {
    std::unique_lock lock(tails_mutex_);
    for (const auto& each : tails_) {
      auto tail = each.lock();
      if (tail && tail->first_open() != 0) open.push_back(std::move(tail));
    }
  }
  for (auto& tail : open) {
    Status status = tail->wait_for_all();
    if (status) continue;
    home_failed(status);
    Context::instance().set_sticky_error(status);
  }
}

MemoryOrder::Turn Engines::take_turn(memory::Space space, std::span<const Range> reads,
                                     std::span<const Range> writes) {
  auto turn = order_.wait(space, reads, writes);
  if (home() != nullptr) {
    // Whoever looked before our turn began has announced its work by now; those after it see the turn.
    {
      std::unique_lock lock(home_mutex_);
    }
    quiesce();
  }
  return turn;
}

void Engines::home_failed(const Status& status) {
  Engine* engine = home();
  if (engine != nullptr && gone(*engine)) (void)quarantine(*engine, status);
}

int64_t Engines::time_of(const backend::Mark& mark) const {
  auto since = clock_mark_ ? mark.since(*clock_mark_) : std::nullopt;
  return since ? clock_ns_ + *since : 0;
}

bool Engines::reaches_everything(const Engine& engine) const {
  const memory::Heap& heap = memory::Heap::instance();
  const backend::Device* sharing = heap.sharing_device();
  return heap.special_count() == 0 &&
         (sharing == nullptr || sharing->info().backend == engine.device->info().backend);
}

DeviceTail::Turn Engines::prepare_home(Engine& engine, Stream& stream, uint64_t ticket,
                                       std::span<const Range> accessed,
                                       std::span<const Range> overwritten,
                                       std::span<const Range> written, bool all_home) {
  DeviceTail* tail = open_tail(stream);
  if (tail == nullptr) return {};
  std::unique_lock lock(home_mutex_);
  if (host_only_.load() > 0) return {};
  if (all_home) {
    if (!order_.idle() || !pool_.all_in(engine.space)) return {};
  } else {
    if (!order_.clear(engine.space, accessed, written)) return {};
    auto lease = pool_.acquire(engine.space, accessed, overwritten);
    if (!lease) {
      log(LogPart::scheduler, LogLevel::debug, "not handed to {}: {}", engine.device->info().id(),
          lease.status().message());
      home_failed(lease.status());
      return {};
    }
    pool_.commit(engine.space, written);
  }
  return tail->announce(ticket);
}

std::optional<Status> Engines::handed(Engine& engine, const Status& status) {
  if (status) {
    engine.live->count(1, 0);
    return status;
  }
  // The device has not begun: its contents are what they were.
  if (status.code() == StatusCode::not_supported || status.code() == StatusCode::out_of_memory) {
    log(LogPart::scheduler, LogLevel::info, "not on {}: {}", engine.device->info().id(),
        status.message());
    return std::nullopt;
  }
  home_failed(status);
  return status;
}

DeviceTail::Report Engines::report_of(Engine& engine, const scheduler::Work& work,
                                      const scheduler::Decision& decision) {
  auto kept = std::make_shared<scheduler::Work>(work);
  kept->name = {};  // they belong to the operation
  kept->memory = {};
  return [this, kept, decision, &engine](int64_t nanoseconds) {
    scheduler_.observe(engine.index, *kept, static_cast<double>(kept->units),
                       static_cast<double>(nanoseconds));
    scheduler_.record_outcome(decision, static_cast<double>(nanoseconds));
    engine.live->count(0, static_cast<uint64_t>(nanoseconds));
  };
}

std::optional<Status> Engines::hand_over(Operation& operation, Stream& stream, uint64_t ticket) {
  Engine* engine = home();
  // A trace shows when things really ran, so there each operation runs to its end.
  if (engine == nullptr || host_only_.load() > 0 || trace::enabled()) return std::nullopt;
  switch (operation.operation_kind()) {
    case OperationKind::nothing:
      if (!operation.follow_device_work(stream, ticket)) return std::nullopt;
      if (DeviceTail* tail = stream.tail()) tail->follow_own(ticket);
      return Status::ok();
    case OperationKind::kernel:
      return hand_over_launch(*engine, static_cast<KernelOperation&>(operation), stream, ticket);
    case OperationKind::gemm:
      if (auto handed = hand_over_library(*engine, operation, stream, ticket)) return handed;
      return hand_over_product(*engine, operation, stream, ticket);
    case OperationKind::copy:
      return hand_over_copy(*engine, static_cast<CopyOperation&>(operation), stream, ticket);
    case OperationKind::fill:
      return hand_over_fill(*engine, static_cast<FillOperation&>(operation), stream, ticket);
    case OperationKind::program: return hand_over_program(operation, stream, ticket);
    case OperationKind::host_memory: return hand_over_library(*engine, operation, stream, ticket);
  }
  return std::nullopt;
}

std::optional<Engines::HomeLaunch> Engines::remembered(KernelOperation& operation) {
  const LaunchConfiguration& configuration = operation.configuration();
  std::unique_lock lock(kernels_mutex_);
  auto* known = static_cast<KernelOnEngines*>(operation.kernel().engine_data().get());
  if (known == nullptr || scheduler::Scheduler::forced_engine() != scheduler::kNoEngine)
    return std::nullopt;
  for (HomeLaunch& each : known->home) {
    if (!same(each.grid, configuration.grid) || !same(each.block, configuration.block) ||
        each.dynamic_shared != configuration.dynamic_shared)
      continue;
    if (each.uses_left == 0 || each.epoch != scheduler_.epoch()) return std::nullopt;
    --each.uses_left;
    return each;
  }
  return std::nullopt;
}

void Engines::remember(KernelOperation& operation, const Operands& operands,
                       std::shared_ptr<backend::DeviceKernel> code) {
  if (scheduler_.split_mode() == scheduler::SplitMode::always) return;
  constexpr size_t kLaunches = 8;
  const LaunchConfiguration& configuration = operation.configuration();
  HomeLaunch launch{configuration.grid, configuration.block,       configuration.dynamic_shared,
                    std::move(code),    scheduler_.epoch(),        kHomeUses,
                    operands.textures,  operands.stores_surfaces()};
  std::unique_lock lock(kernels_mutex_);
  auto& known = *static_cast<KernelOnEngines*>(operation.kernel().engine_data().get());
  for (HomeLaunch& each : known.home) {
    if (!same(each.grid, launch.grid) || !same(each.block, launch.block) ||
        each.dynamic_shared != launch.dynamic_shared)
      continue;
    each = std::move(launch);
    return;
  }
  if (known.home.size() < kLaunches) {
    known.home.push_back(std::move(launch));
  } else {
    known.home[known.next_home++ % kLaunches] = std::move(launch);
  }
}

std::optional<Status> Engines::hand_over_launch(Engine& engine, KernelOperation& operation,
                                                Stream& stream, uint64_t ticket) {
  const bool reached = reaches_everything(engine);
  // A kernel that waits for others, or for the program, needs memory that all of them see.
  if (operation.may_wait() && !(reached && engine.device->info().stored_pointers))
    return std::nullopt;
  std::shared_ptr<backend::DeviceKernel> code;
  bool textures = false, stores_surfaces = false;
  if (auto known = remembered(operation)) {
    code = std::move(known->code);
    textures = known->textures;
    stores_surfaces = known->stores_surfaces;
  }
  const bool all_home = code && reached && pool_.all_in(engine.space);
  Operands operands;
  std::optional<LaunchPlan> planned;
  if (!all_home) {
    operands = operands_of(operation);
    if (!operands.reached_by(engine.device->info()) || !operands.host_visible.empty())
      return std::nullopt;
    if (!code) {
      planned = plan(operation, operands);
      const scheduler::Decision& decision = planned->decision;
      if (decision.part_count != 1 || decision.parts[0].engine != engine.index) return std::nullopt;
      code = planned->code[engine.index];
      remember(operation, operands, code);
    }
    textures = operands.textures;
    stores_surfaces = operands.stores_surfaces();
  }
  if (textures && textures_.refusal(*engine.device) != nullptr) return std::nullopt;
  const LaunchConfiguration& configuration = operation.configuration();
  backend::Launch launch;
  launch.kernel = code.get();
  launch.params = operation.parameter_block();
  launch.grid = launch.count = configuration.grid;
  launch.block = configuration.block;
  launch.dynamic_shared_bytes = static_cast<uint32_t>(configuration.dynamic_shared);
  launch.cooperative = configuration.cooperative;
  DeviceTail::Turn turn =
      prepare_home(engine, stream, ticket, operands.all, {}, operands.writes, all_home);
  if (!turn) return std::nullopt;
  auto start = [&](backend::Queue& queue) {
    if (!textures) return queue.launch(launch);
    return textures_.launch(queue, stores_surfaces, [&] { return queue.launch(launch); });
  };
  return handed(engine, planned ? turn.hand_over_timed(
                                      start, report_of(engine, planned->work, planned->decision))
                                : turn.hand_over(start));
}

std::optional<Status> Engines::hand_over_copy(Engine& engine, CopyOperation& operation,
                                              Stream& stream, uint64_t ticket) {
  const Range from = box(operation.from(), operation.shape()),
              to = box(operation.to(), operation.shape());
  if (from.empty()) return Status::ok();
  if (!dense(operation.from(), operation.shape()) || !dense(operation.to(), operation.shape()))
    return std::nullopt;
  const bool from_pool = on_devices(from), to_pool = on_devices(to);
  const bool from_device = from_pool || managed_with(engine, from),
             to_device = to_pool || managed_with(engine, to);
  if (!from_device && !to_device) return std::nullopt;
  if (from.begin < to.end && to.begin < from.end) return std::nullopt;
  const bool all_home = pool_.all_in(engine.space);
  // What lives elsewhere is copied from there.
  if (!all_home && from_pool && pool_.missing_bytes(engine.space, {&from, 1}) > 0)
    return std::nullopt;
  const std::span<const Range> reads(&from, from_pool ? 1 : 0), writes(&to, to_pool ? 1 : 0);
  DeviceTail::Turn turn = prepare_home(engine, stream, ticket, reads, writes, writes, all_home);
  if (!turn) return std::nullopt;
  void* target = reinterpret_cast<void*>(to.begin);
  const void* source = reinterpret_cast<const void*>(from.begin);
  Status status = turn.hand_over([&](backend::Queue& queue) {
    auto start = [&] {
      return !to_device     ? queue.download(target, source, to.bytes())
             : !from_device ? queue.upload(target, source, to.bytes())
                            : queue.copy(target, source, to.bytes());
    };
    return textures_.has_rows(to) ? textures_.write_rows(queue, to, start) : start();
  });
  // The caller may change or give back what the device has yet to read.
  if (status && !from_device && !engine.device->info().reads_at_once &&
      !memory::Heap::instance().find(source))
    status = turn.wait();
  return handed(engine, status);
}

std::optional<Status> Engines::hand_over_fill(Engine& engine, FillOperation& operation,
                                              Stream& stream, uint64_t ticket) {
  const Range to = box(operation.to(), operation.shape());
  if (to.empty()) return Status::ok();
  const bool in_pool = on_devices(to);
  if (!dense(operation.to(), operation.shape()) || !(in_pool || managed_with(engine, to)) ||
      to.bytes() % operation.element() != 0)
    return std::nullopt;
  const std::span<const Range> writes(&to, in_pool ? 1 : 0);
  DeviceTail::Turn turn =
      prepare_home(engine, stream, ticket, {}, writes, writes, pool_.all_in(engine.space));
  if (!turn) return std::nullopt;
  return handed(engine, turn.hand_over([&](backend::Queue& queue) {
    return queue.fill(reinterpret_cast<void*>(to.begin), operation.value(), operation.element(),
                      to.bytes());
  }));
}

std::optional<Status> Engines::hand_over_program(Operation& operation, Stream& stream,
                                                 uint64_t ticket) {
  // Only what belongs on the device throughout: the caller may be the program's own thread.
  for (const auto& each : operation.program()) {
    const OperationKind kind = each->operation_kind();
    if (kind == OperationKind::kernel) {
      if (static_cast<KernelOperation&>(*each).may_wait()) return std::nullopt;
    } else if (kind == OperationKind::host_memory) {
      if (!calls_vendor(*home(), each->library_call())) return std::nullopt;
    } else if (kind != OperationKind::copy && kind != OperationKind::fill &&
               kind != OperationKind::gemm) {
      return std::nullopt;
    }
  }
  for (const auto& each : operation.program()) {
    auto handed = hand_over(*each, stream, ticket);
    const Status status = handed ? *handed : run(*each);
    if (!status) return status;
  }
  return Status::ok();
}

}  // namespace guda::runtime
