// Libraries: modules that belong to no context, and kernels as their handles.
#include "abi/cuda/function.h"
#include "abi/cuda/module.h"

namespace guda::cuda {

using abi::BadPtx;

GUDA_CU(cuLibraryLoadData)(CUlibrary* out, const void* image, int* options, void** values,
                           unsigned count, int*, void**, unsigned) {
  GUDA_CU_INITIALIZED();
  if (!out || !image) return kInvalidValue;
  abi::JitOptions jit(count, options, values);
  runtime::Module* module = nullptr;
  Status status = abi::load_image(&module, image, 0, "cuLibraryLoadData", jit, BadPtx::is_kept);
  if (status) *out = module;
  return finish(status);
}

GUDA_CU(cuLibraryLoadFromFile)(CUlibrary* out, const char* path, int* options, void** values,
                               unsigned count, int*, void**, unsigned) {
  GUDA_CU_INITIALIZED();
  if (!out || !path) return kInvalidValue;
  abi::JitOptions jit(count, options, values);
  runtime::Module* module = nullptr;
  Status status = abi::load_file(&module, path, jit, BadPtx::is_kept);
  if (status) *out = module;
  return finish(status);
}

GUDA_CU(cuLibraryUnload)(CUlibrary handle) {
  GUDA_CU_INITIALIZED();
  return finish(abi::unload(handle));
}

GUDA_CU(cuLibraryGetKernel)(CUkernel* out, CUlibrary handle, const char* name) {
  GUDA_CU_INITIALIZED();
  return finish(abi::find_kernel(out, handle, name));
}
GUDA_CU(cuLibraryGetKernelCount)(unsigned* count, CUlibrary handle) {
  GUDA_CU_INITIALIZED();
  return finish(abi::list_kernels(nullptr, 0, count, handle));
}
GUDA_CU(cuLibraryEnumerateKernels)(CUkernel* out, unsigned capacity, CUlibrary handle) {
  GUDA_CU_INITIALIZED();
  return finish(abi::list_kernels(out, capacity, nullptr, handle));
}

GUDA_CU(cuLibraryGetModule)(CUmodule* out, CUlibrary handle) {
  GUDA_CU_ENTER();
  if (!out) return kInvalidValue;
  *out = abi::find_module(handle);
  return *out ? kSuccess : kInvalidHandle;
}

GUDA_CU(cuLibraryGetGlobal)(CUdeviceptr* address, size_t* size, CUlibrary handle,
                            const char* name) {
  GUDA_CU_ENTER();
  return variable_address(address, size, handle, name);
}

GUDA_CU(cuLibraryGetManaged)(CUdeviceptr* address, size_t* size, CUlibrary handle,
                             const char* name) {
  GUDA_CU_INITIALIZED();
  if (!name) return kInvalidValue;
  runtime::Module* module = abi::find_module(handle);
  if (!module) return kInvalidHandle;
  auto variable = module->find_variable(name);
  if (!variable) return finish(variable.status());
  if (variable->space != runtime::VariableSpace::managed) return kNotFound;
  return variable_address(address, size, handle, name);
}

GUDA_CU(cuKernelGetFunction)(CUfunction* out, CUkernel handle) {
  GUDA_CU_ENTER();
  if (!out) return kInvalidValue;
  *out = find_function(handle);
  return *out ? kSuccess : kInvalidHandle;
}

GUDA_CU(cuKernelGetLibrary)(CUlibrary* out, CUkernel handle) {
  GUDA_CU_INITIALIZED();
  if (!out) return kInvalidValue;
  runtime::Kernel* kernel = find_function(handle);
  if (!kernel) return kInvalidHandle;
  *out = &kernel->module();
  return kSuccess;
}

GUDA_CU(cuKernelGetName)(const char** name, CUkernel handle) {
  GUDA_CU_INITIALIZED();
  return function_name(name, handle);
}
GUDA_CU(cuKernelGetParamInfo)(CUkernel handle, size_t index, size_t* offset, size_t* size) {
  GUDA_CU_INITIALIZED();
  return parameter_info(handle, index, offset, size);
}
GUDA_CU(cuKernelGetAttribute)(int* value, int attribute, CUkernel handle, CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (Error error = check_device(device)) return error;
  return function_attribute(value, attribute, handle);
}
GUDA_CU(cuKernelSetAttribute)(int attribute, int value, CUkernel handle, CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (Error error = check_device(device)) return error;
  return set_function_attribute(handle, attribute, value);
}
GUDA_CU(cuKernelSetCacheConfig)(CUkernel handle, int config, CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (Error error = check_device(device)) return error;
  return set_cache_config(handle, config);
}

}  // namespace guda::cuda
