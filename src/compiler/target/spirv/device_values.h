// Names for the hidden arguments, usable before the OpenCL function exists.
//
// Steps that run on device IR ask for them by calls; make_arguments replaces the calls.
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

namespace guda::target {

/// A pointer in local memory: the exchange area.
inline constexpr const char* kExchangeArea = "guda.exchange.area";

inline llvm::Value* exchange_area(llvm::IRBuilder<>& builder) {
  llvm::Module& module = *builder.GetInsertBlock()->getModule();
  auto* type = llvm::FunctionType::get(builder.getPtrTy(3), false);
  llvm::FunctionCallee area = module.getOrInsertFunction(kExchangeArea, type);
  auto* function = llvm::cast<llvm::Function>(area.getCallee());
  function->setDoesNotAccessMemory();
  function->setDoesNotThrow();
  function->setWillReturn();
  return builder.CreateCall(area);
}

/// Calls of the above, and of the registers that hidden arguments hold, become the arguments.
void replace_device_arguments(llvm::Function& function, uint32_t static_shared_bytes);

}  // namespace guda::target
