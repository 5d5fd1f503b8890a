#include "compiler/spmd/version_region.h"

namespace guda::spmd {

using llvm::BasicBlock;

bool accesses_memory(llvm::ArrayRef<BasicBlock*> region) {
  return llvm::any_of(region, [](const BasicBlock* block) {
    return llvm::any_of(*block, [](const llvm::Instruction& instruction) {
      return instruction.mayReadOrWriteMemory();
    });
  });
}

bool on_uniform_path(const BasicBlock& block, const LaneShapes& shapes,
                     const llvm::DominatorTree& dominators,
                     const llvm::PostDominatorTree& post_dominators) {
  for (auto* node = dominators.getNode(&block)->getIDom(); node != nullptr;
       node = node->getIDom()) {
    const BasicBlock* above = node->getBlock();
    if (shapes.has_divergent_terminator(*above) && !post_dominators.dominates(&block, above)) {
      return false;
    }
  }
  return true;
}

bool has_barrier(llvm::ArrayRef<BasicBlock*> region) {
  return llvm::any_of(region, [](const BasicBlock* block) {
    return llvm::any_of(*block, [](const llvm::Instruction& instruction) {
      return device_function(instruction).starts_with("ptx.bar.");
    });
  });
}

}  // namespace guda::spmd
