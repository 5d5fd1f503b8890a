// Libraries: device code loaded at run time.
#include "abi/cudart/api.h"
#include "abi/device_code.h"

namespace guda::cudart {

using abi::BadPtx;

GUDA_API(cudaLibraryLoadData)(cudaLibrary_t* out, const void* code, int* options, void** values,
                              unsigned count, int*, void**, unsigned) {
  GUDA_ENTER();
  if (!out || !code) return invalid_value();
  abi::JitOptions jit(count, options, values);
  runtime::Module* module = nullptr;
  Status status = abi::load_image(&module, code, 0, "cudaLibraryLoadData", jit, BadPtx::is_kept);
  if (status) *out = module;
  return finish(status);
}

GUDA_API(cudaLibraryLoadFromFile)(cudaLibrary_t* out, const char* path, int* options, void** values,
                                  unsigned count, int*, void**, unsigned) {
  GUDA_ENTER();
  if (!out || !path) return invalid_value();
  abi::JitOptions jit(count, options, values);
  runtime::Module* module = nullptr;
  Status status = abi::load_file(&module, path, jit, BadPtx::is_kept);
  if (status) *out = module;
  return finish(status);
}

GUDA_API(cudaLibraryUnload)(cudaLibrary_t library) {
  GUDA_ENTER();
  return finish(abi::unload(library));
}

GUDA_API(cudaLibraryGetKernel)(cudaKernel_t* out, cudaLibrary_t library, const char* name) {
  GUDA_ENTER();
  return finish(abi::find_kernel(out, library, name));
}

GUDA_API(cudaLibraryGetGlobal)(void** pointer, size_t* bytes, cudaLibrary_t library,
                               const char* name) {
  GUDA_ENTER();
  return finish(abi::find_variable(pointer, bytes, library, name));
}
GUDA_API(cudaLibraryGetManaged)(void** pointer, size_t* bytes, cudaLibrary_t library,
                                const char* name) {
  GUDA_ENTER();
  return finish(abi::find_variable(pointer, bytes, library, name));
}

GUDA_API(cudaLibraryGetKernelCount)(unsigned* count, cudaLibrary_t library) {
  GUDA_ENTER();
  return finish(abi::list_kernels(nullptr, 0, count, library));
}
GUDA_API(cudaLibraryEnumerateKernels)(cudaKernel_t* out, unsigned capacity, cudaLibrary_t library) {
  GUDA_ENTER();
  return finish(abi::list_kernels(out, capacity, nullptr, library));
}

}  // namespace guda::cudart
