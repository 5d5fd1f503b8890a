#include <fmt/format.h>

#include <cstring>

#include "backends/opencl/state.h"

namespace guda::backend::opencl {
namespace {

class EventMark final : public Mark {
 public:
  EventMark(std::shared_ptr<DeviceState> state, Event event)
      : state_(std::move(state)), event_(event) {}
  EventMark(const EventMark&) = delete;
  EventMark& operator=(const EventMark&) = delete;
  ~EventMark() override { state_->api.clReleaseEvent(event_); }

  bool reached() const override { return status() <= 0; }

  Status wait() override {
    const cl_int code = state_->api.clWaitForEvents(1, &event_);
    if (const cl_int state = status(); state < 0) return state_->check(state, "execution");
    return state_->check(code, "clWaitForEvents");
  }

  std::optional<int64_t> since(const Mark& earlier) const override {
    const auto end = time();
    const auto start = static_cast<const EventMark&>(earlier).time();
    if (!end || !start) return std::nullopt;
    return static_cast<int64_t>(*end - *start);
  }

  Event event() const { return event_; }

 private:
  /// CL_COMPLETE is 0, errors are negative.
  cl_int status() const {
    cl_int value = 1;
    const cl_int code =
        state_->api.clGetEventInfo(event_, kEventStatus, sizeof value, &value, nullptr);
    return code == kSuccess ? value : code;
  }
  std::optional<cl_ulong> time() const {
    cl_ulong value = 0;
    if (state_->api.clGetEventProfilingInfo(event_, kProfilingEnd, sizeof value, &value, nullptr) !=
            kSuccess ||
        value == 0)
      return std::nullopt;
    return value;
  }

  std::shared_ptr<DeviceState> state_;
  Event event_;
};

class OpenclQueue final : public Queue {
 public:
  OpenclQueue(std::shared_ptr<DeviceState> state, CommandQueue queue)
      : state_(std::move(state)), api_(state_->api), queue_(queue) {}
  OpenclQueue(const OpenclQueue&) = delete;
  OpenclQueue& operator=(const OpenclQueue&) = delete;
  ~OpenclQueue() override {
    api_.clFinish(queue_);
    api_.clReleaseCommandQueue(queue_);
  }

  Status launch(const Launch& launch) override {
    return static_cast<const LoadedKernel*>(launch.kernel)->enqueue(queue_, launch);
  }

  Status upload(void* address, const void* host, size_t bytes) override {
    return in_parts(address, bytes, [&](const BufferPart& part, size_t done) {
      return check(api_.clEnqueueWriteBuffer(queue_, part.buffer, 0, part.offset, part.bytes,
                                             static_cast<const std::byte*>(host) + done, 0, nullptr,
                                             nullptr),
                   "clEnqueueWriteBuffer");
    });
  }

  Status download(void* host, const void* address, size_t bytes) override {
    return in_parts(address, bytes, [&](const BufferPart& part, size_t done) {
      return check(
          api_.clEnqueueReadBuffer(queue_, part.buffer, 0, part.offset, part.bytes,
                                   static_cast<std::byte*>(host) + done, 0, nullptr, nullptr),
          "clEnqueueReadBuffer");
    });
  }

  Status copy(void* to, const void* from, size_t bytes) override {
    if (state_->shared_addresses) {
      if (bytes == 0) return Status::ok();
      return check(api_.clEnqueueSVMMemcpy(queue_, 0, to, from, bytes, 0, nullptr, nullptr),
                   "clEnqueueSVMMemcpy");
    }
    return in_parts(from, bytes, [&](const BufferPart& source, size_t done) {
      return in_parts(static_cast<std::byte*>(to) + done, source.bytes,
                      [&](const BufferPart& target, size_t inner) {
                        return check(api_.clEnqueueCopyBuffer(queue_, source.buffer, target.buffer,
                                                              source.offset + inner, target.offset,
                                                              target.bytes, 0, nullptr, nullptr),
                                     "clEnqueueCopyBuffer");
                      });
    });
  }

  Status fill(void* address, uint32_t value, uint32_t element, size_t bytes) override {
    if (element != 1 && element != 2 && element != 4)
      return {StatusCode::invalid_value, fmt::format("elements of {} bytes", element)};
    if (reinterpret_cast<uint64_t>(address) % element != 0 || bytes % element != 0)
      return {StatusCode::invalid_value, "a range that does not consist of whole elements"};
    if (state_->shared_addresses) {
      if (bytes == 0) return Status::ok();
      return check(
          api_.clEnqueueSVMMemFill(queue_, address, &value, element, bytes, 0, nullptr, nullptr),
          "clEnqueueSVMMemFill");
    }
    return in_parts(address, bytes, [&](const BufferPart& part, size_t) {
      return check(api_.clEnqueueFillBuffer(queue_, part.buffer, &value, element, part.offset,
                                            part.bytes, 0, nullptr, nullptr),
                   "clEnqueueFillBuffer");
    });
  }

  Status gemm(const GemmProblem& problem) override { return state_->products.run(queue_, problem); }

  Result<std::unique_ptr<Mark>> mark() override {
    Event event = nullptr;
    if (Status status = check(api_.clEnqueueMarkerWithWaitList(queue_, 0, nullptr, &event),
                              "clEnqueueMarkerWithWaitList");
        !status)
      return status;
    // Another queue can only wait for what has been submitted.
    api_.clFlush(queue_);
    return std::unique_ptr<Mark>(std::make_unique<EventMark>(state_, event));
  }

  Status wait_for(const Mark& mark) override {
    const Event event = static_cast<const EventMark&>(mark).event();
    return check(api_.clEnqueueBarrierWithWaitList(queue_, 1, &event, nullptr),
                 "clEnqueueBarrierWithWaitList");
  }

  Status flush() override { return check(api_.clFlush(queue_), "clFlush"); }
  Status synchronize() override { return check(api_.clFinish(queue_), "clFinish"); }

 private:
  Status check(cl_int code, const char* function) { return state_->check(code, function); }

  template <typename Operation>
  Status in_parts(const void* address, size_t bytes, Operation operation) {
    if (state_->shared_addresses)
      return {StatusCode::invalid_value, "the device works in the program's memory"};
    auto parts = state_->buffers.parts(address, bytes);
    if (!parts) return parts.status();
    size_t done = 0;
    for (const BufferPart& part : *parts) {
      if (Status status = operation(part, done); !status) return status;
      done += part.bytes;
    }
    return Status::ok();
  }

  std::shared_ptr<DeviceState> state_;
  const Api& api_;
  CommandQueue queue_;
};

}  // namespace

Result<std::unique_ptr<Queue>> make_queue(const std::shared_ptr<DeviceState>& state) {
  cl_int code = kSuccess;
  CommandQueue queue =
      state->api.clCreateCommandQueue(state->context, state->id, kQueueProfiling, &code);
  if (Status status = state->check(code, "clCreateCommandQueue"); !status) return status;
  return std::unique_ptr<Queue>(std::make_unique<OpenclQueue>(state, queue));
}

}  // namespace guda::backend::opencl
