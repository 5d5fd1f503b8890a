// Declares and calls the functions of device IR (docs/device_ir.md).
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

namespace guda::spmd {

/// Attribute of a scalar function that is to be called once for each lane (serial_loops.h).
inline constexpr const char* kSerialLoop = "guda.serial_loop";

/// Calls the pure lane-wise function `name`, declaring it as memory(none) when it is new.
inline llvm::CallInst* call_device(llvm::IRBuilderBase& builder, llvm::StringRef name,
                                   llvm::Type* result, llvm::ArrayRef<llvm::Value*> arguments,
                                   llvm::Module& module) {
  llvm::SmallVector<llvm::Type*, 4> types;
  for (const llvm::Value* argument : arguments) types.push_back(argument->getType());
  llvm::FunctionCallee callee =
      module.getOrInsertFunction(name, llvm::FunctionType::get(result, types, false));
  if (auto* function = llvm::dyn_cast<llvm::Function>(callee.getCallee())) {
    function->setDoesNotAccessMemory();
    function->setDoesNotThrow();
    function->setWillReturn();
    function->addFnAttr(llvm::Attribute::Speculatable);
  }
  return builder.CreateCall(callee, arguments);
}

}  // namespace guda::spmd
