#include "compiler/spmd/versions.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/Transforms/Utils/Cloning.h>

#include "compiler/spmd/device_calls.h"

namespace guda::spmd {
namespace {

using llvm::BasicBlock;

/// A copy only pays for code whose cost depends on the mask.
bool accesses_memory(llvm::ArrayRef<BasicBlock*> region) {
  return llvm::any_of(region, [](const BasicBlock* block) {
    return llvm::any_of(*block, [](const llvm::Instruction& instruction) {
      return instruction.mayReadOrWriteMemory();
    });
  });
}

bool has_barrier(llvm::ArrayRef<BasicBlock*> region) {
  return llvm::any_of(region, [](const BasicBlock* block) {
    return llvm::any_of(*block, [](const llvm::Instruction& instruction) {
      return device_function(instruction).starts_with("ptx.bar.");
    });
  });
}

}  // namespace

bool add_full_version(llvm::Function& function, const LaneShapes& shapes,
                      llvm::DominatorTree& dominators, llvm::PostDominatorTree& post_dominators,
                      const llvm::LoopInfo& loops, unsigned instruction_limit) {
  for (BasicBlock& block : function) {
    auto* branch = llvm::dyn_cast<llvm::BranchInst>(block.getTerminator());
    if (branch == nullptr || !branch->isConditional() || loops.getLoopFor(&block) != nullptr ||
        !shapes.has_divergent_terminator(block) || branch->getMetadata("guda.versioned") != nullptr) {
      continue;
    }
    // Every lane that is still in the kernel's main line: reached by uniform control flow only.
    bool uniform_path = true;
    for (auto* node = dominators.getNode(&block)->getIDom(); node != nullptr;
         node = node->getIDom()) {
      const BasicBlock* above = node->getBlock();
      if (shapes.has_divergent_terminator(*above) && !post_dominators.dominates(&block, above)) {
        uniform_path = false;
      }
    }
    if (!uniform_path) continue;
    unsigned side = 2;
    for (unsigned i = 0; i < 2; ++i) {
      BasicBlock* other = branch->getSuccessor(1 - i);
      if (post_dominators.dominates(other, &block) &&
          branch->getSuccessor(i)->getSinglePredecessor() == &block) {
        side = i;
      }
    }
    if (side == 2) continue;
    BasicBlock* body = branch->getSuccessor(side);
    llvm::SmallVector<BasicBlock*, 16> region;
    dominators.getDescendants(body, region);
    size_t instructions = 0;
    for (const BasicBlock* part : region) instructions += part->size();
    if (instructions > instruction_limit || !accesses_memory(region) || has_barrier(region)) {
      continue;
    }

    llvm::LLVMContext& context = function.getContext();
    llvm::ValueToValueMapTy values;
    llvm::SmallVector<BasicBlock*, 16> copies;
    for (BasicBlock* part : region) {
      BasicBlock* copy = llvm::CloneBasicBlock(part, values, ".full", &function);
      values[part] = copy;
      copies.push_back(copy);
    }
    llvm::remapInstructionsInBlocks(copies, values);
    // Blocks behind the region now have more predecessors.
    for (BasicBlock* part : region) {
      for (BasicBlock* successor : llvm::successors(part)) {
        if (llvm::is_contained(region, successor)) continue;
        for (llvm::PHINode& phi : successor->phis()) {
          llvm::Value* incoming = phi.getIncomingValueForBlock(part);
          const auto mapped = values.find(incoming);
          phi.addIncoming(mapped != values.end() ? static_cast<llvm::Value*>(mapped->second)
                                                 : incoming,
                          llvm::cast<BasicBlock>(values[part]));
        }
      }
    }
    BasicBlock* general = BasicBlock::Create(context, "partial", &function, body);
    branch->removeFromParent();
    branch->insertInto(general, general->end());
    branch->setMetadata("guda.versioned", llvm::MDNode::get(context, {}));
    for (BasicBlock* successor : llvm::successors(general)) {
      successor->replacePhiUsesWith(&block, general);
    }
    auto* copy_of_body = llvm::cast<BasicBlock>(values[body]);
    copy_of_body->replacePhiUsesWith(general, &block);
    llvm::IRBuilder<> builder(&block);
    llvm::Value* condition = branch->getCondition();
    if (side == 1) condition = builder.CreateNot(condition);
    llvm::Value* all =
        call_device(builder, "guda.all", builder.getInt1Ty(), {condition}, *function.getParent());
    llvm::cast<llvm::CallInst>(all)->setConvergent();
    builder.CreateCondBr(all, copy_of_body, general);
    return true;
  }
  return false;
}

}  // namespace guda::spmd
