#include "compiler/spmd/suitability.h"

#include <fmt/format.h>
#include <llvm/ADT/SmallPtrSet.h>
#include <llvm/Analysis/CFG.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/IntrinsicInst.h>

#include "compiler/spmd/lane_shape.h"

namespace guda::spmd {
namespace {

using llvm::Instruction;
using llvm::Value;

Status refuse(std::string_view why) { return {StatusCode::not_supported, std::string(why)}; }

bool starts_with_any(llvm::StringRef name, std::initializer_list<llvm::StringRef> prefixes) {
  return llvm::any_of(prefixes, [&](llvm::StringRef prefix) { return name.starts_with(prefix); });
}

/// An access whose result other threads change: waiting for it may need them to run.
bool reads_shared_state(const Instruction& instruction, const llvm::Loop& loop) {
  if (const auto* load = llvm::dyn_cast<llvm::LoadInst>(&instruction)) {
    return load->isVolatile() || load->isAtomic();
  }
  if (const auto* exchange = llvm::dyn_cast<llvm::AtomicCmpXchgInst>(&instruction)) {
    // A retry loop compares with what it has just read; a lock with a constant.
    return loop.isLoopInvariant(exchange->getCompareOperand());
  }
  if (const auto* update = llvm::dyn_cast<llvm::AtomicRMWInst>(&instruction)) {
    const auto* constant = llvm::dyn_cast<llvm::ConstantInt>(update->getValOperand());
    return update->getOperation() == llvm::AtomicRMWInst::Xchg ||
           (constant != nullptr && constant->isZero());
  }
  return device_function(instruction).starts_with("ptx.nanosleep");
}

/// True when an exit of the loop depends, through values computed in the loop, on such an access.
bool waits_for_others(const llvm::Loop& loop) {
  llvm::SmallVector<const Value*, 16> worklist;
  llvm::SmallPtrSet<const Value*, 32> seen;
  llvm::SmallVector<llvm::BasicBlock*, 4> exiting;
  loop.getExitingBlocks(exiting);
  const auto push_condition = [&](const llvm::BasicBlock* block) {
    if (const auto* branch = llvm::dyn_cast<llvm::BranchInst>(block->getTerminator());
        branch != nullptr && branch->isConditional()) {
      worklist.push_back(branch->getCondition());
    }
  };
  for (const llvm::BasicBlock* block : exiting) push_condition(block);
  while (!worklist.empty()) {
    const auto* instruction = llvm::dyn_cast<Instruction>(worklist.pop_back_val());
    if (instruction == nullptr || !loop.contains(instruction) || !seen.insert(instruction).second) {
      continue;
    }
    if (reads_shared_state(*instruction, loop)) return true;
    for (const Value* operand : instruction->operands()) worklist.push_back(operand);
    if (const auto* phi = llvm::dyn_cast<llvm::PHINode>(instruction)) {
      for (const llvm::BasicBlock* block : phi->blocks()) {
        if (loop.contains(block)) push_condition(block);
      }
    }
  }
  return false;
}

}  // namespace

bool synchronizes_at_different_places(llvm::Function& function, const LaneShapes& shapes,
                                      llvm::DominatorTree& dominators) {
  llvm::SmallVector<llvm::BasicBlock*, 16> places;
  for (llvm::BasicBlock& block : function) {
    for (const Instruction& instruction : block) {
      llvm::StringRef name = device_function(instruction);
      if (name.starts_with("ptx.bar.warp") ||
          (name.contains(".sync") && !name.starts_with("ptx.bar."))) {
        places.push_back(&block);
        break;
      }
    }
  }
  for (size_t i = 0; i < places.size(); ++i) {
    for (size_t k = i + 1; k < places.size(); ++k) {
      if (dominators.dominates(places[i], places[k]) ||
          dominators.dominates(places[k], places[i])) {
        continue;
      }
      const llvm::BasicBlock* fork = dominators.findNearestCommonDominator(places[i], places[k]);
      if (shapes.has_divergent_terminator(*fork) &&
          !llvm::isPotentiallyReachable(places[i], places[k], nullptr, &dominators) &&
          !llvm::isPotentiallyReachable(places[k], places[i], nullptr, &dominators)) {
        return true;
      }
    }
  }
  return false;
}

Result<Traits> examine(llvm::Function& function, const llvm::LoopInfo& loops) {
  Traits traits;
  for (Instruction& instruction : llvm::instructions(function)) {
    if (llvm::isa<llvm::IndirectBrInst, llvm::InvokeInst, llvm::CallBrInst>(instruction)) {
      return refuse("unstructured branch");
    }
    if (const auto* variable = llvm::dyn_cast<llvm::AllocaInst>(&instruction)) {
      if (!variable->isStaticAlloca()) return refuse("dynamic stack allocation");
    }
    const llvm::Type* scalar = instruction.getType()->getScalarType();
    if (llvm::isa<llvm::BinaryOperator, llvm::CallInst>(instruction)) {
      if (scalar->isDoubleTy())
        traits.wide_operations += 2;
      else if (scalar->isFloatTy() || scalar->isIntegerTy(32))
        ++traits.narrow_operations;
    }
    const auto* call = llvm::dyn_cast<llvm::CallBase>(&instruction);
    if (call == nullptr) continue;
    if (llvm::isa<llvm::IntrinsicInst>(call)) continue;
    llvm::StringRef name = device_function(*call);
    if (name.empty()) {
      return refuse(call->getCalledFunction() == nullptr
                        ? "indirect call"
                        : "call of " + call->getCalledFunction()->getName().str());
    }
    if (!name.consume_front("ptx.")) continue;
    if (name.starts_with("bar.warp")) {
      traits.warp_operations = true;
    } else if (name.starts_with("bar.")) {
      if (name == "bar.arrive") return refuse("bar.arrive");
      traits.barriers = true;
    } else if (starts_with_any(name,
                               {"shfl.", "vote.", "match.", "redux.", "elect", "activemask"})) {
      traits.warp_operations = true;
    } else if (starts_with_any(name, {"mbarrier", "mma", "wmma", "ldmatrix", "stmatrix",
                                      "movmatrix", "exit", "cp.", "call"})) {
      return refuse(fmt::format("{} has no SIMD form", std::string(name)));
    }
  }
  for (const llvm::Loop* loop : loops.getLoopsInPreorder()) {
    if (waits_for_others(*loop)) return refuse("a loop waits for other threads");
  }
  return traits;
}

}  // namespace guda::spmd
