// Clean-up after a function has been lowered and its registers promoted.
#pragma once

namespace llvm {
class Function;
}

namespace guda::device_ir {

/// Replaces ptx.div/ptx.rem by constants other than 0 and -1 and ptx.prmt with a constant selector
/// by plain instructions. Call it again when constants appear later (launch specialisation).
void fold_constant_operations(llvm::Function& function);

}  // namespace guda::device_ir
