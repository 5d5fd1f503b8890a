// memcpy, memmove and memset for kernels: a kernel object has no undefined symbols, so what LLVM
// calls for its memory intrinsics is defined in the module itself.
#pragma once

namespace llvm {
class Module;
}

namespace guda::target {

/// Adds hidden definitions of memcpy, memmove and memset when the module has memory intrinsics.
void define_memory_functions(llvm::Module& module);

}  // namespace guda::target
