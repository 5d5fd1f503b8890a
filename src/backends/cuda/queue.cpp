#include "backends/cuda/queue.h"

#include "backends/cuda/texture.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace guda::backend::cuda {
namespace {

constexpr DriverResult kNotReady = 600;

}  // namespace

// --- marks ----------------------------------------------------------------------------------------------

bool CudaMark::reached() const {
  context_->enter();
  return context_->api().event_query(event_) != kNotReady;
}

Status CudaMark::wait() {
  context_->enter();
  return context_->check(context_->api().event_synchronize(event_), "work before a mark");
}

std::optional<int64_t> CudaMark::since(const Mark& earlier) const {
  const auto& from = static_cast<const CudaMark&>(earlier);
  if (kind_ != EventKind::timed || from.kind_ != EventKind::timed) return std::nullopt;
  context_->enter();
  float milliseconds = 0;
  DriverResult code = context_->api().event_elapsed(&milliseconds, from.event_, event_);
  if (code != 0) return std::nullopt;
  return static_cast<int64_t>(static_cast<double>(milliseconds) * 1e6);
}

// --- the queue ------------------------------------------------------------------------------------------

Result<std::unique_ptr<Queue>> CudaQueue::create(std::shared_ptr<Context> context,
                                                 DeviceMemory& memory, MatrixProducts& products) {
  std::unique_ptr<CudaQueue> queue(new CudaQueue(std::move(context), memory, products));
  Context& in = *queue->context_;
  in.enter();
  if (Status status =
          in.check(in.api().stream_create(&queue->stream_, kStreamNonBlocking), "cuStreamCreate");
      !status)
    return status;
  return std::unique_ptr<Queue>(std::move(queue));
}

CudaQueue::~CudaQueue() {
  if (stream_ == nullptr) return;
  context_->enter();
  const DriverApi& api = context_->api();
  (void)context_->check(api.stream_synchronize(stream_), "the end of a queue");
  products_.forget(stream_);
  for (Staging& staging : staging_) {
    if (staging.buffer) (void)api.host_free(staging.buffer);
    if (staging.free) context_->give_event(staging.free, EventKind::order);
  }
  (void)api.stream_destroy(stream_);
}

Status CudaQueue::launch(const Launch& launch) {
  context_->enter();
  return static_cast<const CudaKernel*>(launch.kernel)->launch(stream_, launch);
}

Status CudaQueue::upload(void* address, const void* host, size_t bytes) {
  context_->enter();
  auto to = memory_.space().of(address);
  auto from = static_cast<const std::byte*>(host);
  while (bytes > 0) {
    auto part = memory_.host_part(from, bytes);
    Status status =
        part.pointer != nullptr
            ? context_->check(context_->api().copy_to_device(to, part.pointer, part.bytes, stream_),
                              "upload")
            : upload_staged(to, from, part.bytes);
    if (!status) return status;
    to += part.bytes;
    from += part.bytes;
    bytes -= part.bytes;
  }
  return Status::ok();
}

Status CudaQueue::download(void* host, const void* address, size_t bytes) {
  context_->enter();
  auto to = static_cast<std::byte*>(host);
  auto from = memory_.space().of(address);
  while (bytes > 0) {
    auto part = memory_.host_part(to, bytes);
    Status status =
        part.pointer != nullptr
            ? context_->check(context_->api().copy_to_host(part.pointer, from, part.bytes, stream_),
                              "download")
            : download_staged(to, from, part.bytes);
    if (!status) return status;
    to += part.bytes;
    from += part.bytes;
    bytes -= part.bytes;
  }
  return Status::ok();
}

Status CudaQueue::prepare_staging() {
  for (Staging& staging : staging_) {
    if (staging.buffer != nullptr) continue;
    auto event = context_->take_event(EventKind::order);
    if (!event) return event.status();
    void* buffer = nullptr;
    Status status =
        context_->check(context_->api().host_allocate(&buffer, kStaging, 0), "cuMemHostAlloc");
    if (!status) {
      context_->give_event(*event, EventKind::order);
      return status;
    }
    staging = {static_cast<std::byte*>(buffer), *event};
  }
  return Status::ok();
}

/// Fills one buffer while the other is on its way. The last copies are still under way on return.
Status CudaQueue::upload_staged(DevicePointer to, const std::byte* from, size_t bytes) {
  if (Status status = prepare_staging(); !status) return status;
  const DriverApi& api = context_->api();
  for (size_t done = 0, i = 0; done < bytes; ++i) {
    Staging& staging = staging_[i % 2];
    size_t part = std::min(kStaging, bytes - done);
    // An event that was never recorded is no wait.
    DriverResult code = api.event_synchronize(staging.free);
    if (code == 0) {
      std::memcpy(staging.buffer, from + done, part);
      code = api.copy_to_device(to + done, staging.buffer, part, stream_);
    }
    if (code == 0) code = api.event_record(staging.free, stream_);
    if (Status status = context_->check(code, "upload"); !status) return status;
    done += part;
  }
  return Status::ok();
}

/// Empties one buffer while the other is being filled; done on return.
Status CudaQueue::download_staged(std::byte* to, DevicePointer from, size_t bytes) {
  if (Status status = prepare_staging(); !status) return status;
  const DriverApi& api = context_->api();
  size_t parts = (bytes + kStaging - 1) / kStaging;
  auto size = [&](size_t part) { return std::min(kStaging, bytes - part * kStaging); };
  for (size_t i = 0; i <= parts; ++i) {
    DriverResult code = 0;
    if (i < parts) {
      Staging& staging = staging_[i % 2];
      code = api.copy_to_host(staging.buffer, from + i * kStaging, size(i), stream_);
      if (code == 0) code = api.event_record(staging.free, stream_);
    }
    if (code == 0 && i > 0) {
      Staging& before = staging_[(i - 1) % 2];
      code = api.event_synchronize(before.free);
      if (code == 0) std::memcpy(to + (i - 1) * kStaging, before.buffer, size(i - 1));
    }
    if (Status status = context_->check(code, "download"); !status) return status;
  }
  return Status::ok();
}

Status CudaQueue::copy(void* to, const void* from, size_t bytes) {
  if (bytes == 0) return Status::ok();
  context_->enter();
  const AddressSpace& space = memory_.space();
  return context_->check(context_->api().copy_within(space.of(to), space.of(from), bytes, stream_),
                         "copy within the device");
}

Status CudaQueue::copy_from_peer(const Device& device, void* to, const void* from, size_t bytes) {
  const auto* peer = dynamic_cast<const Peer*>(&device);
  const DriverApi& api = context_->api();
  if (peer == nullptr || api.copy_from_peer == nullptr)
    return {StatusCode::not_supported, "no way from that device but through the host"};
  if (bytes == 0) return Status::ok();
  DeviceMemory& there = peer->memory();
  there.allow(from, context_->device());
  context_->enter();
  return context_->check(
      api.copy_from_peer(memory_.space().of(to), context_->handle(), there.space().of(from),
                         there.context().handle(), bytes, stream_),
      "copy from another device");
}

Status CudaQueue::fill(void* address, uint32_t value, uint32_t element, size_t bytes) {
  if ((element != 1 && element != 2 && element != 4) || bytes % element != 0)
    return {StatusCode::invalid_value,
            fmt::format("fill of {} bytes with elements of {}", bytes, element)};
  if (bytes == 0) return Status::ok();
  context_->enter();
  const DriverApi& api = context_->api();
  DevicePointer to = memory_.space().of(address);
  DriverResult code = 0;
  if (element == 1)
    code = api.fill_8(to, static_cast<unsigned char>(value), bytes, stream_);
  else if (element == 2)
    code = api.fill_16(to, static_cast<unsigned short>(value), bytes / 2, stream_);
  else
    code = api.fill_32(to, value, bytes / 4, stream_);
  return context_->check(code, "fill");
}

Status CudaQueue::copy_to_array(DeviceArray& array, uint32_t level, const ArrayRows& from) {
  const DevicePointer rows = memory_.space().of(from.address);
  return static_cast<CudaArray&>(array).copy(stream_, level, rows, from, true);
}

Status CudaQueue::copy_from_array(const ArrayRows& to, const DeviceArray& array, uint32_t level) {
  const DevicePointer rows = memory_.space().of(to.address);
  return static_cast<const CudaArray&>(array).copy(stream_, level, rows, to, false);
}

Status CudaQueue::gemm(const GemmProblem& problem) {
  context_->enter();
  const AddressSpace& space = memory_.space();
  GemmProblem here = problem;
  here.a = space.pointer(problem.a);
  here.b = space.pointer(problem.b);
  here.c = space.pointer(problem.c);
  return products_.run(stream_, here);
}

Status CudaQueue::call(LibraryCall& call) {
  // Arguments are the program's addresses, and there may be more behind stored pointers.
  if (memory_.space().distance != 0)
    return {StatusCode::not_supported, "memory is not at the program's addresses"};
  context_->enter();
  return products_.call(stream_, call);
}

Result<std::unique_ptr<Mark>> CudaQueue::mark(EventKind kind) {
  context_->enter();
  auto event = context_->take_event(kind);
  if (!event) return event.status();
  auto mark = std::make_unique<CudaMark>(context_, *event, kind);
  if (Status status = context_->check(context_->api().event_record(*event, stream_), "mark");
      !status)
    return status;
  return std::unique_ptr<Mark>(std::move(mark));
}

Status CudaQueue::wait_for(const Mark& mark) {
  context_->enter();
  EventHandle event = static_cast<const CudaMark&>(mark).event();
  return context_->check(context_->api().stream_wait_event(stream_, event, 0),
                         "waiting for a mark");
}

Status CudaQueue::synchronize() {
  context_->enter();
  return context_->check(context_->api().stream_synchronize(stream_), "work on the device");
}

}  // namespace guda::backend::cuda
