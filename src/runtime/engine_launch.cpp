// Kernel launches on several engines: what they touch, who can run them, who does.
#include "backends/cpu/executor.h"
#include "runtime/engine_work.h"
#include "runtime/event.h"
#include "runtime/launch.h"
#include "runtime/module/module.h"
#include "scheduler/divisible_work.h"
#include "scheduler/reduction_copy.h"
#include "support/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace guda::runtime {
namespace {

using memory::Range;

access::ByteRange allocation_of(uint64_t address) {
  auto found = memory::Heap::instance().find(reinterpret_cast<const void*>(address));
  if (!found) return {};
  auto base = reinterpret_cast<uint64_t>(found->base);
  return {base, base + found->size};
}

access::LaunchArguments arguments_of(const LaunchConfiguration& configuration,
                                     std::span<const std::byte> params,
                                     std::span<void* const> variables) {
  access::LaunchArguments arguments;
  arguments.params = params;
  arguments.variables = variables;
  arguments.grid = configuration.grid;
  arguments.block = configuration.block;
  arguments.cooperative = configuration.cooperative;
  arguments.generation = memory::Heap::instance().generation();
  return arguments;
}

/// Why the device must not run a launch that touches this; null: it may.
const char* unsuited(const backend::DeviceInfo& info, uint32_t flags, bool reached,
                     bool several_regions, bool known) {
  if (!reached) return "it may use memory that this device does not reach";
  if (several_regions && !info.same_distances && !info.stored_pointers)
    return "its memory is put together from several mappings";
  if (flags & access::kAllocates) return "it uses the device heap";
  if ((flags & access::kGivesAddressesAway) && !info.stored_pointers)
    return "it stores addresses, which are others on this device";
  if (!known && !info.stored_pointers) return "it may follow pointers that are stored in memory";
  return nullptr;
}

uintptr_t end_of(const memory::Allocation& allocation) {
  return reinterpret_cast<uintptr_t>(allocation.base) + allocation.size;
}

uint32_t along(const kernel::Dim3& size, int axis) {
  return axis == 0 ? size.x : axis == 1 ? size.y : size.z;
}

std::vector<Range> hulls(const std::vector<access::ByteSet>& sets) {
  std::vector<Range> ranges;
  for (const access::ByteSet& set : sets) {
    if (set.begin < set.end) ranges.push_back({set.begin, set.end});
  }
  return ranges;
}

/// What is left of the ranges.
std::vector<Range> without(std::vector<Range> ranges, std::span<const Range> removed) {
  for (const Range& hole : removed) {
    std::vector<Range> left;
    for (const Range& range : ranges) {
      const Range before{range.begin, std::min(range.end, hole.begin)};
      const Range after{std::max(range.begin, hole.end), range.end};
      if (!before.empty()) left.push_back(before);
      if (!after.empty()) left.push_back(after);
    }
    ranges = std::move(left);
  }
  return ranges;
}

void append_exact(const access::ByteSet& set, std::vector<Range>& out) {
  std::vector<access::ByteRange> pieces;
  set.append_ranges(pieces);
  for (const access::ByteRange& piece : pieces) out.push_back({piece.begin, piece.end});
}

}  // namespace

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
  auto access = (*evaluator)
                    ->evaluate(arguments_of(configuration, operation.parameter_block(), variables),
                               allocation_of);
  Operands operands;
  if (access->everything) {
    operands = everything();
  } else {
    auto& heap = memory::Heap::instance();
    auto add = [&](const std::vector<access::ByteSet>& sets, std::vector<Range>& out) {
      for (Range range : hulls(sets)) {
        auto first = heap.find(reinterpret_cast<const void*>(range.begin));
        if (!first) {
          operands.outside = true;
          continue;
        }
        if (range.end <= end_of(*first)) {
          operands.enter(*first, range, out);
          continue;
        }
        // A bound, which may lie behind the end or span several allocations.
        for (const memory::Allocation& each : heap.allocations()) {
          const Range piece{std::max(range.begin, reinterpret_cast<uintptr_t>(each.base)),
                            std::min(range.end, end_of(each))};
          if (!piece.empty()) operands.enter(each, piece, out);
        }
      }
    };
    add(access->reads, operands.reads);
    add(access->writes, operands.writes);
    if (access->textures) {
      std::vector<Range> reads, writes;
      textures_.append_memory(((*evaluator)->summary().flags & access::kSurfaceStores) != 0, reads,
                              writes);
      auto add_live = [&](const std::vector<Range>& ranges, std::vector<Range>& out) {
        for (Range range : ranges) {  // memory may go before its texture
          auto found = heap.find(reinterpret_cast<const void*>(range.begin));
          if (found)
            operands.enter(*found, {range.begin, std::min(range.end, end_of(*found))}, out);
        }
      };
      add_live(reads, operands.reads);
      add_live(writes, operands.writes);
    }
  }
  operands.textures = access->textures;
  operands.evaluator = *evaluator;
  operands.access = std::move(access);
  operands.variables = std::move(variables);
  return operands;
}

Engines::LaunchPlan Engines::plan(KernelOperation& operation, const Operands& operands) {
  const LaunchConfiguration& configuration = operation.configuration();
  LaunchPlan plan;
  scheduler::Work& work = plan.work;
  const uint32_t threads = configuration.block.x * configuration.block.y * configuration.block.z;
  const double blocks =
      double{1} * configuration.grid.x * configuration.grid.y * configuration.grid.z;
  work.kind = scheduler::WorkKind::launch;
  work.explore = home() == nullptr;
  work.name = operation.kernel().name();
  work.key = scheduler::launch_key(operation.kernel().module().ptx_hash().low, work.name, threads,
                                   static_cast<uint32_t>(configuration.dynamic_shared));
  work.amount = blocks;
  work.engines = 0;
  for (auto& engine : engines_) {
    const uint32_t bit = 1u << engine->index;
    if (!engine->device) {
      if (operation.on_cpu() && operands.only == nullptr) work.engines |= bit;
      continue;
    }
    if (!in_service(*engine)) continue;
    const char* why = nullptr;
    if (operation.on_cpu())
      why = unsuited(engine->device->info(), operands.flags(), operands.reached_by(*engine->device),
                     operands.several_regions, operands.known);
    else if (engine.get() != home())  // there it is the program's business what it touches
      why = "there is code for the device that data lives on only";
    if (why == nullptr && operands.textures) why = textures_.refusal(*engine->device);
    if (why != nullptr) {
      log(LogPart::scheduler, LogLevel::info, "kernel {} not on {}: {}", work.name,
          engine->device->info().id(), why);
      continue;
    }
    auto code = load(*engine, operation.kernel(), configuration.block);
    if (!code) continue;
    plan.code[engine->index] = *code;
    work.engines |= bit;
  }
  const access::LaunchAccess* access = operands.access.get();
  int axis = 0;
  if (access != nullptr) {
    const access::InstructionCounts& counts = operands.evaluator->summary().counts;
    const double all = blocks * threads;
    work.operations[static_cast<size_t>(scheduler::Arithmetic::f32)] = counts.f32 * all;
    work.operations[static_cast<size_t>(scheduler::Arithmetic::f64)] = counts.f64 * all;
    work.bytes = (double{1} * counts.load_bytes + counts.store_bytes) * all;
    axis = access->axis;
    work.divisible = access->splittable();
    work.indivisible_because = access->reason;
    if (operands.textures && work.divisible) {
      work.divisible = false;
      work.indivisible_because = "it reads textures";
    }
    if (operands.with_program() && work.divisible) {
      work.divisible = false;
      work.indivisible_because = "the program may use the memory itself";
    }
  }
  work.units = work.divisible ? along(configuration.grid, axis) : 1;
  work.results_to_host = home() == nullptr;
  if (home() != nullptr) work.keeper = home()->index;
  std::vector<Range> reduced;
  if (work.divisible) reduced = scheduler::ranges_of(access->reductions);
  auto use = [&](const std::vector<Range>& ranges, bool written, bool is_reduced = false) {
    for (Range range : ranges) {
      scheduler::MemoryUse memory;
      memory.address = reinterpret_cast<const void*>(range.begin);
      memory.bytes = range.bytes();
      memory.read = true;  // what may be written need not be
      memory.written = written;
      // Written memory is disjoint between parts; of what is only read each needs its share, as a rule.
      memory.divided = work.divisible && !is_reduced && (written || range.bytes() > (1 << 20));
      memory.reduced = is_reduced;
      plan.memory.push_back(memory);
    }
  };
  use(without(operands.reads, reduced), false);
  use(without(operands.writes, reduced), true);
  use(reduced, true, true);
  for (auto& engine : engines_) {
    // What a device adds in host memory could not be taken back.
    if (!reduced.empty() && engine->device && engine->space == memory::kHostSpace)
      work.part_engines &= ~(1u << engine->index);
  }
  work.memory = plan.memory;
  plan.decision = scheduler_.plan(work, residency_.get());
  return plan;
}

void Engines::prepare(KernelOperation& operation) {
  for (auto& engine : engines_) {
    if (engine->device && in_service(*engine))
      (void)load(*engine, operation.kernel(),
                 operation.configuration().block);  // refusals are remembered
  }
}

/// A short launch whose place was the CPU the last times, while all memory is the host's: nothing to decide and nothing to
/// move. It takes its turn with work elsewhere on whatever memory. Empty: the long way.
std::optional<Status> Engines::launch_again(KernelOperation& operation) {
  static constexpr Range kAll{memory::CoherentPool::kGranule,
                              UINTPTR_MAX - memory::CoherentPool::kGranule};
  if (home() != nullptr || trace::enabled() || !pool_.all_in(memory::kHostSpace) ||
      operation.may_wait())
    return std::nullopt;
  const auto known = remembered(operation);
  if (!known || known->code != nullptr) return std::nullopt;
  const auto turn = order_.take(memory::kHostSpace, {}, {&kAll, 1});
  if (!turn || !pool_.all_in(memory::kHostSpace)) return std::nullopt;
  Status status = operation.execute();
  // Somebody has taken copies meanwhile.
  if (!pool_.all_in(memory::kHostSpace)) host_wrote_operands(operands_of(operation));
  return status;
}

Status Engines::launch(KernelOperation& operation) {
  if (auto done = launch_again(operation)) return *done;
  const Operands operands = operands_of(operation);
  if (!operation.on_cpu()) wait_for_host_only();
  if (operation.expected_ns() == Operation::kMayWait || host_only_.load() > 0)
    return work_on_host(operation, operands, nullptr);
  // Each round an engine that failed has left, or the launch is done.
  for (size_t round = 0; round <= engines_.size(); ++round) {
    LaunchPlan planned = plan(operation, operands);
    const scheduler::Decision& decision = planned.decision;
    if (decision.part_count == 0) break;
    ran_at(operation, decision);
    if (decision.is_split()) return launch_split(operation, operands, planned);
    auto chosen = std::find_if(engines_.begin(), engines_.end(), [&](auto& engine) {
      return engine->index == decision.parts[0].engine;
    });
    if (!(*chosen)->device) {
      constexpr double kShort = 5e5;  // beyond that the way there costs nothing
      if (home() == nullptr && !decision.exploring && decision.predicted_ns < kShort &&
          operands.evaluator != nullptr && !operands.with_program() && !operands.textures)
        remember(operation, operands, nullptr);
      return work_on_host(operation, operands, &planned);
    }
    Status status = launch_on(**chosen, operation, operands, planned);
    if (status || !operation.on_cpu()) {
      if (!status && gone(**chosen)) (void)quarantine(**chosen, status);
      return status;
    }
    if (status.code() == StatusCode::not_supported || status.code() == StatusCode::out_of_memory) {
      log(LogPart::scheduler, LogLevel::info, "kernel {} not on {}: {}", operation.kernel().name(),
          (*chosen)->device->info().id(), status.message());
      break;
    }
    if (gone(**chosen)) {
      if (!quarantine(**chosen, status)) return status;
      continue;
    }
    if (chosen->get() == home()) return status;  // the program's own fault
    // The program's fault or the device's: the CPU knows.
    Status again = work_on_host(operation, operands, nullptr);
    if (again) (void)quarantine(**chosen, status);
    return again;
  }
  return work_on_host(operation, operands, nullptr);
}

Status Engines::work_on_host(Operation& operation, const Operands& operands,
                             const LaunchPlan* plan) {
  const int64_t start = now_nanoseconds();
  int64_t began = start;
  Status status = host_work(operation, operands, &began);
  if (plan != nullptr && status) {
    const int64_t end = now_nanoseconds();
    scheduler_.observe(plan->decision.parts[0].engine, plan->work,
                       static_cast<double>(plan->work.units), static_cast<double>(end - began));
    scheduler_.record_outcome(plan->work, plan->decision, static_cast<double>(end - start));
    if (trace::enabled())
      trace_launch(scheduler_.engine(plan->decision.parts[0].engine).identity.id, *plan, start,
                   began, end, end);
  }
  return status;
}

Status Engines::launch_on(Engine& engine, KernelOperation& operation, const Operands& operands,
                          const LaunchPlan& plan) {
  const LaunchConfiguration& configuration = operation.configuration();
  const auto block = operation.parameter_block();
  const auto params = std::make_shared<const std::vector<std::byte>>(block.begin(), block.end());
  backend::Launch launch;
  launch.params = *params;
  launch.grid = launch.count = configuration.grid;
  launch.block = configuration.block;
  launch.dynamic_shared_bytes = static_cast<uint32_t>(configuration.dynamic_shared);
  launch.cooperative = configuration.cooperative;
  launch.cluster = configuration.cluster;
  auto start = [this, launch, params, kernel = plan.code[engine.index],
                textures = operands.textures,
                stores = operands.stores_surfaces()](backend::Queue& queue) mutable {
    launch.kernel = kernel.get();
    if (!textures) return queue.launch(launch);
    return textures_.launch(queue, stores, [&] { return queue.launch(launch); });
  };
  return run_on(engine, operands, plan, start);
}

namespace {

/// What chunks need after the operation is gone: a device that hangs may still ask.
struct SplitLaunch {
  std::vector<std::byte> params;
  std::vector<void*> variables;
  LaunchConfiguration configuration;
  access::AccessEvaluator* evaluator;
  std::shared_ptr<const access::LaunchAccess> access;
  const LoadedKernel* loaded;

  scheduler::ChunkMemory memory(scheduler::Chunk chunk) const {
    auto slice =
        evaluator->slice(arguments_of(configuration, params, variables), allocation_of, *access,
                         static_cast<uint32_t>(chunk.begin), static_cast<uint32_t>(chunk.units()));
    scheduler::ChunkMemory memory;
    memory.accessed = hulls(slice.reads);
    for (const access::ByteSet& set : slice.writes) {
      append_exact(set, set.complete ? memory.overwritten : memory.accessed);
      append_exact(set, memory.written);
    }
    return memory;
  }

  Status run_on_host(const backend::Launch& launch) const {
    cpu::LaunchDescription description;
    description.kernel = loaded->info;
    description.params = params;
    description.symbols = loaded->symbols.data();
    description.grid = launch.grid;
    description.block = launch.block;
    description.block_offset = launch.first;
    description.blocks = launch.count;
    description.dynamic_shared_bytes = launch.dynamic_shared_bytes;
    return cpu::Executor::instance().run(description);
  }
};

}  // namespace

namespace {

std::shared_ptr<SplitLaunch> split_launch(KernelOperation& operation,
                                          const std::vector<void*>& variables,
                                          access::AccessEvaluator* evaluator,
                                          std::shared_ptr<const access::LaunchAccess> access) {
  auto shared = std::make_shared<SplitLaunch>();
  auto params = operation.parameter_block();
  shared->params.assign(params.begin(), params.end());
  shared->variables = variables;
  shared->configuration = operation.configuration();
  shared->evaluator = evaluator;
  shared->access = std::move(access);
  shared->loaded = &operation.loaded();
  return shared;
}

}  // namespace

std::function<scheduler::ChunkMemory(scheduler::Chunk)> Engines::memory_of_chunks(
    KernelOperation& operation, const Operands& operands) {
  auto shared = split_launch(operation, operands.variables, operands.evaluator, operands.access);
  return [shared](scheduler::Chunk chunk) { return shared->memory(chunk); };
}

Status Engines::launch_split(KernelOperation& operation, const Operands& operands,
                             const LaunchPlan& plan) {
  auto shared = split_launch(operation, operands.variables, operands.evaluator, operands.access);
  backend::Launch launch;
  launch.params = shared->params;
  launch.grid = launch.count = shared->configuration.grid;
  launch.block = shared->configuration.block;
  launch.dynamic_shared_bytes = static_cast<uint32_t>(shared->configuration.dynamic_shared);
  auto work = std::make_shared<scheduler::DivisibleLaunch>(
      launch, operands.access->axis,
      [shared](scheduler::Chunk chunk) { return shared->memory(chunk); },
      [shared](const backend::Launch& slice) { return shared->run_on_host(slice); });
  work->set_reductions(operands.access->reductions);
  std::vector<scheduler::Participant> participants;
  for (auto& engine : engines_) {
    if (engine->device && !plan.code[engine->index]) continue;
    participants.push_back({engine->index, engine->device.get(), engine->space});
    if (engine->device) work->set_kernel(engine->index, plan.code[engine->index]);
  }
  return run_split(work, operands, plan, participants);
}

Result<std::shared_ptr<backend::DeviceKernel>> Engines::load(Engine& engine, Kernel& kernel,
                                                             const kernel::Dim3& block) {
  const BlockDim wanted{block.x, block.y, block.z};
  std::unique_lock lock(kernels_mutex_);
  if (!kernel.engine_data()) kernel.engine_data() = std::make_shared<KernelOnEngines>();
  auto& known = *static_cast<KernelOnEngines*>(kernel.engine_data().get());
  for (auto& entry : known.entries) {
    if (entry.engine == &engine && entry.block == wanted) return entry.code;
  }
  if (const auto& code = kernel.machine_code()) {
    known.entries.push_back({&engine, wanted, code});
    return code;
  }
  std::vector<backend::Variable> variables;
  for (const DeviceVariable& variable : kernel.module().variables()) {
    variables.push_back({variable.name, variable.address, variable.size,
                         variable.space == VariableSpace::constant});
  }
  auto evaluator = kernel.access(wanted);
  // Where all addresses are the program's, nothing need be known of the kernel.
  if (!evaluator && !(&engine == home() && engine.device->info().stored_pointers))
    return evaluator.status();
  const std::shared_ptr<const std::string> text = kernel.module().ptx_text();
  const Hash128& hash = kernel.module().ptx_hash();
  backend::KernelSource source;
  source.ptx = *text;
  source.ptx_hash = {hash.low, hash.high};
  source.module_name = kernel.module().name();
  source.kernel = kernel.name();
  source.block = block;
  source.variables = variables;
  if (evaluator) source.pointer_offsets = (*evaluator)->summary().pointers;
  auto code = engine.device->load(source);
  if (!code) {
    log(LogPart::scheduler, LogLevel::info, "kernel {} not on {}: {}", kernel.name(),
        engine.device->info().id(), code.status().message());
  }
  known.entries.push_back({&engine, wanted, code});
  return code;
}

/// Kernels on the CPU that wait for others keep everything with the host meanwhile.
void Engines::wait_for_host_only() {
  while (host_only_.load() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

Result<std::shared_ptr<backend::MachineCode>> Engines::load_machine_code(const void* image,
                                                                         const std::string& name) {
  Engine* engine = home();
  if (engine == nullptr)
    return Status(StatusCode::no_binary_for_gpu,
                  "no CUDA device that data lives on, first in GUDA_DEVICES");
  auto code = engine->device->load_machine_code(image, name);
  if (!code && code.status().code() == StatusCode::not_supported)
    return Status(StatusCode::no_binary_for_gpu, code.status().message());
  return code;
}

Status Engines::adopt(const backend::MachineVariable& variable) {
  Engine* engine = home();
  if (engine == nullptr) return {StatusCode::no_device, "the device of the variable is gone"};
  return memory::Heap::instance().add_device_variable(variable.address, variable.size,
                                                      variable.managed, *engine->device);
}

Status Engines::runs_at_home(Kernel& kernel, const kernel::Dim3& block) {
  Engine* engine = home();
  if (engine == nullptr) return {StatusCode::not_supported, "data lives in host memory"};
  return load(*engine, kernel, block).status();
}

}  // namespace guda::runtime
