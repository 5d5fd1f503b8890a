#include "runtime/engines.h"

#include "backends/cpu/cpu_device.h"
#include "compiler/access/launch_access.h"
#include "runtime/copy.h"
#include "runtime/launch.h"
#include "runtime/module/fatbin.h"
#include "runtime/module/kernel_object.h"
#include "runtime/module/module.h"
#include "support/log.h"
#include "support/options.h"

#include <fmt/format.h>

#include <algorithm>

namespace guda::runtime {
namespace {

using memory::AllocationKind;
using memory::Range;

Range box(const CopySide& side, const CopyShape& shape) {
  if (shape.bytes() == 0) return {};
  return Range::of(side.start,
                   (shape.depth - 1) * side.slice + (shape.height - 1) * side.pitch + shape.width);
}

/// One run of bytes without holes.
bool dense(const CopySide& side, const CopyShape& shape) {
  return (shape.height == 1 || side.pitch == shape.width) &&
         (shape.depth == 1 || side.slice == shape.width * shape.height);
}

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

}  // namespace

std::atomic<Engines*> Engines::active_{nullptr};

/// What an operation may touch.
struct Engines::Operands {
  std::vector<Range> reads, writes;
  std::vector<Range> all;           // both
  std::vector<Range> host_visible;  // of all: memory that the program writes without telling
  bool outside = false;             // some of it is memory that devices cannot have
  bool known = true;                // false: everything that there is
  uint32_t flags = 0;               // access::Flags of a kernel
};

Engines::Operands Engines::everything() {
  Operands operands;
  operands.known = false;
  for (const memory::Allocation& allocation : memory::Heap::instance().allocations()) {
    if (allocation.kind == AllocationKind::registered ||
        allocation.kind == AllocationKind::imported) {
      operands.outside = true;
      continue;
    }
    Range range = Range::of(allocation.base, allocation.size);
    operands.all.push_back(range);
    if (memory::host_visible(allocation.kind)) operands.host_visible.push_back(range);
  }
  operands.writes = operands.all;
  return operands;
}

Engines::Operands Engines::operands_of(KernelOperation& operation) {
  const LaunchConfiguration& configuration = operation.configuration();
  const kernel::Dim3& block = configuration.block;
  auto evaluator = operation.kernel().access({block.x, block.y, block.z});
  if (!evaluator) return everything();
  std::vector<void*> variables;
  for (const std::string& name : (*evaluator)->summary().variables) {
    auto variable = operation.kernel().module().find_variable(name);
    if (!variable) return everything();
    variables.push_back(variable->address);
  }
  auto& heap = memory::Heap::instance();
  access::LaunchArguments arguments;
  arguments.params = operation.parameter_block();
  arguments.variables = variables;
  arguments.grid = configuration.grid;
  arguments.block = block;
  arguments.cooperative = configuration.cooperative;
  arguments.generation = heap.generation();
  auto access = (*evaluator)->evaluate(arguments, [&](uint64_t address) {
    auto found = heap.find(reinterpret_cast<const void*>(address));
    if (!found) return access::ByteRange{};
    auto base = reinterpret_cast<uint64_t>(found->base);
    return access::ByteRange{base, base + found->size};
  });
  if (access->everything || access->textures) {
    Operands operands = everything();
    operands.flags = (*evaluator)->summary().flags;
    return operands;
  }
  Operands operands;
  operands.flags = (*evaluator)->summary().flags;
  auto add = [&](const std::vector<access::ByteSet>& sets, std::vector<Range>& out) {
    for (const access::ByteSet& set : sets) {
      Range range{set.begin, set.end};
      if (range.empty()) continue;
      auto allocation = heap.find(reinterpret_cast<const void*>(range.begin));
      if (!allocation || allocation->kind == AllocationKind::registered ||
          allocation->kind == AllocationKind::imported) {
        operands.outside = true;
        continue;
      }
      out.push_back(range);
      operands.all.push_back(range);
      if (memory::host_visible(allocation->kind)) operands.host_visible.push_back(range);
    }
  };
  add(access->reads, operands.reads);
  add(access->writes, operands.writes);
  return operands;
}

/// A kernel on the devices: per engine and block dimensions the code, or why there is none.
struct Engines::KernelOnEngines {
  struct Entry {
    const Engine* engine;
    BlockDim block;
    Result<std::shared_ptr<backend::DeviceKernel>> code;
  };
  std::vector<Entry> entries;
};

void Engines::start() {
  static std::once_flag once;
  std::call_once(once, [] {
    backend::set_cpu_kernel_loader(load_for_cpu);
    auto choices = backend::choose_engines(option_value(Option::devices));
    if (choices.size() < 2) return;
    auto* engines = new Engines(std::move(choices));  // runner threads outlive static objects
    size_t alignment = 4096;
    std::span<std::byte> addresses;
    for (auto& engine : engines->engines_) {
      if (!engine->device) continue;
      alignment = std::max(alignment, engine->device->info().map_alignment);
      if (addresses.empty()) addresses = engine->device->address_space();
    }
    if (Status status = memory::Heap::instance().observe_regions(*engines, alignment, addresses);
        !status) {
      log(LogPart::scheduler, LogLevel::error, "devices are not used: {}", status.message());
      return;
    }
    if (engines->visible_) {
      set_device_capability(
          static_cast<uint32_t>(engines->visible_->cuda_attribute(75).value_or(0) * 10 +
                                engines->visible_->cuda_attribute(76).value_or(0)));
    }
    active_.store(engines, std::memory_order_release);
  });
}

Engines::Engines(std::vector<backend::Choice> choices) {
  for (backend::Choice& choice : choices) {
    auto engine = std::make_unique<Engine>();
    engine->id = std::move(choice.id);
    engine->device = std::move(choice.device);
    if (engine->device) {
      if (!engine->device->info().host_memory) engine->space = pool_.add_device(*engine->device);
      if (visible_ == nullptr && engine->device->cuda_attribute(75))
        visible_ = engine->device.get();
      log(LogPart::scheduler, LogLevel::info, "engine {}: {}", engine->id,
          engine->device->info().name);
    }
    engines_.push_back(std::move(engine));
  }
}

void Engines::region_added(std::byte* base, size_t size, int file) {
  pool_.add_region(base, size, file);
}
void Engines::region_removed(std::byte* base) { pool_.remove_region(base); }

Status Engines::host_will_write(const void* start, size_t bytes) {
  Range range = Range::of(start, bytes);
  return pool_.bring_to_host({&range, 1});
}

void Engines::host_wrote(const void* start, size_t bytes) {
  Range range = Range::of(start, bytes);
  pool_.commit(memory::kHostSpace, {&range, 1});
}

std::vector<Engines::Counters> Engines::counters() const {
  std::vector<Counters> all;
  for (auto& engine : engines_)
    all.push_back({engine->id, engine->launches, engine->refused, engine->quarantined});
  return all;
}

Status Engines::run(Operation& operation) {
  switch (operation.operation_kind()) {
    case OperationKind::nothing:
    case OperationKind::program: return operation.execute();
    case OperationKind::kernel: return launch(static_cast<KernelOperation&>(operation));
    case OperationKind::copy: return copy(static_cast<CopyOperation&>(operation));
    case OperationKind::fill: return fill(static_cast<FillOperation&>(operation));
    case OperationKind::host_memory: return host_work(operation, everything());
  }
  return operation.execute();
}

class Engines::QueueLoan {
 public:
  explicit QueueLoan(Engine& engine) : engine_(engine) {
    std::unique_lock lock(engine.queues_mutex);
    if (engine.idle_queues.empty()) return;
    queue_ = std::move(engine.idle_queues.back());
    engine.idle_queues.pop_back();
  }
  ~QueueLoan() {
    if (!queue_ || !engine_.device->usable()) return;
    std::unique_lock lock(engine_.queues_mutex);
    engine_.idle_queues.push_back(std::move(queue_));
  }
  QueueLoan(const QueueLoan&) = delete;
  QueueLoan& operator=(const QueueLoan&) = delete;

  Status open() {
    if (queue_) return Status::ok();
    auto made = engine_.device->create_queue();
    if (!made) return made.status();
    queue_ = std::move(*made);
    return Status::ok();
  }
  backend::Queue* operator->() const { return queue_.get(); }

 private:
  Engine& engine_;
  std::unique_ptr<backend::Queue> queue_;
};

/// On the host, whatever it is.
Status Engines::host_work(Operation& operation, const Operands& operands) {
  auto turn = order_.wait(memory::kHostSpace, operands.reads, operands.writes);
  if (Status status = pool_.bring_to_host(operands.all); !status) return status;
  if (operation.expected_ns() == Operation::kMayWait) {
    // Others must be able to do what it waits for; so that they see each other's memory, they stay here.
    host_only_.fetch_add(1);
    turn.end();
    Status status = operation.execute();
    host_only_.fetch_sub(1);
    pool_.commit(memory::kHostSpace, operands.writes);
    return status;
  }
  Status status = operation.execute();
  pool_.commit(memory::kHostSpace, operands.writes);
  return status;
}

Status Engines::launch(KernelOperation& operation) {
  const Operands operands = operands_of(operation);
  const bool waits = operation.expected_ns() == Operation::kMayWait;
  for (auto& engine : engines_) {
    if (!engine->device) break;  // the CPU comes before the rest
    if (waits || host_only_.load() > 0) break;
    if (engine->quarantined.load(std::memory_order_acquire)) continue;
    auto code = load(*engine, operation);
    if (!code) continue;
    Status status = launch_on(*engine, **code, operation, operands);
    if (status) return status;
    if (status.code() == StatusCode::not_supported || status.code() == StatusCode::out_of_memory) {
      log(LogPart::scheduler, LogLevel::info, "kernel {} not on {}: {}", operation.kernel().name(),
          engine->id, status.message());
      continue;
    }
    if (engine->device->usable()) return status;  // the program's own fault
    if (!quarantine(*engine, status)) return status;
  }
  return host_work(operation, operands);
}

namespace {

/// Why the device must not run a launch that touches this; null: it may.
const char* unsuited(const backend::DeviceInfo& info, uint32_t flags, bool outside, bool known) {
  if (outside) return "it may use registered host memory";
  if (flags & (access::kTextures | access::kSurfaceStores)) return "it uses textures";
  if (flags & access::kAllocates) return "it uses the device heap";
  if (!known && !info.stored_pointers) return "it may follow pointers that are stored in memory";
  return nullptr;
}

}  // namespace

Status Engines::launch_on(Engine& engine, backend::DeviceKernel& code, KernelOperation& operation,
                          const Operands& operands) {
  if (const char* why =
          unsuited(engine.device->info(), operands.flags, operands.outside, operands.known))
    return {StatusCode::not_supported, why};
  auto turn = order_.wait(engine.space, operands.reads, operands.writes);
  if (host_only_.load() > 0)
    return {StatusCode::not_supported, "a kernel that waits for others is running on the CPU"};
  // The program may have written there at any time.
  pool_.commit(memory::kHostSpace, operands.host_visible);
  auto lease = pool_.acquire(engine.space, operands.all);
  if (!lease) return lease.status();

  const LaunchConfiguration& configuration = operation.configuration();
  backend::Launch launch;
  launch.kernel = &code;
  launch.params = operation.parameter_block();
  launch.grid = launch.count = configuration.grid;
  launch.block = configuration.block;
  launch.dynamic_shared_bytes = static_cast<uint32_t>(configuration.dynamic_shared);
  launch.cooperative = configuration.cooperative;
  QueueLoan queue(engine);
  if (Status status = queue.open(); !status) return status;
  if (Status status = queue->launch(launch); !status) return status;
  if (Status status = queue->synchronize(); !status) return status;
  engine.launches.fetch_add(1, std::memory_order_relaxed);
  pool_.commit(engine.space, operands.writes);
  return pool_.bring_to_host(operands.host_visible);
}

Result<std::shared_ptr<backend::DeviceKernel>> Engines::load(Engine& engine,
                                                             KernelOperation& operation) {
  Kernel& kernel = operation.kernel();
  const kernel::Dim3& block = operation.configuration().block;
  const BlockDim wanted{block.x, block.y, block.z};
  std::unique_lock lock(kernels_mutex_);
  if (!kernel.engine_data()) kernel.engine_data() = std::make_shared<KernelOnEngines>();
  auto& known = *static_cast<KernelOnEngines*>(kernel.engine_data().get());
  for (auto& entry : known.entries) {
    if (entry.engine == &engine && entry.block == wanted) return entry.code;
  }
  std::vector<backend::Variable> variables;
  for (const DeviceVariable& variable : kernel.module().variables()) {
    variables.push_back({variable.name, variable.address, variable.size,
                         variable.space == VariableSpace::constant});
  }
  auto evaluator = kernel.access(wanted);
  if (!evaluator) return evaluator.status();
  const std::shared_ptr<const std::string> text = kernel.module().ptx_text();
  const Hash128& hash = kernel.module().ptx_hash();
  backend::KernelSource source;
  source.ptx = *text;
  source.ptx_hash = {hash.low, hash.high};
  source.module_name = kernel.module().name();
  source.kernel = kernel.name();
  source.block = block;
  source.variables = variables;
  source.pointer_offsets = (*evaluator)->summary().pointers;
  auto code = engine.device->load(source);
  if (!code) {
    engine.refused.fetch_add(1, std::memory_order_relaxed);
    log(LogPart::scheduler, LogLevel::info, "kernel {} not on {}: {}", kernel.name(), engine.id,
        code.status().message());
  }
  known.entries.push_back({&engine, wanted, code});
  return code;
}

bool Engines::quarantine(Engine& engine, const Status& why) {
  engine.quarantined.store(true, std::memory_order_release);
  auto lost = pool_.lose(engine.space);
  size_t bytes = 0;
  for (Range range : lost) bytes += range.bytes();
  log(LogPart::scheduler, LogLevel::error, "{} is out of service: {}{}", engine.id, why.message(),
      bytes == 0 ? "" : fmt::format(" ({} bytes are lost with it)", bytes));
  return bytes == 0;
}

/// The device that data goes to at once, without a stay in host memory: the most preferred engine, when it is a
/// device that runs nearly everything. Null: there is none.
Engines::Engine* Engines::home() const {
  Engine& first = *engines_.front();
  const bool suits = first.device && first.space != memory::kHostSpace &&
                     first.device->info().stored_pointers && !first.quarantined.load();
  return suits ? &first : nullptr;
}

/// Device memory that devices may have; not memory that the program itself writes.
bool Engines::on_devices(Range range) const {
  auto allocation = memory::Heap::instance().find(reinterpret_cast<const void*>(range.begin));
  return allocation && !memory::host_visible(allocation->kind) && pool_.covers(range);
}

/// A copy between the home device and the host, or within the device; empty when it is the host's to do.
std::optional<Status> Engines::copy_at_home(const CopyOperation& operation, Range from, Range to) {
  Engine* engine = home();
  if (engine == nullptr || host_only_.load() > 0 || !dense(operation.from(), operation.shape()) ||
      !dense(operation.to(), operation.shape()))
    return std::nullopt;
  const bool from_device = on_devices(from), to_device = on_devices(to);
  if (!from_device && !to_device) return std::nullopt;
  if (from.begin < to.end && to.begin < from.end) return std::nullopt;
  // What the host has in its latest version, it sends faster than the device.
  if (from_device && pool_.missing_bytes(engine->space, {&from, 1}) > 0) return std::nullopt;
  if (from_device && !to_device && pool_.missing_bytes(memory::kHostSpace, {&from, 1}) == 0)
    return std::nullopt;

  const std::span<const Range> reads(&from, from_device ? 1 : 0), writes(&to, to_device ? 1 : 0);
  auto turn = order_.wait(engine->space, reads, writes);
  auto lease = pool_.acquire(engine->space, reads, writes);
  if (!lease) {
    if (lease.status().code() == StatusCode::out_of_memory) return std::nullopt;
    return lease.status();
  }
  QueueLoan queue(*engine);
  if (Status status = queue.open(); !status) return status;
  void* target = reinterpret_cast<void*>(to.begin);
  const void* source = reinterpret_cast<const void*>(from.begin);
  Status status = !to_device     ? queue->download(target, source, to.bytes())
                  : !from_device ? queue->upload(target, source, to.bytes())
                                 : queue->copy(target, source, to.bytes());
  if (status) status = queue->synchronize();
  if (!status) return status;
  pool_.commit(engine->space, writes);
  return status;
}

Status Engines::copy(CopyOperation& operation) {
  Range from = box(operation.from(), operation.shape()),
        to = box(operation.to(), operation.shape());
  if (from.empty()) return Status::ok();
  if (auto done = copy_at_home(operation, from, to)) return *done;
  auto turn = order_.wait(memory::kHostSpace, {&from, 1}, {&to, 1});
  if (Status status = pool_.bring_to_host({&from, 1}); !status) return status;
  const bool overwrites = dense(operation.to(), operation.shape());
  auto lease = overwrites ? pool_.acquire(memory::kHostSpace, {}, {&to, 1})
                          : pool_.acquire(memory::kHostSpace, {&to, 1});
  if (!lease) return lease.status();
  Status status = operation.execute();
  pool_.commit(memory::kHostSpace, {&to, 1});
  return status;
}

Status Engines::fill(FillOperation& operation) {
  Range to = box(operation.to(), operation.shape());
  if (to.empty()) return Status::ok();
  auto turn = order_.wait(memory::kHostSpace, {}, {&to, 1});
  const bool overwrites = dense(operation.to(), operation.shape());
  auto lease = overwrites ? pool_.acquire(memory::kHostSpace, {}, {&to, 1})
                          : pool_.acquire(memory::kHostSpace, {&to, 1});
  if (!lease) return lease.status();
  Status status = operation.execute();
  pool_.commit(memory::kHostSpace, {&to, 1});
  return status;
}

}  // namespace guda::runtime
