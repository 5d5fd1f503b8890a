// Checks of alignment: one test of a scalar where the lanes agree on the low bits of their addresses.
#include <llvm/IR/MDBuilder.h>

#include "compiler/driver/kernel_abi.h"
#include "compiler/spmd/emitter.h"
#include "support/status.h"

namespace guda::spmd {

using llvm::BasicBlock;

llvm::BasicBlock* Emitter::misaligned_block() {
  if (misaligned_ != nullptr) return misaligned_;
  misaligned_ = BasicBlock::Create(out_.getContext(), "misaligned", &out_);
  llvm::IRBuilder<>::InsertPointGuard guard(builder_);
  builder_.SetInsertPoint(misaligned_);
  llvm::Type* pointer = builder_.getPtrTy();
  Value* services =
      scalar_load_field(launch_, offsetof(kernel::LaunchState, services), pointer, true);
  Value* fault = scalar_load_field(services, offsetof(kernel::Services, fault), pointer, true);
  llvm::CallInst* call = builder_.CreateCall(
      llvm::FunctionType::get(builder_.getVoidTy(), {pointer, builder_.getInt32Ty()}, false), fault,
      {block_, builder_.getInt32(static_cast<uint32_t>(StatusCode::misaligned_address))});
  call->setDoesNotReturn();
  call->addFnAttr(llvm::Attribute::Cold);
  builder_.CreateUnreachable();
  return misaligned_;
}

bool Emitter::agrees_on_low_bits(const llvm::Value* residue, uint64_t low_bits) const {
  // Deviations of wrapping extensions are multiples of 2^8 and more.
  const Affine* shape = affine(residue);
  return is_uniform(residue) || (shape != nullptr && (shape->stride & low_bits) == 0);
}

Status Emitter::emit_alignment_check(const llvm::CallBase& call) {
  const auto mask_of = [](const llvm::CallBase& check) {
    return llvm::cast<llvm::ConstantInt>(check.getArgOperand(1))->getZExtValue();
  };
  const llvm::Value* residue = call.getArgOperand(0);
  const uint64_t low_bits = mask_of(call);
  Value* bad = nullptr;
  bool tests_mask = true;
  if (agrees_on_low_bits(residue, low_bits)) {
    Value* bits = builder_.CreateAnd(base(residue), low_bits);
    if (pending_low_bits_ != nullptr) bits = builder_.CreateOr(bits, pending_low_bits_);
    pending_low_bits_ = nullptr;
    const auto* next = llvm::dyn_cast_or_null<llvm::CallBase>(call.getNextNode());
    if (next != nullptr && device_function(*next) == device_function(call) &&
        agrees_on_low_bits(next->getArgOperand(0), mask_of(*next))) {
      pending_low_bits_ = bits;  // one test for both
      return Status::ok();
    }
    bad = builder_.CreateIsNotNull(bits);
    tests_mask = current_->never_empty;
  } else {
    Value* bits = builder_.CreateAnd(vector(residue), splat(builder_.getInt32(low_bits)));
    bad = any(logical_and(mask_, builder_.CreateIsNotNull(bits)));
  }
  BasicBlock* aligned = BasicBlock::Create(out_.getContext(), "aligned", &out_);
  BasicBlock* fault = misaligned_block();
  llvm::MDNode* unlikely = llvm::MDBuilder(out_.getContext()).createUnlikelyBranchWeights();
  if (!tests_mask) {
    BasicBlock* doubt = BasicBlock::Create(out_.getContext(), "doubt", &out_);
    builder_.CreateCondBr(bad, doubt, aligned, unlikely);
    builder_.SetInsertPoint(doubt);
    bad = any(mask_);
  }
  builder_.CreateCondBr(bad, fault, aligned, tests_mask ? unlikely : nullptr);
  builder_.SetInsertPoint(aligned);
  return Status::ok();
}

}  // namespace guda::spmd
