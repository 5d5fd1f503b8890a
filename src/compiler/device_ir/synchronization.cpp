// Barriers, fences and the like (PTX ISA 9.7.13 and 9.7.15, 9.7.19).
#include <fmt/format.h>

#include "compiler/device_ir/memory_access.h"

namespace guda::device_ir {
namespace {

using llvm::Value;

Value* count_operand(Lowering& l, size_t index) {
  return l.operand_count() > index ? l.in(index, ScalarType::u32) : llvm::cast<Value>(l.i32(0));
}

void lower_barrier(Lowering& l) {
  const char* name = l.has("arrive") ? "ptx.bar.arrive" : "ptx.bar.sync";
  Value* id = l.in(0, ScalarType::u32);
  l.call(name, l.b.getVoidTy(), {id, count_operand(l, 1)}, Effects::barrier);
}

// bar.red.<op>.<type> d, barrier[, count], predicate
void lower_barrier_reduction(Lowering& l) {
  const std::string_view operation = l.one_of("popc and or");
  const size_t last = l.operand_count() - 1;
  Value* id = l.in(1, ScalarType::u32);
  Value* count = last == 3 ? l.in(2, ScalarType::u32) : llvm::cast<Value>(l.i32(0));
  Value* predicate = l.in(last, ScalarType::pred);
  const bool counts = operation == "popc";
  llvm::Type* type = counts ? l.b.getInt32Ty() : l.b.getInt1Ty();
  l.out(0, counts ? ScalarType::u32 : ScalarType::pred,
        l.call(fmt::format("ptx.bar.red.{}", operation), type, {id, count, predicate},
               Effects::barrier));
}

void lower_warp_barrier(Lowering& l) {
  l.call("ptx.bar.warp.sync", l.b.getVoidTy(), {l.in(0, ScalarType::b32)}, Effects::barrier);
}

// One block per cluster: arriving releases what this thread wrote, waiting waits for the block.
void lower_cluster_arrive(Lowering& l) {
  if (!l.has("relaxed")) l.b.CreateFence(llvm::AtomicOrdering::AcquireRelease);
}

void lower_cluster_wait(Lowering& l) {
  l.call("ptx.bar.sync", l.b.getVoidTy(), {l.i32(0), l.i32(0)}, Effects::barrier);
}

void lower_membar(Lowering& l) {
  const bool wide = l.has("gl") || l.has("sys");
  l.b.CreateFence(wide ? llvm::AtomicOrdering::SequentiallyConsistent
                       : llvm::AtomicOrdering::AcquireRelease);
}

void lower_fence(Lowering& l) {
  l.b.CreateFence(l.has("sc") ? llvm::AtomicOrdering::SequentiallyConsistent
                              : llvm::AtomicOrdering::AcquireRelease);
}

void lower_nanosleep(Lowering& l) {
  l.call("ptx.nanosleep", l.b.getVoidTy(), {l.in(0, ScalarType::u32)}, Effects::service);
}

void lower_nothing(Lowering&) {}

constexpr Row kRows[] = {
    {"bar", "cta? sync|arrive aligned?", 1, 2, Execution::effect, lower_barrier},
    {"barrier", "cta? sync|arrive aligned?", 1, 2, Execution::effect, lower_barrier},
    {"bar", "cta? red popc|and|or u32|pred aligned?", 3, 4, Execution::effect,
     lower_barrier_reduction},
    {"barrier", "cta? red popc|and|or u32|pred aligned?", 3, 4, Execution::effect,
     lower_barrier_reduction},
    {"bar", "warp sync", 1, 1, Execution::effect, lower_warp_barrier},
    {"barrier", "cluster arrive release|relaxed? aligned?", 0, 0, Execution::effect,
     lower_cluster_arrive},
    {"barrier", "cluster wait acquire? aligned?", 0, 0, Execution::effect, lower_cluster_wait},
    {"membar", "cta|gl|sys", 0, 0, Execution::effect, lower_membar},
    {"membar", "proxy alias", 0, 0, Execution::effect, lower_fence},
    {"fence", "sc|acq_rel|acquire|release? cta|cluster|gpu|sys", 0, 0, Execution::effect,
     lower_fence},
    {"fence", "proxy ...", 0, 2, Execution::effect, lower_fence},
    {"fence", "mbarrier_init release cluster", 0, 0, Execution::effect, lower_fence},
    {"fence", "acquire|release ...", 0, 0, Execution::effect, lower_fence},
    {"nanosleep", "u32", 1, 1, Execution::effect, lower_nanosleep},
    {"griddepcontrol", "launch_dependents|wait", 0, 0, Execution::effect, lower_nothing},
    {"setmaxnreg", "...", 1, 1, Execution::effect, lower_nothing},
    {"pmevent", "mask?", 1, 1, Execution::effect, lower_nothing},
};

}  // namespace

std::span<const Row> synchronization_rows() { return kRows; }

}  // namespace guda::device_ir
