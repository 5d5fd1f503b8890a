// What nvcc's start-up code calls: registration of fatbins, kernels and variables. Records only.
#include "abi/cudart/api.h"
#include "runtime/registry.h"

#define GUDA_API_VOID(name) \
  extern "C" __attribute__((visibility("default"))) void guda_cudart_##name

namespace guda::cudart {
namespace {

runtime::Module* module_of(void** handle) { return reinterpret_cast<runtime::Module*>(handle); }
runtime::Registry& registry() { return runtime::Registry::instance(); }

}  // namespace

extern "C" __attribute__((visibility("default"))) void** guda_cudart___cudaRegisterFatBinary(
    void* wrapper) {
  return reinterpret_cast<void**>(registry().add(wrapper));  // GUDA_API(__cudaRegisterFatBinary)
}

GUDA_API_VOID(__cudaRegisterFatBinaryEnd)(void**) {}  // GUDA_API(__cudaRegisterFatBinaryEnd)

// GUDA_API(__cudaUnregisterFatBinary): an atexit handler; work in flight may still run the module's code.
GUDA_API_VOID(__cudaUnregisterFatBinary)(void** handle) {
  if (!handle) return;
  if (runtime::Context::exists() && runtime::Context::enter_ignoring_faults() == kSuccess) {
    runtime::Context::instance().synchronize();
  }
  registry().remove(module_of(handle));
}

// GUDA_API(__cudaRegisterFunction)
GUDA_API_VOID(__cudaRegisterFunction)(void** handle, const char* host_function, char*,
                                      const char* device_name, int, void*, void*, void*, void*,
                                      int*) {
  registry().register_kernel(module_of(handle), host_function, device_name);
}

// GUDA_API(__cudaRegisterVar)
GUDA_API_VOID(__cudaRegisterVar)(void** handle, char* host, char*, const char* device_name, int,
                                 size_t size, int constant, int) {
  registry().register_variable(module_of(handle), host, device_name, size, constant != 0);
}

// GUDA_API(__cudaRegisterHostVar): a host variable that device code may name; memory is shared anyway.
GUDA_API_VOID(__cudaRegisterHostVar)(void**, const char*, char*, size_t) {}

// GUDA_API(__cudaRegisterUnifiedTable)
GUDA_API_VOID(__cudaRegisterUnifiedTable)(void**, void*) {}

// GUDA_API(__cudaRegisterManagedVar)
GUDA_API_VOID(__cudaRegisterManagedVar)(void** handle, void** host_pointer, char*,
                                        const char* device_name, int, size_t size, int, int) {
  registry().register_managed(module_of(handle), host_pointer, device_name, size);
}

// GUDA_API(__cudaRegisterTexture)
GUDA_API_VOID(__cudaRegisterTexture)(void** handle, const void* host, const void**,
                                     const char* device_name, int dimensions, int normalized, int) {
  module_of(handle)->register_texture({host, device_name, dimensions, normalized != 0, false});
}

// GUDA_API(__cudaRegisterSurface)
GUDA_API_VOID(__cudaRegisterSurface)(void** handle, const void* host, const void**,
                                     const char* device_name, int dimensions, int) {
  module_of(handle)->register_texture({host, device_name, dimensions, false, true});
}

// GUDA_API(__cudaInitModule): called before a managed variable is used on the host.
extern "C" __attribute__((visibility("default"))) char guda_cudart___cudaInitModule(void** handle) {
  if (runtime::Context::enter() != kSuccess) return 0;
  return finish(registry().load_managed(module_of(handle))) == kSuccess ? 1 : 0;
}

}  // namespace guda::cudart
