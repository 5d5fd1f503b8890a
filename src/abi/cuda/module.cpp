// Modules: device code loaded into the current context.
#include "abi/cuda/module.h"

namespace guda::cuda {
namespace {

using abi::BadPtx;
using abi::JitOptions;

Error load_into_context(CUmodule* out, const void* image, unsigned count, int* options,
                        void** values) {
  GUDA_CU_ENTER();
  if (!out || !image) return kInvalidValue;
  JitOptions jit(count, options, values);
  runtime::Module* module = nullptr;
  Status status = abi::load_image(&module, image, 0, "cuModuleLoadData", jit, BadPtx::is_an_error);
  if (!status) return finish(status);
  own_module(module);
  *out = module;
  return kSuccess;
}

}  // namespace

Error variable_address(CUdeviceptr* address, size_t* size, void* module, const char* name) {
  void* pointer = nullptr;
  Status status = abi::find_variable(address ? &pointer : nullptr, size, module, name);
  if (status && address) *address = address_of(pointer);
  return finish(status);
}

GUDA_CU(cuModuleLoad)(CUmodule* out, const char* path) {
  GUDA_CU_ENTER();
  if (!out || !path) return kInvalidValue;
  JitOptions none(0, nullptr, nullptr);
  runtime::Module* module = nullptr;
  Status status = abi::load_file(&module, path, none, BadPtx::is_an_error);
  if (!status) return finish(status);
  own_module(module);
  *out = module;
  return kSuccess;
}

GUDA_CU(cuModuleLoadData)(CUmodule* out, const void* image) {
  return load_into_context(out, image, 0, nullptr, nullptr);
}
GUDA_CU(cuModuleLoadDataEx)(CUmodule* out, const void* image, unsigned count, int* options,
                            void** values) {
  return load_into_context(out, image, count, options, values);
}
GUDA_CU(cuModuleLoadFatBinary)(CUmodule* out, const void* image) {
  return load_into_context(out, image, 0, nullptr, nullptr);
}

GUDA_CU(cuModuleUnload)(CUmodule handle) {
  GUDA_CU_ENTER();
  if (runtime::Module* module = abi::find_module(handle)) disown_module(module);
  return finish(abi::unload(handle));
}

GUDA_CU(cuModuleGetFunction)(CUfunction* out, CUmodule handle, const char* name) {
  GUDA_CU_ENTER();
  return finish(abi::find_kernel(out, handle, name));
}
GUDA_CU(cuModuleGetFunctionCount)(unsigned* count, CUmodule handle) {
  GUDA_CU_ENTER();
  return finish(abi::list_kernels(nullptr, 0, count, handle));
}
GUDA_CU(cuModuleEnumerateFunctions)(CUfunction* out, unsigned capacity, CUmodule handle) {
  GUDA_CU_ENTER();
  return finish(abi::list_kernels(out, capacity, nullptr, handle));
}
GUDA_CU(cuModuleGetGlobal_v2)(CUdeviceptr* address, size_t* size, CUmodule handle,
                              const char* name) {
  GUDA_CU_ENTER();
  return variable_address(address, size, handle, name);
}

GUDA_CU(cuModuleGetLoadingMode)(int* mode) {
  GUDA_CU_INITIALIZED();
  if (!mode) return kInvalidValue;
  *mode = 2;  // lazy: kernels are compiled at their first launch
  return kSuccess;
}

}  // namespace guda::cuda
