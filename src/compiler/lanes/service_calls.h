// Lowering of ptx.* and guda.* calls that depend on the thread: special registers, synchronisation,
// system calls.
#pragma once

#include <cstdint>

#include "compiler/lanes/thread_access.h"
#include "support/status.h"

namespace llvm {
class CallInst;
}

namespace guda {
struct TextureInstruction;
}

namespace guda::lanes {

/// Lowers the calls of one function.
class ServiceCalls {
 public:
  /// `is_kernel`: leaving the thread is a return.
  ServiceCalls(llvm::Function& function, bool is_kernel);

  /// Replaces every call that it knows; others (lane-wise arithmetic) stay. Error not_supported
  /// names the operation.
  Status lower_all();
  /// A call of Services::yield before `position`.
  void insert_yield(llvm::Instruction* position);

  /// KernelFlags of what was lowered.
  uint32_t flags() const { return flags_; }

 private:
  Status lower(llvm::CallInst& call, llvm::StringRef name);
  llvm::Value* special_register(llvm::StringRef name);
  llvm::Value* lower_barrier(llvm::CallInst& call, llvm::StringRef name);
  llvm::Value* lower_warp_op(llvm::CallInst& call, kernel::WarpOp op);
  llvm::Value* lower_system_call(llvm::CallInst& call, llvm::StringRef name);
  Status lower_texture_instruction(llvm::CallInst& call, const TextureInstruction& instruction);
  void lower_fetch(llvm::CallInst& call, const TextureInstruction& instruction);
  Status lower_surface(llvm::CallInst& call, const TextureInstruction& instruction);
  void lower_texture_query(llvm::CallInst& call, const TextureInstruction& instruction);
  /// Stores the values one after the other into `memory` of that many words; returns it.
  llvm::Value* spill(llvm::ArrayRef<llvm::Value*> values, unsigned words, llvm::Value* memory);
  llvm::Value* reload(llvm::Type* type, llvm::Value* memory);
  void lower_exit(llvm::CallInst& call);
  llvm::CallInst* call_service(size_t offset, llvm::Type* result,
                               llvm::ArrayRef<llvm::Value*> arguments);
  void call_fault(StatusCode code);
  void replace(llvm::CallInst& call, llvm::Value* value);

  llvm::Function& function_;
  bool is_kernel_;
  ThreadAccess access_;
  llvm::IRBuilder<> builder_;
  uint32_t flags_ = 0;
};

}  // namespace guda::lanes
