#include "compiler/spmd/versions.h"

#include <llvm/ADT/SmallPtrSet.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/Transforms/Utils/Cloning.h>

#include "compiler/spmd/device_calls.h"
#include "compiler/spmd/version_region.h"

namespace guda::spmd {
namespace {

using llvm::BasicBlock;

/// A loop variable that differs between lanes only because lanes may have come to the loop along
/// different paths (the remainder of an unrolled loop): usually they are still in step.
struct StepVariable {
  llvm::PHINode* phi;
  int64_t stride;  // expected between neighbouring lanes
};

/// Stride of any affine or uniform value that `value` may have come from through phis.
std::optional<int64_t> original_stride(const llvm::Value* value, const LaneShapes& shapes) {
  llvm::SmallVector<const llvm::Value*, 8> worklist{value};
  llvm::SmallPtrSet<const llvm::Value*, 8> seen;
  while (!worklist.empty()) {
    const llvm::Value* next = worklist.pop_back_val();
    if (!seen.insert(next).second || seen.size() > 16) continue;
    if (const Affine* shape = shapes.affine(next)) return shape->stride;
    if (const auto* phi = llvm::dyn_cast<llvm::PHINode>(next)) {
      for (const llvm::Value* incoming : phi->incoming_values()) {
        if (!llvm::isa<llvm::Constant>(incoming)) worklist.push_back(incoming);
      }
    }
  }
  return std::nullopt;
}

llvm::SmallVector<StepVariable, 4> find_step_variables(const llvm::Loop& loop,
                                                       const LaneShapes& shapes) {
  llvm::SmallVector<StepVariable, 4> result;
  for (llvm::PHINode& phi : loop.getHeader()->phis()) {
    if (!(phi.getType()->isIntegerTy(32) || phi.getType()->isIntegerTy(64)) ||
        shapes.is_uniform(&phi) || shapes.affine(&phi) != nullptr) {
      continue;
    }
    const auto* step =
        llvm::dyn_cast<llvm::BinaryOperator>(phi.getIncomingValueForBlock(loop.getLoopLatch()));
    if (step == nullptr || step->getOpcode() != llvm::Instruction::Add) continue;
    const llvm::Value* amount =
        step->getOperand(0) == &phi ? step->getOperand(1) : step->getOperand(0);
    if ((step->getOperand(0) != &phi && step->getOperand(1) != &phi) ||
        !shapes.is_uniform(amount)) {
      continue;
    }
    if (const auto stride =
            original_stride(phi.getIncomingValueForBlock(loop.getLoopPreheader()), shapes)) {
      result.push_back({&phi, *stride});
    }
  }
  return result;
}

/// The loop ends when a value that is in step reaches a bound that is the same for all lanes.
bool ends_in_step(const llvm::BranchInst& branch, const LaneShapes& shapes,
                  llvm::ArrayRef<StepVariable> variables) {
  const auto* compare = llvm::dyn_cast<llvm::ICmpInst>(branch.getCondition());
  if (compare == nullptr) return false;
  for (unsigned i = 0; i < 2; ++i) {
    if (!shapes.is_uniform(compare->getOperand(1 - i))) continue;
    const llvm::Value* value = compare->getOperand(i);
    if (shapes.affine(value) != nullptr) return true;
    for (const StepVariable& variable : variables) {
      if (value == variable.phi) return true;
      const auto* step = llvm::dyn_cast<llvm::BinaryOperator>(value);
      if (step != nullptr && llvm::is_contained(step->operand_values(), variable.phi)) return true;
    }
  }
  return false;
}

}  // namespace

bool add_full_loop(llvm::Function& function, const LaneShapes& shapes,
                   llvm::DominatorTree& dominators, llvm::PostDominatorTree& post_dominators,
                   const llvm::LoopInfo& loops, unsigned instruction_limit) {
  llvm::LLVMContext& context = function.getContext();
  for (const llvm::Loop* loop : loops.getLoopsInPreorder()) {
    BasicBlock* latch = loop->getLoopLatch();
    BasicBlock* preheader = loop->getLoopPreheader();
    BasicBlock* header = loop->getHeader();
    BasicBlock* exit = loop->getUniqueExitBlock();
    if (!loop->isInnermost() || latch == nullptr || preheader == nullptr || exit == nullptr ||
        loop->getExitingBlock() != latch) {
      continue;
    }
    auto* branch = llvm::dyn_cast<llvm::BranchInst>(latch->getTerminator());
    if (branch == nullptr || !branch->isConditional() || !shapes.has_divergent_terminator(*latch) ||
        branch->getMetadata(kVersioned) != nullptr ||
        !on_uniform_path(*preheader, shapes, dominators, post_dominators)) {
      continue;
    }
    const auto variables = find_step_variables(*loop, shapes);
    if (!ends_in_step(*branch, shapes, variables)) continue;
    const llvm::SmallVector<BasicBlock*, 8> region(loop->blocks());
    size_t instructions = 0;
    for (const BasicBlock* part : region) instructions += part->size();
    if (instructions > instruction_limit || has_barrier(region)) continue;

    llvm::ValueToValueMapTy values;
    llvm::SmallVector<BasicBlock*, 8> copies;
    for (BasicBlock* part : region) {
      BasicBlock* copy = llvm::CloneBasicBlock(part, values, ".together", &function);
      values[part] = copy;
      copies.push_back(copy);
    }
    llvm::remapInstructionsInBlocks(copies, values);
    const auto mapped = [&](llvm::Value* value) {
      const auto found = values.find(value);
      return found != values.end() ? static_cast<llvm::Value*>(found->second) : value;
    };
    auto* fast_header = llvm::cast<BasicBlock>(values[header]);
    auto* fast_latch = llvm::cast<BasicBlock>(values[latch]);
    BasicBlock* part = BasicBlock::Create(context, "part", &function, header);
    BasicBlock* general = BasicBlock::Create(context, "general", &function, header);
    // The copy is entered if all step variables are in step now.
    llvm::IRBuilder<> entry(preheader->getTerminator());
    llvm::Module& module = *function.getParent();
    llvm::Value* in_step = nullptr;
    for (const StepVariable& variable : variables) {
      llvm::Value* start = variable.phi->getIncomingValueForBlock(preheader);
      llvm::Type* type = start->getType();
      llvm::Value* first =
          call_device(entry, type->isIntegerTy(64) ? "guda.first.b64" : "guda.first.b32", type,
                      {start}, module);
      llvm::Value* lane = call_device(entry, "guda.lane", entry.getInt32Ty(), {}, module);
      llvm::Value* expected = entry.CreateAdd(
          first, entry.CreateMul(entry.CreateZExtOrTrunc(lane, type),
                                 llvm::ConstantInt::getSigned(type, variable.stride)));
      llvm::Value* equal = entry.CreateICmpEQ(start, expected);
      in_step = in_step == nullptr ? equal : entry.CreateAnd(in_step, equal);
      auto* fast_phi = llvm::cast<llvm::PHINode>(values[variable.phi]);
      fast_phi->setIncomingValueForBlock(preheader, expected);
    }
    if (in_step == nullptr) {
      preheader->getTerminator()->replaceSuccessorWith(header, fast_header);
    } else {
      llvm::CallInst* all = call_device(entry, "guda.all", entry.getInt1Ty(), {in_step}, module);
      all->setConvergent();
      preheader->getTerminator()->eraseFromParent();
      llvm::BranchInst::Create(fast_header, general, all, preheader);
    }

    auto* fast_branch = llvm::cast<llvm::BranchInst>(fast_latch->getTerminator());
    llvm::IRBuilder<> builder(fast_branch);
    llvm::Value* stays = fast_branch->getCondition();
    if (fast_branch->getSuccessor(0) != fast_header) stays = builder.CreateNot(stays);
    llvm::CallInst* all =
        call_device(builder, "guda.all", builder.getInt1Ty(), {stays}, *function.getParent());
    all->setConvergent();
    builder.CreateCondBr(all, fast_header, part);
    fast_branch->eraseFromParent();
    builder.SetInsertPoint(part);
    builder.CreateCondBr(stays, general, exit);
    builder.SetInsertPoint(general);
    builder.CreateBr(header);

    for (llvm::PHINode& phi : header->phis()) {
      llvm::Value* again = mapped(phi.getIncomingValueForBlock(latch));
      const auto from_outside = static_cast<unsigned>(phi.getBasicBlockIndex(preheader));
      if (in_step != nullptr) {
        llvm::PHINode* merged = llvm::PHINode::Create(phi.getType(), 2, "resume", general->begin());
        merged->addIncoming(phi.getIncomingValue(from_outside), preheader);
        merged->addIncoming(again, part);
        again = merged;
      }
      phi.setIncomingBlock(from_outside, general);
      phi.setIncomingValue(from_outside, again);
    }
    for (llvm::PHINode& phi : exit->phis()) {
      phi.addIncoming(mapped(phi.getIncomingValueForBlock(latch)), part);
    }
    branch->setMetadata(kVersioned, llvm::MDNode::get(context, {}));
    return true;
  }
  return false;
}

}  // namespace guda::spmd
