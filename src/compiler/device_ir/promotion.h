// Clean-up after a function has been lowered and its registers promoted.
#pragma once

namespace llvm {
class Function;
}

namespace guda::device_ir {

/// PTX computes the addresses of local and parameter variables as integers. Rewrites
/// inttoptr(ptrtoint(variable) + x), also through phis and selects, into getelementptr, so that
/// SROA and alias analysis see the variable.
void recover_local_pointers(llvm::Function& function);

/// Replaces ptx.div/ptx.rem by constants other than 0 and -1 and ptx.prmt with a constant selector
/// by plain instructions. Call it again when constants appear later (launch specialisation).
void fold_constant_operations(llvm::Function& function);

}  // namespace guda::device_ir
