// A device for tests: memory of its own inside this process, kernels that are C++ functions, and any call can be
// made to fail.
#pragma once

#include "backends/device.h"
#include "backends/hardware_read.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace guda::backend {

class MemoryDevice final : public Device {
 public:
  /// Runs one block. `address` translates the program's address to the device's memory.
  using Block = std::function<void(MemoryDevice& device, const Launch& launch, Dim3 block)>;

  explicit MemoryDevice(uint64_t memory_bytes = uint64_t{1} << 30, uint32_t ordinal = 0)
      : capacity_(memory_bytes) {
    info_.backend = "memory";
    info_.ordinal = ordinal;
    info_.name = "memory device";
    info_.memory_bytes = memory_bytes;
  }

  void add_kernel(std::string name, Block block) { kernels_[std::move(name)] = std::move(block); }
  /// What a block costs beside its function; makes engines of known speed.
  std::chrono::nanoseconds block_time{0};
  /// Asked before every call that can fail; a failing Status is returned in its place.
  std::function<Status(const char* call)> fault;
  void vanish() { usable_ = false; }
  /// Takes copies from other devices of the kind.
  bool peers = false;

  /// Null: not mapped.
  std::byte* at(const void* address) {
    std::unique_lock lock(mutex_);
    auto wanted = reinterpret_cast<uintptr_t>(address);
    auto next = maps_.upper_bound(wanted);
    if (next == maps_.begin()) return nullptr;
    auto& [base, bytes] = *std::prev(next);
    return wanted < base + bytes.size() ? bytes.data() + (wanted - base) : nullptr;
  }
  size_t mapped_ranges() const { return maps_.size(); }

  const DeviceInfo& info() const override { return info_; }
  DeviceInfo& editable_info() { return info_; }
  bool usable() const override { return usable_; }

  Status map(void* address, size_t bytes, int) override {
    if (Status status = check("map"); !status) return status;
    std::unique_lock lock(mutex_);
    auto base = reinterpret_cast<uintptr_t>(address);
    if (base % info_.map_alignment != 0 || bytes % info_.map_alignment != 0)
      return {StatusCode::invalid_value, "not aligned"};
    for (auto& [other, memory] : maps_) {
      if (base < other + memory.size() && other < base + bytes)
        return {StatusCode::invalid_value, "overlaps a mapped range"};
    }
    if (used_ + bytes > capacity_) return {StatusCode::out_of_memory, "the device is full"};
    used_ += bytes;
    maps_[base].assign(bytes, std::byte{0xCD});
    return Status::ok();
  }
  Status unmap(void* address, size_t bytes) override {
    if (Status status = check("unmap"); !status) return status;
    std::unique_lock lock(mutex_);
    auto found = maps_.find(reinterpret_cast<uintptr_t>(address));
    if (found == maps_.end() || found->second.size() != bytes)
      return {StatusCode::invalid_value, "not a mapped range"};
    used_ -= bytes;
    maps_.erase(found);
    return Status::ok();
  }
  uint64_t free_bytes() const override { return capacity_ - used_; }

  Result<std::shared_ptr<DeviceKernel>> load(const KernelSource& source) override {
    if (Status status = check("load"); !status) return status;
    auto found = kernels_.find(std::string(source.kernel));
    if (found == kernels_.end()) return Status(StatusCode::not_supported, "no such kernel");
    auto kernel = std::make_shared<Kernel>();
    kernel->block = &found->second;
    return std::shared_ptr<DeviceKernel>(kernel);
  }
  bool can_copy_from(const Device& peer) const override {
    return peers && dynamic_cast<const MemoryDevice*>(&peer) != nullptr;
  }
  Result<std::unique_ptr<Queue>> create_queue() override {
    if (Status status = check("create_queue"); !status) return status;
    return std::unique_ptr<Queue>(new MemoryQueue(*this));
  }

 private:
  struct Kernel final : DeviceKernel {
    const Block* block = nullptr;
  };

  class Point final : public Mark {
   public:
    bool reached() const override { return true; }
    Status wait() override { return Status::ok(); }
    std::optional<int64_t> since(const Mark& earlier) const override {
      return std::chrono::nanoseconds(time - static_cast<const Point&>(earlier).time).count();
    }
    std::chrono::steady_clock::time_point time = std::chrono::steady_clock::now();
  };

  class MemoryQueue final : public Queue {
   public:
    explicit MemoryQueue(MemoryDevice& device) : device_(device) {}
    Status launch(const Launch& launch) override {
      if (Status status = device_.check("launch"); !status) return status;
      auto end = std::chrono::steady_clock::now();
      const auto& [first, count] = std::pair(launch.first, launch.count);
      const Block& run = *static_cast<const Kernel*>(launch.kernel)->block;
      for (uint32_t z = first.z; z < first.z + count.z; ++z) {
        for (uint32_t y = first.y; y < first.y + count.y; ++y) {
          for (uint32_t x = first.x; x < first.x + count.x; ++x) {
            run(device_, launch, {x, y, z});
            end += device_.block_time;
          }
        }
      }
      if (device_.block_time.count() > 0) std::this_thread::sleep_until(end);
      return Status::ok();
    }
    Status upload(void* address, const void* host, size_t bytes) override {
      return move("upload", device_.at(address), HardwareRead(host, bytes).data(), bytes);
    }
    Status download(void* host, const void* address, size_t bytes) override {
      return move("download", host, device_.at(address), bytes);
    }
    Status copy(void* to, const void* from, size_t bytes) override {
      return move("copy", device_.at(to), device_.at(from), bytes);
    }
    Status copy_from_peer(const Device& device, void* to, const void* from, size_t bytes) override {
      const auto* peer = dynamic_cast<const MemoryDevice*>(&device);
      if (peer == nullptr || !device_.peers)
        return {StatusCode::not_supported, "no copies between these devices"};
      return move("copy_from_peer", device_.at(to),
                  peer->usable() ? const_cast<MemoryDevice*>(peer)->at(from) : nullptr, bytes);
    }
    Status fill(void* address, uint32_t value, uint32_t element, size_t bytes) override {
      if (Status status = device_.check("fill"); !status) return status;
      std::byte* to = device_.at(address);
      if (to == nullptr) return {StatusCode::illegal_address, "not mapped"};
      for (size_t i = 0; i + element <= bytes; i += element) std::memcpy(to + i, &value, element);
      return Status::ok();
    }
    Result<std::unique_ptr<Mark>> mark() override {
      if (Status status = device_.check("mark"); !status) return status;
      return std::unique_ptr<Mark>(std::make_unique<Point>());
    }
    Status wait_for(const Mark&) override { return device_.check("wait_for"); }
    Status synchronize() override { return device_.check("synchronize"); }

   private:
    Status move(const char* call, void* to, const void* from, size_t bytes) {
      if (Status status = device_.check(call); !status) return status;
      if (to == nullptr || from == nullptr) return {StatusCode::illegal_address, "not mapped"};
      std::memcpy(to, from, bytes);
      return Status::ok();
    }
    MemoryDevice& device_;
  };

  Status check(const char* call) const {
    if (!usable_) return {StatusCode::unknown, "the device has vanished"};
    return fault ? fault(call) : Status::ok();
  }

  DeviceInfo info_;
  std::mutex mutex_;
  std::map<uintptr_t, std::vector<std::byte>> maps_;
  std::map<std::string, Block> kernels_;
  uint64_t capacity_;
  uint64_t used_ = 0;
  bool usable_ = true;
};

}  // namespace guda::backend
