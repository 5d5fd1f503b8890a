// Tier A: turns a device IR kernel into SIMD code, one warp (or part of one) per call.
#pragma once

#include <cstdint>
#include <string>

#include "support/status.h"

namespace llvm {
class Function;
class Module;
}  // namespace llvm

namespace guda::spmd {

struct Options {
  uint32_t vector_bits = 512;   // native register width: 512 (AVX-512) or 256 (AVX2)
  uint32_t block_dim[3] = {};   // block dimensions to specialise for; zeros: any
};

struct Vectorized {
  llvm::Function* run_block = nullptr;  // signatures of kernel::KernelInfo; exactly one is set
  llvm::Function* run_warps = nullptr;
  uint32_t lanes = 0;
  uint32_t local_bytes = 0;
  uint32_t frame_bytes = 0;
};

/// Rewrites `kernel` (optimised device IR, everything inlined, after target::lower_memory). Lane-wise
/// ptx.* functions remain as calls on vectors, `ptx.<op>.v<lanes>`, for target::expand_lane_ops.
/// Error not_supported: the kernel needs tier C; the message says why. The module may then have been
/// changed: work on a clone.
Result<Vectorized> vectorize(llvm::Function& kernel, const Options& options);

}  // namespace guda::spmd
