// Operations that the threads of a block or warp do together, between make_convergent and expand_exchanges: calls
// of `guda.together.<name>(operands..., i1 active)` in blocks that every thread of the block executes. `active`
// is false in threads that the program did not send there; what they get is ignored.
#pragma once

#include <llvm/ADT/StringRef.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

namespace guda::target {

inline constexpr llvm::StringLiteral kTogether = "guda.together.";
/// i1 guda.together.block.any(i1): whether any thread of the block says yes.
inline constexpr llvm::StringLiteral kBlockAny = "block.any";

inline llvm::CallInst* call_together(llvm::IRBuilderBase& builder, llvm::StringRef name,
                                     llvm::Type* result, llvm::ArrayRef<llvm::Value*> arguments) {
  llvm::SmallVector<llvm::Type*, 8> types;
  for (const llvm::Value* argument : arguments) types.push_back(argument->getType());
  llvm::Module& module = *builder.GetInsertBlock()->getModule();
  llvm::FunctionCallee callee = module.getOrInsertFunction(
      (kTogether + name).str(), llvm::FunctionType::get(result, types, false));
  auto* function = llvm::cast<llvm::Function>(callee.getCallee());
  function->setConvergent();
  function->setDoesNotThrow();
  return builder.CreateCall(callee, arguments);
}

}  // namespace guda::target
