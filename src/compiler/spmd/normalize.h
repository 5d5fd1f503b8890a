// Brings device IR into the form that the rest of the vectoriser expects: no switches, one return,
// reducible loops in simplified and loop-closed form, scalar pure operations on small vectors.
#pragma once

#include <llvm/IR/Function.h>

namespace guda::spmd {

void normalize(llvm::Function& function);

}  // namespace guda::spmd
