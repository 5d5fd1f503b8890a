#include "abi/cuda/module.h"

#include "runtime/module/fatbin.h"

#include <fmt/format.h>
#include <fstream>
#include <iterator>

namespace guda::cuda {
namespace {

using runtime::Module;
using runtime::Registry;

/// Neither a fatbin, nor its wrapper, nor an ELF file.
bool is_text(const void* image) {
  uint32_t magic = 0;
  for (size_t i = 0; i < sizeof magic; ++i) {
    auto byte = static_cast<const unsigned char*>(image)[i];
    if (byte == 0) break;   // a text may be shorter than a number
    magic |= uint32_t{byte} << (8 * i);
  }
  constexpr uint32_t kElf = 0x464c457f;
  return magic != kElf && magic != runtime::kFatbinMagic && magic != runtime::kFatbinWrapperMagic;
}

/// Bodies are otherwise parsed when a kernel is first used.
Status check_bodies(Module& module) {
  auto kernels = module.kernels();
  if (!kernels) return kernels.status();
  for (runtime::Kernel* kernel : *kernels) {
    if (auto footprint = kernel->footprint(); !footprint) return footprint.status();
  }
  return Status::ok();
}

}  // namespace

Error load_image(Module** out, const void* image, size_t size, std::string name,
                 JitOptions& options) {
  if (!options.valid()) return kInvalidValue;
  bool text = is_text(image);
  auto loaded = Registry::instance().load_image(image, size, std::move(name));
  Status status = loaded.status();
  if (loaded && text) {
    status = check_bodies(**loaded);
    if (!status) Registry::instance().remove(*loaded);
  }
  if (!status) {
    options.report(fmt::format("error   : {}\n", status.message()));
    return finish(status);
  }
  options.report({});
  *out = *loaded;
  return kSuccess;
}

Error load_file(Module** out, const char* path, JitOptions& options) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return finish({StatusCode::file_not_found, path});
  std::string image((std::istreambuf_iterator<char>(file)), {});
  if (image.empty()) return finish({StatusCode::invalid_image, fmt::format("{} is empty", path)});
  return load_image(out, image.data(), image.size(), path, options);
}

Module* find_module(void* handle) {
  auto* module = static_cast<Module*>(handle);
  return module && Registry::instance().owns(module) ? module : nullptr;
}

Error find_kernel(void** out, Module* module, const char* name) {
  if (!out || !name || !*name) return kInvalidValue;
  if (!module) return kInvalidHandle;
  auto kernel = module->find_kernel(name);
  if (!kernel) return finish(kernel.status());
  *out = Registry::instance().adopt(*kernel);
  return kSuccess;
}

Error find_variable(CUdeviceptr* address, size_t* size, Module* module, const char* name) {
  if (!name || (!address && !size)) return kInvalidValue;
  if (!module) return kInvalidHandle;
  auto variable = module->find_variable(name);
  if (!variable) return finish(variable.status());
  if (address) *address = address_of(variable->address);
  if (size) *size = variable->size;
  return kSuccess;
}

Error list_kernels(void** out, unsigned capacity, unsigned* count, Module* module) {
  if ((!out && !count) || (out && capacity == 0)) return kInvalidValue;
  if (!module) return kInvalidHandle;
  auto kernels = module->kernels();
  if (!kernels) return finish(kernels.status());
  if (count) *count = static_cast<unsigned>(kernels->size());
  for (unsigned i = 0; out && i < capacity && i < kernels->size(); ++i) {
    out[i] = Registry::instance().adopt((*kernels)[i]);
  }
  return kSuccess;
}

Error unload(Module* module) {
  if (!module) return kInvalidHandle;
  runtime::Context::instance().synchronize();
  disown_module(module);
  Registry::instance().remove(module);
  return kSuccess;
}

namespace {

Error load_into_context(CUmodule* out, const void* image, unsigned count, int* options,
                        void** values) {
  GUDA_CU_ENTER();
  if (!out || !image) return kInvalidValue;
  JitOptions jit(count, options, values);
  Module* module = nullptr;
  if (Error error = load_image(&module, image, 0, "cuModuleLoadData", jit)) return error;
  own_module(module);
  *out = module;
  return kSuccess;
}

}  // namespace

GUDA_CU(cuModuleLoad)(CUmodule* out, const char* path) {
  GUDA_CU_ENTER();
  if (!out || !path) return kInvalidValue;
  JitOptions none(0, nullptr, nullptr);
  Module* module = nullptr;
  if (Error error = load_file(&module, path, none)) return error;
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
  return unload(find_module(handle));
}

GUDA_CU(cuModuleGetFunction)(CUfunction* out, CUmodule handle, const char* name) {
  GUDA_CU_ENTER();
  return find_kernel(out, find_module(handle), name);
}
GUDA_CU(cuModuleGetFunctionCount)(unsigned* count, CUmodule handle) {
  GUDA_CU_ENTER();
  return list_kernels(nullptr, 0, count, find_module(handle));
}
GUDA_CU(cuModuleEnumerateFunctions)(CUfunction* out, unsigned capacity, CUmodule handle) {
  GUDA_CU_ENTER();
  return list_kernels(out, capacity, nullptr, find_module(handle));
}
GUDA_CU(cuModuleGetGlobal_v2)(CUdeviceptr* address, size_t* size, CUmodule handle,
                              const char* name) {
  GUDA_CU_ENTER();
  return find_variable(address, size, find_module(handle), name);
}

GUDA_CU(cuModuleGetLoadingMode)(int* mode) {
  GUDA_CU_INITIALIZED();
  if (!mode) return kInvalidValue;
  *mode = 2;  // lazy: kernels are compiled at their first launch
  return kSuccess;
}

}  // namespace guda::cuda
