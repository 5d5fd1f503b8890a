// Lowers the functions reachable from one kernel into one LLVM module.
#pragma once

#include <llvm/ADT/ArrayRef.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/ptx/ast.h"
#include "support/status.h"

namespace guda::device_ir {

/// What a ptx.* function may do besides computing its result; decides its attributes.
enum class Effects : uint8_t {
  lane,     // a function of its arguments: memory(none) speculatable willreturn nounwind
  clock,    // reads a changing value of this thread
  warp,     // exchanges values between lanes, orders no memory: convergent, inaccessiblemem
  barrier,  // synchronises threads and memory: convergent
  texture,  // reads memory that the kernel does not write: memory(read) willreturn
  service,  // runtime call that may read and write memory
};

class ModuleLowering {
 public:
  ModuleLowering(ptx::Module& source, std::string_view file_name, llvm::LLVMContext& context);

  Result<std::unique_ptr<llvm::Module>> run(std::string_view kernel);

  // For function lowering.
  const ptx::Module& source() const { return source_; }
  llvm::Module& target() { return *target_; }
  llvm::LLVMContext& context() { return target_->getContext(); }
  std::string_view file_name() const { return file_name_; }

  llvm::Function* ptx_function(std::string_view name, llvm::Type* result,
                               llvm::ArrayRef<llvm::Type*> parameters, Effects effects);
  /// The module-scope variable's LLVM global, created on first use; null when there is none.
  llvm::GlobalVariable* variable(std::string_view name);
  llvm::GlobalVariable* create_shared(const ptx::Variable& variable);
  /// The PTX function with this name (aliases resolved); null when the module has none.
  const ptx::Function* find_function(std::string_view name) const;
  /// The LLVM function of a device function with a body; it is lowered later.
  llvm::Function* device_function(const ptx::Function& function);
  /// Functions that an indirect call with this type may reach.
  std::vector<const ptx::Function*> indirect_targets(llvm::FunctionType* type);

 private:
  Status lower_body(ptx::Function& source, llvm::Function& target);
  llvm::Function* create_kernel(const ptx::Function& source);
  bool address_is_taken(std::string_view name) const;

  ptx::Module& source_;
  std::string file_name_;
  std::unique_ptr<llvm::Module> target_;
  std::unordered_map<std::string_view, llvm::GlobalVariable*> variables_;
  std::unordered_map<std::string_view, llvm::Function*> functions_;
  std::unordered_map<std::string_view, std::string_view> aliases_;
  std::unordered_map<std::string_view, const ptx::Function*> source_functions_;
  std::deque<std::pair<const ptx::Function*, llvm::Function*>> pending_;
};

}  // namespace guda::device_ir
