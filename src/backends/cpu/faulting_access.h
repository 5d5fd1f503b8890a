// What the instruction at a general protection fault tried to do.
#pragma once

#include <ucontext.h>

#include <cstdint>

namespace guda::cpu {

struct FaultingAccess {
  uint64_t address = 0;          // effective address, as far as it can be told
  bool needs_alignment = false;  // a vector move that faults on unaligned addresses
};

/// Decodes the instruction at the context's program counter. Such faults come without an address:
/// the cause is either an aligned vector move at a misaligned address or a pointer outside the
/// address space. Safe in signal handlers.
FaultingAccess decode_faulting_access(const ucontext_t& context);

}  // namespace guda::cpu
