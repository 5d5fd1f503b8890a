// Host code that works on device memory for the program, such as BLAS on a stream: a bad address in it is
// an error of the context, as in a kernel, and not the end of the process.
#pragma once

#include <cstdint>

#include "backends/cpu/context_switch.h"

namespace guda::cpu {

/// On the stack of run_trapped().
struct FaultTrap {
  GuardPoint guard;
  FaultTrap* outer = nullptr;
  uintptr_t address = 0;
};

/// Calls function(argument); false when an access to memory that is not there ended it, with the address.
/// Frames in between are dropped without running destructors: what they own leaks, so they must hold no
/// lock while they touch the program's memory. May be nested.
bool run_trapped(void (*function)(void*), void* argument, uintptr_t* address);

/// Leaves the innermost run_trapped() of the calling thread as an access to `address` would.
[[noreturn]] void leave_trap(uintptr_t address);

/// The innermost of the calling thread; null outside. Safe in signal handlers.
FaultTrap* current_trap();

}  // namespace guda::cpu
