#include "backends/cuda/kernel.h"

#include "backends/cuda/module_rewriter.h"
#include "compiler/ptx/parser.h"
#include "compiler/ptx/printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

namespace guda::backend::cuda {
namespace {

/// What a kernel may use without asking for more.
constexpr uint32_t kSharedWithoutAsking = 48 << 10;

}  // namespace

// --- native modules -------------------------------------------------------------------------------------

Result<std::shared_ptr<NativeModule>> NativeModule::load(std::shared_ptr<Context> context,
                                                         const std::string& ptx,
                                                         const std::string& name) {
  std::shared_ptr<NativeModule> module(new NativeModule(std::move(context)));
  Context& in = *module->context_;
  in.enter();
  std::array<char, 8192> log{};
  std::array<int, 2> options = {kJitErrorLogBuffer, kJitErrorLogBufferSize};
  // The size comes back in the array, in place of the pointer.
  std::array<void*, 2> values = {log.data(), reinterpret_cast<void*>(log.size() - 1)};
  DriverResult code = in.api().module_load(&module->handle_, ptx.c_str(), options.size(),
                                           options.data(), values.data());
  if (code == 0) return module;
  module->handle_ = nullptr;
  std::string_view text = log.data();
  while (text.ends_with('\n') || text.ends_with(' ')) text.remove_suffix(1);
  std::string what = fmt::format("the driver does not load {}", name);
  if (!text.empty()) what += fmt::format(": {}", text);
  return in.check(code, what);
}

NativeModule::~NativeModule() {
  if (handle_ == nullptr) return;
  context_->enter();
  (void)context_->api().module_unload(handle_);
}

Result<FunctionHandle> NativeModule::function(const std::string& name) {
  context_->enter();
  FunctionHandle function = nullptr;
  DriverResult code = context_->api().module_function(&function, handle_, name.c_str());
  if (Status status = context_->check(code, fmt::format("kernel {}", name)); !status) return status;
  return function;
}

Result<std::unique_ptr<NativeFunction>> NativeFunction::find(std::shared_ptr<Context> context,
                                                             std::shared_ptr<NativeModule> module,
                                                             const std::string& name) {
  auto handle = module->function(name);
  if (!handle) return handle.status();
  auto function = std::make_unique<NativeFunction>();
  function->handle_ = *handle;
  int fixed = 0;
  (void)context->api().function_attribute(&fixed, kFunctionStaticShared, *handle);
  function->allowed_ =
      kSharedWithoutAsking - std::min<uint32_t>(kSharedWithoutAsking, static_cast<uint32_t>(fixed));
  function->context_ = std::move(context);
  function->module_ = std::move(module);
  return function;
}

Status NativeFunction::allow_dynamic_shared(uint32_t bytes) {
  if (bytes <= allowed_.load(std::memory_order_relaxed)) return Status::ok();
  std::unique_lock lock(mutex_);
  if (bytes <= allowed_) return Status::ok();
  if (Status status =
          context_->check(context_->api().function_set_attribute(handle_, kFunctionMaxDynamicShared,
                                                                 static_cast<int>(bytes)),
                          fmt::format("{} bytes of dynamic shared memory", bytes));
      !status)
    return status;
  allowed_ = bytes;
  return Status::ok();
}

// --- the cache ------------------------------------------------------------------------------------------

struct ModuleCache::Loaded {
  std::shared_ptr<NativeModule> native;
  /// The module as the program brought it, bodies parsed when needed; absent when our parser does not read it.
  std::optional<ptx::Module> syntax;
};

Result<std::shared_ptr<ModuleCache::Loaded>> ModuleCache::module(const KernelSource& source) {
  Key key = {source.ptx_hash[0], source.ptx_hash[1]};
  for (const Variable& variable : source.variables) {
    key.push_back(std::hash<std::string_view>{}(variable.name));
    key.push_back(reinterpret_cast<uint64_t>(variable.address));
  }
  std::unique_lock lock(mutex_);
  std::weak_ptr<Loaded>& entry = modules_[key];
  if (auto loaded = entry.lock()) return loaded;

  std::string name(source.module_name);
  auto text = std::make_shared<const std::string>(source.ptx);
  auto loaded = std::make_shared<Loaded>();
  std::string native_text;
  // The parser accepts all of PTX; what it does not may still be a newer version that the driver knows.
  if (auto module = ptx::parse_module(text, name, {.lazy_bodies = true})) {
    if (!source.variables.empty()) {
      auto rewritten = ptx::parse_module(text, name);
      if (!rewritten) return rewritten.status();
      if (Status status = place_variables(*rewritten, source.variables); !status)
        return Status(status.code(), fmt::format("{}: {}", name, status.message()));
      native_text = ptx::print_module(*rewritten, {.renames = nullptr, .line_information = false});
    }
    loaded->syntax = std::move(*module);
  } else if (!source.variables.empty()) {
    return module.status();
  }
  auto native = NativeModule::load(context_, native_text.empty() ? *text : native_text, name);
  if (!native) return native.status();
  loaded->native = std::move(*native);
  entry = loaded;
  return loaded;
}

Result<std::shared_ptr<DeviceKernel>> ModuleCache::load(const KernelSource& source) {
  auto loaded = module(source);
  if (!loaded) return loaded.status();
  std::string name(source.kernel);
  if (auto& syntax = (*loaded)->syntax) {
    std::unique_lock lock(mutex_);
    if (std::string why = refusal(*syntax, name, source.variables); !why.empty())
      return Status(StatusCode::not_supported, fmt::format("{}: {}", name, why));
  }
  auto function = NativeFunction::find(context_, (*loaded)->native, name);
  if (!function) return function.status();
  return std::shared_ptr<DeviceKernel>(std::make_shared<CudaKernel>(
      context_, std::shared_ptr<void>(*loaded), std::move(name), std::move(*function)));
}

// --- kernels --------------------------------------------------------------------------------------------

Status CudaKernel::launch(StreamHandle stream, const Launch& launch) const {
  if (launch.count.x == 0 || launch.count.y == 0 || launch.count.z == 0) return Status::ok();
  if (!launch.whole())
    return {StatusCode::not_supported, fmt::format("{}: slices of launches", name_)};
  NativeFunction& function = *function_;
  if (Status status = function.allow_dynamic_shared(launch.dynamic_shared_bytes); !status)
    return status;
  auto* params = const_cast<std::byte*>(launch.params.data());
  size_t size = launch.params.size();
  void* extra[] = {reinterpret_cast<void*>(kLaunchParamBuffer), params,
                   reinterpret_cast<void*>(kLaunchParamBufferSize), &size,
                   reinterpret_cast<void*>(kLaunchParamEnd)};
  const DriverApi& api = context_->api();
  const auto& [grid, block] = std::pair(launch.grid, launch.block);
  DriverResult code = 0;
  if (launch.cooperative) {
    if (api.launch_kernel_ex == nullptr)
      return {StatusCode::not_supported, "the driver has no cuLaunchKernelEx"};
    LaunchAttribute cooperative;
    cooperative.id = kLaunchAttributeCooperative;
    cooperative.value.cooperative = 1;
    LaunchConfig config{
        grid.x, grid.y,       grid.z, block.x, block.y, block.z, launch.dynamic_shared_bytes,
        stream, &cooperative, 1};
    code = api.launch_kernel_ex(&config, function.handle(), nullptr, extra);
  } else {
    code = api.launch_kernel(function.handle(), grid.x, grid.y, grid.z, block.x, block.y, block.z,
                             launch.dynamic_shared_bytes, stream, nullptr, extra);
  }
  return code == 0 ? Status::ok() : context_->check(code, fmt::format("launch of {}", name_));
}

}  // namespace guda::backend::cuda
