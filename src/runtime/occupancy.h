// Blocks that fit on a multiprocessor: NVIDIA's occupancy rules with this device's limits.
#pragma once

#include "runtime/module/kernel.h"

#include <cstddef>

namespace guda::runtime {

/// Resident blocks per multiprocessor; 0 when a block does not fit at all.
int blocks_per_multiprocessor(Kernel& kernel, size_t static_shared, int threads,
                              size_t dynamic_shared);

/// Dynamic shared memory that `blocks` resident blocks of `threads` threads leave to each.
size_t available_dynamic_shared(Kernel& kernel, size_t static_shared, int blocks, int threads);

/// Registers per thread that the device would report: the kernel's bound, else a fixed middle value.
int registers_per_thread(Kernel& kernel);

}  // namespace guda::runtime
