// A device around another one, in which any call can be made to fail, to hang, or to be the last one before the
// device vanishes. For tests of everything that has to survive that.
#pragma once

#include "backends/device.h"

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace guda::backend {

enum class FaultKind : uint8_t {
  error,  // the call fails with `code`, the device goes on
  hang,  // the call does not return until release()
  vanish,  // the call fails, and the device is gone
};

struct Fault {
  FaultKind kind = FaultKind::error;
  /// Which call: "map", "unmap", "load", "create_queue", "launch", "upload", "download", "copy", "copy_from_peer", "fill",
  /// "gemm", "mark", "wait", "wait_for", "flush", "synchronize", "create_array", "create_texture", "create_surface",
  /// "copy_to_array", "copy_from_array", "copy_box", "fill_box", "call", "prefetch", "begin_recording", "end_recording",
  /// "replay"; empty: any.
  std::string call;
  /// From 1, counted since the plan was made, among calls of this name.
  uint64_t nth = 1;
  StatusCode code = StatusCode::launch_failed;
};

/// Which calls fail. Thread safe; outlives its devices.
class FaultPlan {
 public:
  void add(Fault fault) {
    const std::lock_guard lock(mutex_);
    faults_.push_back(std::move(fault));
  }
  /// Calls so far.
  uint64_t calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  /// Faults that have happened.
  uint64_t happened() const {
    const std::lock_guard lock(mutex_);
    return happened_;
  }
  bool vanished() const {
    const std::lock_guard lock(mutex_);
    return vanished_;
  }
  /// Hanging calls return, with launch_timeout, and no more hang.
  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }

  /// Before each call.
  Status check(const char* call) {
    std::unique_lock lock(mutex_);
    if (vanished_) return {StatusCode::unknown, std::string(call) + ": the device has vanished"};
    ++calls_;
    uint64_t& of_this_name = counts_for(call);
    ++of_this_name;
    for (const Fault& fault : faults_) {
      if (!fault.call.empty() && fault.call != call) continue;
      if ((fault.call.empty() ? calls_ : of_this_name) != fault.nth) continue;
      ++happened_;
      const std::string message = std::string(call) + ": injected fault";
      switch (fault.kind) {
        case FaultKind::error: return {fault.code, message};
        case FaultKind::vanish: vanished_ = true; return {StatusCode::unknown, message};
        case FaultKind::hang:
          changed_.wait(lock, [&] { return released_; });
          return {StatusCode::launch_timeout, message};
      }
    }
    return Status::ok();
  }

 private:
  uint64_t& counts_for(const std::string& call) {
    for (auto& [name, count] : counts_) {
      if (name == call) return count;
    }
    return counts_.emplace_back(call, 0).second;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Fault> faults_;
  std::vector<std::pair<std::string, uint64_t>> counts_;
  uint64_t calls_ = 0;
  uint64_t happened_ = 0;
  bool vanished_ = false;
  bool released_ = false;
};

class FaultyDevice final : public Device {
 public:
  FaultyDevice(std::unique_ptr<Device> device, std::shared_ptr<FaultPlan> plan)
      : device_(std::move(device)), plan_(std::move(plan)) {}

  const DeviceInfo& info() const override { return device_->info(); }
  bool usable() const override { return !plan_->vanished() && device_->usable(); }
  std::span<std::byte> address_space() const override { return device_->address_space(); }
  uint64_t free_bytes() const override { return device_->free_bytes(); }
  bool can_copy_from(const Device& peer) const override {
    return device_->can_copy_from(inner(peer));
  }
  std::optional<int> cuda_attribute(int attribute) const override {
    return device_->cuda_attribute(attribute);
  }
  Status map(void* address, size_t bytes, int host_file) override {
    if (Status status = plan_->check("map"); !status) return status;
    return device_->map(address, bytes, host_file);
  }
  Status unmap(void* address, size_t bytes) override {
    if (Status status = plan_->check("unmap"); !status) return status;
    return device_->unmap(address, bytes);
  }
  Result<void*> allocate_shared(size_t bytes, SharedKind kind) override {
    if (Status status = plan_->check("allocate_shared"); !status) return status;
    return device_->allocate_shared(bytes, kind);
  }
  /// The memory is the program's, too: it stays when the device has vanished, and goes all the same.
  Status free_shared(void* address) override { return device_->free_shared(address); }
  Status register_host(void* address, size_t bytes) override {
    if (Status status = plan_->check("register_host"); !status) return status;
    return device_->register_host(address, bytes);
  }
  Status unregister_host(void* address) override { return device_->unregister_host(address); }
  Status advise(const void* address, size_t bytes, int advice, bool about_host) override {
    return device_->advise(address, bytes, advice, about_host);
  }
  Result<std::shared_ptr<DeviceKernel>> load(const KernelSource& source) override {
    if (Status status = plan_->check("load"); !status) return status;
    return device_->load(source);
  }
  Status prepare_gemm(const GemmProblem& problem) override {
    return device_->prepare_gemm(problem);
  }
  bool has_library_function(const char* name) override {
    return device_->has_library_function(name);
  }
  Result<std::unique_ptr<Queue>> create_queue() override {
    if (Status status = plan_->check("create_queue"); !status) return status;
    auto queue = device_->create_queue();
    if (!queue) return queue.status();
    return std::unique_ptr<Queue>(std::make_unique<FaultyQueue>(std::move(*queue), plan_));
  }
  Result<std::shared_ptr<DeviceArray>> create_array(const ArrayDescription& description) override {
    if (Status status = plan_->check("create_array"); !status) return status;
    return device_->create_array(description);
  }
  Result<std::unique_ptr<DeviceTexture>> create_texture(
      const TextureDescription& description) override {
    if (Status status = plan_->check("create_texture"); !status) return status;
    return device_->create_texture(description);
  }
  Result<std::unique_ptr<DeviceTexture>> create_surface(std::shared_ptr<const DeviceArray> array,
                                                        uint32_t level) override {
    if (Status status = plan_->check("create_surface"); !status) return status;
    return device_->create_surface(std::move(array), level);
  }

 private:
  /// Backends know each other's devices, not what is around them.
  static const Device& inner(const Device& device) {
    const auto* faulty = dynamic_cast<const FaultyDevice*>(&device);
    // NOLINTNEXTLINE(bugprone-return-const-ref-from-parameter): devices are no temporaries
    return faulty != nullptr ? *faulty->device_ : device;
  }

  class FaultyMark final : public Mark {
   public:
    FaultyMark(std::unique_ptr<Mark> mark, std::shared_ptr<FaultPlan> plan)
        : mark_(std::move(mark)), plan_(std::move(plan)) {}
    bool reached() const override { return mark_->reached(); }
    Status wait() override {
      if (Status status = plan_->check("wait"); !status) {
        (void)mark_->wait();
        return status;
      }
      return mark_->wait();
    }
    std::optional<int64_t> since(const Mark& earlier) const override {
      return mark_->since(*static_cast<const FaultyMark&>(earlier).mark_);
    }
    const Mark& inner() const { return *mark_; }

   private:
    std::unique_ptr<Mark> mark_;
    std::shared_ptr<FaultPlan> plan_;
  };

  class FaultyQueue final : public Queue {
   public:
    FaultyQueue(std::unique_ptr<Queue> queue, std::shared_ptr<FaultPlan> plan)
        : queue_(std::move(queue)), plan_(std::move(plan)) {}
    Status launch(const Launch& launch) override {
      if (Status status = check("launch"); !status) return status;
      return queue_->launch(launch);
    }
    Status upload(void* address, const void* host, size_t bytes) override {
      if (Status status = check("upload"); !status) return status;
      return queue_->upload(address, host, bytes);
    }
    Status download(void* host, const void* address, size_t bytes) override {
      if (Status status = check("download"); !status) return status;
      return queue_->download(host, address, bytes);
    }
    Status copy(void* to, const void* from, size_t bytes) override {
      if (Status status = check("copy"); !status) return status;
      return queue_->copy(to, from, bytes);
    }
    Status copy_from_peer(const Device& device, void* to, const void* from, size_t bytes) override {
      if (Status status = check("copy_from_peer"); !status) return status;
      return queue_->copy_from_peer(inner(device), to, from, bytes);
    }
    Status fill(void* address, uint32_t value, uint32_t element, size_t bytes) override {
      if (Status status = check("fill"); !status) return status;
      return queue_->fill(address, value, element, bytes);
    }
    Status copy_box(CopyWay way, const BoxSide& to, const BoxSide& from, const Box& box) override {
      if (Status status = check("copy_box"); !status) return status;
      return queue_->copy_box(way, to, from, box);
    }
    Status fill_box(const BoxSide& to, const Box& box, uint32_t value, uint32_t element) override {
      if (Status status = check("fill_box"); !status) return status;
      return queue_->fill_box(to, box, value, element);
    }
    Status copy_to_array(DeviceArray& array, uint32_t level, const ArrayRows& from) override {
      if (Status status = check("copy_to_array"); !status) return status;
      return queue_->copy_to_array(array, level, from);
    }
    Status copy_from_array(const ArrayRows& to, const DeviceArray& array, uint32_t level) override {
      if (Status status = check("copy_from_array"); !status) return status;
      return queue_->copy_from_array(to, array, level);
    }
    Status gemm(const GemmProblem& problem) override {
      if (Status status = check("gemm"); !status) return status;
      return queue_->gemm(problem);
    }
    Status call(LibraryCall& library_call) override {
      if (Status status = check("call"); !status) return status;
      return queue_->call(library_call);
    }
    Status prefetch(const void* address, size_t bytes, bool to_host) override {
      if (Status status = check("prefetch"); !status) return status;
      return queue_->prefetch(address, bytes, to_host);
    }
    Result<std::unique_ptr<Mark>> mark() override {
      if (Status status = check("mark"); !status) return status;
      auto mark = queue_->mark();
      if (!mark) return mark.status();
      return std::unique_ptr<Mark>(std::make_unique<FaultyMark>(std::move(*mark), plan_));
    }
    Status wait_for(const Mark& mark) override {
      if (Status status = check("wait_for"); !status) return status;
      return queue_->wait_for(static_cast<const FaultyMark&>(mark).inner());
    }
    Status prepare_products() override { return queue_->prepare_products(); }
    Status begin_recording() override {
      if (Status status = check("begin_recording"); !status) return status;
      return queue_->begin_recording();
    }
    Result<std::shared_ptr<Recording>> end_recording() override {
      Status status = plan_->check("end_recording");
      auto recording = queue_->end_recording();
      if (!status) return status;
      return recording;
    }
    Status replay(const std::shared_ptr<Recording>& recording) override {
      if (Status status = check("replay"); !status) return status;
      return queue_->replay(recording);
    }
    Status flush() override {
      if (Status status = check("flush"); !status) return status;
      return queue_->flush();
    }
    Status synchronize() override {
      if (Status status = check("synchronize"); !status) return status;
      return queue_->synchronize();
    }

   private:
    /// As hardware does it: with a failure, transfers that were under way have ended.
    Status check(const char* call) {
      Status status = plan_->check(call);
      if (!status) (void)queue_->synchronize();
      return status;
    }

    std::unique_ptr<Queue> queue_;
    std::shared_ptr<FaultPlan> plan_;
  };

  std::unique_ptr<Device> device_;
  std::shared_ptr<FaultPlan> plan_;
};

}  // namespace guda::backend
