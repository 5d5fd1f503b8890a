// Streams and events of the fake driver, and what they capture into graphs.
#include "backends/cuda/testing/fake_state.h"

#include <algorithm>
#include <thread>

namespace guda::backend::cuda::testing {

namespace {
constexpr DriverResult kNotReady = 600;
DriverResult answer(Clock::time_point end) { return Clock::now() < end ? kNotReady : 0; }
}  // namespace

EXPORT DriverResult cuStreamCreate(StreamHandle* stream, unsigned) {
  CALL("cuStreamCreate");
  *stream = reinterpret_cast<StreamHandle>(new Stream);
  ++fake_cuda.streams;
  return 0;
}
EXPORT DriverResult cuStreamDestroy_v2(StreamHandle stream) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  if (auto capture = stream_of(stream).capture) {
    capture->invalid = true;
    capture->streams.erase(&stream_of(stream));
  }
  delete reinterpret_cast<Stream*>(stream);
  --fake_cuda.streams;
  return enter("cuStreamDestroy_v2", false);
}
EXPORT DriverResult cuStreamQuery(StreamHandle stream) {
  CALL("cuStreamQuery");
  if (DriverResult fault = outcome()) return fault;
  if (DriverResult code = spoil(stream_of(stream), kCaptureUnsupported)) return code;
  return answer(reinterpret_cast<Stream*>(stream)->busy_until);
}
EXPORT DriverResult cuStreamSynchronize(StreamHandle stream) {
  Clock::time_point end;
  {
    CALL("cuStreamSynchronize");
    if (DriverResult fault = outcome()) return fault;
    if (DriverResult code = spoil(stream_of(stream), kCaptureUnsupported)) return code;
    end = reinterpret_cast<Stream*>(stream)->busy_until;
  }
  std::this_thread::sleep_until(end);
  return 0;
}
EXPORT DriverResult cuStreamWaitEvent(StreamHandle stream, EventHandle event, unsigned) {
  CALL("cuStreamWaitEvent");
  Stream& waiting = stream_of(stream);
  const Event& waited = *reinterpret_cast<Event*>(event);
  if (waited.capture) {
    if (!waited.capture->open) return kCapturedEvent;
    if (waiting.capture && waiting.capture != waited.capture) {
      waited.capture->invalid = true;
      return spoil(waiting, kCaptureMerge);
    }
    waiting.capture = waited.capture;
    waiting.capture->streams.insert(&waiting);
    waiting.last.insert(waited.after.begin(), waited.after.end());
    return 0;
  }
  if (DriverResult code = spoil(waiting, kCaptureIsolation)) return code;
  auto* busy = &waiting.busy_until;
  *busy = std::max(*busy, reinterpret_cast<Event*>(event)->time);
  return 0;
}
EXPORT DriverResult cuStreamBeginCapture_v2(StreamHandle stream, int mode) {
  CALL("cuStreamBeginCapture_v2");
  Stream& origin = stream_of(stream);
  if (origin.capture || mode < 0 || mode > 2) return kInvalidValue;
  origin.capture = std::make_shared<Capture>();
  origin.capture->origin = &origin;
  origin.capture->streams.insert(&origin);
  return 0;
}
EXPORT DriverResult cuStreamEndCapture(StreamHandle stream, GraphHandle* graph) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  *graph = nullptr;
  Stream& origin = stream_of(stream);
  auto capture = origin.capture;
  if (!capture) return kInvalidValue;
  if (capture->origin != &origin) return kCaptureUnmatched;
  std::vector<bool> joined(capture->graph.nodes.size());
  for (size_t each : origin.last) joined[each] = true;
  for (size_t i = joined.size(); i-- > 0;) {
    for (size_t earlier : capture->graph.nodes[i].after)
      joined[earlier] = joined[earlier] || joined[i];
  }
  capture->open = false;
  for (Stream* each : capture->streams) {
    each->capture.reset();
    each->last.clear();
  }
  if (DriverResult failed = enter("cuStreamEndCapture")) return failed;
  if (capture->invalid) return kCaptureInvalidated;
  if (std::find(joined.begin(), joined.end(), false) != joined.end()) return kCaptureUnjoined;
  *graph = reinterpret_cast<GraphHandle>(new Graph(std::move(capture->graph)));
  ++fake_cuda.graphs;
  return 0;
}
EXPORT DriverResult cuGraphDestroy(GraphHandle graph) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  delete reinterpret_cast<Graph*>(graph);
  --fake_cuda.graphs;
  return enter("cuGraphDestroy", false);
}
EXPORT DriverResult cuGraphInstantiateWithFlags(GraphExecHandle* exec, GraphHandle graph,
                                                unsigned long long flags) {
  CALL("cuGraphInstantiateWithFlags");
  if (flags != 0) return kInvalidValue;
  *exec = reinterpret_cast<GraphExecHandle>(new Graph(*reinterpret_cast<Graph*>(graph)));
  ++fake_cuda.graph_execs;
  return 0;
}
EXPORT DriverResult cuGraphExecDestroy(GraphExecHandle exec) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  delete reinterpret_cast<Graph*>(exec);
  --fake_cuda.graph_execs;
  return enter("cuGraphExecDestroy", false);
}
/// Last nodes first as far as they may: whoever forgot a dependency sees it.
EXPORT DriverResult cuGraphLaunch(GraphExecHandle exec, StreamHandle stream) {
  CALL("cuGraphLaunch");
  Stream& on = stream_of(stream);
  if (DriverResult code = spoil(on, kCaptureUnsupported)) return code;
  auto& nodes = reinterpret_cast<Graph*>(exec)->nodes;
  ++fake_cuda.graph_launches;
  std::vector<bool> done(nodes.size());
  for (size_t count = 0; count < nodes.size(); ++count) {
    size_t next = nodes.size();
    auto ready = [&](const Node& node) {
      return std::all_of(node.after.begin(), node.after.end(),
                         [&](size_t each) { return done[each]; });
    };
    while (next-- > 0) {
      if (!done[next] && ready(nodes[next])) break;
    }
    done[next] = true;
    if (DriverResult code = nodes[next].work(on); code != 0 && state().pending_fault == 0)
      state().pending_fault = code;
  }
  return 0;
}
EXPORT DriverResult cuEventCreate(EventHandle* event, unsigned flags) {
  CALL("cuEventCreate");
  auto* made = new Event;
  made->timed = (flags & kEventDisableTiming) == 0;
  *event = reinterpret_cast<EventHandle>(made);
  ++fake_cuda.events;
  return 0;
}
EXPORT DriverResult cuEventDestroy_v2(EventHandle event) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  delete reinterpret_cast<Event*>(event);
  --fake_cuda.events;
  return enter("cuEventDestroy_v2", false);
}
EXPORT DriverResult cuEventRecord(EventHandle event, StreamHandle stream) {
  CALL("cuEventRecord");
  auto& recorded = *reinterpret_cast<Event*>(event);
  const Stream& in = stream_of(stream);
  recorded.capture = in.capture;
  recorded.after = in.last;
  if (!in.capture) recorded.time = std::max(Clock::now(), in.busy_until);
  return 0;
}
EXPORT DriverResult cuEventQuery(EventHandle event) {
  CALL("cuEventQuery");
  if (DriverResult fault = outcome()) return fault;
  if (reinterpret_cast<Event*>(event)->capture) return kCapturedEvent;
  return answer(reinterpret_cast<Event*>(event)->time);
}
EXPORT DriverResult cuEventSynchronize(EventHandle event) {
  Clock::time_point end;
  {
    CALL("cuEventSynchronize");
    if (DriverResult fault = outcome()) return fault;
    if (reinterpret_cast<Event*>(event)->capture) return kCapturedEvent;
    end = reinterpret_cast<Event*>(event)->time;
  }
  std::this_thread::sleep_until(end);
  return 0;
}
EXPORT DriverResult cuEventElapsedTime(float* milliseconds, EventHandle from, EventHandle to) {
  CALL("cuEventElapsedTime");
  if (!reinterpret_cast<Event*>(from)->timed || !reinterpret_cast<Event*>(to)->timed)
    return kInvalidHandle;
  if (reinterpret_cast<Event*>(from)->capture || reinterpret_cast<Event*>(to)->capture)
    return kCapturedEvent;
  std::chrono::duration<float, std::milli> time =
      reinterpret_cast<Event*>(to)->time - reinterpret_cast<Event*>(from)->time;
  *milliseconds = time.count();
  return 0;
}

}  // namespace guda::backend::cuda::testing
