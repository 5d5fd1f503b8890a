// Reads of ThreadState, BlockState and LaunchState in a function whose first parameter is the
// thread.
#pragma once

#include <llvm/ADT/DenseMap.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/IRBuilder.h>

#include <cstddef>
#include <cstdint>

#include "compiler/driver/kernel_abi.h"

namespace guda::lanes {

/// The states do not change while a thread runs, so each field is read once, at the function's
/// entry, when it is first asked for.
class ThreadAccess {
 public:
  explicit ThreadAccess(llvm::Function& function);
  ~ThreadAccess();
  ThreadAccess(const ThreadAccess&) = delete;
  ThreadAccess& operator=(const ThreadAccess&) = delete;

  llvm::Value* thread() { return function_.getArg(0); }
  llvm::Value* block();
  llvm::Value* launch();

  /// 32-bit fields by their offset.
  llvm::Value* thread_word(size_t offset);
  llvm::Value* block_word(size_t offset);
  llvm::Value* launch_word(size_t offset);
  llvm::Value* launch_quad(size_t offset);
  llvm::Value* launch_pointer(size_t offset);
  llvm::Value* block_pointer(size_t offset);
  /// Address of KernelInfo::symbols[index].
  llvm::Value* symbol(uint32_t index);
  /// Function pointer of kernel::Services at the offset.
  llvm::Value* service(size_t offset);
  /// A word of stack memory of this function, for results by reference.
  llvm::Value* scratch(unsigned words);

 private:
  enum Base : uint32_t { kThread, kBlock, kLaunch, kServices, kSymbols };

  llvm::Value* load(Base base, llvm::Value* pointer, size_t offset, llvm::Type* type);

  llvm::Function& function_;
  llvm::Instruction* marker_;  // loads go before it
  llvm::IRBuilder<> builder_;
  llvm::DenseMap<std::pair<uint32_t, uint64_t>, llvm::Value*> loaded_;
  llvm::DenseMap<uint32_t, llvm::Value*> scratch_;
};

}  // namespace guda::lanes
