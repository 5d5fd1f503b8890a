// Device IR pass: integer arithmetic on the address of a local variable becomes pointer arithmetic.
#pragma once

#include <llvm/IR/PassManager.h>

namespace guda::driver {

/// PTX computes addresses of .local variables in 64-bit registers, which device IR shows as
/// inttoptr(ptrtoint(alloca) + x). SROA and alias analysis need getelementptr(alloca, x) instead.
/// Follows additions, subtractions of offsets, phis and selects.
class LocalAddressesPass : public llvm::PassInfoMixin<LocalAddressesPass> {
 public:
  llvm::PreservedAnalyses run(llvm::Function& function, llvm::FunctionAnalysisManager&);
};

}  // namespace guda::driver
