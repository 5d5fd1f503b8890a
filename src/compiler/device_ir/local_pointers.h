// Integer arithmetic on the address of a local variable becomes pointer arithmetic.
#pragma once

namespace llvm {
class Function;
}

namespace guda::device_ir {

/// PTX computes the addresses of local and parameter variables in 64-bit registers, which device IR shows
/// as inttoptr(ptrtoint(variable) + x). SROA and alias analysis need getelementptr(variable, x) instead.
/// Follows additions, subtractions of offsets, phis and selects. Control flow stays as it is. Returns
/// whether anything changed.
bool recover_local_pointers(llvm::Function& function);

}  // namespace guda::device_ir
