// Brings device IR into the form that the rest of the vectoriser expects: no switches, one return,
// reducible loops in simplified and loop-closed form, scalar pure operations on small vectors.
#pragma once

#include <llvm/IR/Function.h>
#include <llvm/IR/PassManager.h>

namespace guda::spmd {

void normalize(llvm::Function& function);

/// Runs a pass pipeline on one function with fresh analyses.
void run_passes(llvm::Function& function, llvm::FunctionPassManager passes);

}  // namespace guda::spmd
