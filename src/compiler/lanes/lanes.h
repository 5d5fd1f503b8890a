// Tier C: one thread per call, synchronisation through runtime services. Takes every kernel.
#pragma once

#include <cstdint>

#include "support/status.h"

namespace llvm {
class Function;
}

namespace guda::lanes {

struct Scalarized {
  llvm::Function* run_thread = nullptr;  // kernel::KernelInfo::run_thread
  uint32_t local_bytes = 0;
  uint32_t flags = 0;  // kernel::KernelFlags
};

/// Rewrites `kernel` and the functions it calls (after target::lower_memory): special registers
/// become loads from ThreadState, synchronising operations service calls, polling loops yield.
Result<Scalarized> scalarize(llvm::Function& kernel);

}  // namespace guda::lanes
