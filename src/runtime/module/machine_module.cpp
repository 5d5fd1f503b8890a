// Modules of machine code: what a program brings for one kind of GPU, without PTX. The device's driver keeps it.
#include <fmt/format.h>

#include <utility>

#include "runtime/module/module.h"
#include "support/log.h"

namespace guda::runtime {

Result<std::unique_ptr<Module>> Module::from_machine_code(const void* image, const Status& why,
                                                          std::string name, ModuleHost& host) {
  std::unique_ptr<Module> module(new Module(host));
  module->name_ = std::move(name);
  if (Status status = module->load_machine_code(image, why); !status) return status;
  module->state_.store(State::loaded, std::memory_order_release);
  return module;
}

/// `without_ptx`: why it has to be machine code.
Status Module::load_machine_code(const void* image, const Status& without_ptx) {
  auto loaded = host_.load_machine_code(image, name());
  if (!loaded && loaded.status().code() == StatusCode::no_binary_for_gpu)
    return {StatusCode::no_binary_for_gpu,
            fmt::format("{} ({})", without_ptx.message(), loaded.status().message())};
  if (!loaded) return loaded.status();
  auto names = (*loaded)->kernels();
  if (!names) return names.status();
  std::string all = name();
  for (std::string& each : *names) {
    all += '\n' + each;
    machine_kernels_.insert(std::move(each));
  }
  ptx_hash_ = hash128(all);  // there is no text to tell such modules apart by
  machine_ = std::move(*loaded);
  point_managed();
  log(LogPart::module, LogLevel::debug, "{}: machine code with {} kernels", name(),
      machine_kernels_.size());
  return Status::ok();
}

Result<DeviceVariable> Module::machine_variable(std::string_view name) {
  const std::lock_guard lock(machine_mutex_);
  auto known = machine_variables_.find(name);
  if (known == machine_variables_.end()) {
    auto variable = machine_->variable(std::string(name));
    if (!variable) return variable.status();
    if (Status status = host_.adopt(*variable); !status) return status;
    known = machine_variables_.emplace(name, *variable).first;
  }
  const backend::MachineVariable& variable = known->second;
  return DeviceVariable{known->first, variable.address, variable.size,
                        variable.managed ? VariableSpace::managed : VariableSpace::global};
}

}  // namespace guda::runtime
