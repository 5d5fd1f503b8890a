// A stream of the device.
#pragma once

#include "backends/cuda/context.h"
#include "backends/cuda/device_memory.h"
#include "backends/cuda/kernel.h"
#include "backends/cuda/matrix_product.h"
#include "backends/device.h"

#include <array>
#include <memory>

namespace guda::backend::cuda {

class CudaMark final : public Mark {
 public:
  CudaMark(std::shared_ptr<Context> context, EventHandle event, EventKind kind)
      : context_(std::move(context)), event_(event), kind_(kind) {}
  ~CudaMark() override { context_->give_event(event_, kind_); }
  CudaMark(const CudaMark&) = delete;
  CudaMark& operator=(const CudaMark&) = delete;

  bool reached() const override;
  Status wait() override;
  std::optional<int64_t> since(const Mark& earlier) const override;
  EventHandle event() const { return event_; }

 private:
  std::shared_ptr<Context> context_;
  EventHandle event_;
  EventKind kind_;
};

/// What a device of the driver's shows to its peers.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual DeviceMemory& memory() const = 0;
};

class CudaQueue final : public Queue {
 public:
  /// `memory` and `products` outlive the queue.
  static Result<std::unique_ptr<Queue>> create(std::shared_ptr<Context> context,
                                               DeviceMemory& memory, MatrixProducts& products);
  ~CudaQueue() override;
  CudaQueue(const CudaQueue&) = delete;
  CudaQueue& operator=(const CudaQueue&) = delete;

  Status launch(const Launch& launch) override;
  Status upload(void* address, const void* host, size_t bytes) override;
  Status download(void* host, const void* address, size_t bytes) override;
  Status copy(void* to, const void* from, size_t bytes) override;
  Status copy_from_peer(const Device& device, void* to, const void* from, size_t bytes) override;
  Status fill(void* address, uint32_t value, uint32_t element, size_t bytes) override;
  Status copy_to_array(DeviceArray& array, uint32_t level, const ArrayRows& from) override;
  Status copy_from_array(const ArrayRows& to, const DeviceArray& array, uint32_t level) override;
  Status gemm(const GemmProblem& problem) override;
  Status call(LibraryCall& call) override;
  Result<std::unique_ptr<Mark>> mark() override { return mark(EventKind::timed); }
  Result<std::unique_ptr<Mark>> mark_order() override { return mark(EventKind::order); }
  Status wait_for(const Mark& mark) override;
  Status synchronize() override;

 private:
  CudaQueue(std::shared_ptr<Context> context, DeviceMemory& memory, MatrixProducts& products)
      : context_(std::move(context)), memory_(memory), products_(products) {}

  Result<std::unique_ptr<Mark>> mark(EventKind kind);
  Status prepare_staging();
  Status upload_staged(DevicePointer to, const std::byte* from, size_t bytes);
  Status download_staged(std::byte* to, DevicePointer from, size_t bytes);

  /// One half of the way around for host memory that the driver cannot read.
  struct Staging {
    std::byte* buffer = nullptr;
    EventHandle free = nullptr;  // the last copy from or to the buffer
  };
  static constexpr size_t kStaging = size_t{4} << 20;

  std::shared_ptr<Context> context_;
  DeviceMemory& memory_;
  MatrixProducts& products_;
  StreamHandle stream_ = nullptr;
  std::array<Staging, 2> staging_;
};

}  // namespace guda::backend::cuda
