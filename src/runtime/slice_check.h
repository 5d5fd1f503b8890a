// Proof by trying, for tests (GUDA_SLICE_CHECK=1): every launch that the compiler calls splittable is run as a
// whole and again in random slices, each of which sees only the memory that it is said to read, and gives back
// only what it is said to write. Any difference is an error of the launch.
//
// Launches run one at a time then; memory that host threads change meanwhile is reported as a difference.
#pragma once

#include "backends/cpu/executor.h"
#include "runtime/module/kernel.h"
#include "support/status.h"

namespace guda::runtime {

/// GUDA_SLICE_CHECK, read once.
bool slice_check_enabled();

/// Instead of cpu::Executor::run(). Memory is afterwards as the whole launch leaves it. Errors: the launch's;
/// launch_failed with the kernel's name when slices differ.
Status run_with_slice_check(Kernel& kernel, const cpu::LaunchDescription& launch);

}  // namespace guda::runtime
