// What modules and libraries of the driver API have in common; the rest is abi/device_code.h.
#pragma once

#include "abi/cuda/api.h"
#include "abi/device_code.h"

namespace guda::cuda {

/// abi::find_variable for addresses that are integers.
Error variable_address(CUdeviceptr* address, size_t* size, void* module, const char* name);

}  // namespace guda::cuda
