#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>

#include <string>
#include <vector>

#include "compiler/lanes/lanes.h"
#include "compiler/lanes/polling_loops.h"
#include "compiler/lanes/service_calls.h"
#include "compiler/lanes/thread_parameter.h"

namespace guda::lanes {
namespace {

// Local variables stay on the thread's stack; the sum over all functions tells the executor how
// large stacks should be.
uint64_t stack_variable_bytes(const llvm::Function& function) {
  const llvm::DataLayout& layout = function.getDataLayout();
  uint64_t bytes = 0;
  for (const llvm::Instruction& instruction : llvm::instructions(function)) {
    const auto* variable = llvm::dyn_cast<llvm::AllocaInst>(&instruction);
    if (variable == nullptr) continue;
    if (const auto size = variable->getAllocationSize(layout); size.has_value()) {
      bytes += size->getFixedValue() + variable->getAlign().value();
    }
  }
  return bytes;
}

}  // namespace

Result<Scalarized> scalarize(llvm::Function& kernel) {
  const std::string name = kernel.getName().str();
  if (kernel.arg_size() != 1) {
    return Status(StatusCode::unknown, name + ": a kernel takes one pointer, to its parameters");
  }
  const std::vector<llvm::Function*> functions = add_thread_parameter(kernel);
  Scalarized result;
  result.run_thread = functions.front();
  uint64_t local_bytes = 0;
  for (llvm::Function* function : functions) {
    // Found first: later steps hide what the loops wait for behind services.
    const llvm::SmallVector<llvm::BasicBlock*, 4> latches = polling_latches(*function);
    ServiceCalls calls(*function, function == result.run_thread);
    for (llvm::BasicBlock* latch : latches) calls.insert_yield(latch->getTerminator());
    if (Status status = calls.lower_all(); !status.is_ok()) {
      return Status(status.code(), name + ": " + status.message());
    }
    result.flags |= calls.flags();
    local_bytes += stack_variable_bytes(*function);
  }
  result.local_bytes = static_cast<uint32_t>((local_bytes + 15) / 16 * 16);
#ifndef NDEBUG
  std::string problem;
  llvm::raw_string_ostream stream(problem);
  if (llvm::verifyModule(*result.run_thread->getParent(), &stream)) {
    return Status(StatusCode::unknown, name + ": " + problem);
  }
#endif
  return result;
}

}  // namespace guda::lanes
