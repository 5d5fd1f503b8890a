// Streams, events, host callbacks.
#include "abi/cudart/api.h"
#include "backends/cpu/executor.h"
#include "runtime/event.h"
#include "runtime/graph.h"
#include "runtime/host_function.h"
#include "runtime/submit.h"

#include <algorithm>
#include <cstring>

namespace guda::cudart {
namespace {

using runtime::Event;
using runtime::EventTable;
using runtime::Stream;
using runtime::StreamTable;

constexpr int kLeastPriority = 0;
constexpr int kGreatestPriority = -5;
constexpr Error kNotReady = static_cast<Error>(StatusCode::not_ready);
constexpr Error kCaptureUnsupported = static_cast<Error>(StatusCode::stream_capture_unsupported);

Error create_stream(cudaStream_t* out, unsigned flags, int priority) {
  GUDA_ENTER();
  if (!out || flags > 1) return invalid_value();
  priority = std::clamp(priority, kGreatestPriority, kLeastPriority);
  *out = StreamTable::instance().create(flags, priority).get();
  return kSuccess;
}

Error after_wait() {
  cpu::flush_printf();
  Error error = runtime::Context::instance().sticky_error();
  return error ? fail(error) : kSuccess;
}

/// A capture is spoiled by a call that would have to wait.
Error spoil_capture(Stream& stream) {
  stream.capture()->invalidated = true;
  return fail(kCaptureUnsupported);
}

}  // namespace

GUDA_API(cudaStreamCreate)(cudaStream_t* out) { return create_stream(out, 0, 0); }
GUDA_API(cudaStreamCreateWithFlags)(cudaStream_t* out, unsigned flags) {
  return create_stream(out, flags, 0);
}
GUDA_API(cudaStreamCreateWithPriority)(cudaStream_t* out, unsigned flags, int priority) {
  return create_stream(out, flags, priority);
}

GUDA_API(cudaStreamDestroy)(cudaStream_t handle) {
  GUDA_ENTER();
  return StreamTable::instance().destroy(static_cast<Stream*>(handle)) ? kSuccess
                                                                       : invalid_handle();
}

GUDA_API_PTSZ(cudaStreamSynchronize, (cudaStream_t handle), (handle)) {
  GUDA_ENTER();
  GUDA_STREAM(stream, handle);
  if (stream->capture()) return spoil_capture(*stream);
  stream->synchronize();
  return after_wait();
}

GUDA_API_PTSZ(cudaStreamQuery, (cudaStream_t handle), (handle)) {
  GUDA_ENTER();
  GUDA_STREAM(stream, handle);
  if (stream->capture()) return spoil_capture(*stream);
  if (!stream->idle() && !stream->poll(stream->enqueued())) return kNotReady;
  return after_wait();
}

GUDA_API_PTSZ(cudaStreamGetPriority, (cudaStream_t handle, int* priority), (handle, priority)) {
  GUDA_ENTER();
  GUDA_STREAM(stream, handle);
  if (!priority) return invalid_value();
  *priority = stream->priority();
  return kSuccess;
}

GUDA_API_PTSZ(cudaStreamGetFlags, (cudaStream_t handle, unsigned* flags), (handle, flags)) {
  GUDA_ENTER();
  GUDA_STREAM(stream, handle);
  if (!flags) return invalid_value();
  *flags = stream->flags();
  return kSuccess;
}

GUDA_API_PTSZ(cudaStreamGetId, (cudaStream_t handle, unsigned long long* id), (handle, id)) {
  GUDA_ENTER();
  GUDA_STREAM(stream, handle);
  if (!id) return invalid_value();
  *id = stream->id();
  return kSuccess;
}

GUDA_API_PTSZ(cudaStreamGetDevice, (cudaStream_t handle, int* device), (handle, device)) {
  GUDA_ENTER();
  GUDA_STREAM(stream, handle);
  if (!device) return invalid_value();
  *device = 0;
  return kSuccess;
}

GUDA_API(cudaDeviceGetStreamPriorityRange)(int* least, int* greatest) {
  GUDA_ENTER();
  if (least) *least = kLeastPriority;
  if (greatest) *greatest = kGreatestPriority;
  return kSuccess;
}

// Stream attributes are hints for caches and schedulers that a CPU has not; priority can be read back.
GUDA_API_PTSZ(cudaStreamSetAttribute,
              (cudaStream_t handle, int, const cudaLaunchAttributeValue* value),
              (handle, 0, value)) {
  GUDA_ENTER();
  GUDA_STREAM(stream, handle);
  return value ? kSuccess : invalid_value();
}
GUDA_API_PTSZ(cudaStreamGetAttribute,
              (cudaStream_t handle, int id, cudaLaunchAttributeValue* value), (handle, id, value)) {
  GUDA_ENTER();
  GUDA_STREAM(stream, handle);
  if (!value) return invalid_value();
  std::memset(value, 0, sizeof *value);
  if (id == cudaLaunchAttributePriority) value->priority = stream->priority();
  if (id == 3) value->syncPolicy = 1;  // synchronisation policy: automatic
  return kSuccess;
}
GUDA_API_PTSZ(cudaStreamCopyAttributes, (cudaStream_t to, cudaStream_t from), (to, from)) {
  GUDA_ENTER();
  GUDA_STREAM(target, to);
  GUDA_STREAM(source, from);
  return kSuccess;
}
GUDA_API(cudaCtxResetPersistingL2Cache)() {
  GUDA_ENTER();
  return kSuccess;
}

// Events -----------------------------------------------------------------------------------------------

GUDA_API(cudaEventCreateWithFlags)(cudaEvent_t* out, unsigned flags) {
  GUDA_ENTER();
  constexpr unsigned kAll =
      runtime::kEventBlockingSync | runtime::kEventDisableTiming | runtime::kEventInterprocess;
  if (!out || (flags & ~kAll)) return invalid_value();
  if ((flags & runtime::kEventInterprocess) && !(flags & runtime::kEventDisableTiming))
    return invalid_value();
  *out = EventTable::instance().create(flags);
  return kSuccess;
}

GUDA_API(cudaEventCreate)(cudaEvent_t* out) { return guda_cudart_cudaEventCreateWithFlags(out, 0); }

GUDA_API(cudaEventDestroy)(cudaEvent_t handle) {
  GUDA_ENTER();
  return EventTable::instance().destroy(static_cast<Event*>(handle)) ? kSuccess : invalid_handle();
}

GUDA_API_PTSZ(cudaEventRecord, (cudaEvent_t handle, cudaStream_t stream_handle),
              (handle, stream_handle)) {
  GUDA_ENTER();
  auto event = EventTable::instance().find(handle);
  if (!event) return invalid_handle();
  GUDA_STREAM(stream, stream_handle);
  if (stream->capture()) return finish(runtime::capture_record(*stream, event));
  event->record(*stream);
  return kSuccess;
}
GUDA_API_PTSZ(cudaEventRecordWithFlags, (cudaEvent_t handle, cudaStream_t stream, unsigned flags),
              (handle, stream, flags)) {
  if (flags > 1) return invalid_value();
  return cudaEventRecord_body<kPerThread>(handle, stream);
}

GUDA_API(cudaEventQuery)(cudaEvent_t handle) {
  GUDA_ENTER();
  auto event = EventTable::instance().find(handle);
  if (!event) return invalid_handle();
  if (event->captured()) return fail(907);  // cudaErrorCapturedEvent
  return event->complete() ? kSuccess : kNotReady;
}

GUDA_API(cudaEventSynchronize)(cudaEvent_t handle) {
  GUDA_ENTER();
  auto event = EventTable::instance().find(handle);
  if (!event) return invalid_handle();
  if (event->captured()) return fail(907);
  event->synchronize();
  return after_wait();
}

GUDA_API(cudaEventElapsedTime)(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  GUDA_ENTER();
  if (!milliseconds) return invalid_value();
  auto first = EventTable::instance().find(start);
  auto last = EventTable::instance().find(end);
  if (!first || !last) return invalid_handle();
  auto elapsed = Event::elapsed(*first, *last);
  if (!elapsed) {
    return elapsed.status().code() == StatusCode::not_ready ? kNotReady : finish(elapsed.status());
  }
  *milliseconds = *elapsed;
  return kSuccess;
}
GUDA_API(cudaEventElapsedTime_v2)(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return guda_cudart_cudaEventElapsedTime(milliseconds, start, end);
}

GUDA_API_PTSZ(cudaStreamWaitEvent, (cudaStream_t stream_handle, cudaEvent_t handle, unsigned flags),
              (stream_handle, handle, flags)) {
  GUDA_ENTER();
  if (flags > 1) return invalid_value();
  auto event = EventTable::instance().find(handle);
  if (!event) return invalid_handle();
  GUDA_STREAM(stream, stream_handle);
  auto captured = runtime::capture_wait(*stream, event);
  if (!captured) return finish(captured.status());
  if (*captured) return kSuccess;
  event->make_wait(*stream);
  return kSuccess;
}

// Host functions ---------------------------------------------------------------------------------------

GUDA_API_PTSZ(cudaLaunchHostFunc, (cudaStream_t handle, cudaHostFn_t function, void* data),
              (handle, function, data)) {
  GUDA_ENTER();
  if (!function) return invalid_value();
  GUDA_STREAM(stream, handle);
  return finish(runtime::submit(*stream, runtime::HostOperation(function, data), false));
}

GUDA_API_PTSZ(cudaStreamAddCallback,
              (cudaStream_t handle, cudaStreamCallback_t function, void* data, unsigned flags),
              (handle, function, data, flags)) {
  GUDA_ENTER();
  if (!function || flags != 0) return invalid_value();
  GUDA_STREAM(stream, handle);
  if (stream->capture()) return fail(kCaptureUnsupported);
  return finish(
      runtime::submit(*stream, runtime::CallbackOperation(function, handle, data), false));
}

}  // namespace guda::cudart
