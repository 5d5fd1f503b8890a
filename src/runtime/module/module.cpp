#include "runtime/module/module.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "compiler/device_ir/function_address.h"
#include "compiler/ptx/parser.h"
#include "runtime/module/fatbin.h"
#include "runtime/module/link.h"
#include "support/log.h"

namespace guda::runtime {
namespace {

constexpr size_t kSpaces = 3;  // VariableSpace
constexpr uint64_t kLargestModuleData = uint64_t{1} << 46;

/// Text of a host image of unknown or known size, up to its null character.
std::string_view text_of(const char* image, size_t size) {
  return {image, size == 0 ? std::strlen(image) : strnlen(image, size)};
}

/// True when the image starts with these bytes; reads no further than the first difference.
bool starts_with(const void* image, size_t size, std::string_view magic) {
  if (size != 0 && size < magic.size()) return false;
  const auto* bytes = static_cast<const char*>(image);
  for (size_t i = 0; i < magic.size(); ++i) {
    if (bytes[i] != magic[i]) return false;
  }
  return true;
}

template <typename T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

Result<std::string> ptx_in(const void* data, size_t size, const std::string& name) {
  auto container = container_at(data, size);
  if (!container) return container.status();
  auto entries = read_fatbin(*container);
  if (!entries) return entries.status();
  return read_ptx(*entries, device_capability(), name);
}

/// PTX of the translation units behind a version-2 wrapper, linked.
Result<std::string> linked_ptx(const std::vector<const void*>& containers,
                               const std::string& name) {
  std::vector<std::string> units;
  Status missing;
  for (const void* container : containers) {
    auto text = ptx_in(container, 0, name);
    if (text) {
      units.push_back(std::move(*text));
    } else if (text.status().code() == StatusCode::no_binary_for_gpu) {
      missing = text.status();
    } else {
      return text.status();
    }
  }
  if (units.empty()) return missing;
  if (!missing) {
    log(LogPart::module, LogLevel::warn, "a translation unit is left out: {}", missing.message());
  }
  return link_ptx(units, name);
}

}  // namespace

std::unique_ptr<Module> Module::from_wrapper(const void* wrapper, ModuleHost& host) {
  std::unique_ptr<Module> module(new Module(host));
  module->wrapper_ = wrapper;
  return module;
}

Result<std::unique_ptr<Module>> Module::from_ptx(std::string text, std::string name,
                                                 ModuleHost& host) {
  std::vector<std::string> texts;
  texts.push_back(std::move(text));
  return from_ptx_units(std::move(texts), std::move(name), host);
}

Result<std::unique_ptr<Module>> Module::from_ptx_units(std::vector<std::string> texts,
                                                       std::string name, ModuleHost& host) {
  std::unique_ptr<Module> module(new Module(host));
  module->texts_ = std::move(texts);
  module->name_ = std::move(name);
  if (Status status = module->load(); !status) return status;
  return module;
}

Result<std::unique_ptr<Module>> Module::from_image(const void* image, size_t size, std::string name,
                                                   ModuleHost& host) {
  if (image == nullptr) return Status{StatusCode::invalid_value, "null module image"};
  if (starts_with(image, size, bytes_of(kFatbinWrapperMagic))) {
    auto module = from_wrapper(image, host);
    module->name_ = std::move(name);
    if (Status status = module->load(); !status) return status;
    module->wrapper_ = nullptr;
    return module;
  }
  if (starts_with(image, size, bytes_of(kFatbinMagic))) {
    auto text = ptx_in(image, size, name);
    if (!text && text.status().code() == StatusCode::no_binary_for_gpu)
      return from_machine_code(image, text.status(), std::move(name), host);
    if (!text) return text.status();
    return from_ptx(std::move(*text), std::move(name), host);
  }
  if (starts_with(image, size, "\177ELF")) {
    const Status why{
        StatusCode::no_binary_for_gpu,
        fmt::format("{}: a cubin holds machine code of an NVIDIA GPU only; load the PTX or a "
                    "fatbin that has it (nvcc -ptx, nvcc -fatbin)",
                    name)};
    return from_machine_code(image, why, std::move(name), host);
  }
  const std::string_view text = text_in(image, size);
  if (text.empty()) {
    return Status{StatusCode::invalid_image,
                  fmt::format("{}: neither PTX text nor a fatbin", name)};
  }
  return from_ptx(std::string(text), std::move(name), host);
}

std::string_view Module::text_in(const void* image, size_t size) {
  if (image == nullptr || starts_with(image, size, bytes_of(kFatbinWrapperMagic)) ||
      starts_with(image, size, bytes_of(kFatbinMagic)) || starts_with(image, size, "\177ELF")) {
    return {};
  }
  const std::string_view text = text_of(static_cast<const char*>(image), size);
  return text.find(".version") == std::string_view::npos ? std::string_view() : text;
}

std::unique_ptr<Module> Module::failed(Status why, std::string name, ModuleHost& host) {
  std::unique_ptr<Module> module(new Module(host));
  module->name_ = std::move(name);
  module->load_error_ = std::move(why);
  module->state_.store(State::failed, std::memory_order_release);
  return module;
}

Module::~Module() {
  for (const auto& [name, variable] : machine_variables_) host_.disown(variable);
  for (size_t i = 0; i < kSpaces; ++i) {
    if (blocks_[i].address == nullptr) continue;
    host_.release(blocks_[i].address, blocks_[i].bytes, static_cast<VariableSpace>(i));
  }
}

const std::string& Module::name() const {
  std::call_once(name_once_, [this] {
    if (!name_.empty()) return;
    Dl_info info{};
    const bool known =
        wrapper_ != nullptr && dladdr(wrapper_, &info) != 0 && info.dli_fname != nullptr;
    name_ = known ? info.dli_fname : "module";
  });
  return name_;
}

std::shared_ptr<const std::string> Module::ptx_text() const {
  return syntax_ != nullptr ? syntax_->source : nullptr;
}

// Registration

Kernel* Module::kernel_named(std::string_view name, const void* host_function) {
  const std::lock_guard lock(kernels_mutex_);
  if (const auto it = kernel_by_name_.find(name); it != kernel_by_name_.end()) return it->second;
  kernels_.push_back(std::make_unique<Kernel>(*this, name, host_function));
  Kernel* kernel = kernels_.back().get();
  kernel_by_name_.emplace(kernel->name(), kernel);
  return kernel;
}

Kernel* Module::register_kernel(const void* host_function, std::string_view device_name) {
  return kernel_named(device_name, host_function);
}

void Module::register_variable(const void* host_variable, std::string_view device_name, size_t,
                               bool) {
  host_variables_.insert_or_assign(host_variable, device_name);
}

void Module::register_managed_variable(void** host_pointer, std::string_view device_name,
                                       size_t size) {
  host_variables_.insert_or_assign(host_pointer, device_name);
  managed_.push_back({host_pointer, device_name, size});
}

void Module::register_texture(const TextureReference& reference) {
  textures_.push_back(reference);
  host_variables_.insert_or_assign(reference.host, reference.name);
}

bool Module::has_host_variable(const void* host) const { return host_variables_.contains(host); }

// Loading

Status Module::load() {
  if (state_.load(std::memory_order_acquire) == State::loaded) return Status::ok();
  const std::lock_guard lock(load_mutex_);
  const State state = state_.load(std::memory_order_relaxed);
  if (state == State::loaded) return Status::ok();
  if (state == State::failed) return load_error_;
  load_error_ = load_once();
  state_.store(load_error_ ? State::loaded : State::failed, std::memory_order_release);
  return load_error_;
}

Result<std::string> Module::read_image() const {
  if (wrapper_ == nullptr) return link_ptx(texts_, name());
  auto wrapper = read_wrapper(wrapper_);
  if (!wrapper) {
    return Status{wrapper.status().code(),
                  fmt::format("{}: {}", name(), wrapper.status().message())};
  }
  auto text = wrapper->prelinked.empty() ? ptx_in(wrapper->data, 0, name())
                                         : linked_ptx(wrapper->prelinked, name());
  if (text || text.status().code() == StatusCode::no_binary_for_gpu) return text;
  return Status{text.status().code(), fmt::format("{}: {}", name(), text.status().message())};
}

Status Module::load_once() {
  auto text = read_image();
  texts_.clear();
  if (!text && wrapper_ != nullptr && text.status().code() == StatusCode::no_binary_for_gpu) {
    auto wrapper = read_wrapper(wrapper_);
    if (!wrapper) return wrapper.status();
    return load_machine_code(wrapper->data, text.status());
  }
  if (!text) return text.status();
  auto source = std::make_shared<const std::string>(std::move(*text));
  ptx_hash_ = hash128(*source);
  auto syntax = ptx::parse_module(source, name(), {.lazy_bodies = true});
  if (!syntax) return syntax.status();
  syntax_ = std::make_unique<ptx::Module>(std::move(*syntax));
  for (ptx::Function& function : syntax_->functions) {
    auto [it, added] = functions_.emplace(function.name, &function);
    if (!added && function.has_body) it->second = &function;
  }
  for (const auto& [alias, target] : syntax_->aliases) {
    if (const auto it = functions_.find(target); it != functions_.end()) {
      functions_.insert_or_assign(alias, it->second);
    }
  }
  if (Status status = place_variables(); !status) return status;
  if (Status status = initialise_variables(); !status) return status;
  for (const auto& [address, bytes] : blocks_) {
    if (address != nullptr) host_.written(address, bytes);
  }
  point_managed();
  log(LogPart::module, LogLevel::debug, "{}: {} functions, {} variables", name(),
      syntax_->functions.size(), variables_.size());
  return Status::ok();
}

void Module::point_managed() {
  for (const Managed& managed : managed_) {
    if (managed.host_pointer == nullptr) continue;
    const auto variable = variable_named(managed.name);
    if (!variable) continue;
    *managed.host_pointer = variable->address;
    host_variables_.insert_or_assign(variable->address, managed.name);
  }
}

Status Module::place_variables() {
  // Offsets first, one block per space afterwards.
  size_t alignments[kSpaces] = {16, 16, 16};
  uint64_t sizes[kSpaces] = {};
  for (const ptx::Variable& variable : syntax_->variables) {
    const bool in_memory = variable.space == ptx::StateSpace::global ||
                           variable.space == ptx::StateSpace::constant ||
                           variable.space == ptx::StateSpace::tex;
    if (!in_memory || variable.linkage == ptx::Linkage::external) continue;
    if (!variable_by_name_.emplace(variable.name, variables_.size()).second) continue;
    const VariableSpace space = variable.managed ? VariableSpace::managed
                                : variable.space == ptx::StateSpace::constant
                                    ? VariableSpace::constant
                                    : VariableSpace::global;
    const auto s = static_cast<size_t>(space);
    const uint64_t size = variable.size_in_bytes();
    const uint64_t alignment =
        std::bit_ceil(uint64_t{std::max(variable.effective_alignment(), 1u)});
    sizes[s] = (sizes[s] + alignment - 1) & ~(alignment - 1);
    if (size > kLargestModuleData || sizes[s] > kLargestModuleData) {
      return {StatusCode::out_of_memory,
              fmt::format("{}: variable {} has {} bytes", name(), variable.name, size)};
    }
    // The address is an offset until the block is there.
    variables_.push_back({variable.name, reinterpret_cast<void*>(sizes[s]), size, space});
    sizes[s] += std::max<uint64_t>(size, 1);
    alignments[s] = std::max(alignments[s], static_cast<size_t>(alignment));
  }
  for (size_t s = 0; s < kSpaces; ++s) {
    if (sizes[s] == 0) continue;
    auto memory = host_.allocate(sizes[s], alignments[s], static_cast<VariableSpace>(s));
    if (!memory) return memory.status();
    blocks_[s] = {*memory, sizes[s]};
  }
  for (DeviceVariable& variable : variables_) {
    auto* base = static_cast<std::byte*>(blocks_[static_cast<size_t>(variable.space)].address);
    variable.address = base + reinterpret_cast<uintptr_t>(variable.address);
  }
  return Status::ok();
}

Result<uint64_t> Module::address_of(const ptx::InitialValue& value) const {
  uint64_t address = 0;
  if (const auto it = variable_by_name_.find(value.symbol); it != variable_by_name_.end()) {
    address = reinterpret_cast<uintptr_t>(variables_[it->second].address);
  } else if (function_named(value.symbol) != nullptr) {
    address = device_ir::function_address(*syntax_, value.symbol);
  } else {
    return Status{
        StatusCode::invalid_ptx,
        fmt::format("{}: initialiser names {}, which is not defined", name(), value.symbol)};
  }
  address += static_cast<uint64_t>(value.offset);
  if (value.mask == 0) return address;
  return (address & value.mask) >> std::countr_zero(value.mask);
}

Status Module::initialise_variables() {
  for (const ptx::Variable& variable : syntax_->variables) {
    if (variable.initial.empty()) continue;
    const auto it = variable_by_name_.find(variable.name);
    if (it == variable_by_name_.end()) continue;
    const DeviceVariable& target = variables_[it->second];
    const size_t element = std::max<size_t>(ptx::bit_width(variable.type) / 8, 1);
    auto* out = static_cast<std::byte*>(target.address);
    size_t left = target.size;
    for (const ptx::InitialValue& value : variable.initial) {
      if (left < element || element > sizeof(uint64_t)) {
        return {StatusCode::invalid_ptx,
                fmt::format("{}: initialiser of {} does not fit it", name(), variable.name)};
      }
      uint64_t bits = value.bits;
      if (value.kind == ptx::InitialValue::Kind::symbol) {
        auto address = address_of(value);
        if (!address) return address.status();
        bits = *address;
      } else if (value.kind == ptx::InitialValue::Kind::floating && element == sizeof(float)) {
        bits = std::bit_cast<uint32_t>(static_cast<float>(std::bit_cast<double>(bits)));
      }
      std::memcpy(out, &bits, element);
      out += element;
      left -= element;
    }
  }
  return Status::ok();
}

// Lookup

ptx::Function* Module::function_named(std::string_view name) const {
  const auto it = functions_.find(name);
  return it != functions_.end() ? it->second : nullptr;
}

Result<KernelReach> Module::reach_of(std::string_view kernel) {
  const std::lock_guard lock(body_mutex_);
  return kernel_reach(*syntax_, functions_, kernel, name());
}

Result<Kernel*> Module::find_kernel(std::string_view name) {
  if (Status status = load(); !status) return status;
  if (machine_ != nullptr) {
    if (const auto it = machine_kernels_.find(name); it != machine_kernels_.end())
      return kernel_named(*it, nullptr);
    return Status{StatusCode::not_found, fmt::format("{} has no kernel {}", this->name(), name)};
  }
  const ptx::Function* function = function_named(name);
  if (function == nullptr || !function->is_entry || !function->has_body) {
    return Status{StatusCode::not_found, fmt::format("{} has no kernel {}", this->name(), name)};
  }
  return kernel_named(function->name, nullptr);
}

Result<std::vector<Kernel*>> Module::kernels() {
  if (Status status = load(); !status) return status;
  std::vector<Kernel*> all;
  for (const std::string& name : machine_kernels_) all.push_back(kernel_named(name, nullptr));
  if (machine_ != nullptr) return all;
  for (const ptx::Function& function : syntax_->functions) {
    if (function.is_entry && function.has_body) all.push_back(kernel_named(function.name, nullptr));
  }
  return all;
}

Result<DeviceVariable> Module::find_variable(std::string_view name) {
  if (Status status = load(); !status) return status;
  return variable_named(name);
}

Result<DeviceVariable> Module::variable_named(std::string_view name) {
  if (machine_ != nullptr) return machine_variable(name);
  const auto it = variable_by_name_.find(name);
  if (it == variable_by_name_.end()) {
    return Status{StatusCode::not_found, fmt::format("{} has no variable {}", this->name(), name)};
  }
  return variables_[it->second];
}

Result<DeviceVariable> Module::find_host_variable(const void* host) {
  if (Status status = load(); !status) return status;
  const auto it = host_variables_.find(host);
  if (it == host_variables_.end()) {
    return Status{StatusCode::not_found, fmt::format("{} has no such host variable", name())};
  }
  return find_variable(it->second);
}

}  // namespace guda::runtime
