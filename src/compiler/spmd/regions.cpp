#include "compiler/spmd/regions.h"

#include <llvm/ADT/MapVector.h>
#include <llvm/ADT/SetVector.h>
#include <llvm/IR/CFG.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/Support/MathExtras.h>
#include <llvm/Transforms/Utils/BasicBlockUtils.h>
#include <llvm/Transforms/Utils/PromoteMemToReg.h>

#include "compiler/driver/kernel_abi.h"

namespace guda::spmd {
namespace {

using llvm::BasicBlock;
using llvm::Instruction;
using llvm::Value;

// Instructions. Scalar chains overlap (addresses in one array) and run beside the vector units.
constexpr unsigned kRecomputeLimit = 20;
constexpr unsigned kRecomputeVectorLimit = 5;

/// Number of instructions that compute `value` again from arguments and constants, or more than the
/// limit when it cannot or should not be.
unsigned recompute_cost(const Value* value) {
  const auto* instruction = llvm::dyn_cast<Instruction>(value);
  if (instruction == nullptr) return 0;
  const auto* load = llvm::dyn_cast<llvm::LoadInst>(instruction);
  const bool pure =
      llvm::isa<llvm::BinaryOperator, llvm::CastInst, llvm::GetElementPtrInst, llvm::CmpInst,
                llvm::ShuffleVectorInst, llvm::InsertElementInst, llvm::SelectInst>(instruction) ||
      (load != nullptr && load->hasMetadata(llvm::LLVMContext::MD_invariant_load) &&
       !load->getType()->isVectorTy());
  if (!pure) return kRecomputeLimit + 1;
  const unsigned opcode = instruction->getOpcode();
  if (opcode == Instruction::UDiv || opcode == Instruction::SDiv || opcode == Instruction::URem ||
      opcode == Instruction::SRem || opcode == Instruction::FDiv) {
    return kRecomputeLimit + 1;
  }
  unsigned cost = 1;
  for (const Value* operand : instruction->operands()) {
    cost += recompute_cost(operand);
    if (cost > kRecomputeLimit) break;
  }
  return cost;
}

bool is_cheap(const Value* value) {
  return recompute_cost(value) <=
         (value->getType()->isVectorTy() ? kRecomputeVectorLimit : kRecomputeLimit);
}

Value* recompute(Value* value, llvm::IRBuilder<>& builder, llvm::DenseMap<Value*, Value*>& done) {
  auto* instruction = llvm::dyn_cast<Instruction>(value);
  if (instruction == nullptr) return value;
  if (const auto found = done.find(value); found != done.end()) return found->second;
  Instruction* copy = instruction->clone();
  for (unsigned i = 0; i < copy->getNumOperands(); ++i) {
    copy->setOperand(i, recompute(instruction->getOperand(i), builder, done));
  }
  return done[value] = builder.Insert(copy);
}

/// Frames are 64-byte aligned.
llvm::Align frame_alignment(const Instruction* value) {
  return std::min(value->getDataLayout().getPrefTypeAlign(value->getType()), llvm::Align(64));
}

using LiveSets = llvm::DenseMap<BasicBlock*, llvm::SetVector<Instruction*>>;

/// Values that are live at the start of the given blocks.
LiveSets find_live(llvm::Function& function, llvm::ArrayRef<BasicBlock*> at) {
  LiveSets live;
  for (BasicBlock* block : at) live[block];
  llvm::SmallVector<BasicBlock*, 32> worklist;
  for (Instruction& instruction : llvm::instructions(function)) {
    if (llvm::isa<llvm::AllocaInst>(instruction)) continue;
    llvm::SmallPtrSet<BasicBlock*, 32> seen;
    worklist.clear();
    for (llvm::Use& use : instruction.uses()) {
      auto* user = llvm::cast<Instruction>(use.getUser());
      BasicBlock* block = user->getParent();
      if (auto* phi = llvm::dyn_cast<llvm::PHINode>(user)) {
        block = phi->getIncomingBlock(use);
      }
      if (block != instruction.getParent()) worklist.push_back(block);
    }
    while (!worklist.empty()) {
      BasicBlock* block = worklist.pop_back_val();
      if (!seen.insert(block).second) continue;
      if (const auto found = live.find(block); found != live.end())
        found->second.insert(&instruction);
      for (BasicBlock* predecessor : llvm::predecessors(block)) {
        if (predecessor != instruction.getParent()) worklist.push_back(predecessor);
      }
    }
  }
  return live;
}

}  // namespace

Regions cut_at_barriers(llvm::Function& function) {
  llvm::SmallVector<llvm::CallInst*, 8> barriers;
  for (Instruction& instruction : llvm::instructions(function)) {
    auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction);
    if (call != nullptr && call->getCalledFunction() != nullptr &&
        call->getCalledFunction()->getName() == "guda.barrier") {
      barriers.push_back(call);
    }
  }
  llvm::LLVMContext& context = function.getContext();
  const llvm::DataLayout& layout = function.getDataLayout();
  llvm::SmallVector<BasicBlock*, 8> resumes;
  for (llvm::CallInst* barrier : barriers) {
    resumes.push_back(llvm::SplitBlock(barrier->getParent(), barrier->getNextNode()));
  }
  LiveSets live = find_live(function, resumes);

  // A stack slot for every value that some region takes over from another, a place in the frame
  // for those that are not recomputed.
  llvm::MapVector<Instruction*, llvm::AllocaInst*> slots;
  llvm::DenseMap<Instruction*, uint64_t> frame;
  BasicBlock* old_entry = &function.getEntryBlock();
  BasicBlock* entry = BasicBlock::Create(context, "dispatch", &function, old_entry);
  llvm::IRBuilder<> builder(entry);
  uint64_t frame_bytes = 0;
  for (BasicBlock* resume : resumes) {
    for (Instruction* value : live[resume]) {
      if (slots.contains(value)) continue;
      slots[value] = builder.CreateAlloca(value->getType(), nullptr, "live");
      if (is_cheap(value)) continue;
      frame_bytes = llvm::alignTo(frame_bytes, frame_alignment(value));
      frame[value] = frame_bytes;
      frame_bytes += layout.getTypeAllocSize(value->getType()).getFixedValue();
    }
  }
  for (Instruction& instruction : llvm::make_early_inc_range(*old_entry)) {
    if (llvm::isa<llvm::AllocaInst>(instruction)) instruction.moveBefore(*entry, entry->end());
  }
  builder.SetInsertPoint(entry);
  llvm::SwitchInst* dispatch = builder.CreateSwitch(function.getArg(4), old_entry);

  for (unsigned i = 0; i < barriers.size(); ++i) {
    llvm::CallInst* barrier = barriers[i];
    BasicBlock* resume = resumes[i];
    builder.SetInsertPoint(resume, resume->begin());
    llvm::DenseMap<Value*, Value*> recomputed;
    for (Instruction* value : live[resume]) {
      Value* restored = nullptr;
      if (const auto place = frame.find(value); place != frame.end()) {
        Value* address = builder.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), function.getArg(3),
                                                            place->second);
        restored = builder.CreateAlignedLoad(value->getType(), address, frame_alignment(value),
                                             "restored");
      } else {
        restored = recompute(value, builder, recomputed);
      }
      builder.CreateStore(restored, slots[value]);
    }
    builder.SetInsertPoint(barrier);
    for (Instruction* value : live[resume]) {
      const auto place = frame.find(value);
      if (place == frame.end()) continue;
      Value* address = builder.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), function.getArg(3),
                                                          place->second);
      // The value becomes its slot's below, where it is defined elsewhere.
      builder.CreateAlignedStore(value, address, frame_alignment(value));
    }
    Value* wait = builder.CreateOr(
        builder.CreateShl(builder.CreateZExt(barrier->getArgOperand(0), builder.getInt64Ty()), 32),
        builder.CreateZExt(barrier->getArgOperand(1), builder.getInt64Ty()));
    builder.CreateStore(
        wait, builder.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), function.getArg(1),
                                                 offsetof(kernel::BlockState, barrier_wait)));
    llvm::ReturnInst::Create(context, builder.getInt32(i + 1),
                             barrier->getParent()->getTerminator()->getIterator());
    barrier->getParent()->getTerminator()->eraseFromParent();
    dispatch->addCase(builder.getInt32(i + 1), resume);
    barrier->eraseFromParent();
  }

  // Every other use of such a value reads its slot.
  for (auto& [value, stack_slot] : slots) {
    llvm::SmallVector<llvm::Use*, 16> uses;
    for (llvm::Use& use : value->uses()) uses.push_back(&use);
    llvm::DenseMap<BasicBlock*, Value*> at_end;
    for (llvm::Use* use : uses) {
      auto* user = llvm::cast<Instruction>(use->getUser());
      if (auto* phi = llvm::dyn_cast<llvm::PHINode>(user)) {
        BasicBlock* from = phi->getIncomingBlock(*use);
        Value*& loaded = at_end[from];
        if (loaded == nullptr) {
          builder.SetInsertPoint(from->getTerminator());
          loaded = builder.CreateLoad(value->getType(), stack_slot);
        }
        use->set(loaded);
      } else if (user->getParent() != value->getParent()) {
        builder.SetInsertPoint(user);
        use->set(builder.CreateLoad(value->getType(), stack_slot));
      }
    }
    Instruction* after = value;
    BasicBlock::iterator point = llvm::isa<llvm::PHINode>(value)
                                     ? value->getParent()->getFirstInsertionPt()
                                     : std::next(after->getIterator());
    builder.SetInsertPoint(value->getParent(), point);
    builder.CreateStore(value, stack_slot);
  }
  llvm::SmallVector<llvm::AllocaInst*, 32> promotable;
  for (auto& [value, stack_slot] : slots) promotable.push_back(stack_slot);
  llvm::DominatorTree dominators(function);
  llvm::PromoteMemToReg(promotable, dominators);
  return {static_cast<uint32_t>(barriers.size()) + 1,
          static_cast<uint32_t>(llvm::alignTo(frame_bytes, 64))};
}

}  // namespace guda::spmd
