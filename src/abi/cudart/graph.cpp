// Graphs: building, instantiation, launch. Capture is in capture.cpp.
#include "runtime/graph.h"

#include "abi/cudart/api.h"
#include "abi/cudart/graph_handles.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <string>
#include <unordered_map>

namespace guda::cudart {
namespace {

struct Handles {
  std::mutex mutex;
  std::unordered_map<const void*, std::unique_ptr<Graph>> graphs;
  std::unordered_map<const void*, std::unique_ptr<GraphExec>> execs;
};
Handles& handles() {
  static Handles* all = new Handles;
  return *all;
}

/// Writes at most *count entries, then the number there are: the usual query of two calls.
template <typename List>
Error write_nodes(cudaGraphNode_t* out, size_t* count, const List& list) {
  if (!count) return invalid_value();
  if (out) {
    size_t i = 0;
    for (; i < *count && i < list.size(); ++i) out[i] = &*list[i];
    for (size_t rest = i; rest < *count; ++rest) out[rest] = nullptr;
    *count = i;
  } else {
    *count = list.size();
  }
  return kSuccess;
}

Error edges(Graph& graph, cudaGraphNode_t* from, cudaGraphNode_t* to, cudaGraphEdgeData* data,
            size_t* count) {
  if (!count) return invalid_value();
  size_t total = 0;
  for (auto& node : graph.nodes()) {
    for (GraphNode* before : node->dependencies) {
      if (from && to && total < *count) {
        from[total] = before;
        to[total] = node.get();
        if (data) data[total] = {};
      }
      ++total;
    }
  }
  *count = from && to ? std::min(total, *count) : total;
  return kSuccess;
}

Error change_dependencies(cudaGraph_t handle, const cudaGraphNode_t* from,
                          const cudaGraphNode_t* to, size_t count, bool add) {
  Graph* graph = find_graph(handle);
  if (!graph || (count && (!from || !to))) return invalid_value();
  for (size_t i = 0; i < count; ++i) {
    auto *before = static_cast<GraphNode*>(from[i]), *after = static_cast<GraphNode*>(to[i]);
    Status status =
        add ? graph->add_dependency(before, after) : graph->remove_dependency(before, after);
    if (!status) return finish(status);
  }
  return kSuccess;
}

Error instantiate(cudaGraphExec_t* out, cudaGraph_t handle, unsigned long long flags) {
  GUDA_ENTER();
  Graph* graph = find_graph(handle);
  if (!out || !graph) return invalid_value();
  auto exec = GraphExec::instantiate(*graph, flags);
  if (!exec) return finish(exec.status());
  *out = exec->get();
  std::unique_lock lock(handles().mutex);
  handles().execs.emplace(exec->get(), std::move(*exec));
  return kSuccess;
}

Error update(cudaGraphExec_t exec_handle, cudaGraph_t handle, int& result, GraphNode*& culprit) {
  GUDA_ENTER();
  GraphExec* exec = find_exec(exec_handle);
  Graph* graph = find_graph(handle);
  if (!exec || !graph) return invalid_value();
  return finish(exec->update(*graph, result, culprit));
}

}  // namespace

Graph* find_graph(cudaGraph_t handle) {
  std::unique_lock lock(handles().mutex);
  if (auto found = handles().graphs.find(handle); found != handles().graphs.end())
    return found->second.get();
  for (auto& [key, graph] : handles().graphs) {  // a child graph, owned by its node
    for (auto& node : graph->nodes()) {
      if (node->child && node->child.get() == handle) return node->child.get();
    }
  }
  return nullptr;
}

GraphExec* find_exec(cudaGraphExec_t handle) {
  std::unique_lock lock(handles().mutex);
  auto found = handles().execs.find(handle);
  return found == handles().execs.end() ? nullptr : found->second.get();
}

cudaGraph_t adopt_graph(std::unique_ptr<Graph> graph) {
  Graph* handle = graph.get();
  std::unique_lock lock(handles().mutex);
  handles().graphs.emplace(handle, std::move(graph));
  return handle;
}

GUDA_API(cudaGraphCreate)(cudaGraph_t* out, unsigned flags) {
  GUDA_ENTER();
  if (!out || flags != 0) return invalid_value();
  *out = adopt_graph(std::make_unique<Graph>());
  return kSuccess;
}

GUDA_API(cudaGraphDestroy)(cudaGraph_t handle) {
  GUDA_ENTER();
  std::unique_lock lock(handles().mutex);
  auto found = handles().graphs.find(handle);
  if (found == handles().graphs.end()) return invalid_value();
  auto dying = std::move(found->second);
  handles().graphs.erase(found);
  lock.unlock();  // user objects' destructors run with the graph's
  return kSuccess;
}

GUDA_API(cudaGraphClone)(cudaGraph_t* out, cudaGraph_t original) {
  GUDA_ENTER();
  Graph* graph = find_graph(original);
  if (!out || !graph) return invalid_value();
  *out = adopt_graph(graph->clone());
  return kSuccess;
}

GUDA_API(cudaGraphNodeFindInClone)(cudaGraphNode_t* out, cudaGraphNode_t original,
                                   cudaGraph_t clone) {
  Graph* graph = find_graph(clone);
  if (!out || !graph) return invalid_value();
  *out = graph->find_clone(static_cast<GraphNode*>(original));
  return *out ? kSuccess : invalid_value();
}

// Structure --------------------------------------------------------------------------------------------

GUDA_API(cudaGraphGetNodes)(cudaGraph_t handle, cudaGraphNode_t* out, size_t* count) {
  Graph* graph = find_graph(handle);
  return graph ? write_nodes(out, count, graph->nodes()) : invalid_value();
}

GUDA_API(cudaGraphGetRootNodes)(cudaGraph_t handle, cudaGraphNode_t* out, size_t* count) {
  Graph* graph = find_graph(handle);
  if (!graph) return invalid_value();
  std::vector<GraphNode*> roots;
  for (auto& node : graph->nodes()) {
    if (node->dependencies.empty()) roots.push_back(node.get());
  }
  return write_nodes(out, count, roots);
}

GUDA_API(cudaGraphGetEdges)(cudaGraph_t handle, cudaGraphNode_t* from, cudaGraphNode_t* to,
                            cudaGraphEdgeData* data, size_t* count) {
  Graph* graph = find_graph(handle);
  return graph ? edges(*graph, from, to, data, count) : invalid_value();
}
GUDA_API(cudaGraphGetEdges_v2)(cudaGraph_t handle, cudaGraphNode_t* from, cudaGraphNode_t* to,
                               cudaGraphEdgeData* data, size_t* count) {
  return guda_cudart_cudaGraphGetEdges(handle, from, to, data, count);
}
GUDA_API(cudaGraphGetEdges_v1)(cudaGraph_t handle, cudaGraphNode_t* from, cudaGraphNode_t* to,
                               size_t* count) {
  return guda_cudart_cudaGraphGetEdges(handle, from, to, nullptr, count);
}

GUDA_API(cudaGraphNodeGetDependencies)(cudaGraphNode_t node, cudaGraphNode_t* out,
                                       cudaGraphEdgeData*, size_t* count) {
  return node ? write_nodes(out, count, static_cast<GraphNode*>(node)->dependencies)
              : invalid_value();
}
GUDA_API(cudaGraphNodeGetDependencies_v2)(cudaGraphNode_t node, cudaGraphNode_t* out,
                                          cudaGraphEdgeData* data, size_t* count) {
  return guda_cudart_cudaGraphNodeGetDependencies(node, out, data, count);
}
GUDA_API(cudaGraphNodeGetDependencies_v1)(cudaGraphNode_t node, cudaGraphNode_t* out,
                                          size_t* count) {
  return guda_cudart_cudaGraphNodeGetDependencies(node, out, nullptr, count);
}
GUDA_API(cudaGraphNodeGetDependentNodes)(cudaGraphNode_t node, cudaGraphNode_t* out,
                                         cudaGraphEdgeData*, size_t* count) {
  return node ? write_nodes(out, count, static_cast<GraphNode*>(node)->dependents)
              : invalid_value();
}
GUDA_API(cudaGraphNodeGetDependentNodes_v2)(cudaGraphNode_t node, cudaGraphNode_t* out,
                                            cudaGraphEdgeData* data, size_t* count) {
  return guda_cudart_cudaGraphNodeGetDependentNodes(node, out, data, count);
}
GUDA_API(cudaGraphNodeGetDependentNodes_v1)(cudaGraphNode_t node, cudaGraphNode_t* out,
                                            size_t* count) {
  return guda_cudart_cudaGraphNodeGetDependentNodes(node, out, nullptr, count);
}

GUDA_API(cudaGraphAddDependencies)(cudaGraph_t graph, const cudaGraphNode_t* from,
                                   const cudaGraphNode_t* to, const cudaGraphEdgeData*,
                                   size_t count) {
  return change_dependencies(graph, from, to, count, true);
}
GUDA_API(cudaGraphAddDependencies_v2)(cudaGraph_t graph, const cudaGraphNode_t* from,
                                      const cudaGraphNode_t* to, const cudaGraphEdgeData*,
                                      size_t count) {
  return change_dependencies(graph, from, to, count, true);
}
GUDA_API(cudaGraphAddDependencies_v1)(cudaGraph_t graph, const cudaGraphNode_t* from,
                                      const cudaGraphNode_t* to, size_t count) {
  return change_dependencies(graph, from, to, count, true);
}
GUDA_API(cudaGraphRemoveDependencies)(cudaGraph_t graph, const cudaGraphNode_t* from,
                                      const cudaGraphNode_t* to, const cudaGraphEdgeData*,
                                      size_t count) {
  return change_dependencies(graph, from, to, count, false);
}
GUDA_API(cudaGraphRemoveDependencies_v2)(cudaGraph_t graph, const cudaGraphNode_t* from,
                                         const cudaGraphNode_t* to, const cudaGraphEdgeData*,
                                         size_t count) {
  return change_dependencies(graph, from, to, count, false);
}
GUDA_API(cudaGraphRemoveDependencies_v1)(cudaGraph_t graph, const cudaGraphNode_t* from,
                                         const cudaGraphNode_t* to, size_t count) {
  return change_dependencies(graph, from, to, count, false);
}

GUDA_API(cudaGraphDestroyNode)(cudaGraphNode_t handle) {
  auto* node = static_cast<GraphNode*>(handle);
  return node ? finish(node->graph->remove(node)) : invalid_value();
}

GUDA_API(cudaGraphNodeGetType)(cudaGraphNode_t node, int* type) {
  if (!node || !type) return invalid_value();
  *type = static_cast<int>(static_cast<GraphNode*>(node)->type);
  return kSuccess;
}

// Instantiation ----------------------------------------------------------------------------------------

GUDA_API(cudaGraphInstantiate)(cudaGraphExec_t* out, cudaGraph_t graph, unsigned long long flags) {
  return instantiate(out, graph, flags);
}
GUDA_API(cudaGraphInstantiateWithFlags)(cudaGraphExec_t* out, cudaGraph_t graph,
                                        unsigned long long flags) {
  return instantiate(out, graph, flags);
}
GUDA_API(cudaGraphInstantiate_v1)(cudaGraphExec_t* out, cudaGraph_t graph, cudaGraphNode_t* culprit,
                                  char* log, size_t log_size) {
  if (culprit) *culprit = nullptr;
  if (log && log_size) log[0] = '\0';
  return instantiate(out, graph, 0);
}
GUDA_API_PTSZ(cudaGraphInstantiateWithParams,
              (cudaGraphExec_t * out, cudaGraph_t graph, cudaGraphInstantiateParams* parameters),
              (out, graph, parameters)) {
  if (!parameters) return invalid_value();
  parameters->errNode_out = nullptr;
  Error error = instantiate(out, graph, parameters->flags);
  parameters->result_out = error == kSuccess ? 0 : 1;
  return error;
}

GUDA_API(cudaGraphExecGetFlags)(cudaGraphExec_t handle, unsigned long long* flags) {
  GraphExec* exec = find_exec(handle);
  if (!exec || !flags) return invalid_value();
  *flags = exec->flags();
  return kSuccess;
}

GUDA_API(cudaGraphExecDestroy)(cudaGraphExec_t handle) {
  GUDA_ENTER();
  std::unique_lock lock(handles().mutex);
  auto found = handles().execs.find(handle);
  if (found == handles().execs.end()) return invalid_value();
  auto dying = std::move(found->second);
  handles().execs.erase(found);
  lock.unlock();
  // Launches in flight hold their operations, but not the graph's memory.
  if (dying->owns_memory()) runtime::Context::instance().synchronize();
  return kSuccess;
}

GUDA_API_PTSZ(cudaGraphLaunch, (cudaGraphExec_t handle, cudaStream_t stream_handle),
              (handle, stream_handle)) {
  GUDA_ENTER();
  GraphExec* exec = find_exec(handle);
  if (!exec) return invalid_value();
  GUDA_STREAM(stream, stream_handle);
  return finish(exec->launch(*stream));
}

GUDA_API_PTSZ(cudaGraphUpload, (cudaGraphExec_t handle, cudaStream_t stream_handle),
              (handle, stream_handle)) {
  GUDA_ENTER();
  if (!find_exec(handle)) return invalid_value();
  GUDA_STREAM(stream, stream_handle);
  return kSuccess;
}

GUDA_API(cudaGraphExecUpdate)(cudaGraphExec_t exec, cudaGraph_t graph,
                              cudaGraphExecUpdateResultInfo* info) {
  int result = 0;
  GraphNode* culprit = nullptr;
  Error error = update(exec, graph, result, culprit);
  if (info) *info = {result, culprit, nullptr};
  return error;
}
GUDA_API(cudaGraphExecUpdate_v1)(cudaGraphExec_t exec, cudaGraph_t graph,
                                 cudaGraphNode_t* culprit_out, int* result_out) {
  int result = 0;
  GraphNode* culprit = nullptr;
  Error error = update(exec, graph, result, culprit);
  if (culprit_out) *culprit_out = culprit;
  if (result_out) *result_out = result;
  return error;
}

GUDA_API(cudaGraphNodeSetEnabled)(cudaGraphExec_t handle, cudaGraphNode_t node, unsigned enabled) {
  GraphExec* exec = find_exec(handle);
  return exec ? finish(exec->set_enabled(static_cast<GraphNode*>(node), enabled != 0))
              : invalid_value();
}
GUDA_API(cudaGraphNodeGetEnabled)(cudaGraphExec_t handle, cudaGraphNode_t node, unsigned* enabled) {
  GraphExec* exec = find_exec(handle);
  if (!exec || !enabled) return invalid_value();
  auto result = exec->enabled(static_cast<GraphNode*>(node));
  if (!result) return finish(result.status());
  *enabled = *result;
  return kSuccess;
}

GUDA_API(cudaGraphDebugDotPrint)(cudaGraph_t handle, const char* path, unsigned) {
  Graph* graph = find_graph(handle);
  if (!graph || !path) return invalid_value();
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path, "w"), std::fclose);
  if (!file) return finish({StatusCode::operating_system, path});
  static constexpr const char* kNames[] = {"kernel", "memcpy", "memset",     "host",
                                           "graph",  "empty",  "wait event", "record event",
                                           "",       "",       "alloc",      "free"};
  std::fprintf(file.get(), "digraph graph_%llu {\n", static_cast<unsigned long long>(graph->id()));
  std::unordered_map<const GraphNode*, size_t> number;
  for (auto& node : graph->nodes()) {
    size_t index = number.size();
    number[node.get()] = index;
    std::fprintf(file.get(), "  n%zu [label=\"%zu: %s\"];\n", index, index,
                 kNames[static_cast<int>(node->type)]);
  }
  for (auto& node : graph->nodes()) {
    for (GraphNode* before : node->dependencies) {
      std::fprintf(file.get(), "  n%zu -> n%zu;\n", number[before], number[node.get()]);
    }
  }
  std::fputs("}\n", file.get());
  return kSuccess;
}

// Graph memory -----------------------------------------------------------------------------------------

GUDA_API(cudaDeviceGraphMemTrim)(int device) {
  GUDA_ENTER();
  return device == 0 ? kSuccess : invalid_device();
}
GUDA_API(cudaDeviceGetGraphMemAttribute)(int device, int attribute, void* value) {
  GUDA_ENTER();
  if (device != 0) return invalid_device();
  if (!value || attribute < 0 || attribute > 3) return invalid_value();
  // 0 used, 1 most used, 2 reserved, 3 most reserved: graphs reserve what they use.
  *static_cast<uint64_t*>(value) =
      attribute % 2 ? runtime::graph_memory_high() : runtime::graph_memory_bytes();
  return kSuccess;
}
GUDA_API(cudaDeviceSetGraphMemAttribute)(int device, int attribute, void* value) {
  GUDA_ENTER();
  if (device != 0) return invalid_device();
  if (!value || (attribute != 1 && attribute != 3) || *static_cast<uint64_t*>(value) != 0)
    return invalid_value();
  runtime::reset_graph_memory_high();
  return kSuccess;
}

// User objects -----------------------------------------------------------------------------------------

namespace {

/// A program's object whose destructor runs when its last reference goes.
struct UserObject {
  void* pointer;
  cudaHostFn_t destroy;
  std::atomic<unsigned> references;

  void release(unsigned count) {
    if (references.fetch_sub(count) == count) {
      destroy(pointer);
      delete this;
    }
  }
};

/// The references that one cudaGraphRetainUserObject call gave a graph.
struct RetainedObject {
  UserObject* object;
  unsigned count;
  ~RetainedObject() { object->release(count); }
};

}  // namespace

GUDA_API(cudaUserObjectCreate)(void** out, void* pointer, cudaHostFn_t destroy, unsigned references,
                               unsigned flags) {
  if (!out || !destroy || references == 0 || flags != 1) return invalid_value();
  *out = new UserObject{pointer, destroy, {references}};
  return kSuccess;
}
GUDA_API(cudaUserObjectRetain)(void* object, unsigned count) {
  if (!object || count == 0) return invalid_value();
  static_cast<UserObject*>(object)->references.fetch_add(count);
  return kSuccess;
}
GUDA_API(cudaUserObjectRelease)(void* object, unsigned count) {
  if (!object || count == 0) return invalid_value();
  static_cast<UserObject*>(object)->release(count);
  return kSuccess;
}
GUDA_API(cudaGraphRetainUserObject)(cudaGraph_t handle, void* object, unsigned count,
                                    unsigned flags) {
  Graph* graph = find_graph(handle);
  if (!graph || !object || count == 0 || flags > 1) return invalid_value();
  auto* user = static_cast<UserObject*>(object);
  if (flags == 0) user->references.fetch_add(count);  // else the caller's references move
  graph->own(std::make_shared<RetainedObject>(user, count));
  return kSuccess;
}
GUDA_API(cudaGraphReleaseUserObject)(cudaGraph_t handle, void* object, unsigned count) {
  Graph* graph = find_graph(handle);
  if (!graph || !object || count == 0) return invalid_value();
  for (auto& owned : graph->owned()) {
    // Retained objects are told from memory by their deleter's type: try those of this object.
    auto* retained = static_cast<RetainedObject*>(owned.get());
    if (!runtime::is_graph_memory(owned.get()) && retained->object == object &&
        retained->count == count) {
      graph->disown(owned.get());
      return kSuccess;
    }
  }
  return invalid_value();
}

}  // namespace guda::cudart
