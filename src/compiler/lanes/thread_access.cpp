#include "compiler/lanes/thread_access.h"

#include <llvm/IR/Instructions.h>

namespace guda::lanes {

using llvm::Type;
using llvm::Value;

ThreadAccess::ThreadAccess(llvm::Function& function)
    : function_(function), builder_(function.getContext()) {
  llvm::BasicBlock& entry = function.getEntryBlock();
  // A placeholder keeps its position while the instructions around it are replaced.
  marker_ = new llvm::FreezeInst(llvm::PoisonValue::get(builder_.getInt1Ty()), "",
                                 entry.getFirstNonPHIOrDbgOrAlloca());
  builder_.SetInsertPoint(marker_);
}

ThreadAccess::~ThreadAccess() { marker_->eraseFromParent(); }

Value* ThreadAccess::load(Base base, Value* pointer, size_t offset, Type* type) {
  Value*& value = loaded_[{base, offset}];
  if (value != nullptr) return value;
  Value* address = builder_.CreateConstInBoundsGEP1_64(builder_.getInt8Ty(), pointer, offset);
  const llvm::Align align(type->isPointerTy() || type->isIntegerTy(64) ? 8 : 4);
  llvm::LoadInst* load = builder_.CreateAlignedLoad(type, address, align);
  load->setMetadata(llvm::LLVMContext::MD_invariant_load,
                    llvm::MDNode::get(function_.getContext(), {}));
  value = load;
  return load;
}

Value* ThreadAccess::block() {
  return load(kThread, thread(), offsetof(kernel::ThreadState, block), builder_.getPtrTy());
}

Value* ThreadAccess::launch() {
  return load(kThread, thread(), offsetof(kernel::ThreadState, launch), builder_.getPtrTy());
}

Value* ThreadAccess::thread_word(size_t offset) {
  return load(kThread, thread(), offset, builder_.getInt32Ty());
}

Value* ThreadAccess::block_word(size_t offset) {
  return load(kBlock, block(), offset, builder_.getInt32Ty());
}

Value* ThreadAccess::launch_word(size_t offset) {
  return load(kLaunch, launch(), offset, builder_.getInt32Ty());
}

Value* ThreadAccess::launch_quad(size_t offset) {
  return load(kLaunch, launch(), offset, builder_.getInt64Ty());
}

Value* ThreadAccess::launch_pointer(size_t offset) {
  return load(kLaunch, launch(), offset, builder_.getPtrTy());
}

Value* ThreadAccess::block_pointer(size_t offset) {
  return load(kBlock, block(), offset, builder_.getPtrTy());
}

Value* ThreadAccess::symbol(uint32_t index) {
  Value* table = launch_pointer(offsetof(kernel::LaunchState, symbols));
  return load(kSymbols, table, size_t{index} * sizeof(void*), builder_.getPtrTy());
}

Value* ThreadAccess::service(size_t offset) {
  Value* services = launch_pointer(offsetof(kernel::LaunchState, services));
  return load(kServices, services, offset, builder_.getPtrTy());
}

Value* ThreadAccess::scratch(unsigned words) {
  Value*& memory = scratch_[words];
  if (memory == nullptr) {
    llvm::IRBuilder<> entry(&function_.getEntryBlock(), function_.getEntryBlock().begin());
    llvm::AllocaInst* variable =
        entry.CreateAlloca(llvm::ArrayType::get(entry.getInt32Ty(), words));
    variable->setAlignment(llvm::Align(8));
    memory = variable;
  }
  return memory;
}

}  // namespace guda::lanes
