#include "backends/cuda/machine_code.h"

#include "backends/cuda/kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace guda::backend::cuda {
namespace {

class CudaMachineCode final : public MachineCode {
 public:
  CudaMachineCode(std::shared_ptr<Context> context, std::shared_ptr<ModulePart> module)
      : context_(std::move(context)), module_(std::move(module)) {}

  Result<std::vector<std::string>> kernels() override {
    context_->enter();
    const DriverApi& api = context_->api();
    unsigned count = 0;
    if (Status status = check(api.module_function_count(&count, handle())); !status) return status;
    std::vector<FunctionHandle> functions(count);
    if (Status status = check(api.module_functions(functions.data(), count, handle())); !status)
      return status;
    std::vector<std::string> names;
    for (FunctionHandle function : functions) {
      const char* name = nullptr;
      if (Status status = check(api.function_name(&name, function)); !status) return status;
      names.emplace_back(name);
    }
    return names;
  }

  Result<MachineKernel> kernel(const std::string& name) override {
    auto function = NativeFunction::find(context_, module_->native, name);
    if (!function) return function.status();
    const FunctionHandle handle = (*function)->handle();
    const DriverApi& api = context_->api();
    MachineKernel kernel;
    size_t offset = 0, size = 0;
    // Beyond the last one the driver refuses.
    while (api.function_parameter(handle, kernel.parameters.size(), &offset, &size) == 0)
      kernel.parameters.push_back({static_cast<uint32_t>(offset), static_cast<uint32_t>(size)});
    auto attribute = [&](int which) {
      int value = 0;
      return api.function_attribute(&value, which, handle) == 0
                 ? static_cast<uint32_t>(std::max(value, 0))
                 : 0;
    };
    kernel.static_shared_bytes = attribute(kFunctionStaticShared);
    kernel.constant_bytes = attribute(kFunctionConstant);
    kernel.local_bytes = attribute(kFunctionLocal);
    kernel.registers = attribute(kFunctionRegisters);
    kernel.max_threads = attribute(kFunctionMaxThreads);
    kernel.ptx_version = attribute(kFunctionPtxVersion);
    for (int i = 0; i < 3; ++i) kernel.cluster[i] = attribute(kFunctionClusterWidth + i);
    kernel.code = std::make_shared<CudaKernel>(context_, AddressSpace(), module_, name,
                                               std::move(*function), std::span<const uint32_t>());
    return kernel;
  }

  Result<MachineVariable> variable(const std::string& name) override {
    context_->enter();
    const DriverApi& api = context_->api();
    DevicePointer address = 0;
    MachineVariable variable;
    DriverResult code = api.module_global(&address, &variable.size, handle(), name.c_str());
    if (Status status = context_->check(code, fmt::format("variable {}", name)); !status)
      return status;
    variable.address = reinterpret_cast<void*>(address);
    unsigned managed = 0;
    variable.managed =
        api.pointer_attribute(&managed, kPointerIsManaged, address) == 0 && managed != 0;
    return variable;
  }

 private:
  ModuleHandle handle() const { return module_->native->handle(); }
  Status check(DriverResult code) const { return context_->check(code, module_->name); }

  std::shared_ptr<Context> context_;
  std::shared_ptr<ModulePart> module_;
};

}  // namespace

Result<std::shared_ptr<MachineCode>> load_machine_code(std::shared_ptr<Context> context,
                                                       const void* image, const std::string& name) {
  const DriverApi& api = context->api();
  if (api.module_global == nullptr || api.module_function_count == nullptr ||
      api.module_functions == nullptr || api.function_name == nullptr ||
      api.function_parameter == nullptr || api.pointer_attribute == nullptr)
    return Status(StatusCode::not_supported, "machine code needs a driver of CUDA 12.4 or newer");
  auto native = NativeModule::load(context, image, name);
  if (!native) return native.status();
  auto module = std::make_shared<ModulePart>();
  module->name = name;
  module->native = std::move(*native);
  return std::shared_ptr<MachineCode>(
      std::make_shared<CudaMachineCode>(std::move(context), std::move(module)));
}

}  // namespace guda::backend::cuda
