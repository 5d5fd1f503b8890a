// Checks that memory accesses are aligned, where the processor would not notice.
#pragma once

namespace llvm {
class Module;
}

namespace guda::target {

/// void @guda.aligned(i32 residue, i32 mask): a fault (cudaErrorMisalignedAddress) in threads where
/// (residue & mask) != 0; mask is a constant.
inline constexpr const char* kAlignmentCheck = "guda.aligned";

/// After lower_memory: adds calls of kAlignmentCheck so that no load, store or atomic runs at an
/// address that is not a multiple of the access's size. PTX requires natural alignment and devices
/// fault; x86 would carry on. What is known to be aligned is not checked, nothing is checked twice
/// on a path, and a check whose address bits do not change in a loop that always makes the access
/// stands before the loop. Accesses that device IR itself marks as unaligned are left alone.
void add_alignment_checks(llvm::Module& module);

}  // namespace guda::target
