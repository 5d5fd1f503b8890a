// PTX special registers (PTX ISA chapter 10).
#pragma once

#include <llvm/IR/IRBuilder.h>

#include <string_view>

namespace guda::device_ir {

class ModuleLowering;

/// The value of a special register such as "%tid" "x"; null when the name is not one.
llvm::Value* read_special_register(ModuleLowering& module, llvm::IRBuilder<>& builder,
                                   std::string_view name, std::string_view component);

}  // namespace guda::device_ir
