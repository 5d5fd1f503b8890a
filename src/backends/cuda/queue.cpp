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

CudaMark::~CudaMark() {
  if (!capture_) {
    context_->give_event(event_, kind_);
    return;
  }
  // It answers with errors until it is recorded again.
  context_->enter();
  (void)context_->api().event_destroy(event_);
}

bool CudaMark::reached() const {
  if (capture_) return false;
  context_->enter();
  return context_->api().event_query(event_) != kNotReady;
}

Status CudaMark::wait() {
  if (capture_) return {StatusCode::invalid_value, "the mark belongs to a recording"};
  context_->enter();
  return context_->check(context_->api().event_synchronize(event_), "work before a mark");
}

std::optional<int64_t> CudaMark::since(const Mark& earlier) const {
  const auto& from = static_cast<const CudaMark&>(earlier);
  if (kind_ != EventKind::timed || from.kind_ != EventKind::timed || capture_ || from.capture_)
    return std::nullopt;
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
  products_.release(binding_);
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
  if (Status status = check_recordable(host); !status) return status;
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
  if (Status status = check_recordable(host); !status) return status;
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

namespace {

/// The driver takes 31 bits (CU_DEVICE_ATTRIBUTE_MAX_PITCH).
constexpr size_t kMaxPitch = (size_t{1} << 31) - 1;

/// Slices as the driver counts them, in rows; 0: it cannot.
size_t rows_per_slice(const BoxSide& side, const Box& box) {
  if (box.depth == 1) return box.height;
  if (side.pitch == 0 || side.slice % side.pitch != 0) return 0;
  const size_t rows = side.slice / side.pitch;
  return rows >= box.height ? rows : 0;
}

}  // namespace

Status CudaQueue::copy_box(CopyWay way, const BoxSide& to, const BoxSide& from, const Box& box) {
  if (box.empty()) return Status::ok();
  const DriverApi& api = context_->api();
  auto fits = [&](const BoxSide& side) {
    return side.pitch >= box.width && side.pitch <= kMaxPitch && rows_per_slice(side, box) > 0;
  };
  if (api.copy_3d == nullptr || !fits(to) || !fits(from))
    return Queue::copy_box(way, to, from, box);
  Copy3D copy;
  copy.width_bytes = box.width;
  copy.height = box.height;
  copy.depth = box.depth;
  // False: the host's side is not one piece for the driver.
  auto set = [&](CopySide3D& out, const BoxSide& side, bool host) {
    out.pitch = side.pitch;
    out.height = rows_per_slice(side, box);
    out.memory_type = host ? kMemoryHost : kMemoryDevice;
    out.device = memory_.space().of(side.start);
    if (!host) return true;
    const size_t bytes = side.extent(box);
    auto part = memory_.host_part(side.start, bytes);
    out.host = part.pointer;
    return part.pointer != nullptr && part.bytes == bytes;
  };
  if (way != CopyWay::within) {
    const void* host = way == CopyWay::to_device ? from.start : to.start;
    if (Status status = check_recordable(host); !status) return status;
  }
  if (!set(copy.to, to, way == CopyWay::to_host) ||
      !set(copy.from, from, way == CopyWay::to_device))
    return Queue::copy_box(way, to, from, box);
  context_->enter();
  return context_->check(api.copy_3d(&copy, stream_), "copy of rows");
}

Status CudaQueue::fill_box(const BoxSide& to, const Box& box, uint32_t value, uint32_t element) {
  if (box.empty()) return Status::ok();
  const DriverApi& api = context_->api();
  if (api.fill_2d_8 == nullptr || api.fill_2d_16 == nullptr || api.fill_2d_32 == nullptr ||
      (element != 1 && element != 2 && element != 4) || box.width % element != 0 ||
      to.pitch % element != 0 || to.pitch < box.width || to.pitch > kMaxPitch)
    return Queue::fill_box(to, box, value, element);
  context_->enter();
  for (size_t z = 0; z < box.depth; ++z) {
    const DevicePointer start = memory_.space().of(to.row(0, z));
    const size_t width = box.width / element;
    DriverResult code = 0;
    if (element == 1)
      code = api.fill_2d_8(start, to.pitch, static_cast<unsigned char>(value), width, box.height,
                           stream_);
    else if (element == 2)
      code = api.fill_2d_16(start, to.pitch, static_cast<unsigned short>(value), width, box.height,
                            stream_);
    else
      code = api.fill_2d_32(start, to.pitch, value, width, box.height, stream_);
    if (Status status = context_->check(code, "fill of rows"); !status) return status;
  }
  return Status::ok();
}

Status CudaQueue::copy_to_array(DeviceArray& array, uint32_t level, const ArrayRows& from) {
  const DevicePointer rows = memory_.space().of(from.address);
  return static_cast<CudaArray&>(array).copy(stream_, level, rows, from, true);
}

Status CudaQueue::copy_from_array(const ArrayRows& to, const DeviceArray& array, uint32_t level) {
  const DevicePointer rows = memory_.space().of(to.address);
  return static_cast<const CudaArray&>(array).copy(stream_, level, rows, to, false);
}

Status CudaQueue::prefetch(const void* address, size_t bytes, bool to_host) {
  const DriverApi& api = context_->api();
  if (api.prefetch == nullptr) return {StatusCode::not_supported, "the driver is too old"};
  context_->enter();
  const MemoryLocation where =
      to_host ? MemoryLocation{kLocationHost, 0} : MemoryLocation{1, context_->device()};
  return context_->check(
      api.prefetch(reinterpret_cast<DevicePointer>(address), bytes, where, 0, stream_), "prefetch");
}

Status CudaQueue::gemm(const GemmProblem& problem) {
  context_->enter();
  const AddressSpace& space = memory_.space();
  GemmProblem here = problem;
  here.a = space.pointer(problem.a);
  here.b = space.pointer(problem.b);
  here.c = space.pointer(problem.c);
  return products_.run(stream_, binding_, here);
}

Status CudaQueue::call(LibraryCall& call) {
  // Arguments are the program's addresses, and there may be more behind stored pointers.
  if (memory_.space().distance != 0)
    return {StatusCode::not_supported, "memory is not at the program's addresses"};
  context_->enter();
  return products_.call(stream_, binding_, call);
}

Result<std::unique_ptr<Mark>> CudaQueue::mark(EventKind kind) {
  context_->enter();
  auto event = context_->take_event(kind);
  if (!event) return event.status();
  auto mark = std::make_unique<CudaMark>(context_, *event, kind, recording() ? capture_ : nullptr);
  if (Status status = context_->check(context_->api().event_record(*event, stream_), "mark");
      !status)
    return status;
  return std::unique_ptr<Mark>(std::move(mark));
}

Status CudaQueue::wait_for(const Mark& mark) {
  context_->enter();
  const auto& other = static_cast<const CudaMark&>(mark);
  // The driver would spoil the whole capture.
  if ((other.capture() && !other.capture()->open) || (recording() && other.capture() != capture_))
    return {StatusCode::invalid_value, "a mark from outside the recording"};
  Status status = context_->check(context_->api().stream_wait_event(stream_, other.event(), 0),
                                  "waiting for a mark");
  if (status && other.capture()) capture_ = other.capture();
  return status;
}

// --- recordings -----------------------------------------------------------------------------------------

CudaRecording::~CudaRecording() {
  context_->enter();
  (void)context_->api().graph_exec_destroy(exec_);
}

Status CudaQueue::check_recordable(const void* host) const {
  if (!recording()) return Status::ok();
  const std::span<std::byte> program = memory_.space().program;
  const auto* start = static_cast<const std::byte*>(host);
  if (start >= program.data() && start < program.data() + program.size())
    return {StatusCode::not_supported, "a transfer between the two sides of an address"};
  return Status::ok();
}

Status CudaQueue::begin_recording() {
  const DriverApi& api = context_->api();
  if (!api.begin_capture || !api.end_capture || !api.graph_instantiate || !api.graph_launch ||
      !api.graph_exec_destroy || !api.graph_destroy)
    return {StatusCode::not_supported, "the driver has no graphs"};
  if (recording()) return {StatusCode::invalid_value, "the queue is recording already"};
  context_->enter();
  // Relaxed: neither this thread nor others are kept from calls that have nothing to do with the capture.
  Status status = context_->check(api.begin_capture(stream_, kCaptureRelaxed), "a capture");
  if (status) capture_ = std::make_shared<Capture>();
  return status;
}

Result<std::shared_ptr<Recording>> CudaQueue::end_recording() {
  if (!recording()) return Status(StatusCode::invalid_value, "the queue is not recording");
  context_->enter();
  const DriverApi& api = context_->api();
  GraphHandle graph = nullptr;
  Status status = context_->check(api.end_capture(stream_, &graph), "the end of a capture");
  capture_->open = false;
  if (!status) return status;
  GraphExecHandle exec = nullptr;
  status = context_->check(api.graph_instantiate(&exec, graph, 0), "cuGraphInstantiate");
  (void)api.graph_destroy(graph);
  if (!status) return status;
  return std::shared_ptr<Recording>(std::make_shared<CudaRecording>(context_, exec));
}

Status CudaQueue::replay(const std::shared_ptr<Recording>& recording) {
  context_->enter();
  const auto& recorded = static_cast<const CudaRecording&>(*recording);
  return context_->check(context_->api().graph_launch(recorded.exec(), stream_), "cuGraphLaunch");
}

Status CudaQueue::synchronize() {
  context_->enter();
  return context_->check(context_->api().stream_synchronize(stream_), "work on the device");
}

}  // namespace guda::backend::cuda
