#include "abi/device_code.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "runtime/context.h"
#include "runtime/registry.h"

namespace guda::abi {
namespace {

using runtime::Module;
using runtime::Registry;

Status missing_argument() { return {StatusCode::invalid_value, "an argument is missing"}; }
Status no_module() { return {StatusCode::invalid_handle, "no such module"}; }

}  // namespace

Status load_image(Module** out, const void* image, size_t size, std::string name,
                  JitOptions& options, BadPtx bad_ptx) {
  if (!options.valid()) return {StatusCode::invalid_value, "unknown option of the compiler"};
  std::string log;
  auto loaded = Registry::instance().load_image(image, size, name, &log);
  options.report(log);
  if (!loaded) {
    if (bad_ptx == BadPtx::is_an_error || loaded.status().code() != StatusCode::invalid_ptx) {
      return loaded.status();
    }
    loaded = Registry::instance().add_failed(loaded.status(), std::move(name));
  }
  *out = *loaded;
  return Status::ok();
}

Status load_file(Module** out, const char* path, JitOptions& options, BadPtx bad_ptx) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return {StatusCode::file_not_found, path};
  const std::string image((std::istreambuf_iterator<char>(file)), {});
  if (image.empty()) return {StatusCode::invalid_image, fmt::format("{} is empty", path)};
  return load_image(out, image.data(), image.size(), path, options, bad_ptx);
}

Module* find_module(void* handle) {
  auto* module = static_cast<Module*>(handle);
  return module != nullptr && Registry::instance().owns(module) ? module : nullptr;
}

Status find_kernel(void** out, void* handle, const char* name) {
  if (out == nullptr || name == nullptr || *name == '\0') return missing_argument();
  Module* module = find_module(handle);
  if (module == nullptr) return no_module();
  auto kernel = module->find_kernel(name);
  if (!kernel) return kernel.status();
  *out = Registry::instance().adopt(*kernel);
  return Status::ok();
}

Status find_variable(void** address, size_t* size, void* handle, const char* name) {
  if (name == nullptr || (address == nullptr && size == nullptr)) return missing_argument();
  Module* module = find_module(handle);
  if (module == nullptr) return no_module();
  auto variable = module->find_variable(name);
  if (!variable) return variable.status();
  if (address != nullptr) *address = variable->address;
  if (size != nullptr) *size = variable->size;
  return Status::ok();
}

Status list_kernels(void** out, unsigned capacity, unsigned* count, void* handle) {
  if ((out == nullptr && count == nullptr) || (out != nullptr && capacity == 0)) {
    return missing_argument();
  }
  Module* module = find_module(handle);
  if (module == nullptr) return no_module();
  auto kernels = module->kernels();
  if (!kernels) return kernels.status();
  if (count != nullptr) *count = static_cast<unsigned>(kernels->size());
  for (unsigned i = 0; out != nullptr && i < capacity && i < kernels->size(); ++i) {
    out[i] = Registry::instance().adopt((*kernels)[i]);
  }
  return Status::ok();
}

Status unload(void* handle) {
  Module* module = find_module(handle);
  if (module == nullptr) return no_module();
  runtime::Context::instance().synchronize();
  Registry::instance().remove(module);
  return Status::ok();
}

}  // namespace guda::abi
