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
    scheduler_.record_outcome(*kept, decision, static_cast<double>(nanoseconds));
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
    case OperationKind::program: return hand_over_program(*engine, operation, stream, ticket);
    case OperationKind::host_memory: return hand_over_library(*engine, operation, stream, ticket);
  }
  return std::nullopt;
}

std::optional<Engines::HomeLaunch> Engines::remembered(KernelOperation& operation, bool use) {
  const LaunchConfiguration& configuration = operation.configuration();
  std::unique_lock lock(kernels_mutex_);
  auto* known = static_cast<KernelOnEngines*>(operation.kernel().engine_data().get());
  if (known == nullptr || scheduler::Scheduler::forced_engine() != scheduler::kNoEngine)
    return std::nullopt;
  for (HomeLaunch& each : known->home) {
    if (!same(each.grid, configuration.grid) || !same(each.block, configuration.block) ||
        each.dynamic_shared != configuration.dynamic_shared)
      continue;
    if (!each.uses.valid(scheduler_.epoch())) return std::nullopt;
    if (use) --each.uses.left;
    return each;
  }
  return std::nullopt;
}

void Engines::remember(KernelOperation& operation, const Operands& operands,
                       std::shared_ptr<backend::DeviceKernel> code) {
  if (scheduler_.split_mode() == scheduler::SplitMode::always) return;
  constexpr size_t kLaunches = 8;
  const LaunchConfiguration& configuration = operation.configuration();
  HomeLaunch launch{configuration.grid,
                    configuration.block,
                    configuration.dynamic_shared,
                    code,
                    AnswerUses::first(scheduler_.epoch(), code ? kHomeUses : kHostUses),
                    operands.textures,
                    operands.stores_surfaces()};
  std::unique_lock lock(kernels_mutex_);
  if (!operation.kernel().engine_data()) return;
  auto& known = *static_cast<KernelOnEngines*>(operation.kernel().engine_data().get());
  for (HomeLaunch& each : known.home) {
    if (!same(each.grid, launch.grid) || !same(each.block, launch.block) ||
        each.dynamic_shared != launch.dynamic_shared)
      continue;
    if ((each.code == nullptr) == (launch.code == nullptr)) launch.uses.follow(each.uses);
    each = std::move(launch);
    return;
  }
  if (known.home.size() < kLaunches) {
    known.home.push_back(std::move(launch));
  } else {
    known.home[known.next_home++ % kLaunches] = std::move(launch);
  }
}

namespace {

backend::Launch launch_of(const KernelOperation& operation, const backend::DeviceKernel& code) {
  const LaunchConfiguration& configuration = operation.configuration();
  backend::Launch launch;
  launch.kernel = &code;
  launch.params = operation.parameter_block();
  launch.grid = launch.count = configuration.grid;
  launch.block = configuration.block;
  launch.dynamic_shared_bytes = static_cast<uint32_t>(configuration.dynamic_shared);
  launch.cooperative = configuration.cooperative;
  launch.cluster = configuration.cluster;
  return launch;
}

/// `textures`: null when the launch has none.
Status start_launch(backend::Queue& queue, const backend::Launch& launch, EngineTextures* textures,
                    bool stores_surfaces) {
  if (textures == nullptr) return queue.launch(launch);
  return textures->launch(queue, stores_surfaces, [&] { return queue.launch(launch); });
}

}  // namespace

std::optional<Status> Engines::hand_over_launch(Engine& engine, KernelOperation& operation,
                                                Stream& stream, uint64_t ticket) {
  const bool reached = reaches_everything(engine);
  // A kernel that waits for others, or for the program, needs memory that all of them see.
  if (operation.may_wait() && !(reached && engine.device->info().stored_pointers))
    return std::nullopt;
  auto known = remembered(operation);
  if (known && !known->code) known.reset();  // it stays with the CPU
  if (known && reached && pool_.all_in(engine.space)) {
    if (known->textures && textures_.refusal(*engine.device) != nullptr) return std::nullopt;
    DeviceTail::Turn turn = prepare_home(engine, stream, ticket, {}, {}, {}, true);
    if (!turn) return std::nullopt;
    const backend::Launch launch = launch_of(operation, *known->code);
    return handed(engine, turn.hand_over([&](backend::Queue& queue) {
      return start_launch(queue, launch, known->textures ? &textures_ : nullptr,
                          known->stores_surfaces);
    }));
  }
  const Operands operands = operands_of(operation);
  if (!operands.reached_by(*engine.device) || !operands.host_visible.empty()) return std::nullopt;
  if (operands.textures && textures_.refusal(*engine.device) != nullptr) return std::nullopt;
  std::optional<LaunchPlan> planned;
  std::shared_ptr<backend::DeviceKernel> code;
  if (known) {
    code = std::move(known->code);
  } else {
    planned = plan(operation, operands);
    const scheduler::Decision& decision = planned->decision;
    if (decision.part_count != 1 || decision.parts[0].engine != engine.index) return std::nullopt;
    code = planned->code[engine.index];
    remember(operation, operands, code);
  }
  const backend::Launch launch = launch_of(operation, *code);
  DeviceTail::Turn turn =
      prepare_home(engine, stream, ticket, operands.all, {}, operands.writes, false);
  if (!turn) return std::nullopt;
  auto start = [&](backend::Queue& queue) {
    return start_launch(queue, launch, operands.textures ? &textures_ : nullptr,
                        operands.stores_surfaces());
  };
  return handed(engine, planned ? turn.hand_over_timed(
                                      start, report_of(engine, planned->work, planned->decision))
                                : turn.hand_over(start));
}

namespace {

backend::BoxSide side_of(const CopySide& side) { return {side.start, side.pitch, side.slice}; }
backend::Box box_of(const CopyShape& shape) { return {shape.width, shape.height, shape.depth}; }

/// No byte belongs to both boxes, whose bounds are given. Boxes in columns of one matrix are recognised.
bool disjoint(const Range& to, const CopySide& to_side, const Range& from,
              const CopySide& from_side, const CopyShape& shape) {
  if (from.begin >= to.end || to.begin >= from.end) return true;
  const size_t pitch = to_side.pitch;
  if (pitch == 0 || pitch != from_side.pitch || shape.width > pitch) return false;
  if (shape.depth > 1 && (to_side.slice % pitch != 0 || from_side.slice % pitch != 0)) return false;
  const size_t apart = (std::max(to.begin, from.begin) - std::min(to.begin, from.begin)) % pitch;
  return apart >= shape.width && pitch - apart >= shape.width;
}

}  // namespace

std::optional<Engines::HomeCopy> Engines::home_copy(const Engine& engine,
                                                    const CopyOperation& operation) const {
  const CopyShape& shape = operation.shape();
  HomeCopy copy;
  copy.from = runtime::box(operation.from(), shape);
  copy.to = runtime::box(operation.to(), shape);
  copy.from_pool = on_devices(copy.from);
  copy.to_pool = on_devices(copy.to);
  copy.from_device = copy.from_pool || holds(engine, copy.from);
  copy.to_device = copy.to_pool || holds(engine, copy.to);
  if (!copy.from_device && !copy.to_device) return std::nullopt;
  if (!disjoint(copy.to, operation.to(), copy.from, operation.from(), shape)) return std::nullopt;
  copy.dense = dense(operation.from(), shape) && dense(operation.to(), shape);
  copy.to_side = side_of(operation.to());
  copy.from_side = side_of(operation.from());
  copy.box = box_of(shape);
  return copy;
}

Status Engines::HomeCopy::start(backend::Queue& queue) const {
  using backend::CopyWay;
  if (!dense) {
    const CopyWay way = !to_device     ? CopyWay::to_host
                        : !from_device ? CopyWay::to_device
                                       : CopyWay::within;
    return queue.copy_box(way, to_side, from_side, box);
  }
  return !to_device     ? queue.download(to_side.start, from_side.start, to.bytes())
         : !from_device ? queue.upload(to_side.start, from_side.start, to.bytes())
                        : queue.copy(to_side.start, from_side.start, to.bytes());
}

std::optional<Engines::HomeFill> Engines::home_fill(const Engine& engine,
                                                    const FillOperation& operation) const {
  HomeFill fill;
  fill.to = runtime::box(operation.to(), operation.shape());
  fill.to_pool = on_devices(fill.to);
  if (!(fill.to_pool || holds(engine, fill.to)) ||
      operation.shape().width % operation.element() != 0)
    return std::nullopt;
  fill.dense = dense(operation.to(), operation.shape());
  fill.side = side_of(operation.to());
  fill.box = box_of(operation.shape());
  fill.value = operation.value();
  fill.element = operation.element();
  return fill;
}

Status Engines::HomeFill::start(backend::Queue& queue) const {
  return dense ? queue.fill(side.start, value, element, to.bytes())
               : queue.fill_box(side, box, value, element);
}

std::optional<Status> Engines::hand_over_copy(Engine& engine, CopyOperation& operation,
                                              Stream& stream, uint64_t ticket) {
  if (operation.shape().bytes() == 0) return Status::ok();
  const auto copy = home_copy(engine, operation);
  if (!copy) return std::nullopt;
  const bool all_home = pool_.all_in(engine.space);
  // What lives elsewhere is copied from there.
  if (!all_home && copy->from_pool && pool_.missing_bytes(engine.space, {&copy->from, 1}) > 0)
    return std::nullopt;
  const std::span<const Range> reads(&copy->from, copy->from_pool ? 1 : 0),
      writes(&copy->to, copy->to_pool ? 1 : 0);
  // Between rows the old contents stay.
  std::vector<Range> accessed(reads.begin(), reads.end());
  if (!copy->dense) accessed.insert(accessed.end(), writes.begin(), writes.end());
  DeviceTail::Turn turn =
      prepare_home(engine, stream, ticket, accessed,
                   copy->dense ? writes : std::span<const Range>(), writes, all_home);
  if (!turn) return std::nullopt;
  Status status = turn.hand_over([&](backend::Queue& queue) {
    auto start = [&] { return copy->start(queue); };
    return textures_.has_rows(copy->to) ? textures_.write_rows(queue, copy->to, start) : start();
  });
  // The caller may change or give back what the device has yet to read.
  if (status && !copy->from_device && !engine.device->info().reads_at_once &&
      !memory::Heap::instance().find(operation.from().start))
    status = turn.wait();
  return handed(engine, status);
}

std::optional<Status> Engines::hand_over_fill(Engine& engine, FillOperation& operation,
                                              Stream& stream, uint64_t ticket) {
  if (operation.shape().bytes() == 0) return Status::ok();
  const auto fill = home_fill(engine, operation);
  if (!fill) return std::nullopt;
  const std::span<const Range> writes(&fill->to, fill->to_pool ? 1 : 0), none;
  DeviceTail::Turn turn =
      prepare_home(engine, stream, ticket, fill->dense ? none : writes, fill->dense ? writes : none,
                   writes, pool_.all_in(engine.space));
  if (!turn) return std::nullopt;
  return handed(engine, turn.hand_over([&](backend::Queue& queue) { return fill->start(queue); }));
}

}  // namespace guda::runtime
