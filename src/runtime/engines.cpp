#include "runtime/engines.h"

#include "runtime/engine_work.h"

#include "backends/cpu/cpu_device.h"
#include "runtime/copy.h"
#include "runtime/event.h"
#include "runtime/launch.h"
#include "runtime/module/fatbin.h"
#include "runtime/module/kernel_object.h"
#include "runtime/module/module.h"
#include "runtime/submit.h"
#include "scheduler/calibration.h"
#include "scheduler/cpu_probes.h"
#include "scheduler/device_probes.h"
#include "support/log.h"
#include "support/options.h"

#include <fmt/format.h>

#include <algorithm>

namespace guda::runtime {
namespace {

using memory::Range;

/// Code of a kernel of the program for the CPU engine behind the device interface.
Result<backend::CpuKernel> load_for_cpu(const backend::KernelSource& source) {
  const Hash128 hash{source.ptx_hash[0], source.ptx_hash[1]};
  auto obtained =
      obtain_kernel_object({source.ptx,
                            hash,
                            source.module_name,
                            source.kernel,
                            {source.block.x, source.block.y, source.block.z}},
                           KernelCache::process_cache(), CompilerClient::process_compiler());
  if (!obtained) return obtained.status();
  backend::CpuKernel code;
  code.info = &obtained->object->info();
  for (uint32_t i = 0; i < code.info->symbol_count; ++i) {
    std::string_view name = code.info->symbols[i];
    auto variable = std::find_if(source.variables.begin(), source.variables.end(),
                                 [&](const backend::Variable& each) { return each.name == name; });
    if (variable == source.variables.end())
      return Status(StatusCode::invalid_ptx, fmt::format("undefined variable {}", name));
    code.symbols.push_back(variable->address);
  }
  code.keep_alive = obtained->object;
  return code;
}

/// What calibration knows of a device (null: the CPU engine); measured now when this machine has not done so yet.
Result<scheduler::EngineRecord> calibration_of(backend::Device* device) {
  constexpr auto kBudget = std::chrono::milliseconds(700);
  const auto store = scheduler::ModelStore::of_process();
  if (device == nullptr) {
    std::unique_ptr<scheduler::CpuProbes> probes;
    return load_or_calibrate(
        store, scheduler::cpu_identity(),
        [&]() -> scheduler::EngineProbes& {
          probes = std::make_unique<scheduler::CpuProbes>();
          return *probes;
        },
        kBudget);
  }
  const auto identity = scheduler::identity_of(device->info());
  if (auto known = store.load(identity)) return known;
  auto addresses = device->address_space();
  auto probes = scheduler::DeviceProbes::create(*device, addresses);
  if (!probes) return probes.status();
  return load_or_calibrate(
      store, identity, [&]() -> scheduler::EngineProbes& { return **probes; }, kBudget);
}

}  // namespace

Range box(const CopySide& side, const CopyShape& shape) {
  if (shape.bytes() == 0) return {};
  return Range::of(side.start,
                   (shape.depth - 1) * side.slice + (shape.height - 1) * side.pitch + shape.width);
}

bool dense(const CopySide& side, const CopyShape& shape) {
  return (shape.height == 1 || side.pitch == shape.width) &&
         (shape.depth == 1 || side.slice == shape.width * shape.height);
}

std::atomic<Engines*> Engines::active_{nullptr};
std::atomic<Prefetcher*> Engines::prefetcher_{nullptr};

Engines::Operands Engines::everything() {
  Operands operands;
  operands.known = false;
  for (const memory::Allocation& allocation : memory::Heap::instance().allocations()) {
    if (allocation.kind == memory::AllocationKind::device_variable) continue;
    operands.enter(allocation, Range::of(allocation.base, allocation.size), operands.writes);
  }
  return operands;
}

void Engines::start() {
  static std::once_flag once;
  std::call_once(once, [] {
    backend::set_cpu_kernel_loader(load_for_cpu);
#ifdef GUDA_WITHOUT_ENGINES
    std::vector<backend::Choice> choices;
#else
    auto choices = backend::choose_engines(option_value(Option::devices));
#endif
    if (choices.size() < 2) return;
    auto* engines = new Engines(std::move(choices));  // runner threads outlive static objects
    // memory_order.h knows granules by their addresses, the pool by their place in a region.
    size_t alignment = memory::CoherentPool::kGranule;
    std::span<std::byte> addresses;
    backend::Device* sharing = nullptr;
    for (auto& engine : engines->engines_) {
      if (!engine->device) continue;
      if (sharing == nullptr && engine->device->info().shared_memory)
        sharing = engine->device.get();
      alignment = std::max(alignment, engine->device->info().map_alignment);
      if (addresses.empty()) addresses = engine->device->address_space();
    }
    if (Status status = memory::Heap::instance().observe_regions(*engines, alignment, addresses);
        !status) {
      log(LogPart::scheduler, LogLevel::error, "devices are not used: {}", status.message());
      return;
    }
    if (sharing != nullptr) memory::Heap::instance().share_with(*sharing);
    if (engines->visible_) {
      set_device_capability(
          static_cast<uint32_t>(engines->visible_->cuda_attribute(75).value_or(0) * 10 +
                                engines->visible_->cuda_attribute(76).value_or(0)));
    }
    engines->enter_engines();
    for (auto& engine : engines->engines_) {
      if (!engine->device || !engine->device->info().textures) continue;
      engines->textures_.set_device(*engine->device, engine->space);
      break;
    }
    active_.store(engines, std::memory_order_release);
    add_detour(Detour::engines);
    engines->start_prefetching();
  });
}

Engines::Engines(std::vector<backend::Choice> choices)
    : scheduler_(scheduler::Scheduler::process()) {
  pool_.set_limit(limit_);
  for (backend::Choice& choice : choices) {
    if (engines_.size() == scheduler::kMaxEngines) {
      log(LogPart::scheduler, LogLevel::warn, "engine {} is not used: there are {} already",
          choice.id, scheduler::kMaxEngines);
      continue;
    }
    auto engine = std::make_unique<Engine>();
    engine->device = std::move(choice.device);
    if (engine->device) {
      if (!engine->device->info().host_memory) engine->space = pool_.add_device(*engine->device);
      if (visible_ == nullptr && engine->device->cuda_attribute(75))
        visible_ = engine->device.get();
    }
    engines_.push_back(std::move(engine));
  }
}

/// Tells the scheduler of the engines, with what calibration knows of them.
void Engines::enter_engines() {
  std::vector<memory::Space> spaces;
  for (auto& engine : engines_) {
    scheduler::EngineDescription description;
    if (engine->device) {
      description.identity = scheduler::identity_of(engine->device->info());
      description.host_memory = engine->device->info().host_memory;
      description.host_cores = engine->device->info().host_cores;
    } else {
      description.identity = scheduler::cpu_identity();
      description.host_memory = true;
    }
    auto record = calibration_of(engine->device.get());
    if (record) {
      description.model = record->model;
      description.learnt = std::move(record->learnt);
    } else {
      log(LogPart::scheduler, LogLevel::warn, "{} is not calibrated: {}", description.identity.id,
          record.status().message());
    }
    log(LogPart::scheduler, LogLevel::info, "engine {}: {}", description.identity.id,
        description.identity.name);
    engine->live =
        engine->device ? &add_live_engine(description.identity.id) : &live_page().engines[0];
    if (engine->space != memory::kHostSpace)
      pool_.set_link(engine->space, description.model.upload.bytes_per_ns,
                     description.model.download.bytes_per_ns);
    auto index = scheduler_.add_engine(std::move(description));
    engine->index = index ? *index : scheduler::kNoEngine;
    spaces.push_back(engine->space);
  }
  residency_ = std::make_unique<scheduler::PoolResidency>(pool_, spaces);
  scheduler::CoExecutionOptions options;
  choose_home();
  options.write_back = home() == nullptr;
  options.least_limit = limit_.least;
  options.limit_multiple = limit_.multiple;
  co_executor_ = std::make_unique<scheduler::CoExecutor>(scheduler_, pool_, options);
}

bool Engines::in_service(const Engine& engine) const {
  return !engine.device || (!gone(engine) && !scheduler_.quarantined(engine.index));
}

void Engines::region_added(std::byte* base, size_t size, int file, bool fresh) {
  pool_.add_region(base, size, file, fresh);
  region_changes_.fetch_add(1, std::memory_order_release);
}
void Engines::region_removed(std::byte* base) {
  pool_.remove_region(base);
  region_changes_.fetch_add(1, std::memory_order_release);
}

void Engines::region_withdrawn(std::byte* base, size_t size) {
  quiesce();
  Range range = Range::of(base, size);
  if (Status status = pool_.bring_to_host({&range, 1}); !status)
    log(LogPart::memory, LogLevel::error, "contents are lost: {}", status.message());
  region_removed(base);
}

void Engines::released(std::byte* base, size_t size) {
  const Engine* engine = home();
  if (engine == nullptr || pool_.all_in(engine->space)) return;
  const Range range = Range::of(base, size);
  pool_.discard(range);
  // Granules at its ends, which others share, follow: else they would keep every launch from its shortest way. Not while
  // somebody works on them: the host's copy would be overwritten with what is taken home here.
  const Range ends[2] = {Range::of(base, 1), Range::of(base + size - 1, 1)};
  if (!pool_.covers(range)) return;
  std::unique_lock lock(home_mutex_, std::try_to_lock);
  if (!lock || host_only_.load() > 0 || !order_.clear(engine->space, {}, ends)) return;
  if (auto lease = pool_.acquire(engine->space, ends)) pool_.commit(engine->space, ends);
}

Status Engines::host_will_write(const void* start, size_t bytes) {
  Range range = Range::of(start, bytes);
  const auto turn = take_turn(memory::kHostSpace, {&range, 1}, {});
  return pool_.bring_to_host({&range, 1});
}

void Engines::host_wrote(const void* start, size_t bytes) {
  Range range = Range::of(start, bytes);
  pool_.commit(memory::kHostSpace, {&range, 1});
  // Sent home now: launches are quickest while everything is there and only there.
  if (const Engine* engine = home()) {
    if (auto lease = pool_.acquire(engine->space, {&range, 1}))
      pool_.commit(engine->space, {&range, 1});
  }
}

Status Engines::run(Operation& operation) {
  Status status = run_here(operation);
  if (!status) retire_gone(status);
  return status;
}

void Engines::retire_gone(const Status& why) {
  for (auto& engine : engines_) {
    if (engine->device && gone(*engine) && !scheduler_.quarantined(engine->index))
      (void)quarantine(*engine, why);
  }
}

Status Engines::run_here(Operation& operation) {
  switch (operation.operation_kind()) {
    case OperationKind::nothing: quiesce(); return operation.execute();
    case OperationKind::program: return operation.execute();
    case OperationKind::kernel: return launch(static_cast<KernelOperation&>(operation));
    case OperationKind::gemm:
      if (auto done = library_at_home(operation)) return *done;
      return product(operation);
    case OperationKind::copy: return copy(static_cast<CopyOperation&>(operation));
    case OperationKind::fill: return fill(static_cast<FillOperation&>(operation));
    case OperationKind::host_memory:
      if (auto done = library_at_home(operation)) return *done;
      return host_work(operation, declared_by(operation));
  }
  return operation.execute();
}

/// On the host, whatever it is. `began`, when given, receives the time when its operands were there.
Status Engines::host_work(Operation& operation, const Operands& operands, int64_t* began) {
  if (operands.only != nullptr)
    return {StatusCode::not_supported,
            fmt::format("{}: the host does not reach variables of machine code, which only {} has",
                        operation.label(), operands.only->info().id())};
  auto turn = take_turn(memory::kHostSpace, operands.reads, operands.writes);
  pool_.commit(memory::kHostSpace,
               operands.host_visible);  // the program may have written there at any time
  if (Status status = pool_.bring_to_host(operands.all); !status) return status;
  if (began != nullptr) *began = now_nanoseconds();
  if (operation.expected_ns() == Operation::kMayWait) {
    // Others must be able to do what it waits for; so that they see each other's memory, they stay here.
    host_only_.fetch_add(1);
    turn.end();
    Status status = operation.execute();
    host_only_.fetch_sub(1);
    host_wrote_operands(operands);
    return status;
  }
  Status status = operation.execute();
  host_wrote_operands(operands);
  return status;
}

void Engines::host_wrote_operands(const Operands& operands) {
  pool_.commit(memory::kHostSpace, operands.writes);
  // Rows of arrays are written through surfaces; who cannot be analysed may do anything.
  if (!operands.stores_surfaces() && operands.evaluator != nullptr) return;
  for (Range range : operands.writes) textures_.rows_written(range);
}

bool Engines::quarantine(Engine& engine, const Status& why) {
  Engine* expected = &engine;
  home_.compare_exchange_strong(expected, nullptr);
  scheduler_.quarantine(engine.index, why.message());
  engine.live->out_of_service.store(1);
  auto lost = pool_.lose(engine.space);
  size_t bytes = 0;
  for (Range range : lost) bytes += range.bytes();
  log(LogPart::scheduler, LogLevel::error, "{} is out of service: {}{}", engine.device->info().id(),
      why.message(), bytes == 0 ? "" : fmt::format(" ({} bytes are lost with it)", bytes));
  return bytes == 0;
}

/// The most preferred engine, when it is a device with memory of its own that the data can live in.
void Engines::choose_home() {
  const std::string write_back = option_value(Option::write_back);
  Engine& first = *engines_.front();
  if (write_back == "always" || !first.device || first.space == memory::kHostSpace) return;
  if (write_back != "never" && !first.device->info().stored_pointers) return;
  auto queue = first.device->create_queue();
  if (!queue) return;
  auto mark = (*queue)->mark();
  if (!mark || !(*mark)->wait()) return;
  clock_mark_ = std::move(*mark);
  clock_ns_ = now_nanoseconds();
  pool_.set_home(first.space);
  // Tails are let go without the lock: the last of their owners waits for them.
  const auto open_tails = [this] {
    std::vector<std::shared_ptr<DeviceTail>> tails;
    const std::lock_guard lock(tails_mutex_);
    for (const auto& each : tails_) tails.push_back(each.lock());
    return tails;
  };
  // As quiesce(), but the pool holds its lock: a device that turns out to be gone is retired by whoever it fails next.
  pool_.set_quiesce([open_tails, space = first.space](memory::Space wanted) {
    if (wanted != space) return;
    for (const auto& tail : open_tails()) {
      if (!tail || tail->first_open() == 0) continue;
      if (Status status = tail->wait_for_all(); !status)
        Context::instance().set_sticky_error(status);
    }
  });
  // What it has been handed has no limit, and a transfer may come behind it.
  pool_.set_occupied([open_tails, space = first.space](memory::Space asked) {
    if (asked != space) return false;
    const auto tails = open_tails();
    return std::any_of(tails.begin(), tails.end(),
                       [](const auto& tail) { return tail && tail->first_open() != 0; });
  });
  home_.store(&first, std::memory_order_release);
}

/// Device memory that devices may have; not memory that the program itself writes.
bool Engines::on_devices(Range range) const {
  auto allocation = memory::Heap::instance().find(reinterpret_cast<const void*>(range.begin));
  return allocation && !memory::host_visible(allocation->kind) && pool_.covers(range);
}

namespace {

/// Addresses in device memory that devices may have, as of one state of all allocations and regions.
class FoundAddresses {
 public:
  /// Forgets all when the state is another one.
  void enter(uint64_t state) {
    if (state_ == state) [[likely]]
      return;
    state_ = state;
    pairs_ = {};
  }
  bool has(const void* address) const {
    const Pair& pair = pairs_[index(address)];
    return pair.newer == address || pair.older == address;
  }
  void add(const void* address) {
    Pair& pair = pairs_[index(address)];
    pair = {address, pair.newer};
  }

 private:
  struct Pair {
    const void *newer = nullptr, *older = nullptr;
  };
  static constexpr unsigned kBits = 6;
  static size_t index(const void* address) {
    constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15;  // the upper bits depend on all below
    return (reinterpret_cast<uint64_t>(address) * kMultiplier) >> (64 - kBits);
  }

  uint64_t state_ = 0;
  std::array<Pair, size_t{1} << kBits> pairs_{};
};
/// Not itself thread-local: the library could not be opened at run time any more, its static TLS being too large.
thread_local constinit std::unique_ptr<FoundAddresses> found_addresses;

}  // namespace

bool Engines::on_devices(const void* address) const {
  if (address == nullptr) return false;
  // Both only grow. They are read first: what changes while we look makes us look again next time.
  const uint64_t state =
      memory::Heap::instance().generation() + region_changes_.load(std::memory_order_acquire);
  if (found_addresses == nullptr) found_addresses = std::make_unique<FoundAddresses>();
  FoundAddresses& found = *found_addresses;
  found.enter(state);
  if (found.has(address)) [[likely]]
    return true;
  if (!on_devices(Range::of(address, 1))) return false;
  found.add(address);
  return true;
}

/// Memory that the engine reaches and no pool keeps: managed memory, whose home is wherever it was used last, and
/// variables of machine code, which are nowhere else.
bool Engines::holds(const Engine& engine, Range range) {
  auto allocation = memory::Heap::instance().find(reinterpret_cast<const void*>(range.begin));
  if (!allocation || allocation->shared_by == nullptr) return false;
  if (allocation->kind == memory::AllocationKind::device_variable)
    return allocation->shared_by == engine.device.get();
  return allocation->kind == memory::AllocationKind::managed &&
         allocation->shared_by->info().backend == engine.device->info().backend;
}

namespace {
bool is_device_variable(Range range) {
  auto allocation = memory::Heap::instance().find(reinterpret_cast<const void*>(range.begin));
  return allocation && allocation->kind == memory::AllocationKind::device_variable;
}
}  // namespace

/// A copy or fill of variables of machine code, to its end; the other side comes to their device.
template <typename HomeWork>
Status Engines::run_at_variables(const std::optional<HomeWork>& work, const Operands& operands) {
  Engine* engine = home();
  if (!work || engine == nullptr)
    return {StatusCode::not_supported, "variables of machine code are out of reach of the host"};
  return run_on(*engine, operands, LaunchPlan(),
                [work = *work](backend::Queue& queue) { return work.start(queue); });
}

Status Engines::copy(CopyOperation& operation) {
  Range from = box(operation.from(), operation.shape()),
        to = box(operation.to(), operation.shape());
  if (from.empty()) return Status::ok();
  if (is_device_variable(from) || is_device_variable(to)) [[unlikely]] {
    const Engine* engine = home();
    const auto work = engine != nullptr ? home_copy(*engine, operation) : std::nullopt;
    Operands operands;
    auto use = [&](Range range, std::vector<Range>& uses) {
      if (!on_devices(range)) return;
      uses.push_back(range);
      operands.all.push_back(range);
    };
    use(from, operands.reads);
    use(to, operands.writes);
    return run_at_variables(work, operands);
  }
  auto turn = take_turn(memory::kHostSpace, {&from, 1}, {&to, 1});
  // Memory that the program writes itself is current on the host.
  if (on_devices(from)) {
    if (Status status = pool_.bring_to_host({&from, 1}); !status) return status;
  }
  const bool overwrites = dense(operation.to(), operation.shape());
  auto lease = overwrites ? pool_.acquire(memory::kHostSpace, {}, {&to, 1})
                          : pool_.acquire(memory::kHostSpace, {&to, 1});
  if (!lease) return lease.status();
  Status status = operation.execute();
  pool_.commit(memory::kHostSpace, {&to, 1});
  textures_.rows_written(to);
  return status;
}

Status Engines::fill(FillOperation& operation) {
  Range to = box(operation.to(), operation.shape());
  if (to.empty()) return Status::ok();
  if (is_device_variable(to)) [[unlikely]] {
    const Engine* engine = home();
    return run_at_variables(engine != nullptr ? home_fill(*engine, operation) : std::nullopt, {});
  }
  auto turn = take_turn(memory::kHostSpace, {}, {&to, 1});
  const bool overwrites = dense(operation.to(), operation.shape());
  auto lease = overwrites ? pool_.acquire(memory::kHostSpace, {}, {&to, 1})
                          : pool_.acquire(memory::kHostSpace, {&to, 1});
  if (!lease) return lease.status();
  Status status = operation.execute();
  pool_.commit(memory::kHostSpace, {&to, 1});
  return status;
}

bool run_begun_with_detour(Stream& stream, Operation& operation, uint64_t ticket, bool here) {
  std::optional<Status> handed;
  if (Engines* engines = Engines::with_home()) {
    stream.follow_default_streams(ticket);
    handed = engines->hand_over(operation, stream, ticket);
    if (!handed && !here) return false;
  }
  const Status status = handed ? *handed : run_operation(operation);
  stream.end(ticket);
  if (!status) Context::instance().set_sticky_error(status);
  return true;
}

Status run_with_detour(Operation& operation) {
  const bool traced = trace::enabled();
  const int64_t start = traced ? trace::now_ns() : 0;
  Engines* engines = Engines::active();
  Status status = engines != nullptr ? engines->run(operation) : operation.execute();
  if (!traced) return status;
  const OperationKind kind = operation.operation_kind();
  if (kind == OperationKind::nothing || kind == OperationKind::program) return status;
  std::string arguments;
  if (kind == OperationKind::kernel) {
    const auto& [grid, block, shared, cooperative, cluster] =
        static_cast<const KernelOperation&>(operation).configuration();
    arguments = fmt::format("\"grid\": \"{} x {} x {}\", \"block\": \"{} x {} x {}\"", grid.x,
                            grid.y, grid.z, block.x, block.y, block.z);
  } else if (kind == OperationKind::copy) {
    arguments =
        fmt::format("\"bytes\": {}", static_cast<const CopyOperation&>(operation).shape().bytes());
  } else if (kind == OperationKind::fill) {
    arguments =
        fmt::format("\"bytes\": {}", static_cast<const FillOperation&>(operation).shape().bytes());
  }
  if (!status)
    arguments += fmt::format("{}\"error\": {}", arguments.empty() ? "" : ", ",
                             static_cast<int>(status.code()));
  trace::span(trace::thread_track(), operation.label(), "operation", start, trace::now_ns(),
              arguments);
  return status;
}

}  // namespace guda::runtime
