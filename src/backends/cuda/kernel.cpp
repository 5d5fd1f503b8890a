#include "backends/cuda/kernel.h"

#include "backends/cuda/module_rewriter.h"
#include "compiler/ptx/parser.h"
#include "compiler/ptx/printer.h"
#include "compiler/ptx/slice_rewriter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <functional>
#include <string_view>
#include <utility>

namespace guda::backend::cuda {
namespace {

/// What a kernel may use without asking for more.
constexpr uint32_t kSharedWithoutAsking = 48 << 10;
/// Blocks of a cluster that every device takes.
constexpr uint32_t kPortableCluster = 8;
/// With more, those without kernels in use are forgotten.
constexpr size_t kModulesKept = 64;

}  // namespace

// --- native modules -------------------------------------------------------------------------------------

Result<std::shared_ptr<NativeModule>> NativeModule::load(std::shared_ptr<Context> context,
                                                         const void* image,
                                                         const std::string& name) {
  std::shared_ptr<NativeModule> module(new NativeModule(std::move(context)));
  Context& in = *module->context_;
  in.enter();
  std::array<char, 8192> log{};
  std::array<int, 2> options = {kJitErrorLogBuffer, kJitErrorLogBufferSize};
  // The size comes back in the array, in place of the pointer.
  std::array<void*, 2> values = {log.data(), reinterpret_cast<void*>(log.size() - 1)};
  DriverResult code =
      in.api().module_load(&module->handle_, image, options.size(), options.data(), values.data());
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

Status NativeFunction::allow_large_clusters() {
  return context_->check(
      context_->api().function_set_attribute(handle_, kFunctionNonPortableCluster, 1),
      "clusters of more than eight blocks");
}

// --- the cache ------------------------------------------------------------------------------------------

Result<ModuleCache::ProgramModule*> ModuleCache::program_module(const KernelSource& source) {
  Key key = {source.ptx_hash[0], source.ptx_hash[1]};
  for (const Variable& variable : source.variables) {
    key.push_back(std::hash<std::string_view>{}(variable.name));
    key.push_back(reinterpret_cast<uint64_t>(variable.address));
  }
  if (modules_.size() >= kModulesKept && !modules_.contains(key)) {
    std::erase_if(modules_, [](const auto& each) {
      const auto& parts = each.second.parts;
      return std::all_of(parts.begin(), parts.end(),
                         [](auto& part) { return part.second.expired(); });
    });
  }
  auto [entry, fresh] = modules_.try_emplace(std::move(key));
  ProgramModule& program = entry->second;
  if (!fresh) return &program;
  program.name = source.module_name;
  program.text = std::make_shared<const std::string>(source.ptx);
  auto syntax = ptx::parse_module(program.text, program.name, {.lazy_bodies = true});
  if (syntax) {
    auto kernels = std::count_if(syntax->functions.begin(), syntax->functions.end(),
                                 [](const ptx::Function& each) { return each.is_entry; });
    program.apart = static_cast<size_t>(kernels) > kKernelsTogether &&
                    kernels_may_part(*syntax, source.variables);
    unsigned target = 0;
    std::string_view digits = syntax->target;
    if (digits.starts_with("sm_")) digits.remove_prefix(3);
    std::from_chars(digits.data(), digits.data() + digits.size(), target);
    program.retarget = target > capability_;
    program.syntax = std::move(*syntax);
  } else if (!source.variables.empty()) {
    modules_.erase(entry);
    return syntax.status();
  }
  // Else: PTX newer than our parser, that the driver may know.
  return &program;
}

Result<std::shared_ptr<ModulePart>> ModuleCache::part(ProgramModule& program,
                                                      const KernelSource& source) {
  std::string_view which = program.apart ? source.kernel : std::string_view();
  auto found = program.parts.find(which);
  if (found != program.parts.end()) {
    if (auto part = found->second.lock()) return part;
  }
  auto part = std::make_shared<ModulePart>();
  part->name = program.name;
  part->text = program.text;
  if (program.apart || program.retarget || !source.variables.empty()) {
    auto module = ptx::parse_module(program.text, program.name, {.lazy_bodies = true});
    if (!module) return module.status();
    if (program.apart) {
      if (Status status = keep_only(*module, source.kernel); !status) return status;
    }
    for (ptx::Function& function : module->functions) {
      if (Status status = ptx::parse_body(*module, function, program.name); !status) return status;
    }
    if (program.retarget) module->target = own_target_;
    std::vector<Variable> here(source.variables.begin(), source.variables.end());
    for (Variable& variable : here) variable.address = space_.pointer(variable.address);
    if (Status status = place_variables(*module, here); !status)
      return Status(status.code(), fmt::format("{}: {}", program.name, status.message()));
    part->text = std::make_shared<const std::string>(
        ptx::print_module(*module, {.renames = nullptr, .line_information = false}));
  }
  auto native = NativeModule::load(context_, part->text->c_str(), part->name);
  if (!native) return native.status();
  part->native = std::move(*native);
  program.parts[std::string(which)] = part;
  return part;
}

Result<std::shared_ptr<DeviceKernel>> ModuleCache::load(const KernelSource& source) {
  std::string name(source.kernel);
  std::unique_lock lock(mutex_);
  auto program = program_module(source);
  if (!program) return program.status();
  if (auto& syntax = (*program)->syntax) {
    if (std::string why = refusal(*syntax, name, source.variables); !why.empty())
      return Status(StatusCode::not_supported, fmt::format("{}: {}", name, why));
  }
  auto part = this->part(**program, source);
  if (!part) return part.status();
  lock.unlock();
  auto function = NativeFunction::find(context_, (*part)->native, name);
  if (!function) return function.status();
  return std::shared_ptr<DeviceKernel>(
      std::make_shared<CudaKernel>(context_, space_, std::move(*part), std::move(name),
                                   std::move(*function), source.pointer_offsets));
}

// --- kernels --------------------------------------------------------------------------------------------

Status CudaKernel::launch(StreamHandle stream, const Launch& launch) const {
  if (launch.count.x == 0 || launch.count.y == 0 || launch.count.z == 0) return Status::ok();
  if (space_.distance == 0 || pointer_offsets_.empty()) return launch_here(stream, launch);
  std::vector<std::byte> params(launch.params.begin(), launch.params.end());
  space_.translate(params, pointer_offsets_);
  Launch here = launch;
  here.params = params;
  return launch_here(stream, here);
}

/// With the device's addresses.
Status CudaKernel::launch_here(StreamHandle stream, const Launch& launch) const {
  if (!launch.whole()) return launch_slice(stream, launch);
  return start(stream, *function_, launch, launch.params);
}

Status CudaKernel::make_sliced() const {
  auto module = ptx::parse_module(module_->text, module_->name, {.lazy_bodies = true});
  if (!module) return module.status();
  const ptx::Function* kernel = module->find_function(name_);
  if (kernel == nullptr) return {StatusCode::not_found, fmt::format("kernel {}", name_)};
  uint64_t bytes = 0;
  for (const ptx::Variable& parameter : kernel->parameters) {
    uint64_t alignment = parameter.effective_alignment();
    bytes = (bytes + alignment - 1) / alignment * alignment + parameter.size_in_bytes();
  }
  sliced_.parameter_offset = ptx::slice_parameter_offset(static_cast<uint32_t>(bytes));
  auto text = ptx::add_slice_parameters(*module, name_, module_->name);
  if (!text) return text.status();
  auto native =
      NativeModule::load(context_, text->c_str(), fmt::format("{}, sliced", module_->name));
  if (!native) return native.status();
  auto function = NativeFunction::find(context_, std::move(*native), name_);
  if (!function) return function.status();
  sliced_.function = std::move(*function);
  return Status::ok();
}

Status CudaKernel::launch_slice(StreamHandle stream, const Launch& launch) const {
  if (launch.cooperative || launch.clustered())
    return {StatusCode::not_supported,
            fmt::format("{}: a slice of a cooperative launch, or of one with clusters", name_)};
  if (!module_->text)
    return {StatusCode::not_supported, fmt::format("{}: a slice of machine code", name_)};
  std::call_once(sliced_.once, [this] { sliced_.status = make_sliced(); });
  if (!sliced_.status) return sliced_.status;
  std::vector<std::byte> params(sliced_.parameter_offset + ptx::kSliceParameterBytes);
  std::copy_n(launch.params.begin(),
              std::min<size_t>(launch.params.size(), sliced_.parameter_offset), params.begin());
  const uint32_t hidden[] = {launch.first.x, launch.first.y, launch.first.z,
                             launch.grid.x,  launch.grid.y,  launch.grid.z};
  static_assert(sizeof hidden == ptx::kSliceParameterBytes);
  std::memcpy(params.data() + sliced_.parameter_offset, hidden, sizeof hidden);
  Launch slice = launch;
  slice.grid = launch.count;
  return start(stream, *sliced_.function, slice, params);
}

/// Launches grid x block of a native function.
Status CudaKernel::start(StreamHandle stream, NativeFunction& function, const Launch& launch,
                         std::span<const std::byte> packed) const {
  if (Status status = function.allow_dynamic_shared(launch.dynamic_shared_bytes); !status)
    return status;
  auto* params = const_cast<std::byte*>(packed.data());
  size_t size = packed.size();
  void* extra[] = {reinterpret_cast<void*>(kLaunchParamBuffer), params,
                   reinterpret_cast<void*>(kLaunchParamBufferSize), &size,
                   reinterpret_cast<void*>(kLaunchParamEnd)};
  const DriverApi& api = context_->api();
  const auto& [grid, block] = std::pair(launch.grid, launch.block);
  DriverResult code = 0;
  if (launch.cooperative || launch.clustered()) {
    if (api.launch_kernel_ex == nullptr)
      return {StatusCode::not_supported, "the driver has no cuLaunchKernelEx"};
    std::array<LaunchAttribute, 2> attributes;
    unsigned count = 0;
    if (launch.cooperative) {
      attributes[count].id = kLaunchAttributeCooperative;
      attributes[count++].value.cooperative = 1;
    }
    if (const Dim3& cluster = launch.cluster; launch.clustered()) {
      if (cluster.x * cluster.y * cluster.z > kPortableCluster) {
        if (Status status = function.allow_large_clusters(); !status) return status;
      }
      attributes[count].id = kLaunchAttributeCluster;
      attributes[count].value.cluster[0] = cluster.x;
      attributes[count].value.cluster[1] = cluster.y;
      attributes[count++].value.cluster[2] = cluster.z;
    }
    LaunchConfig config{grid.x,
                        grid.y,
                        grid.z,
                        block.x,
                        block.y,
                        block.z,
                        launch.dynamic_shared_bytes,
                        stream,
                        attributes.data(),
                        count};
    code = api.launch_kernel_ex(&config, function.handle(), nullptr, extra);
  } else {
    code = api.launch_kernel(function.handle(), grid.x, grid.y, grid.z, block.x, block.y, block.z,
                             launch.dynamic_shared_bytes, stream, nullptr, extra);
  }
  return code == 0 ? Status::ok() : context_->check(code, fmt::format("launch of {}", name_));
}

}  // namespace guda::backend::cuda
