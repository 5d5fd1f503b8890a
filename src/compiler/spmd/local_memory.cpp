#include "compiler/spmd/local_memory.h"

#include <llvm/ADT/SmallPtrSet.h>
#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/KnownBits.h>
#include <llvm/Support/MathExtras.h>

#include "compiler/spmd/device_calls.h"

namespace guda::spmd {
namespace {

using llvm::Instruction;
using llvm::Value;

/// All uses of an alloca: GEPs with i8 or element offsets that end in loads and stores.
struct Accesses {
  llvm::SmallVector<Instruction*, 16> geps;      // in an order where a base precedes its uses
  llvm::SmallVector<Instruction*, 16> accesses;  // loads and stores
  uint64_t element_size = 0;
  bool simple = true;
};

void collect(Value* pointer, const llvm::DataLayout& layout, Accesses& result) {
  for (llvm::User* user : pointer->users()) {
    auto* instruction = llvm::cast<Instruction>(user);
    if (auto* gep = llvm::dyn_cast<llvm::GetElementPtrInst>(instruction)) {
      result.geps.push_back(gep);
      collect(gep, layout, result);
    } else if (llvm::isa<llvm::LoadInst, llvm::StoreInst>(instruction)) {
      const auto* store = llvm::dyn_cast<llvm::StoreInst>(instruction);
      if (store != nullptr && store->getValueOperand() == pointer) {
        result.simple = false;
        return;
      }
      llvm::Type* type = llvm::getLoadStoreType(instruction);
      const uint64_t size = layout.getTypeStoreSize(type).getFixedValue();
      if (result.element_size == 0) result.element_size = size;
      if (size != result.element_size || type->isVectorTy()) result.simple = false;
      result.accesses.push_back(instruction);
    } else {
      result.simple = false;
    }
    if (!result.simple) return;
  }
}

/// Byte offset of `gep` from its base is a multiple of `size`.
bool is_multiple(const llvm::GetElementPtrInst& gep, uint64_t size,
                 const llvm::DataLayout& layout) {
  if (gep.getNumIndices() != 1) return false;
  const uint64_t scale = layout.getTypeAllocSize(gep.getSourceElementType()).getFixedValue();
  if (scale % size == 0) return true;
  const llvm::KnownBits bits = llvm::computeKnownBits(gep.getOperand(1), layout);
  return ((uint64_t{1} << std::min(bits.countMinTrailingZeros(), 32u)) * scale) % size == 0;
}

}  // namespace

uint32_t lower_local_memory(llvm::Function& function, const WarpLayout& warp) {
  const llvm::DataLayout& layout = function.getDataLayout();
  llvm::SmallVector<llvm::AllocaInst*, 8> variables;
  for (Instruction& instruction : function.getEntryBlock()) {
    if (auto* variable = llvm::dyn_cast<llvm::AllocaInst>(&instruction))
      variables.push_back(variable);
  }
  llvm::Module& module = *function.getParent();
  uint64_t offset = 0;
  for (llvm::AllocaInst* variable : variables) {
    for (llvm::User* user : llvm::make_early_inc_range(variable->users())) {
      if (auto* intrinsic = llvm::dyn_cast<llvm::IntrinsicInst>(user);
          intrinsic != nullptr && intrinsic->isLifetimeStartOrEnd()) {
        intrinsic->eraseFromParent();
      }
    }
    const uint64_t bytes =
        llvm::alignTo(variable->getAllocationSize(layout)->getFixedValue(), llvm::Align(16));
    Accesses accesses;
    collect(variable, layout, accesses);
    const uint64_t size = accesses.element_size;
    bool interleave = accesses.simple && llvm::isPowerOf2_64(size) && size <= 8;
    for (Instruction* gep : accesses.geps) {
      interleave =
          interleave && is_multiple(*llvm::cast<llvm::GetElementPtrInst>(gep), size, layout);
    }
    llvm::IRBuilder<> builder(variable);
    Value* lane = builder.CreateZExt(
        call_device(builder, "guda.lane", builder.getInt32Ty(), {}, module), builder.getInt64Ty());
    Value* base = builder.CreateGEP(
        builder.getInt8Ty(), call_device(builder, "guda.local", builder.getPtrTy(), {}, module),
        builder.getInt64(offset * warp.lanes));
    Value* first =
        builder.CreateGEP(builder.getInt8Ty(), base,
                          builder.CreateMul(lane, builder.getInt64(interleave ? size : bytes)));
    if (interleave) {
      for (Instruction* instruction : accesses.geps) {
        auto* gep = llvm::cast<llvm::GetElementPtrInst>(instruction);
        const uint64_t scale = layout.getTypeAllocSize(gep->getSourceElementType()).getFixedValue();
        llvm::IRBuilder<> at(gep);
        Value* index = at.CreateSExtOrTrunc(gep->getOperand(1), at.getInt64Ty());
        Value* moved = at.CreateGEP(at.getInt8Ty(), gep->getPointerOperand(),
                                    at.CreateMul(index, at.getInt64(scale * warp.lanes)));
        gep->replaceAllUsesWith(moved);
        gep->eraseFromParent();
      }
    }
    variable->replaceAllUsesWith(first);
    variable->eraseFromParent();
    offset += bytes;
  }
  return static_cast<uint32_t>(offset);
}

}  // namespace guda::spmd
