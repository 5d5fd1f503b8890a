#include "compiler/target/spirv/block_uniformity.h"

#include <llvm/ADT/GenericUniformityImpl.h>
#include <llvm/Analysis/CycleAnalysis.h>
#include <llvm/Analysis/TargetTransformInfo.h>
#include <llvm/Analysis/TargetTransformInfoImpl.h>
#include <llvm/Analysis/UniformityAnalysis.h>
#include <llvm/IR/Instructions.h>

#include <memory>

namespace guda::target {
namespace {

using llvm::BasicBlock;
using llvm::Value;

/// Seeds of the analysis for the threads of a block.
class BlockTarget final : public llvm::TargetTransformInfoImplBase {
 public:
  explicit BlockTarget(const llvm::DataLayout& layout) : TargetTransformInfoImplBase(layout) {}

  bool hasBranchDivergence(const llvm::Function*) const override { return true; }

  llvm::InstructionUniformity getInstructionUniformity(const Value* value) const override {
    using enum llvm::InstructionUniformity;
    if (llvm::isa<llvm::AtomicRMWInst, llvm::AtomicCmpXchgInst, llvm::AllocaInst>(value))
      return NeverUniform;
    // Each thread reads it at a moment of its own.
    if (auto* load = llvm::dyn_cast<llvm::LoadInst>(value))
      return load->isVolatile() || load->isAtomic() ? NeverUniform : Default;
    const auto* call = llvm::dyn_cast<llvm::CallInst>(value);
    if (!call || !call->getCalledFunction()) return Default;
    llvm::StringRef name = call->getCalledFunction()->getName();
    if (!name.consume_front("ptx.")) return Default;
    if (name.starts_with("bar.red.")) return AlwaysUniform;
    static constexpr llvm::StringLiteral kDivergent[] = {
        "sreg.tid.",  "sreg.laneid",      "sreg.warpid", "sreg.lanemask",
        "sreg.clock", "sreg.globaltimer", "shfl.",       "vote.",
        "match.",     "redux.",           "elect.",      "activemask"};
    for (llvm::StringRef prefix : kDivergent)
      if (name.starts_with(prefix)) return NeverUniform;
    return Default;
  }
};

}  // namespace

llvm::SmallPtrSet<const BasicBlock*, 16> divergently_executed_blocks(
    llvm::Function& kernel, llvm::DominatorTree& dominators,
    llvm::PostDominatorTree& post_dominators) {
  llvm::CycleInfo cycles;
  cycles.compute(kernel);
  const llvm::TargetTransformInfo target(std::make_unique<BlockTarget>(kernel.getDataLayout()));
  llvm::UniformityInfo uniformity(dominators, cycles, &target);
  uniformity.compute();

  llvm::SmallPtrSet<const BasicBlock*, 16> result;
  for (BasicBlock& block : kernel) {
    if (!uniformity.hasDivergentTerminator(block)) continue;
    const auto* node = post_dominators.getNode(&block);
    const BasicBlock* join = node && node->getIDom() ? node->getIDom()->getBlock() : nullptr;
    llvm::SmallVector<const BasicBlock*> work(llvm::successors(&block));
    llvm::SmallPtrSet<const BasicBlock*, 16> seen;
    while (!work.empty()) {
      const BasicBlock* reached = work.pop_back_val();
      if (reached == join || !seen.insert(reached).second) continue;
      result.insert(reached);
      work.append(llvm::succ_begin(reached), llvm::succ_end(reached));
    }
  }
  return result;
}

}  // namespace guda::target
