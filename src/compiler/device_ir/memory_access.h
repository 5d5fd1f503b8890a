// Pieces shared by the instructions that access memory.
#pragma once

#include <llvm/Support/AtomicOrdering.h>

#include "compiler/device_ir/function_lowering.h"

namespace guda::device_ir {

/// The state space a modifier names; StateSpace::none (generic) without one.
StateSpace state_space(Lowering& l);
/// Type of a value in memory: float, double or iN.
llvm::Type* memory_type(llvm::LLVMContext& context, ScalarType type);
/// Ordering of .relaxed, .acquire, .release, .acq_rel; `otherwise` without one.
llvm::AtomicOrdering ordering(Lowering& l, llvm::AtomicOrdering otherwise);

}  // namespace guda::device_ir
