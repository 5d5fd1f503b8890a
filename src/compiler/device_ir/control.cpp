// Control flow (PTX ISA 9.7.14): branches, calls, exit, trap.
#include <fmt/format.h>

#include "compiler/device_ir/call_signature.h"
#include "compiler/device_ir/function_address.h"
#include "compiler/device_ir/function_lowering.h"

namespace guda::device_ir {

void lower_call(Lowering& l);  // call.cpp

namespace {

using llvm::Value;

void lower_branch(Lowering& l) {
  llvm::BasicBlock* target = l.fn.label(l.operand(0).name);
  Value* condition = l.condition();
  if (condition == nullptr) {
    l.b.CreateBr(target);
    return;
  }
  llvm::BasicBlock* next = l.fn.new_block("next");
  l.b.CreateCondBr(condition, target, next);
  l.fn.continue_in(next);
}

// brx.idx index, targets: an index beyond the list is undefined, so the last label is the default.
void lower_indexed_branch(Lowering& l) {
  const ptx::TargetList* list = l.fn.target_list(l.operand(1).name);
  if (list == nullptr || list->targets.empty()) {
    l.fail(fmt::format("no .branchtargets '{}'", l.operand(1).name));
    return;
  }
  llvm::BasicBlock* next = nullptr;
  if (Value* condition = l.condition()) {
    next = l.fn.new_block("next");
    llvm::BasicBlock* taken = l.fn.new_block("taken");
    l.b.CreateCondBr(condition, taken, next);
    l.fn.continue_in(taken);
  }
  Value* index = l.in(0, ScalarType::u32);
  const size_t last = list->targets.size() - 1;
  llvm::SwitchInst* branch = l.b.CreateSwitch(index, l.fn.label(list->targets[last]), last);
  for (size_t i = 0; i < last; ++i) {
    branch->addCase(l.b.getInt32(static_cast<uint32_t>(i)), l.fn.label(list->targets[i]));
  }
  if (next != nullptr) l.fn.continue_in(next);
}

void leave(Lowering& l, bool thread) {
  llvm::BasicBlock* next = nullptr;
  if (Value* condition = l.condition()) {
    next = l.fn.new_block("next");
    llvm::BasicBlock* leaving = l.fn.new_block("leave");
    l.b.CreateCondBr(condition, leaving, next);
    l.fn.continue_in(leaving);
  }
  if (thread) {
    l.fn.exit_thread();
  } else {
    l.fn.return_from_function();
  }
  if (next != nullptr) l.fn.continue_in(next);
}

void lower_return(Lowering& l) { leave(l, false); }
void lower_exit(Lowering& l) { leave(l, true); }

void lower_trap(Lowering& l) { l.call("ptx.trap", l.b.getVoidTy(), {}, Effects::service); }
void lower_breakpoint(Lowering& l) { l.call("ptx.brkpt", l.b.getVoidTy(), {}, Effects::service); }

constexpr Row kRows[] = {
    {"bra", "uni?", 1, 1, Execution::control, lower_branch},
    {"brx", "idx uni?", 2, 2, Execution::control, lower_indexed_branch},
    {"call", "uni?", 1, 4, Execution::effect, lower_call},
    {"ret", "uni?", 0, 0, Execution::control, lower_return},
    {"exit", "", 0, 0, Execution::control, lower_exit},
    {"trap", "", 0, 0, Execution::effect, lower_trap},
    {"brkpt", "", 0, 0, Execution::effect, lower_breakpoint},
};

}  // namespace

std::span<const Row> control_rows() { return kRows; }

}  // namespace guda::device_ir
