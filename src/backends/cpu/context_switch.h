// Switching between stacks, and leaving a kernel from the middle: the only assembly of the
// executor.
#pragma once

#include <cstddef>

namespace guda::cpu {

/// Where a guarded call returns to when the code inside it faults. Opaque: written by
/// guarded_call, read by unwind_to and by the signal handler.
struct GuardPoint {
  void* stack_pointer = nullptr;
};

extern "C" {

/// Saves the callee-saved registers, MXCSR and the x87 control word on the current stack, stores
/// its pointer in `*save`, and continues on the stack `load` left by an earlier switch or by
/// prepare_stack.
void guda_switch_stack(void** save, void* load);

/// Calls function(argument) on `stack_top` (16-byte aligned; null: the current stack) with default
/// floating-point modes. Returns 0 when it returned, 1 when guda_unwind left it. Frames in between
/// are dropped without running destructors, so they must own nothing.
int guda_guarded_call(GuardPoint* point, void* stack_top, void (*function)(void*), void* argument);

/// Leaves the innermost guarded call on `point`; from any stack.
[[noreturn]] void guda_unwind(GuardPoint* point);
}

/// Writes a first frame below `stack_top` (16-byte aligned) so that switching to the result calls
/// function(argument) with default floating-point modes. The function must not return.
void* prepare_stack(void* stack_top, void (*function)(void*), void* argument);

}  // namespace guda::cpu
