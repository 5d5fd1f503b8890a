// Functions (and kernels: the same objects) and their attributes.
#pragma once

#include "abi/cuda/api.h"
#include "runtime/module/kernel.h"

namespace guda::cuda {

/// Null when the handle is not one that a program was given.
runtime::Kernel* find_function(void* handle);
Error function_name(const char** name, void* handle);
Error function_attribute(int* value, int attribute, void* handle);
Error set_function_attribute(void* handle, int attribute, int value);
Error set_cache_config(void* handle, int config);
Error parameter_info(void* handle, size_t index, size_t* offset, size_t* size);

}  // namespace guda::cuda
