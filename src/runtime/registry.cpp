#include "runtime/registry.h"

#include "compiler/ptx/check.h"
#include "memory/heap.h"
#include "runtime/engines.h"
#include "runtime/error.h"

#include <algorithm>
#include <cstring>

namespace guda::runtime {
namespace {

class RuntimeModuleHost final : public ModuleHost {
 public:
  Result<void*> allocate(size_t bytes, size_t alignment, VariableSpace space) override {
    auto kind = space == VariableSpace::managed ? memory::AllocationKind::managed
                                                : memory::AllocationKind::variable;
    auto memory = memory::Heap::instance().allocate(bytes, kind, 1, nullptr, alignment);
    if (!memory) return memory;
    if (Engines* engines = Engines::active()) {
      if (Status status = engines->host_will_write(*memory, bytes); !status) return status;
    }
    std::memset(*memory, 0, bytes);
    return memory;
  }
  void written(void* address, size_t bytes) override {
    if (Engines* engines = Engines::active()) engines->host_wrote(address, bytes);
  }
  void release(void* address, size_t, VariableSpace) noexcept override {
    // Fails only for memory that is not ours, which there is nobody to tell about.
    (void)memory::Heap::instance().release(address,
                                           memory::kind_bit(memory::AllocationKind::variable) |
                                               memory::kind_bit(memory::AllocationKind::managed));
  }
  Result<std::shared_ptr<backend::MachineCode>> load_machine_code(
      const void* image, const std::string& name) override {
    if (Engines* engines = Engines::active()) return engines->load_machine_code(image, name);
    return ModuleHost::load_machine_code(image, name);
  }
  Status adopt(const backend::MachineVariable& variable) override {
    if (Engines* engines = Engines::active()) return engines->adopt(variable);
    return ModuleHost::adopt(variable);
  }
  void disown(const backend::MachineVariable& variable) noexcept override {
    memory::Heap::instance().remove_device_variable(variable.address);
  }
  Status runs_on_device(Kernel& kernel, const BlockDim& block) override {
    if (Engines* engines = Engines::active())
      return engines->runs_at_home(kernel, {block[0], block[1], block[2]});
    return ModuleHost::runs_on_device(kernel, block);
  }
};

}  // namespace

ModuleHost& module_host() {
  static RuntimeModuleHost* storage = new RuntimeModuleHost;
  return *storage;
}

Registry& Registry::instance() {
  static Registry* registry = new Registry;
  return *registry;
}

Module* Registry::keep(std::unique_ptr<Module> module) {
  std::unique_lock lock(mutex_);
  modules_.push_back(std::move(module));
  return modules_.back().get();
}

Module* Registry::add(const void* fatbin_wrapper) {
  return keep(Module::from_wrapper(fatbin_wrapper, module_host()));
}

void Registry::remove(Module* module) {
  std::unique_lock lock(mutex_);
  auto found = std::find_if(modules_.begin(), modules_.end(),
                            [&](auto& candidate) { return candidate.get() == module; });
  if (found == modules_.end()) return;
  std::unique_ptr<Module> dying = std::move(*found);
  modules_.erase(found);
  std::erase_if(kernels_, [&](auto& entry) {
    if (&entry.second->module() != module) return false;
    settings_.erase(entry.second);
    return true;
  });
  std::erase_if(handles_, [&](const void* handle) {
    return &static_cast<const Kernel*>(handle)->module() == module;
  });
  std::erase_if(variables_, [&](auto& entry) { return entry.second == module; });
}

void Registry::register_kernel(Module* module, const void* host_function, const char* device_name) {
  Kernel* kernel = module->register_kernel(host_function, device_name);
  std::unique_lock lock(mutex_);
  kernels_[host_function] = kernel;
  handles_.insert(kernel);
}

void Registry::register_variable(Module* module, const void* host, const char* device_name,
                                 size_t size, bool constant) {
  module->register_variable(host, device_name, size, constant);
  std::unique_lock lock(mutex_);
  variables_[host] = module;
}

void Registry::register_managed(Module* module, void** host_pointer, const char* device_name,
                                size_t size) {
  module->register_managed_variable(host_pointer, device_name, size);
  std::unique_lock lock(mutex_);
  variables_[host_pointer] = module;
}

Result<Module*> Registry::load_image(const void* image, size_t size, std::string name,
                                     std::string* log) {
  if (const std::string_view text = Module::text_in(image, size); !text.empty()) {
    const auto problems = ptx::check_text(text);
    if (log) *log = ptx::log_of(problems);
    if (!problems.empty()) {
      // A device's driver may know newer PTX than we do.
      const Status why = ptx::status_of(problems, name);
      auto native = Module::from_machine_code(std::string(text).c_str(), why, name, module_host());
      if (!native) return why;
      if (log) log->clear();
      return keep(std::move(*native));
    }
  }
  auto module = Module::from_image(image, size, std::move(name), module_host());
  if (!module) {
    if (log) *log = "error   : " + module.status().message() + "\n";
    return module.status();
  }
  return keep(std::move(*module));
}

Module* Registry::add_failed(Status why, std::string name) {
  return keep(Module::failed(std::move(why), std::move(name), module_host()));
}

bool Registry::owns(const Module* module) const {
  std::shared_lock lock(mutex_);
  return std::any_of(modules_.begin(), modules_.end(),
                     [&](auto& candidate) { return candidate.get() == module; });
}

Kernel* Registry::kernel(const void* host_function_or_handle) {
  std::shared_lock lock(mutex_);
  if (auto found = kernels_.find(host_function_or_handle); found != kernels_.end())
    return found->second;
  if (!handles_.contains(host_function_or_handle)) return nullptr;
  return const_cast<Kernel*>(static_cast<const Kernel*>(host_function_or_handle));
}

Kernel* Registry::adopt(Kernel* kernel) {
  std::unique_lock lock(mutex_);
  handles_.insert(kernel);
  return kernel;
}

Result<DeviceVariable> Registry::variable(const void* host) {
  std::shared_lock lock(mutex_);
  auto found = variables_.find(host);
  Module* module = found == variables_.end() ? nullptr : found->second;
  if (!module) {
    // A managed variable's symbol can also be named by the address that its pointer holds.
    for (auto& candidate : modules_) {
      if (!candidate->has_managed_variables() || !candidate->is_loaded()) continue;
      if (auto variable = candidate->find_host_variable(host)) return variable;
    }
    return Status(static_cast<StatusCode>(kErrorInvalidSymbol), "not a device variable");
  }
  lock.unlock();
  auto variable = module->find_host_variable(host);
  if (!variable && variable.status().code() == StatusCode::not_found) {
    return Status(static_cast<StatusCode>(kErrorInvalidSymbol), variable.status().message());
  }
  return variable;
}

Status Registry::load_managed(Module* module) {
  if (!module->has_managed_variables()) return Status::ok();
  return module->load();
}

KernelSettings Registry::settings(const Kernel* kernel) const {
  std::shared_lock lock(mutex_);
  auto found = settings_.find(kernel);
  return found == settings_.end() ? KernelSettings{} : found->second;
}

}  // namespace guda::runtime
