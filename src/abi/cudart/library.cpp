// Libraries: device code loaded at run time.
#include "abi/cudart/api.h"
#include "runtime/registry.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

namespace guda::cudart {
namespace {

using runtime::Module;
using runtime::Registry;

Error load(cudaLibrary_t* out, const void* image, size_t size, std::string name) {
  auto module = Registry::instance().load_image(image, size, std::move(name));
  if (!module) return finish(module.status());
  *out = *module;
  return kSuccess;
}

Error variable(void** pointer, size_t* bytes, cudaLibrary_t library, const char* name) {
  GUDA_ENTER();
  if (!library || !name) return invalid_value();
  auto found = static_cast<Module*>(library)->find_variable(name);
  if (!found) return finish(found.status());
  if (pointer) *pointer = found->address;
  if (bytes) *bytes = found->size;
  return kSuccess;
}

}  // namespace

GUDA_API(cudaLibraryLoadData)(cudaLibrary_t* out, const void* code, int*, void**, unsigned, int*,
                              void**, unsigned) {
  GUDA_ENTER();
  if (!out || !code) return invalid_value();
  return load(out, code, 0, "cudaLibraryLoadData");
}

GUDA_API(cudaLibraryLoadFromFile)(cudaLibrary_t* out, const char* path, int*, void**, unsigned,
                                  int*, void**, unsigned) {
  GUDA_ENTER();
  if (!out || !path) return invalid_value();
  std::ifstream file(path, std::ios::binary);
  if (!file) return finish({StatusCode::file_not_found, path});
  std::string image((std::istreambuf_iterator<char>(file)), {});
  return load(out, image.data(), image.size(), path);
}

GUDA_API(cudaLibraryUnload)(cudaLibrary_t library) {
  GUDA_ENTER();
  if (!library) return invalid_handle();
  runtime::Context::instance().synchronize();
  Registry::instance().remove(static_cast<Module*>(library));
  return kSuccess;
}

GUDA_API(cudaLibraryGetKernel)(cudaKernel_t* out, cudaLibrary_t library, const char* name) {
  GUDA_ENTER();
  if (!out || !library || !name) return invalid_value();
  auto kernel = static_cast<Module*>(library)->find_kernel(name);
  if (!kernel) return finish(kernel.status());
  *out = Registry::instance().adopt(*kernel);
  return kSuccess;
}

GUDA_API(cudaLibraryGetGlobal)(void** pointer, size_t* bytes, cudaLibrary_t library,
                               const char* name) {
  return variable(pointer, bytes, library, name);
}
GUDA_API(cudaLibraryGetManaged)(void** pointer, size_t* bytes, cudaLibrary_t library,
                                const char* name) {
  return variable(pointer, bytes, library, name);
}

GUDA_API(cudaLibraryGetKernelCount)(unsigned* count, cudaLibrary_t library) {
  GUDA_ENTER();
  if (!count || !library) return invalid_value();
  auto kernels = static_cast<Module*>(library)->kernels();
  if (!kernels) return finish(kernels.status());
  *count = static_cast<unsigned>(kernels->size());
  return kSuccess;
}

GUDA_API(cudaLibraryEnumerateKernels)(cudaKernel_t* out, unsigned capacity, cudaLibrary_t library) {
  GUDA_ENTER();
  if (!out || !library) return invalid_value();
  auto kernels = static_cast<Module*>(library)->kernels();
  if (!kernels) return finish(kernels.status());
  for (unsigned i = 0; i < capacity && i < kernels->size(); ++i) {
    out[i] = Registry::instance().adopt((*kernels)[i]);
  }
  return kSuccess;
}

}  // namespace guda::cudart
