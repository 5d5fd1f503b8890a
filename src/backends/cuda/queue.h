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

/// Streams between the start and the end of a capture.
struct Capture {
  bool open = true;
};

/// A graph of the driver's, instantiated.
class CudaRecording final : public Recording {
 public:
  CudaRecording(std::shared_ptr<Context> context, GraphExecHandle exec)
      : context_(std::move(context)), exec_(exec) {}
  ~CudaRecording() override;
  CudaRecording(const CudaRecording&) = delete;
  CudaRecording& operator=(const CudaRecording&) = delete;
  GraphExecHandle exec() const { return exec_; }

 private:
  std::shared_ptr<Context> context_;
  GraphExecHandle exec_;
};

class CudaMark final : public Mark {
 public:
  /// `capture`: that it was made in; null: none.
  CudaMark(std::shared_ptr<Context> context, EventHandle event, EventKind kind,
           std::shared_ptr<Capture> capture)
      : context_(std::move(context)), event_(event), kind_(kind), capture_(std::move(capture)) {}
  ~CudaMark() override;
  CudaMark(const CudaMark&) = delete;
  CudaMark& operator=(const CudaMark&) = delete;

  bool reached() const override;
  Status wait() override;
  std::optional<int64_t> since(const Mark& earlier) const override;
  EventHandle event() const { return event_; }
  const std::shared_ptr<Capture>& capture() const { return capture_; }

 private:
  std::shared_ptr<Context> context_;
  EventHandle event_;
  EventKind kind_;
  std::shared_ptr<Capture> capture_;
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
  Status copy_box(CopyWay way, const BoxSide& to, const BoxSide& from, const Box& box) override;
  Status fill_box(const BoxSide& to, const Box& box, uint32_t value, uint32_t element) override;
  Status copy_to_array(DeviceArray& array, uint32_t level, const ArrayRows& from) override;
  Status copy_from_array(const ArrayRows& to, const DeviceArray& array, uint32_t level) override;
  Status gemm(const GemmProblem& problem) override;
  Status call(LibraryCall& call) override;
  Status prefetch(const void* address, size_t bytes, bool to_host) override;
  Result<std::unique_ptr<Mark>> mark() override { return mark(EventKind::timed); }
  Result<std::unique_ptr<Mark>> mark_order() override { return mark(EventKind::order); }
  Status wait_for(const Mark& mark) override;
  Status prepare_products() override { return products_.prepare(stream_, binding_); }
  Status begin_recording() override;
  Result<std::shared_ptr<Recording>> end_recording() override;
  Status replay(const std::shared_ptr<Recording>& recording) override;
  Status synchronize() override;

 private:
  CudaQueue(std::shared_ptr<Context> context, DeviceMemory& memory, MatrixProducts& products)
      : context_(std::move(context)), memory_(memory), products_(products) {}

  Result<std::unique_ptr<Mark>> mark(EventKind kind);
  bool recording() const { return capture_ && capture_->open; }
  /// Transfers that go another way each time, or through buffers of the queue's, cannot be recorded.
  Status check_recordable(const void* host) const;
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
  BlasBinding binding_;
  std::array<Staging, 2> staging_;
  std::shared_ptr<Capture> capture_;  // that it takes part in, or took
};

}  // namespace guda::backend::cuda
