#include "backends/cpu/cpu_device.h"

#include "backends/cpu/emulated_shared_memory.h"
#include "backends/cpu/emulated_textures.h"
#include "backends/cpu/executor.h"
#include "backends/cpu/threaded_queue.h"
#include "backends/faulty_device.h"
#include "backends/hardware_read.h"
#include "support/options.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <thread>

namespace guda::backend {
namespace {

std::atomic<CpuKernelLoader> kernel_loader{nullptr};
std::atomic<CpuGemm> gemm_provider{nullptr};
std::atomic<uint64_t> next_grid_id{uint64_t{1} << 40};

constexpr uint64_t kEmulatedMemory = uint64_t{4} << 30;

int64_t now_nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

/// Memory of an emulated device: for each range of the program's addresses a mapping at a fixed distance below.
class EmulatedMemory {
 public:
  EmulatedMemory(uint64_t capacity, uint32_t ordinal)
      : capacity_(capacity), distance_(kDistance * (ordinal + 1)) {}
  ~EmulatedMemory() {
    for (auto& [base, range] : ranges_) munmap(range.memory, range.bytes);
  }
  EmulatedMemory(const EmulatedMemory&) = delete;
  EmulatedMemory& operator=(const EmulatedMemory&) = delete;

  Status map(void* address, size_t bytes) {
    constexpr size_t kPage = 4096;
    auto base = reinterpret_cast<uintptr_t>(address);
    std::unique_lock lock(mutex_);
    if (bytes == 0 || base % kPage != 0 || bytes % kPage != 0)
      return {StatusCode::invalid_value, "the range is not made of whole pages"};
    auto next = ranges_.lower_bound(base + bytes);
    if (next != ranges_.begin()) {
      auto& [other, range] = *std::prev(next);
      if (other + range.bytes > base)
        return {StatusCode::invalid_value, "the range is mapped already"};
    }
    if (bytes > capacity_ - used_) {
      return {StatusCode::out_of_memory,
              fmt::format("{} bytes asked, {} of {} in use", bytes, used_, capacity_)};
    }
    auto* wanted = reinterpret_cast<void*>(base - distance_);
    void* memory =
        base < distance_
            ? MAP_FAILED
            : mmap(wanted, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (memory != wanted)
      return {StatusCode::out_of_memory, "the system refuses memory for the emulated device"};
    used_ += bytes;
    ranges_.emplace(base, Range{static_cast<std::byte*>(memory), bytes});
    return Status::ok();
  }

  Status unmap(void* address, size_t bytes) {
    std::unique_lock lock(mutex_);
    auto found = ranges_.find(reinterpret_cast<uintptr_t>(address));
    if (found == ranges_.end() || found->second.bytes != bytes)
      return {StatusCode::invalid_value, fmt::format("{} is not a mapped range", address)};
    munmap(found->second.memory, bytes);
    used_ -= bytes;
    ranges_.erase(found);
    return Status::ok();
  }

  uint64_t free_bytes() const {
    std::shared_lock lock(mutex_);
    return capacity_ - used_;
  }

  /// Where `bytes` at the program's address are; null when not all of them are mapped.
  std::byte* at(const void* address, size_t bytes) const {
    auto wanted = reinterpret_cast<uintptr_t>(address);
    std::shared_lock lock(mutex_);
    auto next = ranges_.upper_bound(wanted);
    if (next == ranges_.begin()) return nullptr;
    auto& [base, range] = *std::prev(next);
    const size_t offset = wanted - base;
    if (offset >= range.bytes) return nullptr;
    uintptr_t reached = base + range.bytes;
    for (; next != ranges_.end() && next->first == reached; ++next) reached += next->second.bytes;
    return bytes <= reached - wanted ? range.memory + offset : nullptr;
  }

 private:
  struct Range {
    std::byte* memory;
    size_t bytes;
  };
  static constexpr uintptr_t kDistance = uintptr_t{1} << 38;  // more than a machine's memory

  uint64_t capacity_;
  uintptr_t distance_;
  mutable std::shared_mutex mutex_;
  uint64_t used_ = 0;
  std::map<uintptr_t, Range> ranges_;
};

class CpuDeviceKernel final : public DeviceKernel {
 public:
  CpuKernel code;
  std::vector<uint32_t> pointer_offsets;
};

/// Work is done when it is handed over (ThreadedQueue changes that), so a mark is a time.
class Instant final : public Mark {
 public:
  bool reached() const override { return true; }
  Status wait() override { return Status::ok(); }
  std::optional<int64_t> since(const Mark& earlier) const override {
    return std::max<int64_t>(1, time_ - static_cast<const Instant&>(earlier).time_);
  }

 private:
  int64_t time_ = now_nanoseconds();
};

/// At its end a transfer has taken as long as over the link that GUDA_EMULATED_LINK describes.
class LinkTime {
 public:
  explicit LinkTime(size_t bytes) {
    static const double bytes_per_ns =
        1e-3 * static_cast<double>(option_integer(Option::emulated_link));
    if (bytes_per_ns > 0)
      end_ = now_nanoseconds() + static_cast<int64_t>(static_cast<double>(bytes) / bytes_per_ns);
  }
  ~LinkTime() {
    for (int64_t left = end_; end_ != 0 && (left = end_ - now_nanoseconds()) > 0;)
      std::this_thread::sleep_for(std::chrono::nanoseconds(left));
  }
  LinkTime(const LinkTime&) = delete;
  LinkTime& operator=(const LinkTime&) = delete;

 private:
  int64_t end_ = 0;
};

class CpuQueue final : public Queue {
 public:
  CpuQueue(EmulatedMemory* memory, EmulatedTextures* textures)
      : memory_(memory), textures_(textures) {}

  Status launch(const Launch& launch) override {
    const auto& kernel = *static_cast<const CpuDeviceKernel*>(launch.kernel);
    std::vector<std::byte> params(launch.params.begin(), launch.params.end());
    params.resize(std::max<size_t>(params.size(), kernel.code.info->param_bytes));
    std::vector<void*> symbols = kernel.code.symbols;
    if (memory_ != nullptr) {
      for (uint32_t offset : kernel.pointer_offsets) translate(params, offset);
      for (void*& symbol : symbols) {
        if (std::byte* here = memory_->at(symbol, 1)) symbol = here;
      }
    }
    cpu::LaunchDescription description;
    description.kernel = kernel.code.info;
    description.params = params;
    description.symbols = symbols.data();
    description.grid = launch.grid;
    description.block = launch.block;
    description.block_offset = launch.first;
    description.blocks = launch.count;
    description.dynamic_shared_bytes = launch.dynamic_shared_bytes;
    description.cooperative = launch.cooperative;
    description.grid_id = next_grid_id.fetch_add(1, std::memory_order_relaxed);
    if (textures_ != nullptr) description.textures = &textures_->tables();
    if (Status status = cpu::Executor::instance().run(description); !status && failure_)
      failure_ = status;
    return Status::ok();
  }

  Status upload(void* address, const void* host, size_t bytes) override {
    const LinkTime time(bytes);
    return move(here(address, bytes), HardwareRead(host, bytes).data(), bytes);
  }
  Status download(void* host, const void* address, size_t bytes) override {
    const LinkTime time(bytes);
    return move(host, here(address, bytes), bytes);
  }
  Status copy(void* to, const void* from, size_t bytes) override {
    return move(here(to, bytes), here(from, bytes), bytes);
  }
  Status copy_from_peer(const Device& device, void* to, const void* from, size_t bytes) override;
  Status fill(void* address, uint32_t value, uint32_t element, size_t bytes) override {
    auto* to = static_cast<std::byte*>(here(address, bytes));
    if (to == nullptr) return outside();
    if (element == 1) {
      std::memset(to, static_cast<int>(value & 0xff), bytes);
    } else {
      for (size_t i = 0; i + element <= bytes; i += element) std::memcpy(to + i, &value, element);
    }
    return Status::ok();
  }

  Status copy_to_array(DeviceArray& array, uint32_t level, const ArrayRows& from) override {
    if (textures_ == nullptr) return Queue::copy_to_array(array, level, from);
    return textures_->copy(static_cast<EmulatedArray&>(array), level, from, true);
  }
  Status copy_from_array(const ArrayRows& to, const DeviceArray& array, uint32_t level) override {
    if (textures_ == nullptr) return Queue::copy_from_array(to, array, level);
    return textures_->copy(static_cast<const EmulatedArray&>(array), level, to, false);
  }

  Status gemm(const GemmProblem& problem) override {
    GemmProblem moved = problem;
    moved.a = here(problem.a, 1);
    moved.b = here(problem.b, 1);
    moved.c = here(problem.c, 1);
    if (moved.a == nullptr || moved.b == nullptr || moved.c == nullptr) return outside();
    return cpu_gemm(moved);
  }

  Result<std::unique_ptr<Mark>> mark() override {
    return std::unique_ptr<Mark>(std::make_unique<Instant>());
  }
  Status wait_for(const Mark&) override { return Status::ok(); }
  Status synchronize() override { return std::exchange(failure_, Status::ok()); }

 private:
  static Status outside() {
    return {StatusCode::illegal_address, "an address that the device has not mapped"};
  }
  static Status move(void* to, const void* from, size_t bytes) {
    if (to == nullptr || from == nullptr) return outside();
    std::memmove(to, from, bytes);
    return Status::ok();
  }
  void* here(const void* address, size_t bytes) const {
    if (memory_ != nullptr) {
      if (std::byte* mapped = memory_->at(address, bytes)) return mapped;
      if (!EmulatedSharedMemory::instance().holds(address, bytes)) return nullptr;
    }
    return const_cast<void*>(address);
  }
  void translate(std::vector<std::byte>& params, size_t offset) const {
    if (offset + 8 > params.size()) return;
    void* address = nullptr;
    std::memcpy(&address, params.data() + offset, 8);
    // One past the end is a pointer into the range before it.
    void* found = memory_->at(address, 1);
    if (found == nullptr && address != nullptr) {
      if (std::byte* last = memory_->at(static_cast<std::byte*>(address) - 1, 1)) found = last + 1;
    }
    if (found != nullptr) std::memcpy(params.data() + offset, &found, 8);
  }

  EmulatedMemory* memory_;
  EmulatedTextures* textures_;
  Status failure_;
};

class CpuDevice final : public Device {
 public:
  CpuDevice() {
    info_.backend = "cpu";
    info_.name = "CPU engine";
    info_.host_memory = true;
    info_.stored_pointers = true;
    describe();
  }
  explicit CpuDevice(uint32_t ordinal)
      : memory_(std::make_unique<EmulatedMemory>(kEmulatedMemory, ordinal)),
        textures_(std::make_unique<EmulatedTextures>(
            [this](const void* address, size_t bytes) { return memory_->at(address, bytes); })) {
    info_.textures = true;
    info_.backend = "emulated";
    info_.ordinal = ordinal;
    info_.name = "emulated device";
    info_.memory_bytes = kEmulatedMemory;
    info_.same_distances = true;
    info_.shared_memory = option_flag(Option::emulated_shared_memory);
    describe();
  }

  const DeviceInfo& info() const override { return info_; }
  bool usable() const override { return true; }

  Status map(void* address, size_t bytes, int) override {
    if (!memory_) return {StatusCode::not_supported, "the CPU engine works in host memory"};
    return memory_->map(address, bytes);
  }
  Status unmap(void* address, size_t bytes) override {
    if (!memory_) return {StatusCode::not_supported, "the CPU engine works in host memory"};
    return memory_->unmap(address, bytes);
  }
  uint64_t free_bytes() const override { return memory_ ? memory_->free_bytes() : 0; }

  Result<void*> allocate_shared(size_t bytes, SharedKind kind) override {
    if (!info_.shared_memory) return Device::allocate_shared(bytes, kind);
    return EmulatedSharedMemory::instance().allocate(bytes);
  }
  Status free_shared(void* address) override {
    if (!info_.shared_memory) return Device::free_shared(address);
    return EmulatedSharedMemory::instance().free(address);
  }
  Status register_host(void* address, size_t bytes) override {
    if (!info_.shared_memory) return Device::register_host(address, bytes);
    return EmulatedSharedMemory::instance().add_registered(address, bytes);
  }
  Status unregister_host(void* address) override {
    if (!info_.shared_memory) return Device::unregister_host(address);
    return EmulatedSharedMemory::instance().remove_registered(address);
  }

  Result<std::shared_ptr<DeviceKernel>> load(const KernelSource& source) override {
    CpuKernelLoader loader = kernel_loader.load(std::memory_order_acquire);
    if (loader == nullptr) return Status(StatusCode::not_supported, "no compiler");
    auto code = loader(source);
    if (!code) return code.status();
    auto kernel = std::make_shared<CpuDeviceKernel>();
    kernel->code = std::move(*code);
    kernel->pointer_offsets.assign(source.pointer_offsets.begin(), source.pointer_offsets.end());
    return std::shared_ptr<DeviceKernel>(std::move(kernel));
  }

  bool can_copy_from(const Device& peer) const override {
    const auto* other = dynamic_cast<const CpuDevice*>(&peer);
    return memory_ && other != nullptr && other->memory_;
  }
  Result<std::unique_ptr<Queue>> create_queue() override {
    auto queue = std::make_unique<CpuQueue>(memory_.get(), textures_.get());
    if (!memory_) return std::unique_ptr<Queue>(std::move(queue));
    return std::unique_ptr<Queue>(std::make_unique<ThreadedQueue>(std::move(queue)));
  }

  Result<std::shared_ptr<DeviceArray>> create_array(const ArrayDescription& description) override {
    return textures_ ? textures_->create_array(description) : Device::create_array(description);
  }
  Result<std::unique_ptr<DeviceTexture>> create_texture(
      const TextureDescription& description) override {
    return textures_ ? textures_->create_texture(description) : Device::create_texture(description);
  }
  Result<std::unique_ptr<DeviceTexture>> create_surface(std::shared_ptr<const DeviceArray> array,
                                                        uint32_t level) override {
    return textures_ ? textures_->create_surface(std::move(array), level)
                     : Device::create_surface(std::move(array), level);
  }
  const EmulatedMemory* memory() const { return memory_.get(); }

 private:
  void describe() {
    info_.driver = "GUDA";
    info_.compute_units = cpu::worker_count();
    info_.host_cores = true;
  }

  DeviceInfo info_;
  std::unique_ptr<EmulatedMemory> memory_;
  std::unique_ptr<EmulatedTextures> textures_;
};

Status CpuQueue::copy_from_peer(const Device& device, void* to, const void* from, size_t bytes) {
  const auto* peer = dynamic_cast<const CpuDevice*>(&device);
  if (memory_ == nullptr || peer == nullptr || peer->memory() == nullptr)
    return {StatusCode::not_supported, "one of the two has no memory of its own"};
  return move(here(to, bytes), peer->memory()->at(from, bytes), bytes);
}

}  // namespace

void set_cpu_kernel_loader(CpuKernelLoader loader) {
  kernel_loader.store(loader, std::memory_order_release);
}

void set_cpu_gemm(CpuGemm gemm) { gemm_provider.store(gemm, std::memory_order_release); }

Status cpu_gemm(const GemmProblem& problem) {
  CpuGemm gemm = gemm_provider.load(std::memory_order_acquire);
  if (gemm == nullptr) return {StatusCode::not_supported, "there is no BLAS in the process"};
  return gemm(problem);
}

std::unique_ptr<Device> make_cpu_device() { return std::make_unique<CpuDevice>(); }

namespace {

/// "launch:3:error"; empty: none. Bad text is none, too.
std::optional<Fault> requested_fault() {
  const std::string text = option_value(Option::emulated_fault);
  const size_t first = text.find(':');
  const size_t second = first == std::string::npos ? first : text.find(':', first + 1);
  if (second == std::string::npos) return std::nullopt;
  Fault fault;
  fault.call = text.substr(0, first);
  const std::string kind = text.substr(second + 1);
  fault.kind = kind == "vanish" ? FaultKind::vanish
               : kind == "hang" ? FaultKind::hang
                                : FaultKind::error;
  const char* end = text.data() + second;
  if (std::from_chars(text.data() + first + 1, end, fault.nth).ptr != end) return std::nullopt;
  return fault;
}

}  // namespace

Discovery discover_emulated() {
  const std::optional<Fault> fault = requested_fault();
  Discovery found;
  auto count =
      static_cast<uint32_t>(std::clamp<int64_t>(option_integer(Option::emulated_devices), 0, 8));
  for (uint32_t i = 0; i < count; ++i) {
    std::unique_ptr<Device> device = std::make_unique<CpuDevice>(i);
    if (fault) {
      auto plan = std::make_shared<FaultPlan>();
      plan->add(*fault);
      device = std::make_unique<FaultyDevice>(std::move(device), std::move(plan));
    }
    found.devices.push_back(std::move(device));
  }
  return found;
}

}  // namespace guda::backend
