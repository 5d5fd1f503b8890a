// The functions of a SIMD kernel that the CPU backend calls (kernel::KernelInfo).
#pragma once

#include <cstdint>

#include "compiler/spmd/emitter.h"
#include "support/status.h"

namespace llvm {
class Function;
}

namespace guda::spmd {

/// KernelInfo::run_block: all full warps of a block, then the ragged one.
Result<llvm::Function*> write_run_block(const EmitContext& emit);

/// KernelInfo::run_warps: warps from barrier to barrier. `frame_bytes` receives what each keeps.
Result<llvm::Function*> write_run_warps(const EmitContext& emit, uint32_t& frame_bytes);

}  // namespace guda::spmd
