// Raises one PTX kernel, with every function it reaches, to device IR (docs/device_ir.md).
#pragma once

#include <memory>
#include <string_view>

#include "compiler/ptx/ast.h"
#include "support/status.h"

namespace llvm {
class LLVMContext;
class Module;
}  // namespace llvm

namespace guda::device_ir {

/// `module` may be lazily parsed; bodies are parsed when reached. The result verifies
/// (llvm::verifyModule). Errors: invalid_ptx with "file:line: instruction: reason" for an
/// instruction that has no lowering or whose operands do not fit; not_found when there is no such
/// entry.
Result<std::unique_ptr<llvm::Module>> lower_kernel(ptx::Module& module, std::string_view kernel,
                                                   std::string_view file_name,
                                                   llvm::LLVMContext& context);

}  // namespace guda::device_ir
