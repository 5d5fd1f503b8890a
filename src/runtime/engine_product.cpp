// Matrix products on several engines.
#include "backends/cpu/cpu_device.h"
#include "runtime/engine_work.h"
#include "scheduler/divisible_work.h"
#include "support/log.h"

#include <algorithm>
#include <bit>

namespace guda::runtime {
namespace {

using memory::Range;

scheduler::Arithmetic arithmetic_of(const backend::GemmProblem& problem) {
  switch (problem.input) {
    case backend::ElementType::f64:
    case backend::ElementType::c64: return scheduler::Arithmetic::f64;
    case backend::ElementType::f16: return scheduler::Arithmetic::f16;
    case backend::ElementType::bf16: return scheduler::Arithmetic::bf16;
    case backend::ElementType::s8: return scheduler::Arithmetic::int8;
    default: return scheduler::Arithmetic::f32;
  }
}

bool is_complex(const backend::GemmProblem& problem) {
  return problem.input == backend::ElementType::c32 || problem.input == backend::ElementType::c64;
}

double operations_of(const backend::GemmProblem& problem) {
  return (is_complex(problem) ? 8.0 : 2.0) * static_cast<double>(problem.m) *
         static_cast<double>(problem.n) * static_cast<double>(problem.k);
}

/// Products below this many operations are done before another engine has heard of them.
constexpr double kWorthPlanning = 2.0 * 64 * 64 * 64;
/// Predicted to take so long: a decision costs nothing beside the product, so it is made, and the product measured, each time:
/// whether several engines pay is learnt within a few.
constexpr double kAlwaysPlannedNs = 1e6;

}  // namespace

Engines::Operands Engines::operands_of(const scheduler::ChunkMemory& touched) {
  Operands operands;
  auto add = [&](const std::vector<Range>& from, std::vector<Range>& to) {
    for (Range range : from) {
      auto allocation = memory::Heap::instance().find(reinterpret_cast<const void*>(range.begin));
      if (!allocation || (allocation->shared_by == nullptr && !pool_.covers(range))) {
        operands.outside = true;
        continue;
      }
      operands.enter(*allocation, range, to);
      operands.several_regions = operands.several_regions ||
                                 (allocation->shared_by == nullptr && !pool_.in_one_region(range));
    }
  };
  add(touched.accessed, operands.reads);
  add(touched.written, operands.writes);
  return operands;
}

Engines::Operands Engines::operands_of(const backend::GemmProblem& problem) {
  const auto matrix = [](const void* start, int64_t rows, int64_t columns, int64_t ld,
                         size_t element) {
    return Range::of(start, static_cast<size_t>((columns - 1) * ld + rows) * element);
  };
  const bool ta = problem.transpose_a != backend::Transpose::none,
             tb = problem.transpose_b != backend::Transpose::none;
  scheduler::ChunkMemory touched;
  if (problem.k > 0) {
    const size_t element = scheduler::input_bytes(problem);
    touched.accessed.push_back(matrix(problem.a, ta ? problem.k : problem.m,
                                      ta ? problem.m : problem.k, problem.lda, element));
    touched.accessed.push_back(matrix(problem.b, tb ? problem.n : problem.k,
                                      tb ? problem.k : problem.n, problem.ldb, element));
  }
  touched.written.push_back(
      matrix(problem.c, problem.m, problem.n, problem.ldc, scheduler::output_bytes(problem)));
  return operands_of(touched);
}

Engines::LaunchPlan Engines::plan_product(Operation& operation, const Operands& operands,
                                          uint64_t units) {
  const backend::GemmProblem& problem = *operation.gemm();
  LaunchPlan plan;
  scheduler::Work& work = plan.work;
  const auto kind = arithmetic_of(problem);
  const uint32_t transposes = (problem.transpose_a != backend::Transpose::none ? 1 : 0) +
                              (problem.transpose_b != backend::Transpose::none ? 2 : 0);
  work.kind = scheduler::WorkKind::gemm;
  work.name = operation.label();
  work.key = scheduler::gemm_key(kind, transposes, problem.m, problem.n, problem.k);
  work.amount = operations_of(problem);
  work.operations[static_cast<size_t>(kind)] = work.amount;
  work.units = units;
  work.tile = std::clamp(std::bit_floor(units / 64), uint64_t{16}, uint64_t{128});
  work.results_to_host = home() == nullptr;
  work.explore = home() == nullptr;
  if (home() != nullptr) work.keeper = home()->index;
  work.divisible = !operands.outside && !operands.with_program();
  work.indivisible_because = "the program may use the memory itself";
  work.engines = 0;
  for (auto& engine : engines_) {
    if (!engine->device && operands.only != nullptr) continue;
    if (engine->device && (!operands.reached_by(*engine->device) || !in_service(*engine) ||
                           !engine->multiplies(kind) ||
                           (operands.several_regions && !engine->device->info().same_distances)))
      continue;
    work.engines |= 1u << engine->index;
  }
  auto use = [&](const std::vector<Range>& ranges, bool written, bool divided) {
    for (Range range : ranges) {
      plan.memory.push_back(
          {reinterpret_cast<const void*>(range.begin), range.bytes(), true, written, divided});
    }
  };
  // Each part needs all of one factor, and its share of the other.
  const void* factor = scheduler::DivisibleGemm::cuts_columns(problem) ? problem.a : problem.b;
  for (Range range : operands.reads)
    use({range}, false, range.begin != reinterpret_cast<uintptr_t>(factor));
  if (!operands.writes.empty()) {
    // Column by column: the scheduler is told of the whole.
    std::vector<Range> hull{{operands.writes.front().begin, operands.writes.back().end}};
    use(hull, true, true);
  }
  work.memory = plan.memory;
  plan.decision = scheduler_.plan(work, residency_.get());
  return plan;
}

Status Engines::product(Operation& operation) {
  const backend::GemmProblem& problem = *operation.gemm();
  auto divisible = std::make_shared<scheduler::DivisibleGemm>(problem, backend::cpu_gemm);
  const uint64_t units = divisible->units();
  const Operands operands = operands_of(divisible->memory({0, units}));
  if (operations_of(problem) < kWorthPlanning || host_only_.load() > 0)
    return host_work(operation, operands);

  for (size_t round = 0; round <= engines_.size(); ++round) {
    LaunchPlan plan = plan_product(operation, operands, units);
    const scheduler::Work& work = plan.work;
    if (plan.decision.part_count == 0) break;
    ran_at(problem, plan.decision);
    if (plan.decision.is_split()) {
      std::vector<scheduler::Participant> participants;
      for (auto& engine : engines_) {
        if ((work.engines >> engine->index & 1) == 0) continue;
        participants.push_back({engine->index, engine->device.get(), engine->space});
        // Building programs is no part of what is learnt about products.
        if (engine->device) (void)engine->device->prepare_gemm(problem);
      }
      return run_split(divisible, operands, plan, participants);
    }
    Engine& engine = *engines_[plan.decision.parts[0].engine];
    if (!engine.device) return work_on_host(operation, operands, &plan);
    Status status = engine.device->prepare_gemm(problem);
    if (status)
      status = run_on(engine, operands, plan,
                      [divisible, units, index = engine.index](backend::Queue& queue) {
                        return divisible->start(index, queue, {0, units});
                      });
    if (status) return status;
    if (status.code() == StatusCode::not_supported) {
      engine.refuses(arithmetic_of(problem));
      log(LogPart::scheduler, LogLevel::info, "products not on {}: {}", engine.device->info().id(),
          status.message());
      continue;
    }
    if (status.code() == StatusCode::out_of_memory) break;
    if (gone(engine)) {
      if (!quarantine(engine, status)) return status;
      continue;
    }
    if (&engine == home()) return status;
    (void)quarantine(engine, status);  // its contents are the host's, too
  }
  return host_work(operation, operands);
}

Engines::HomeProduct* Engines::remembered(const backend::GemmProblem& problem) {
  const HomeProduct shape = HomeProduct::shape_of(problem);
  for (HomeProduct& each : home_products_) {
    if (!each.same_shape(shape)) continue;
    return each.predicted_ns < kAlwaysPlannedNs && each.uses.valid(scheduler_.epoch()) ? &each
                                                                                       : nullptr;
  }
  return nullptr;
}

DeviceTail::Turn Engines::turn_of_remembered(Engine& engine, const backend::GemmProblem& problem,
                                             Stream& stream, uint64_t ticket) {
  if (!pool_.all_in(engine.space) || !on_devices(problem.a) || !on_devices(problem.b) ||
      !on_devices(problem.c))
    return {};
  if (scheduler::Scheduler::forced_engine() != scheduler::kNoEngine) return {};
  DeviceTail* tail = open_tail(stream);
  if (tail == nullptr) return {};
  std::unique_lock lock(home_mutex_);
  // As in prepare_home(): looked at once more, now that nobody's turn can begin before our ticket is announced.
  if (host_only_.load() > 0 || !order_.idle() || !pool_.all_in(engine.space)) return {};
  if (operations_of(problem) >= kWorthPlanning) {
    HomeProduct* known = remembered(problem);
    if (known == nullptr) return {};
    --known->uses.left;
  }
  return tail->announce(ticket);
}

std::optional<Status> Engines::hand_over_product(Engine& engine, Operation& operation,
                                                 Stream& stream, uint64_t ticket) {
  const backend::GemmProblem& problem = *operation.gemm();
  if (!engine.multiplies(arithmetic_of(problem))) return std::nullopt;
  auto start = [&](backend::Queue& queue) { return queue.gemm(problem); };
  auto finish = [&](const Status& status) {
    if (status.code() == StatusCode::not_supported) engine.refuses(arithmetic_of(problem));
    return handed(engine, status);
  };
  if (auto turn = turn_of_remembered(engine, problem, stream, ticket))
    return finish(turn.hand_over(start));
  HomeProduct shape = HomeProduct::shape_of(problem);
  shape.uses = AnswerUses::first(scheduler_.epoch(), kHomeUses);
  bool known = false;
  if (scheduler::Scheduler::forced_engine() == scheduler::kNoEngine) {
    std::unique_lock lock(home_mutex_);
    HomeProduct* found = remembered(problem);
    known = found != nullptr;
    if (known) --found->uses.left;
  }
  const bool small = operations_of(problem) < kWorthPlanning;
  const bool all_home = (known || small) && pool_.all_in(engine.space) && on_devices(problem.a) &&
                        on_devices(problem.b) && on_devices(problem.c);
  Operands operands;
  std::optional<scheduler::Work> measured;
  scheduler::Decision decision;
  if (!all_home) {
    operands = operands_of(problem);
    if (!operands.reached_by(*engine.device) || !operands.host_visible.empty()) return std::nullopt;
    if (!known) {
      const uint64_t units = scheduler::DivisibleGemm(problem, backend::cpu_gemm).units();
      LaunchPlan plan = plan_product(operation, operands, units);
      if (plan.decision.part_count != 1 || plan.decision.parts[0].engine != engine.index)
        return std::nullopt;
      measured = plan.work;
      decision = plan.decision;
      shape.predicted_ns = decision.predicted_ns;
      std::unique_lock lock(home_mutex_);
      auto found = std::find_if(home_products_.begin(), home_products_.end(),
                                [&](const HomeProduct& each) { return each.same_shape(shape); });
      if (found == home_products_.end()) {
        constexpr size_t kShapes = 16;
        if (home_products_.size() == kShapes) home_products_.erase(home_products_.begin());
        home_products_.push_back(shape);
      } else {
        shape.uses.follow(found->uses);
        *found = shape;
      }
    }
  }
  DeviceTail::Turn turn =
      prepare_home(engine, stream, ticket, operands.all, {}, operands.writes, all_home);
  if (!turn) return std::nullopt;
  return finish(measured ? turn.hand_over_timed(start, report_of(engine, *measured, decision))
                         : turn.hand_over(start));
}

}  // namespace guda::runtime
