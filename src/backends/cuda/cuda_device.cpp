#include "backends/cuda/cuda_device.h"

#include "backends/cuda/context.h"
#include "backends/cuda/device_memory.h"
#include "backends/cuda/kernel.h"
#include "backends/cuda/machine_code.h"
#include "backends/cuda/matrix_product.h"
#include "backends/cuda/queue.h"
#include "backends/cuda/shared_memory.h"
#include "backends/cuda/texture.h"
#include "support/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace guda::backend {
namespace cuda {
namespace {

unsigned capability_of(Context& context) {
  context.enter();
  int major = 0, minor = 0;
  (void)context.api().device_attribute(&major, kAttributeComputeMajor, context.device());
  (void)context.api().device_attribute(&minor, kAttributeComputeMinor, context.device());
  return static_cast<unsigned>(10 * major + minor);
}

class CudaDevice final : public Device, public Peer {
 public:
  CudaDevice(std::shared_ptr<Context> context, DeviceInfo info, const AddressSpace& space,
             std::shared_ptr<SharedMemory> shared, const CudaOptions& options)
      : context_(std::move(context)),
        info_(std::move(info)),
        space_(space),
        shared_(std::move(shared)),
        memory_(context_, space, info_.map_alignment, *shared_),
        modules_(context_, space, capability_of(*context_)),
        products_(context_, options.cublas) {}

  const DeviceInfo& info() const override { return info_; }
  bool usable() const override { return !context_->lost(); }
  std::span<std::byte> address_space() const override { return space_.program; }
  Status map(void* address, size_t bytes, int host_file) override {
    return memory_.map(address, bytes, host_file);
  }
  Status unmap(void* address, size_t bytes) override { return memory_.unmap(address, bytes); }
  uint64_t free_bytes() const override {
    context_->enter();
    size_t free = 0, total = 0;
    return context_->api().memory_info(&free, &total) == 0 ? free : 0;
  }
  Result<std::shared_ptr<DeviceKernel>> load(const KernelSource& source) override {
    return modules_.load(source);
  }
  Result<std::shared_ptr<MachineCode>> load_machine_code(const void* image,
                                                         const std::string& name) override {
    if (space_.distance != 0)
      return Status(StatusCode::not_supported,
                    fmt::format("{} is not at the program's addresses", info_.id()));
    return cuda::load_machine_code(context_, image, name);
  }
  bool has_library_function(const char* name) override {
    context_->enter();
    return space_.distance == 0 && products_.has_function(name);
  }
  Result<std::unique_ptr<Queue>> create_queue() override {
    return CudaQueue::create(context_, memory_, products_);
  }
  bool can_copy_from(const Device& peer) const override {
    const auto* other = dynamic_cast<const Peer*>(&peer);
    return other != nullptr && &other->memory().context().driver() == &context_->driver() &&
           context_->api().copy_from_peer != nullptr;
  }
  DeviceMemory& memory() const override { return memory_; }
  Result<void*> allocate_shared(size_t bytes, SharedKind kind) override {
    return shared_->allocate(context_, bytes, kind);
  }
  Status free_shared(void* address) override { return shared_->free(address); }
  Status register_host(void* address, size_t bytes) override {
    return shared_->register_host(context_, address, bytes);
  }
  Status unregister_host(void* address) override { return shared_->unregister_host(address); }
  Result<std::shared_ptr<DeviceArray>> create_array(const ArrayDescription& description) override {
    return CudaArray::create(context_, description);
  }
  Result<std::unique_ptr<DeviceTexture>> create_texture(
      const TextureDescription& description) override {
    const DevicePointer address = description.array != nullptr ? 0 : space_.of(description.address);
    return create_cuda_texture(context_, description, address);
  }
  Result<std::unique_ptr<DeviceTexture>> create_surface(std::shared_ptr<const DeviceArray> array,
                                                        uint32_t level) override {
    return create_cuda_surface(context_, std::move(array), level);
  }
  Status advise(const void* address, size_t bytes, int advice, bool about_host) override {
    const DriverApi& api = context_->api();
    if (api.advise == nullptr) return {StatusCode::not_supported, "the driver is too old"};
    context_->enter();
    const MemoryLocation where =
        about_host ? MemoryLocation{kLocationHost, 0} : MemoryLocation{1, context_->device()};
    return context_->check(
        api.advise(reinterpret_cast<DevicePointer>(address), bytes, advice, where), "cuMemAdvise");
  }
  std::optional<int> cuda_attribute(int attribute) const override {
    context_->enter();
    int value = 0;
    if (context_->api().device_attribute(&value, attribute, context_->device()) != 0)
      return std::nullopt;
    return value;
  }

 private:
  std::shared_ptr<Context> context_;
  DeviceInfo info_;
  AddressSpace space_;
  std::shared_ptr<SharedMemory> shared_;
  mutable DeviceMemory memory_;
  ModuleCache modules_;
  MatrixProducts products_;
};

Result<DeviceInfo> describe(const Driver& driver, int ordinal, int device) {
  const DriverApi& api = driver.api();
  DeviceInfo info;
  info.backend = "cuda";
  info.ordinal = static_cast<uint32_t>(ordinal);
  std::array<char, 256> name{};
  (void)api.device_name(name.data(), static_cast<int>(name.size()) - 1, device);
  info.name = name.data();
  info.driver = fmt::format("{}.{}", driver.version() / 1000, driver.version() % 1000 / 10);
  int virtual_memory = 0, units = 1;
  (void)api.device_attribute(&virtual_memory, kAttributeVirtualMemory, device);
  if (virtual_memory == 0)
    return Status(StatusCode::not_supported,
                  fmt::format("{} has no virtual memory management", info.name));
  (void)api.device_attribute(&units, kAttributeMultiprocessors, device);
  info.compute_units = static_cast<uint32_t>(units);
  size_t bytes = 0;
  (void)api.device_total_memory(&bytes, device);
  info.memory_bytes = bytes;
  AllocationProperties properties;
  properties.location.id = device;
  size_t granularity = 0;
  if (DriverResult code = api.memory_granularity(&granularity, &properties, kMinimumGranularity);
      code != 0 || granularity == 0)
    return driver.failure(code, "cuMemGetAllocationGranularity");
  info.map_alignment = granularity;
  info.shared_memory = SharedMemory::offered_by(driver, device);
  info.textures = has_textures(api);
  return info;
}

}  // namespace
}  // namespace cuda

CudaOptions cuda_options() {
  CudaOptions options{option_value(Option::cuda_driver), option_value(Option::cublas), {}, false};
  constexpr std::string_view kPrefix = "cuda:";
  const std::string list = option_value(Option::devices);
  for (std::string_view rest = list; !rest.empty();) {
    std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    int ordinal = -1;
    if (item == "cuda") options.others = true;
    if (!item.starts_with(kPrefix)) continue;
    item.remove_prefix(kPrefix.size());
    if (std::from_chars(item.data(), item.data() + item.size(), ordinal).ec == std::errc{} &&
        ordinal >= 0)
      options.ordinals.push_back(ordinal);
  }
  options.others = options.others || options.ordinals.empty();
  return options;
}

Discovery discover_cuda(const CudaOptions& options) {
  auto driver = cuda::Driver::open(options.driver);
  if (!driver) {
    Discovery none;
    none.note = driver.status().message();
    return none;
  }
  return discover_cuda(*driver, options);
}

Discovery discover_cuda(const std::shared_ptr<cuda::Driver>& driver, const CudaOptions& options) {
  Discovery found;
  auto note = [&](const std::string& text) {
    found.note += (found.note.empty() ? "" : "; ") + text;
  };
  driver->libraries().enter_thread();
  const cuda::DriverApi& api = driver->api();
  int count = 0;
  if (cuda::DriverResult code = api.device_count(&count); code != 0)
    note(driver->failure(code, "cuDeviceGetCount").message());
  else if (count == 0)
    note("the driver has no devices");
  auto shared = std::make_shared<cuda::SharedMemory>();
  std::vector<int> ordinals;
  auto want = [&](int ordinal) {
    if (ordinal < count && !std::count(ordinals.begin(), ordinals.end(), ordinal))
      ordinals.push_back(ordinal);
  };
  for (int ordinal : options.ordinals) want(ordinal);
  for (int ordinal = 0; options.others && ordinal < count; ++ordinal) want(ordinal);
  for (int ordinal : ordinals) {
    int device = ordinal;
    if (api.device_get(&device, ordinal) != 0) continue;
    auto info = cuda::describe(*driver, ordinal, device);
    if (!info) {
      note(info.status().message());
      continue;
    }
    auto context = cuda::Context::create(driver, device);
    if (!context) {
      note(context.status().message());
      continue;
    }
    (*context)->enter();
    const std::span<std::byte> program = driver->reservation(0);
    const std::span<std::byte> own = driver->reservation(found.devices.size());
    if (program.empty() || own.empty()) {
      note(fmt::format("the driver reserves no address space for {}", info->name));
      continue;
    }
    const cuda::AddressSpace space{program, static_cast<uint64_t>(own.data() - program.data())};
    info->stored_pointers = space.distance == 0;
    info->reads_at_once = true;
    info->same_distances = true;
    found.devices.push_back(std::make_unique<cuda::CudaDevice>(
        std::move(*context), std::move(*info), space, shared, options));
    if (found.devices.back()->cuda_attribute(cuda::kAttributeConcurrentManaged).value_or(0) == 0)
      shared->forbid_managed();
  }
  std::sort(found.devices.begin(), found.devices.end(),
            [](const auto& a, const auto& b) { return a->info().ordinal < b->info().ordinal; });
  return found;
}

}  // namespace guda::backend
