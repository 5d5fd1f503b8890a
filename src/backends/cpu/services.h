// What kernels call in the runtime: kernel::Services, filled with the executor's functions.
#pragma once

#include "compiler/driver/kernel_abi.h"

namespace guda::cpu {

const kernel::Services* services();

}  // namespace guda::cpu
