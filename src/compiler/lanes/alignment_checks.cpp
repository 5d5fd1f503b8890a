#include "compiler/lanes/alignment_checks.h"

#include <llvm/ADT/DenseMap.h>
#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/MDBuilder.h>
#include <llvm/IR/Module.h>
#include <llvm/Transforms/Utils/BasicBlockUtils.h>
#include <llvm/Transforms/Utils/Local.h>

#include <algorithm>

namespace guda::lanes {
namespace {

using llvm::Instruction;
using llvm::Value;

struct Access {
  Instruction* instruction;
  Value* pointer;
  uint64_t alignment;
};

// Locals, parameters and shared variables are laid out by the compiler; only computed offsets into
// them can go wrong, which known bits tell.
bool is_known(const Access& access, const llvm::DataLayout& layout) {
  const llvm::KnownBits bits = llvm::computeKnownBits(access.pointer, layout);
  return bits.countMinTrailingZeros() >= llvm::Log2_64(access.alignment);
}

// The access's requirement, or 1.
uint64_t required_alignment(const Instruction& instruction, const llvm::DataLayout& layout) {
  llvm::Type* type = nullptr;
  uint64_t stated = 1;
  if (const auto* load = llvm::dyn_cast<llvm::LoadInst>(&instruction)) {
    type = load->getType();
    stated = load->getAlign().value();
  } else if (const auto* store = llvm::dyn_cast<llvm::StoreInst>(&instruction)) {
    type = store->getValueOperand()->getType();
    stated = store->getAlign().value();
  } else if (const auto* update = llvm::dyn_cast<llvm::AtomicRMWInst>(&instruction)) {
    type = update->getType();
    stated = update->getAlign().value();
  } else if (const auto* exchange = llvm::dyn_cast<llvm::AtomicCmpXchgInst>(&instruction)) {
    type = exchange->getCompareOperand()->getType();
    stated = exchange->getAlign().value();
  } else {
    return 1;
  }
  return std::min<uint64_t>({stated, layout.getTypeStoreSize(type).getFixedValue(), 16});
}

}  // namespace

void add_alignment_checks(llvm::Function& function) {
  const llvm::DataLayout& layout = function.getDataLayout();
  llvm::SmallVector<Access, 32> accesses;
  // An address that has been checked stays checked for the rest of its block.
  llvm::DenseMap<std::pair<const llvm::BasicBlock*, const Value*>, uint64_t> checked;
  for (Instruction& instruction : llvm::instructions(function)) {
    Value* pointer = const_cast<Value*>(llvm::getPointerOperand(&instruction));
    if (const auto* update = llvm::dyn_cast<llvm::AtomicRMWInst>(&instruction)) {
      pointer = const_cast<Value*>(update->getPointerOperand());
    } else if (const auto* exchange = llvm::dyn_cast<llvm::AtomicCmpXchgInst>(&instruction)) {
      pointer = const_cast<Value*>(exchange->getPointerOperand());
    }
    if (pointer == nullptr) continue;
    const Access access{&instruction, pointer, required_alignment(instruction, layout)};
    if (access.alignment < 2) continue;
    uint64_t& before = checked[{instruction.getParent(), pointer}];
    if (before >= access.alignment || is_known(access, layout)) continue;
    before = access.alignment;
    accesses.push_back(access);
  }
  if (accesses.empty()) return;
  llvm::Module& module = *function.getParent();
  llvm::LLVMContext& context = module.getContext();
  llvm::FunctionCallee fault =
      module.getOrInsertFunction("ptx.misaligned", llvm::Type::getVoidTy(context));
  // One place per function that faults.
  llvm::BasicBlock* misaligned = llvm::BasicBlock::Create(context, "misaligned", &function);
  llvm::IRBuilder<> builder(misaligned);
  builder.CreateCall(fault);
  builder.CreateUnreachable();
  llvm::MDNode* unlikely = llvm::MDBuilder(context).createBranchWeights(1, 1 << 20);
  for (const Access& access : accesses) {
    llvm::BasicBlock* block = access.instruction->getParent();
    llvm::BasicBlock* rest = llvm::SplitBlock(block, access.instruction->getIterator());
    block->getTerminator()->eraseFromParent();
    builder.SetInsertPoint(block);
    Value* address = builder.CreatePtrToInt(access.pointer, builder.getInt64Ty());
    Value* low = builder.CreateAnd(address, builder.getInt64(access.alignment - 1));
    builder.CreateCondBr(builder.CreateIsNotNull(low), misaligned, rest, unlikely);
  }
}

}  // namespace guda::lanes
