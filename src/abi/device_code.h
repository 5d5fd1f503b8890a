// Modules and libraries, which are the same, behind both APIs: loading device code at run time, and
// finding what is in it. Each API makes its own error codes of the results.
#pragma once

#include <cstddef>
#include <string>

#include "abi/jit_options.h"
#include "runtime/module/module.h"
#include "support/status.h"

namespace guda::abi {

enum class BadPtx {
  is_an_error,  // cuModuleLoadData
  is_kept,  // libraries: loading succeeds, every look-up fails
};

/// Loads an image: PTX text, a fatbin, its wrapper, a cubin. `size` 0: unknown. The log buffers of
/// `options` are written. Errors: invalid_value for options that nobody knows; those of
/// runtime::Registry::load_image.
Status load_image(runtime::Module** out, const void* image, size_t size, std::string name,
                  JitOptions& options, BadPtx bad_ptx);
/// The same from a file. Errors also: file_not_found, invalid_image when it is empty.
Status load_file(runtime::Module** out, const char* path, JitOptions& options, BadPtx bad_ptx);

/// Null when the handle is not that of a module.
runtime::Module* find_module(void* handle);

// Errors: invalid_handle for what is no module, invalid_value for arguments that are missing, not_found;
// those of Module::load().
Status find_kernel(void** out, void* module, const char* name);
/// `address` or `size` may be null.
Status find_variable(void** address, size_t* size, void* module, const char* name);
/// Up to `capacity` kernels into `out`, their number into `count`; either may be null.
Status list_kernels(void** out, unsigned capacity, unsigned* count, void* module);
/// Waits for all work, then closes the module.
Status unload(void* module);

}  // namespace guda::abi
