// Which branches the threads of a block may take differently.
#pragma once

#include <llvm/ADT/SmallPtrSet.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/PostDominators.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/Function.h>

namespace guda::target {

/// The blocks of a function in normal form that some threads of a block may skip, or execute another number of
/// times than others.
llvm::SmallPtrSet<const llvm::BasicBlock*, 16> divergently_executed_blocks(
    llvm::Function& kernel, llvm::DominatorTree& dominators,
    llvm::PostDominatorTree& post_dominators);

}  // namespace guda::target
