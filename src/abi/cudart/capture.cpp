// Stream capture.
#include "abi/cudart/api.h"
#include "abi/cudart/graph_handles.h"
#include "runtime/graph.h"

#include <algorithm>

namespace guda::cudart {
namespace {

using runtime::CaptureStatus;
using runtime::Stream;

thread_local int capture_mode = 0;

struct CaptureInfo {
  int status = static_cast<int>(CaptureStatus::none);
  unsigned long long id = 0;
  cudaGraph_t graph = nullptr;
  const cudaGraphNode_t* dependencies = nullptr;
  size_t count = 0;
};

CaptureInfo capture_info(Stream& stream) {
  CaptureInfo info;
  auto capture = stream.capture();
  if (!capture) return info;
  info.status =
      static_cast<int>(capture->invalidated ? CaptureStatus::invalidated : CaptureStatus::active);
  info.id = capture->id();
  info.graph = capture->target();
  auto& frontier = capture->frontier[&stream];
  static_assert(sizeof(GraphNode*) == sizeof(cudaGraphNode_t));
  info.dependencies = reinterpret_cast<const cudaGraphNode_t*>(frontier.data());
  info.count = frontier.size();
  return info;
}

Error info_out(Stream& stream, int* status, unsigned long long* id, cudaGraph_t* graph,
               const cudaGraphNode_t** dependencies, const cudaGraphEdgeData** edges,
               size_t* count) {
  if (!status) return invalid_value();
  CaptureInfo info = capture_info(stream);
  *status = info.status;
  if (info.status == static_cast<int>(CaptureStatus::none)) return kSuccess;
  if (id) *id = info.id;
  if (graph) *graph = info.graph;
  if (dependencies) *dependencies = info.dependencies;
  if (edges) *edges = nullptr;  // all edges are plain ones
  if (count) *count = info.count;
  return kSuccess;
}

Error update_dependencies(Stream& stream, cudaGraphNode_t* nodes, size_t count, unsigned flags) {
  auto capture = stream.capture();
  if (!capture) return fail(static_cast<Error>(StatusCode::illegal_state));
  if (flags > 1 || (count && !nodes)) return invalid_value();
  auto& frontier = capture->frontier[&stream];
  if (flags == 1) frontier.clear();  // set; else add
  for (size_t i = 0; i < count; ++i) {
    auto* node = static_cast<GraphNode*>(nodes[i]);
    if (std::find(frontier.begin(), frontier.end(), node) == frontier.end())
      frontier.push_back(node);
  }
  return kSuccess;
}

}  // namespace

GUDA_API_PTSZ(cudaStreamBeginCapture, (cudaStream_t handle, int mode), (handle, mode)) {
  GUDA_ENTER();
  if (mode < 0 || mode > 2) return invalid_value();
  GUDA_STREAM(stream, handle);
  return finish(runtime::begin_capture(*stream, mode, nullptr, {}));
}

GUDA_API_PTSZ(cudaStreamBeginCaptureToGraph,
              (cudaStream_t handle, cudaGraph_t graph_handle, const cudaGraphNode_t* dependencies,
               const cudaGraphEdgeData* edges, size_t count, int mode),
              (handle, graph_handle, dependencies, edges, count, mode)) {
  GUDA_ENTER();
  (void)edges;
  Graph* graph = find_graph(graph_handle);
  if (!graph || mode < 0 || mode > 2 || (count && !dependencies)) return invalid_value();
  GUDA_STREAM(stream, handle);
  std::vector<GraphNode*> nodes;
  nodes.reserve(count);
  for (size_t i = 0; i < count; ++i) nodes.push_back(static_cast<GraphNode*>(dependencies[i]));
  return finish(runtime::begin_capture(*stream, mode, graph, std::move(nodes)));
}

GUDA_API_PTSZ(cudaStreamEndCapture, (cudaStream_t handle, cudaGraph_t* out), (handle, out)) {
  GUDA_ENTER();
  if (!out) return invalid_value();
  GUDA_STREAM(stream, handle);
  *out = nullptr;
  runtime::Graph* borrowed =
      stream->capture() && stream->capture()->borrowed() ? stream->capture()->target() : nullptr;
  auto graph = runtime::end_capture(*stream);
  if (!graph) return finish(graph.status());
  *out = borrowed ? borrowed : adopt_graph(std::move(*graph));
  return kSuccess;
}

GUDA_API_PTSZ(cudaStreamIsCapturing, (cudaStream_t handle, int* status), (handle, status)) {
  GUDA_ENTER();
  if (!status) return invalid_value();
  GUDA_STREAM(stream, handle);
  *status = capture_info(*stream).status;
  return kSuccess;
}

GUDA_API_PTSZ(cudaStreamGetCaptureInfo,
              (cudaStream_t handle, int* status, unsigned long long* id, cudaGraph_t* graph,
               const cudaGraphNode_t** dependencies, const cudaGraphEdgeData** edges,
               size_t* count),
              (handle, status, id, graph, dependencies, edges, count)) {
  GUDA_ENTER();
  GUDA_STREAM(stream, handle);
  return info_out(*stream, status, id, graph, dependencies, edges, count);
}
GUDA_API_PTSZ(cudaStreamGetCaptureInfo_v3,
              (cudaStream_t handle, int* status, unsigned long long* id, cudaGraph_t* graph,
               const cudaGraphNode_t** dependencies, const cudaGraphEdgeData** edges,
               size_t* count),
              (handle, status, id, graph, dependencies, edges, count)) {
  return cudaStreamGetCaptureInfo_body<kPerThread>(handle, status, id, graph, dependencies, edges,
                                                   count);
}
GUDA_API_PTSZ(cudaStreamGetCaptureInfo_v2,
              (cudaStream_t handle, int* status, unsigned long long* id, cudaGraph_t* graph,
               const cudaGraphNode_t** dependencies, size_t* count),
              (handle, status, id, graph, dependencies, count)) {
  return cudaStreamGetCaptureInfo_body<kPerThread>(handle, status, id, graph, dependencies, nullptr,
                                                   count);
}
GUDA_API_PTSZ(cudaStreamGetCaptureInfo_v1,
              (cudaStream_t handle, int* status, unsigned long long* id), (handle, status, id)) {
  return cudaStreamGetCaptureInfo_body<kPerThread>(handle, status, id, nullptr, nullptr, nullptr,
                                                   nullptr);
}

GUDA_API_PTSZ(cudaStreamUpdateCaptureDependencies,
              (cudaStream_t handle, cudaGraphNode_t* nodes, const cudaGraphEdgeData* edges,
               size_t count, unsigned flags),
              (handle, nodes, edges, count, flags)) {
  GUDA_ENTER();
  (void)edges;
  GUDA_STREAM(stream, handle);
  return update_dependencies(*stream, nodes, count, flags);
}
GUDA_API_PTSZ(cudaStreamUpdateCaptureDependencies_v2,
              (cudaStream_t handle, cudaGraphNode_t* nodes, const cudaGraphEdgeData* edges,
               size_t count, unsigned flags),
              (handle, nodes, edges, count, flags)) {
  return cudaStreamUpdateCaptureDependencies_body<kPerThread>(handle, nodes, edges, count, flags);
}
GUDA_API_PTSZ(cudaStreamUpdateCaptureDependencies_v1,
              (cudaStream_t handle, cudaGraphNode_t* nodes, size_t count, unsigned flags),
              (handle, nodes, count, flags)) {
  return cudaStreamUpdateCaptureDependencies_body<kPerThread>(handle, nodes, nullptr, count, flags);
}

GUDA_API(cudaThreadExchangeStreamCaptureMode)(int* mode) {
  if (!mode || *mode < 0 || *mode > 2) return invalid_value();
  std::swap(*mode, capture_mode);
  return kSuccess;
}

}  // namespace guda::cudart
