// The one exported symbol of a kernel object.
#pragma once

#include <string>
#include <vector>

#include "compiler/driver/kernel_abi.h"

namespace llvm {
class Function;
class Module;
}  // namespace llvm

namespace guda::driver {

/// KernelInfo before it has addresses. Exactly one of the functions is set.
struct KernelDescription {
  uint32_t flags = 0;
  uint32_t lanes = 1;
  uint32_t static_shared_bytes = 0;
  uint32_t local_bytes = 0;
  uint32_t frame_bytes = 0;
  uint32_t param_bytes = 0;
  std::string name;
  std::vector<std::string> symbols;
  std::string note;  // empty: none
  std::string access;  // serialized access summary
  llvm::Function* run_block = nullptr;
  llvm::Function* run_warps = nullptr;
  llvm::Function* run_thread = nullptr;
};

/// Defines kernel::kKernelSymbol; everything else in the module becomes internal.
void emit_kernel_info(llvm::Module& module, const KernelDescription& description);

/// kernel::KernelFlags of a kernel in device IR, from the operations that it contains.
uint32_t kernel_flags(const llvm::Module& module);

}  // namespace guda::driver
