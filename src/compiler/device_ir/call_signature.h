// How a PTX function's parameters and results travel in device IR.
#pragma once

#include <llvm/IR/DerivedTypes.h>
#include <llvm/IR/LLVMContext.h>

#include <vector>

#include "compiler/ptx/ast.h"

namespace guda::device_ir {

/// Scalars go by value as iN; arrays and vectors through a pointer to storage of the caller.
bool passed_by_value(const ptx::Variable& variable);

/// Leading pointers for aggregate results, then the parameters. One scalar result is the return
/// value; several are a struct.
llvm::FunctionType* call_signature(llvm::LLVMContext& context,
                                   const std::vector<ptx::Variable>& results,
                                   const std::vector<ptx::Variable>& parameters);

}  // namespace guda::device_ir
