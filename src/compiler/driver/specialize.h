// Specialisation of a kernel on its launch.
#pragma once

#include <llvm/IR/Module.h>

#include <cstdint>

namespace guda::driver {

/// Replaces the block's dimensions by constants and narrows thread indices to them, in every function
/// of the module. Zeros: any block, nothing is done.
void specialize_block(llvm::Module& module, const uint32_t (&block_dim)[3]);

}  // namespace guda::driver
