// The device code that the process has: modules registered by nvcc's start-up code and loaded
// libraries, and the way from a host stub or host variable to what stands for it on the device.
#pragma once

#include "runtime/module/kernel.h"
#include "runtime/module/module.h"
#include "support/status.h"

#include <memory>
#include <shared_mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace guda::runtime {

/// Settings of cudaFuncSetAttribute and its relatives.
struct KernelSettings {
  int max_dynamic_shared = -1;      // -1: not set, the default limit holds
  int preferred_carveout = -1;
  int cache_config = 0;
  bool non_portable_cluster = false;
};

class Registry {
 public:
  /// Never destroyed: atexit handlers unregister after static objects are gone.
  static Registry& instance();

  // Start-up code. Nothing is read before first use.
  Module* add(const void* fatbin_wrapper);
  void remove(Module* module);
  void register_kernel(Module* module, const void* host_function, const char* device_name);
  void register_variable(Module* module, const void* host, const char* device_name, size_t size,
                         bool constant);
  void register_managed(Module* module, void** host_pointer, const char* device_name, size_t size);

  /// Modules loaded at run time (cudaLibraryLoadData, cuModuleLoad); `from_image` of module.h. PTX text
  /// is checked to its end, as its compiler would; `log` (may be null) gets all that is wrong with it.
  Result<Module*> load_image(const void* image, size_t size, std::string name, std::string* log);
  /// A module in which every look-up fails with `why`.
  Module* add_failed(Status why, std::string name);

  /// False for anything that is not a module handle.
  bool owns(const Module* module) const;

  /// Kernel of a host stub; also accepts a Kernel* that kernel handles are. Null: unknown.
  Kernel* kernel(const void* host_function_or_handle);
  /// Makes a kernel found by name acceptable as a handle.
  Kernel* adopt(Kernel* kernel);
  /// Variable by its host shadow. invalid symbol (13) when unknown; loads its module.
  Result<DeviceVariable> variable(const void* host);
  /// Loads modules that have managed variables, so that their host pointers are set.
  Status load_managed(Module* module);

  KernelSettings settings(const Kernel* kernel) const;
  template <typename Change>
  void change_settings(const Kernel* kernel, Change&& change) {
    std::unique_lock lock(mutex_);
    change(settings_[kernel]);
  }

 private:
  Registry() = default;
  Module* keep(std::unique_ptr<Module> module);

  mutable std::shared_mutex mutex_;
  std::vector<std::unique_ptr<Module>> modules_;
  std::unordered_map<const void*, Kernel*> kernels_;  // host stub -> kernel
  std::unordered_set<const void*> handles_;  // Kernel* seen by the program
  std::unordered_map<const void*, Module*> variables_;  // host shadow -> module
  std::unordered_map<const Kernel*, KernelSettings> settings_;
};

/// Memory of module variables, from the process's heap.
ModuleHost& module_host();

}  // namespace guda::runtime
