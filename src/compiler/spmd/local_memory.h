// Local memory (`.local` variables left after SROA) of all lanes of a warp.
#pragma once

#include <llvm/IR/Function.h>

#include <cstdint>

#include "compiler/spmd/warp_layout.h"

namespace guda::spmd {

/// Replaces every alloca by an address in the warp's local memory, `guda.local()` plus an offset that
/// depends on `guda.lane()`. An array that is only accessed as elements of one size is interleaved,
/// so that a uniform index is a contiguous access; any other is laid out lane after lane. Returns the
/// bytes that each lane needs, a multiple of 16.
uint32_t lower_local_memory(llvm::Function& function, const WarpLayout& layout);

}  // namespace guda::spmd
