// Modules and libraries: loading, and finding what is in them.
#pragma once

#include "abi/cuda/api.h"
#include "abi/cuda/jit_options.h"
#include "runtime/registry.h"

#include <string>

namespace guda::cuda {

/// Loads an image (PTX text, fatbin, wrapper, cubin). PTX text is checked to its end now, because that is
/// when CUDA programs expect its errors.
Error load_image(runtime::Module** out, const void* image, size_t size, std::string name,
                 JitOptions& options);
Error load_file(runtime::Module** out, const char* path, JitOptions& options);

/// Null when the handle is not a module's (or library's: they are the same).
runtime::Module* find_module(void* handle);
Error find_kernel(void** out, runtime::Module* module, const char* name);
Error find_variable(CUdeviceptr* address, size_t* size, runtime::Module* module, const char* name);
Error list_kernels(void** out, unsigned capacity, unsigned* count, runtime::Module* module);
Error unload(runtime::Module* module);

}  // namespace guda::cuda
