// Gives every function of a kernel the calling thread's state as its first parameter.
#pragma once

#include <vector>

namespace llvm {
class Function;
}

namespace guda::lanes {

/// Replaces each function defined in the kernel's module by one that takes a ThreadState* first,
/// and passes it along at every call. The kernel's own parameters pointer becomes a load of
/// LaunchState::params, so that its type is KernelInfo::run_thread's. Returns the new functions,
/// the kernel first.
std::vector<llvm::Function*> add_thread_parameter(llvm::Function& kernel);

}  // namespace guda::lanes
