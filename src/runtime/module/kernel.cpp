#include "runtime/module/kernel.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ptx/ast.h"
#include "runtime/module/call_graph.h"
#include "runtime/module/kernel_object.h"
#include "runtime/module/module.h"
#include "support/log.h"

namespace guda::runtime {
namespace {

constexpr uint64_t kLargestParameterBlock = 1 << 20;
constexpr uint32_t kThreadsPerBlock = 1024;

uint64_t align_up(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

uint32_t target_architecture(std::string_view target) {
  uint32_t number = 0;
  for (const char c : target) {
    if (c >= '0' && c <= '9' && number < 10000)
      number = number * 10 + static_cast<uint32_t>(c - '0');
  }
  return number;
}

}  // namespace

uint32_t KernelLayout::max_threads_per_block() const {
  for (const auto& bound : {required_threads, max_threads}) {
    if (bound[0] == 0) continue;
    const uint64_t product = uint64_t{bound[0]} * std::max(bound[1], 1u) * std::max(bound[2], 1u);
    return static_cast<uint32_t>(std::min<uint64_t>(product, kThreadsPerBlock));
  }
  return kThreadsPerBlock;
}

KernelLayout kernel_layout(const ptx::Function& function) {
  KernelLayout layout;
  uint64_t offset = 0;
  for (const ptx::Variable& variable : function.parameters) {
    KernelParameter parameter;
    parameter.alignment = std::max(variable.effective_alignment(), 1u);
    offset = align_up(offset, parameter.alignment);
    const uint64_t size = std::min(variable.size_in_bytes(), kLargestParameterBlock);
    parameter.offset = static_cast<uint32_t>(std::min(offset, kLargestParameterBlock));
    parameter.size = static_cast<uint32_t>(size);
    offset += size;
    layout.parameters.push_back(parameter);
  }
  layout.param_bytes = static_cast<uint32_t>(std::min(offset, 2 * kLargestParameterBlock));
  layout.max_threads = function.max_threads;
  layout.required_threads = function.required_threads;
  layout.required_cluster = function.required_cluster;
  layout.min_blocks_per_multiprocessor = function.min_blocks_per_multiprocessor;
  layout.max_registers = function.max_registers;
  return layout;
}

Status Kernel::ensure_layout() {
  if (layout_storage_ != nullptr) return Status::ok();
  if (!failure_) return failure_;
  failure_ = module_.load();
  const ptx::Function* function = nullptr;
  if (failure_ && module_.machine_code() != nullptr) {
    failure_ = find_machine_code();
  } else if (failure_) {
    function = module_.function_named(name_);
    if (function == nullptr || !function->is_entry || !function->has_body) {
      failure_ = {StatusCode::not_found, fmt::format("{} has no such kernel", module_.name())};
    } else if (module_.syntax()->address_size != 64) {
      failure_ = {StatusCode::invalid_ptx, "32-bit PTX is not supported"};
    }
  }
  if (!failure_) {
    failure_ = {failure_.code(), fmt::format("kernel {}: {}", name_, failure_.message())};
    log(LogPart::module, LogLevel::error, "{}", failure_.message());
    return failure_;
  }
  if (function != nullptr) {
    layout_storage_ = std::make_unique<KernelLayout>(kernel_layout(*function));
    layout_storage_->ptx_version = target_architecture(module_.syntax()->target);
  }
  ready_layout_.store(layout_storage_.get(), std::memory_order_release);
  return Status::ok();
}

Status Kernel::find_machine_code() {
  auto found = module_.machine_code()->kernel(std::string(name_));
  if (!found) return found.status();
  machine_ = std::move(*found);
  auto layout = std::make_unique<KernelLayout>();
  for (const backend::MachineParameter& parameter : machine_.parameters) {
    layout->parameters.push_back({parameter.offset, parameter.size, 1});
    layout->param_bytes = std::max(layout->param_bytes, parameter.offset + parameter.size);
  }
  layout->max_threads = {machine_.max_threads, 1, 1};
  std::copy_n(machine_.cluster, 3, layout->required_cluster.begin());
  layout->registers = machine_.registers;
  layout->ptx_version = machine_.ptx_version;
  layout_storage_ = std::move(layout);
  footprint_storage_ = std::make_unique<KernelFootprint>(
      KernelFootprint{machine_.static_shared_bytes, machine_.local_bytes, machine_.constant_bytes});
  return Status::ok();
}

Result<const KernelLayout*> Kernel::layout() {
  if (const KernelLayout* ready = ready_layout_.load(std::memory_order_acquire)) return ready;
  const std::lock_guard lock(mutex_);
  if (Status status = ensure_layout(); !status) return status;
  return layout_storage_.get();
}

Result<const KernelFootprint*> Kernel::footprint() {
  const std::lock_guard lock(mutex_);
  if (Status status = ensure_layout(); !status) return status;
  if (Status status = ensure_footprint(); !status) return status;
  return footprint_storage_.get();
}

Status Kernel::ensure_footprint() {
  if (footprint_storage_ != nullptr) return Status::ok();
  auto reach = module_.reach_of(name_);
  if (!reach) return reach.status();
  auto footprint = std::make_unique<KernelFootprint>();
  footprint->static_shared_bytes = reach->shared_bytes;
  footprint->local_bytes = reach->local_bytes;
  for (const DeviceVariable& variable : module_.variables()) {
    if (variable.space == VariableSpace::constant) {
      footprint->const_bytes += static_cast<uint32_t>(variable.size);
    }
  }
  footprint_storage_ = std::move(footprint);
  return Status::ok();
}

Status Kernel::explain(const Status& failure) {
  // A call that nothing defines is the likelier culprit than the compiler's message says.
  if (auto reach = module_.reach_of(name_)) {
    for (const std::string& callee : reach->undefined) {
      if (callee.starts_with("cuda")) {
        return {StatusCode::not_supported,
                fmt::format("kernel {} calls {}: launches from the device are not supported", name_,
                            callee)};
      }
      if (callee != "vprintf" && callee != "malloc" && callee != "free" &&
          callee != "__assertfail") {
        return {failure.code(),
                fmt::format("kernel {}: {} (undefined device function {}; is a translation unit "
                            "without PTX?)",
                            name_, failure.message(), callee)};
      }
    }
  }
  return {failure.code(), fmt::format("kernel {}: {}", name_, failure.message())};
}

Result<const LoadedKernel*> Kernel::load_slow(const BlockDim& block) {
  const std::lock_guard lock(mutex_);
  if (const LoadedKernel* ready = loaded(block)) return ready;
  if (Status status = ensure_layout(); !status) return status;
  if (!failure_) return failure_;
  const size_t slot = variant_storage_.size();
  auto loaded = load_object(slot + 1 < kVariants ? block : BlockDim{});
  if (!loaded && module_.host_.runs_on_device(*this, block)) {
    log(LogPart::module, LogLevel::info, "{}; a device runs it", loaded.status().message());
    if (Status status = ensure_footprint(); !status) return status;
    loaded = without_object({}, footprint_storage_->static_shared_bytes);
  }
  if (!loaded) {
    failure_ = loaded.status();
    log(LogPart::module, LogLevel::error, "{}", failure_.message());
    return failure_;
  }
  variant_storage_.push_back(std::move(*loaded));
  const LoadedKernel* ready = variant_storage_.back().get();
  variants_[slot].store(ready, std::memory_order_release);
  return ready;
}

std::unique_ptr<LoadedKernel> Kernel::without_object(const BlockDim& block,
                                                     uint32_t static_shared_bytes) {
  device_info_.abi_version = kernel::kAbiVersion;
  device_info_.static_shared_bytes = static_shared_bytes;
  auto loaded = std::make_unique<LoadedKernel>();
  loaded->block = block;
  loaded->info = &device_info_;
  loaded->layout = layout_storage_.get();
  return loaded;
}

Result<std::unique_ptr<LoadedKernel>> Kernel::load_object(const BlockDim& block) {
  if (machine_.code != nullptr) return without_object({}, machine_.static_shared_bytes);
  const std::shared_ptr<const std::string> text = module_.ptx_text();
  auto obtained =
      obtain_kernel_object({*text, module_.ptx_hash(), module_.name(), name_, block},
                           KernelCache::process_cache(), CompilerClient::process_compiler());
  if (!obtained) return explain(obtained.status());
  auto loaded = std::make_unique<LoadedKernel>();
  loaded->block = obtained->block_dim;
  loaded->info = &obtained->object->info();
  loaded->object = std::move(obtained->object);
  loaded->layout = layout_storage_.get();
  if (loaded->info->param_bytes > align_up(loaded->layout->param_bytes, 64)) {
    return Status{StatusCode::invalid_image,
                  fmt::format("kernel {}: compiled for {} bytes of parameters, declared with {}",
                              name_, loaded->info->param_bytes, loaded->layout->param_bytes)};
  }
  for (uint32_t i = 0; i < loaded->info->symbol_count; ++i) {
    const auto variable = module_.find_variable(loaded->info->symbols[i]);
    if (!variable) {
      return Status{StatusCode::invalid_ptx, fmt::format("kernel {}: undefined variable {}", name_,
                                                         loaded->info->symbols[i])};
    }
    loaded->symbols.push_back(variable->address);
  }
  return loaded;
}

Result<access::AccessEvaluator*> Kernel::access(const BlockDim& block) {
  const LoadedKernel* code = block[0] != 0 ? loaded(block) : nullptr;
  const BlockDim wanted = code != nullptr ? code->block : BlockDim{};
  const std::lock_guard lock(access_mutex_);
  for (const BlockAccess& known : access_)
    if (known.block == wanted) return known.evaluator.get();
  if (!access_failure_) return access_failure_;
  if (auto known = layout(); !known) return known.status();
  if (machine_.code != nullptr)
    return Status(StatusCode::not_supported, "machine code is not analysed");
  Result<access::AccessSummary> summary = Status{StatusCode::not_found, "no code"};
  if (code != nullptr && code->info->access != nullptr) {
    summary = access::deserialize({code->info->access, code->info->access_bytes});
  } else {
    const std::shared_ptr<const std::string> text = module_.ptx_text();
    summary =
        obtain_access_summary({*text, module_.ptx_hash(), module_.name(), name_, {}},
                              KernelCache::process_cache(), CompilerClient::process_compiler());
  }
  if (!summary) {
    access_failure_ = {summary.status().code(),
                       fmt::format("kernel {}: {}", name_, summary.status().message())};
    return access_failure_;
  }
  access_.push_back({wanted, std::make_unique<access::AccessEvaluator>(std::move(*summary))});
  return access_.back().evaluator.get();
}

Status Kernel::prebuild(bool& was_cached) {
  was_cached = false;
  const std::lock_guard lock(mutex_);
  if (Status status = ensure_layout(); !status) return status;
  if (machine_.code != nullptr) return Status::ok();
  const std::shared_ptr<const std::string> text = module_.ptx_text();
  // .reqntid is the one case where the block of every launch is known beforehand.
  BlockDim block = layout_storage_->required_threads;
  if (block[0] != 0) block = {block[0], std::max(block[1], 1u), std::max(block[2], 1u)};
  Status status = build_kernel_object({*text, module_.ptx_hash(), module_.name(), name_, block},
                                      KernelCache::process_cache(),
                                      CompilerClient::process_compiler(), was_cached);
  return status ? status : explain(status);
}

}  // namespace guda::runtime
