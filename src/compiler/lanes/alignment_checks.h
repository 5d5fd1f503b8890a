// Checks that memory accesses are aligned, where the processor would not notice.
#pragma once

namespace llvm {
class Function;
}

namespace guda::lanes {

/// Before each load, store and atomic whose address is not known to be a multiple of the access's
/// size: a test that goes to a call of ptx.misaligned. PTX requires natural alignment and devices
/// fault (cudaErrorMisalignedAddress); x86 would carry on. Accesses that device IR itself marks as
/// unaligned are left alone.
void add_alignment_checks(llvm::Function& function);

}  // namespace guda::lanes
