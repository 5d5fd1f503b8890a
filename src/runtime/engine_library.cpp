// Calls of cuBLAS and cublasLt that are no single matrix product.
#include "backends/library_call.h"
#include "runtime/engine_work.h"
#include "support/log.h"

#include <algorithm>

namespace guda::runtime {

using memory::Range;

Engines::Operands Engines::declared_by(const Operation& operation) {
  const auto uses = operation.memory_uses();
  if (!uses) return everything();
  Operands operands;
  const memory::Heap& heap = memory::Heap::instance();
  for (const MemoryUse& use : *uses) {
    const Range range = Range::of(use.start, use.bytes);
    auto allocation = heap.find(use.start);
    if (!allocation) {
      operands.outside = true;  // the program's own memory, or none at all
      continue;
    }
    std::vector<Range>& list = use.written ? operands.writes : operands.reads;
    const auto enter = [&](const memory::Allocation& each) {
      const auto base = reinterpret_cast<uintptr_t>(each.base);
      // An access behind the end is the access's fault, wherever it is made.
      const Range piece{std::max(range.begin, base), std::min(range.end, base + each.size)};
      if (!piece.empty()) operands.enter(each, piece, list);
    };
    if (allocation->kind == memory::AllocationKind::mapped) {
      // One range of addresses may be several of these.
      for (const memory::Allocation& each : heap.allocations()) enter(each);
    } else {
      enter(*allocation);
    }
  }
  return operands;
}

Engines::Operands Engines::declared_by(const Operation& operation,
                                       const backend::LibraryCall& call) {
  Operands operands = declared_by(operation);
  const backend::BlasSettings& settings = call.settings();
  if (settings.workspace == nullptr) return operands;
  const auto allocation = memory::Heap::instance().find(settings.workspace);
  if (allocation)
    operands.enter(*allocation, Range::of(settings.workspace, settings.workspace_bytes),
                   operands.writes);
  else
    operands.outside = true;
  return operands;
}

bool Engines::calls_vendor(Engine& engine, const backend::LibraryCall* call) const {
  if (call == nullptr) return false;
  const scheduler::EngineIndex forced = scheduler::Scheduler::forced_engine();
  return (forced == scheduler::kNoEngine || forced == engine.index) && in_service(engine) &&
         engine.device->has_library_function(call->function());
}

std::optional<Status> Engines::hand_over_library(Engine& engine, Operation& operation,
                                                 Stream& stream, uint64_t ticket) {
  backend::LibraryCall* call = operation.library_call();
  if (!calls_vendor(engine, call)) return std::nullopt;
  // A bad pointer costs the program its device for good there; on the host it is no more than an error.
  const auto uses = operation.memory_uses();
  const bool all_found = !uses || std::all_of(uses->begin(), uses->end(), [](const MemoryUse& use) {
    return memory::Heap::instance().find(use.start).has_value();
  });
  if (!all_found) return std::nullopt;
  const bool all_home = reaches_everything(engine) && pool_.all_in(engine.space);
  Operands operands;
  if (!all_home) {
    operands = declared_by(operation, *call);
    if (!operands.reached_by(*engine.device) || !operands.host_visible.empty()) return std::nullopt;
  }
  DeviceTail::Turn turn =
      prepare_home(engine, stream, ticket, operands.all, {}, operands.writes, all_home);
  if (!turn) return std::nullopt;
  return handed(engine, turn.hand_over([&](backend::Queue& queue) { return queue.call(*call); }));
}

std::optional<Status> Engines::library_at_home(Operation& operation) {
  Engine* engine = home();
  backend::LibraryCall* call = operation.library_call();
  if (engine == nullptr || !calls_vendor(*engine, call)) return std::nullopt;
  const Operands operands = declared_by(operation, *call);
  if (!operands.reached_by(*engine->device)) return std::nullopt;
  const LaunchPlan unplanned;
  Status status = run_on(*engine, operands, unplanned,
                         [&](backend::Queue& queue) { return queue.call(*call); });
  if (status.code() == StatusCode::not_supported || status.code() == StatusCode::out_of_memory) {
    log(LogPart::scheduler, LogLevel::info, "not on {}: {}", engine->device->info().id(),
        status.message());
    return std::nullopt;
  }
  home_failed(status);
  return status;
}

}  // namespace guda::runtime
