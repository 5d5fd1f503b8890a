// Graph nodes: adding them, and reading and replacing their parameters.
#include "abi/cudart/api.h"
#include "abi/cudart/copy_parameters.h"
#include "abi/cudart/graph_handles.h"
#include "runtime/event.h"
#include "runtime/host_function.h"
#include "runtime/launch.h"
#include "runtime/registry.h"

#include <memory>
#include <vector>

namespace guda::cudart {
namespace {

using runtime::CopyOperation;
using runtime::FillOperation;
using runtime::HostOperation;
using runtime::KernelOperation;
using runtime::Operation;

GraphNode* as_node(cudaGraphNode_t handle) { return static_cast<GraphNode*>(handle); }

// Operations from parameters ---------------------------------------------------------------------------

Result<std::unique_ptr<Operation>> kernel_operation(const cudaKernelNodeParams* p) {
  if (!p) return Status(StatusCode::invalid_value, "no kernel node parameters");
  runtime::Kernel* kernel = runtime::Registry::instance().kernel(p->func);
  if (!kernel)
    return Status(static_cast<StatusCode>(runtime::kErrorInvalidDeviceFunction), "not a kernel");
  runtime::LaunchConfiguration configuration{{p->gridDim.x, p->gridDim.y, p->gridDim.z},
                                             {p->blockDim.x, p->blockDim.y, p->blockDim.z},
                                             p->sharedMemBytes,
                                             false};
  // `extra` is CUDA's list: 1, pointer to the block, 2, pointer to its size, 0.
  const void* block = nullptr;
  size_t block_size = 0;
  for (void** item = p->extra; item && *item; item += 2) {
    auto key = reinterpret_cast<uintptr_t>(*item);
    if (key == 1) block = item[1];
    if (key == 2) block_size = *static_cast<size_t*>(item[1]);
  }
  auto operation =
      runtime::prepare_launch(*kernel, configuration, p->kernelParams, block, block_size);
  if (!operation) return operation.status();
  return std::unique_ptr<Operation>(std::move(*operation));
}

Result<std::unique_ptr<Operation>> copy_operation(const cudaMemcpy3DParms* p) {
  if (!p) return Status(StatusCode::invalid_value, "no copy parameters");
  auto box = resolve_copy(*p);
  if (!box) return Status(StatusCode::invalid_value, "impossible copy");
  auto kind = static_cast<runtime::CopyKind>(p->kind);
  if (Status status = runtime::check_copy(box->to, box->from, box->shape, kind); !status)
    return status;
  return std::unique_ptr<Operation>(
      std::make_unique<CopyOperation>(box->to, box->from, box->shape, kind));
}

cudaMemcpy3DParms linear_copy(void* to, const void* from, size_t count, int kind) {
  cudaMemcpy3DParms p{};
  p.srcPtr = {const_cast<void*>(from), count, count, 1};
  p.dstPtr = {to, count, count, 1};
  p.extent = {count, 1, 1};
  p.kind = kind;
  return p;
}

/// Parameters of a copy to or from a symbol. `host` is the other side.
Result<cudaMemcpy3DParms> symbol_copy(const void* symbol, void* host, size_t count, size_t offset,
                                      int kind, bool to_symbol) {
  auto variable = runtime::Registry::instance().variable(symbol);
  if (!variable) return variable.status();
  if (offset > variable->size || count > variable->size - offset) {
    return Status(StatusCode::invalid_value, "copy beyond the symbol");
  }
  void* device = static_cast<std::byte*>(variable->address) + offset;
  return to_symbol ? linear_copy(device, host, count, kind)
                   : linear_copy(host, device, count, kind);
}

Result<std::unique_ptr<Operation>> fill_operation(const cudaMemsetParams* p) {
  if (!p || (p->elementSize != 1 && p->elementSize != 2 && p->elementSize != 4)) {
    return Status(StatusCode::invalid_value, "memset elements have 1, 2 or 4 bytes");
  }
  size_t width = p->width * p->elementSize;
  runtime::CopySide to{static_cast<std::byte*>(p->dst), p->height > 1 ? p->pitch : width, 0};
  runtime::CopyShape shape{width, p->height, 1};
  if (Status status = runtime::check_fill(to, shape); !status) return status;
  return std::unique_ptr<Operation>(
      std::make_unique<FillOperation>(to, shape, p->value, p->elementSize));
}

Result<std::unique_ptr<Operation>> host_operation(const cudaHostNodeParams* p) {
  if (!p || !p->fn) return Status(StatusCode::invalid_value, "no host function");
  return std::unique_ptr<Operation>(std::make_unique<HostOperation>(p->fn, p->userData));
}

// Adding -----------------------------------------------------------------------------------------------

struct Place {
  cudaGraphNode_t* out;
  cudaGraph_t graph;
  const cudaGraphNode_t* dependencies;
  size_t count;
};

Error add(const Place& place, NodeType type, Result<std::unique_ptr<Operation>> operation,
          GraphNode** made = nullptr) {
  GUDA_ENTER();
  Graph* graph = find_graph(place.graph);
  if (!place.out || !graph || (place.count && !place.dependencies)) return invalid_value();
  if (!operation) return finish(operation.status());
  std::vector<GraphNode*> dependencies;
  dependencies.reserve(place.count);
  for (size_t i = 0; i < place.count; ++i) dependencies.push_back(as_node(place.dependencies[i]));
  auto node = graph->add(type, std::move(dependencies), std::move(*operation));
  if (!node) return finish(node.status());
  *place.out = *node;
  if (made) *made = *node;
  return kSuccess;
}

std::unique_ptr<Operation> nothing() { return nullptr; }

Error add_copy(const Place& place, const cudaMemcpy3DParms* p) {
  GraphNode* node = nullptr;
  Error error = add(place, NodeType::memcpy, copy_operation(p), &node);
  if (node) node->parameters = std::make_shared<cudaMemcpy3DParms>(*p);
  return error;
}

Error add_event(const Place& place, NodeType type, cudaEvent_t handle) {
  auto event = runtime::EventTable::instance().find(handle);
  if (!event) return invalid_handle();
  GraphNode* node = nullptr;
  Error error = add(place, type, nothing(), &node);
  if (node) node->event = std::move(event);
  return error;
}

Error add_child(const Place& place, cudaGraph_t child) {
  Graph* graph = find_graph(child);
  if (!graph) return invalid_value();
  GraphNode* node = nullptr;
  Error error = add(place, NodeType::graph, nothing(), &node);
  if (node) node->child = graph->clone();
  return error;
}

Error add_allocation(const Place& place, cudaMemAllocNodeParams* p) {
  Graph* graph = find_graph(place.graph);
  if (!p || !graph || p->bytesize == 0) return invalid_value();
  auto memory = runtime::allocate_graph_memory(*graph, p->bytesize);
  if (!memory) return finish(memory.status());
  p->dptr = *memory;
  GraphNode* node = nullptr;
  Error error = add(place, NodeType::memory_alloc, nothing(), &node);
  if (node) node->parameters = std::make_shared<cudaMemAllocNodeParams>(*p);
  return error;
}

Error add_free(const Place& place, void* pointer) {
  if (!runtime::is_graph_memory(pointer)) return invalid_value();
  GraphNode* node = nullptr;
  Error error = add(place, NodeType::memory_free, nothing(), &node);
  if (node) node->memory = pointer;
  return error;
}

Error add_any(const Place& place, cudaGraphNodeParams* p) {
  if (!p) return invalid_value();
  switch (static_cast<NodeType>(p->type)) {
    case NodeType::kernel: return add(place, NodeType::kernel, kernel_operation(&p->kernel));
    case NodeType::memcpy: return add_copy(place, &p->memcpy.copyParams);
    case NodeType::memset: return add(place, NodeType::memset, fill_operation(&p->memset));
    case NodeType::host: return add(place, NodeType::host, host_operation(&p->host));
    case NodeType::graph: return add_child(place, p->graph.graph);
    case NodeType::empty: return add(place, NodeType::empty, nothing());
    case NodeType::wait_event:
    case NodeType::record_event: return add_event(place, static_cast<NodeType>(p->type), p->event);
    case NodeType::memory_alloc: return add_allocation(place, &p->alloc);
    case NodeType::memory_free: return add_free(place, p->free_pointer);
    default: return finish({StatusCode::not_supported, "graph nodes of this type"});
  }
}

// Replacing: in a graph, or in an instantiated graph ---------------------------------------------------

Error replace(cudaGraphNode_t handle, NodeType type, Result<std::unique_ptr<Operation>> operation) {
  GraphNode* node = as_node(handle);
  if (!node || node->type != type) return invalid_value();
  if (!operation) return finish(operation.status());
  node->operation = std::move(*operation);
  return kSuccess;
}

Error replace_copy(cudaGraphNode_t handle, const cudaMemcpy3DParms* p) {
  Error error = replace(handle, NodeType::memcpy, copy_operation(p));
  if (error == kSuccess) as_node(handle)->parameters = std::make_shared<cudaMemcpy3DParms>(*p);
  return error;
}

Error exec_replace(cudaGraphExec_t exec_handle, cudaGraphNode_t node,
                   Result<std::unique_ptr<Operation>> operation) {
  GraphExec* exec = find_exec(exec_handle);
  if (!exec || !node) return invalid_value();
  if (!operation) return finish(operation.status());
  return finish(exec->replace(as_node(node), std::move(*operation)));
}

template <typename Concrete>
Concrete* operation_of(cudaGraphNode_t handle) {
  return handle ? dynamic_cast<Concrete*>(as_node(handle)->operation.get()) : nullptr;
}

}  // namespace

#define PLACE_PARAMETERS \
  cudaGraphNode_t *out, cudaGraph_t graph, const cudaGraphNode_t *dependencies, size_t count
#define PLACE \
  Place { out, graph, dependencies, count }

GUDA_API(cudaGraphAddKernelNode)(PLACE_PARAMETERS, const cudaKernelNodeParams* p) {
  return add(PLACE, NodeType::kernel, kernel_operation(p));
}
GUDA_API(cudaGraphAddMemcpyNode)(PLACE_PARAMETERS, const cudaMemcpy3DParms* p) {
  return p ? add_copy(PLACE, p) : invalid_value();
}
GUDA_API(cudaGraphAddMemcpyNode1D)(PLACE_PARAMETERS, void* to, const void* from, size_t bytes,
                                   int kind) {
  cudaMemcpy3DParms p = linear_copy(to, from, bytes, kind);
  return add_copy(PLACE, &p);
}
GUDA_API(cudaGraphAddMemcpyNodeToSymbol)(PLACE_PARAMETERS, const void* symbol, const void* from,
                                         size_t bytes, size_t offset, int kind) {
  auto p = symbol_copy(symbol, const_cast<void*>(from), bytes, offset, kind, true);
  return p ? add_copy(PLACE, &*p) : finish(p.status());
}
GUDA_API(cudaGraphAddMemcpyNodeFromSymbol)(PLACE_PARAMETERS, void* to, const void* symbol,
                                           size_t bytes, size_t offset, int kind) {
  auto p = symbol_copy(symbol, to, bytes, offset, kind, false);
  return p ? add_copy(PLACE, &*p) : finish(p.status());
}
GUDA_API(cudaGraphAddMemsetNode)(PLACE_PARAMETERS, const cudaMemsetParams* p) {
  return add(PLACE, NodeType::memset, fill_operation(p));
}
GUDA_API(cudaGraphAddHostNode)(PLACE_PARAMETERS, const cudaHostNodeParams* p) {
  return add(PLACE, NodeType::host, host_operation(p));
}
GUDA_API(cudaGraphAddEmptyNode)(PLACE_PARAMETERS) { return add(PLACE, NodeType::empty, nothing()); }
GUDA_API(cudaGraphAddChildGraphNode)(PLACE_PARAMETERS, cudaGraph_t child) {
  return add_child(PLACE, child);
}
GUDA_API(cudaGraphAddEventRecordNode)(PLACE_PARAMETERS, cudaEvent_t event) {
  return add_event(PLACE, NodeType::record_event, event);
}
GUDA_API(cudaGraphAddEventWaitNode)(PLACE_PARAMETERS, cudaEvent_t event) {
  return add_event(PLACE, NodeType::wait_event, event);
}
GUDA_API(cudaGraphAddMemAllocNode)(PLACE_PARAMETERS, cudaMemAllocNodeParams* p) {
  return add_allocation(PLACE, p);
}
GUDA_API(cudaGraphAddMemFreeNode)(PLACE_PARAMETERS, void* pointer) {
  return add_free(PLACE, pointer);
}
GUDA_API(cudaGraphAddNode)(cudaGraphNode_t* out, cudaGraph_t graph,
                           const cudaGraphNode_t* dependencies, const cudaGraphEdgeData*,
                           size_t count, cudaGraphNodeParams* p) {
  return add_any(PLACE, p);
}
GUDA_API(cudaGraphAddNode_v2)(cudaGraphNode_t* out, cudaGraph_t graph,
                              const cudaGraphNode_t* dependencies, const cudaGraphEdgeData*,
                              size_t count, cudaGraphNodeParams* p) {
  return add_any(PLACE, p);
}
GUDA_API(cudaGraphAddNode_v1)(PLACE_PARAMETERS, cudaGraphNodeParams* p) {
  return add_any(PLACE, p);
}

// Kernel nodes -----------------------------------------------------------------------------------------

GUDA_API(cudaGraphKernelNodeGetParams)(cudaGraphNode_t node, cudaKernelNodeParams* p) {
  auto* operation = operation_of<KernelOperation>(node);
  if (!operation || !p) return invalid_value();
  const void* function = operation->kernel().host_function();
  if (!function) function = &operation->kernel();
  const auto& configuration = operation->configuration();
  *p = {const_cast<void*>(function),
        {configuration.grid.x, configuration.grid.y, configuration.grid.z},
        {configuration.block.x, configuration.block.y, configuration.block.z},
        static_cast<unsigned>(configuration.dynamic_shared),
        operation->argument_pointers(),
        nullptr};
  return kSuccess;
}
GUDA_API(cudaGraphKernelNodeSetParams)(cudaGraphNode_t node, const cudaKernelNodeParams* p) {
  return replace(node, NodeType::kernel, kernel_operation(p));
}
GUDA_API(cudaGraphExecKernelNodeSetParams)(cudaGraphExec_t exec, cudaGraphNode_t node,
                                           const cudaKernelNodeParams* p) {
  return exec_replace(exec, node, kernel_operation(p));
}
GUDA_API(cudaGraphKernelNodeCopyAttributes)(cudaGraphNode_t to, cudaGraphNode_t from) {
  return operation_of<KernelOperation>(to) && operation_of<KernelOperation>(from) ? kSuccess
                                                                                  : invalid_value();
}
GUDA_API(cudaGraphKernelNodeGetAttribute)(cudaGraphNode_t node, int id,
                                          cudaLaunchAttributeValue* value) {
  auto* operation = operation_of<KernelOperation>(node);
  if (!operation || !value) return invalid_value();
  *value = {};
  if (id == cudaLaunchAttributeCooperative)
    value->cooperative = operation->configuration().cooperative;
  return kSuccess;
}
GUDA_API(cudaGraphKernelNodeSetAttribute)(cudaGraphNode_t node, int id,
                                          const cudaLaunchAttributeValue* value) {
  auto* operation = operation_of<KernelOperation>(node);
  if (!operation || !value) return invalid_value();
  if (id == cudaLaunchAttributeCooperative) operation->set_cooperative(value->cooperative != 0);
  return kSuccess;
}

// Copy nodes -------------------------------------------------------------------------------------------

GUDA_API(cudaGraphMemcpyNodeGetParams)(cudaGraphNode_t handle, cudaMemcpy3DParms* p) {
  auto* operation = operation_of<CopyOperation>(handle);
  if (!operation || !p) return invalid_value();
  if (auto given = std::static_pointer_cast<cudaMemcpy3DParms>(as_node(handle)->parameters)) {
    *p = *given;
    return kSuccess;
  }
  const auto& shape = operation->shape();  // captured: no parameters were given
  auto side = [&](const runtime::CopySide& from) {
    return cudaPitchedPtr{from.start, from.pitch, shape.width, shape.height};
  };
  *p = {};
  p->srcPtr = side(operation->from());
  p->dstPtr = side(operation->to());
  p->extent = {shape.width, shape.height, shape.depth};
  p->kind = static_cast<int>(operation->kind());
  return kSuccess;
}
GUDA_API(cudaGraphMemcpyNodeSetParams)(cudaGraphNode_t node, const cudaMemcpy3DParms* p) {
  return p ? replace_copy(node, p) : invalid_value();
}
GUDA_API(cudaGraphMemcpyNodeSetParams1D)(cudaGraphNode_t node, void* to, const void* from,
                                         size_t count, int kind) {
  cudaMemcpy3DParms p = linear_copy(to, from, count, kind);
  return replace_copy(node, &p);
}
GUDA_API(cudaGraphMemcpyNodeSetParamsToSymbol)(cudaGraphNode_t node, const void* symbol,
                                               const void* from, size_t count, size_t offset,
                                               int kind) {
  auto p = symbol_copy(symbol, const_cast<void*>(from), count, offset, kind, true);
  return p ? replace_copy(node, &*p) : finish(p.status());
}
GUDA_API(cudaGraphMemcpyNodeSetParamsFromSymbol)(cudaGraphNode_t node, void* to, const void* symbol,
                                                 size_t count, size_t offset, int kind) {
  auto p = symbol_copy(symbol, to, count, offset, kind, false);
  return p ? replace_copy(node, &*p) : finish(p.status());
}
GUDA_API(cudaGraphExecMemcpyNodeSetParams)(cudaGraphExec_t exec, cudaGraphNode_t node,
                                           const cudaMemcpy3DParms* p) {
  return exec_replace(exec, node, copy_operation(p));
}
GUDA_API(cudaGraphExecMemcpyNodeSetParams1D)(cudaGraphExec_t exec, cudaGraphNode_t node, void* to,
                                             const void* from, size_t count, int kind) {
  cudaMemcpy3DParms p = linear_copy(to, from, count, kind);
  return exec_replace(exec, node, copy_operation(&p));
}
GUDA_API(cudaGraphExecMemcpyNodeSetParamsToSymbol)(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                   const void* symbol, const void* from,
                                                   size_t count, size_t offset, int kind) {
  auto p = symbol_copy(symbol, const_cast<void*>(from), count, offset, kind, true);
  return p ? exec_replace(exec, node, copy_operation(&*p)) : finish(p.status());
}
GUDA_API(cudaGraphExecMemcpyNodeSetParamsFromSymbol)(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                     void* to, const void* symbol, size_t count,
                                                     size_t offset, int kind) {
  auto p = symbol_copy(symbol, to, count, offset, kind, false);
  return p ? exec_replace(exec, node, copy_operation(&*p)) : finish(p.status());
}

// Memset and host nodes --------------------------------------------------------------------------------

GUDA_API(cudaGraphMemsetNodeGetParams)(cudaGraphNode_t node, cudaMemsetParams* p) {
  auto* operation = operation_of<FillOperation>(node);
  if (!operation || !p) return invalid_value();
  *p = {operation->to().start,
        operation->to().pitch,
        operation->value(),
        operation->element(),
        operation->shape().width / operation->element(),
        operation->shape().height};
  return kSuccess;
}
GUDA_API(cudaGraphMemsetNodeSetParams)(cudaGraphNode_t node, const cudaMemsetParams* p) {
  return replace(node, NodeType::memset, fill_operation(p));
}
GUDA_API(cudaGraphExecMemsetNodeSetParams)(cudaGraphExec_t exec, cudaGraphNode_t node,
                                           const cudaMemsetParams* p) {
  return exec_replace(exec, node, fill_operation(p));
}
GUDA_API(cudaGraphHostNodeGetParams)(cudaGraphNode_t node, cudaHostNodeParams* p) {
  auto* operation = operation_of<HostOperation>(node);
  if (!operation || !p) return invalid_value();
  *p = {operation->function(), operation->data()};
  return kSuccess;
}
GUDA_API(cudaGraphHostNodeSetParams)(cudaGraphNode_t node, const cudaHostNodeParams* p) {
  return replace(node, NodeType::host, host_operation(p));
}
GUDA_API(cudaGraphExecHostNodeSetParams)(cudaGraphExec_t exec, cudaGraphNode_t node,
                                         const cudaHostNodeParams* p) {
  return exec_replace(exec, node, host_operation(p));
}

// Child graphs, events, memory -------------------------------------------------------------------------

GUDA_API(cudaGraphChildGraphNodeGetGraph)(cudaGraphNode_t node, cudaGraph_t* out) {
  if (!node || !out || !as_node(node)->child) return invalid_value();
  *out = as_node(node)->child.get();
  return kSuccess;
}

namespace {
Error get_event(cudaGraphNode_t node, NodeType type, cudaEvent_t* out) {
  if (!node || !out || as_node(node)->type != type) return invalid_value();
  *out = as_node(node)->event.get();
  return kSuccess;
}
Error set_event(cudaGraphNode_t node, NodeType type, cudaEvent_t handle) {
  auto event = runtime::EventTable::instance().find(handle);
  if (!event || !node || as_node(node)->type != type) return invalid_value();
  as_node(node)->event = std::move(event);
  return kSuccess;
}
Error exec_set_event(cudaGraphExec_t exec_handle, cudaGraphNode_t node, cudaEvent_t handle) {
  GraphExec* exec = find_exec(exec_handle);
  auto event = runtime::EventTable::instance().find(handle);
  if (!exec || !event) return invalid_value();
  return finish(exec->replace_event(as_node(node), event));
}
}  // namespace

GUDA_API(cudaGraphEventRecordNodeGetEvent)(cudaGraphNode_t node, cudaEvent_t* out) {
  return get_event(node, NodeType::record_event, out);
}
GUDA_API(cudaGraphEventRecordNodeSetEvent)(cudaGraphNode_t node, cudaEvent_t event) {
  return set_event(node, NodeType::record_event, event);
}
GUDA_API(cudaGraphEventWaitNodeGetEvent)(cudaGraphNode_t node, cudaEvent_t* out) {
  return get_event(node, NodeType::wait_event, out);
}
GUDA_API(cudaGraphEventWaitNodeSetEvent)(cudaGraphNode_t node, cudaEvent_t event) {
  return set_event(node, NodeType::wait_event, event);
}
GUDA_API(cudaGraphExecEventRecordNodeSetEvent)(cudaGraphExec_t exec, cudaGraphNode_t node,
                                               cudaEvent_t event) {
  return exec_set_event(exec, node, event);
}
GUDA_API(cudaGraphExecEventWaitNodeSetEvent)(cudaGraphExec_t exec, cudaGraphNode_t node,
                                             cudaEvent_t event) {
  return exec_set_event(exec, node, event);
}

GUDA_API(cudaGraphMemAllocNodeGetParams)(cudaGraphNode_t node, cudaMemAllocNodeParams* p) {
  if (!node || !p || as_node(node)->type != NodeType::memory_alloc) return invalid_value();
  *p = *std::static_pointer_cast<cudaMemAllocNodeParams>(as_node(node)->parameters);
  return kSuccess;
}
GUDA_API(cudaGraphMemFreeNodeGetParams)(cudaGraphNode_t node, void* out) {
  if (!node || !out || as_node(node)->type != NodeType::memory_free) return invalid_value();
  *static_cast<void**>(out) = as_node(node)->memory;
  return kSuccess;
}

// Any type ---------------------------------------------------------------------------------------------

GUDA_API(cudaGraphNodeSetParams)(cudaGraphNode_t node, cudaGraphNodeParams* p) {
  if (!p) return invalid_value();
  switch (static_cast<NodeType>(p->type)) {
    case NodeType::kernel: return replace(node, NodeType::kernel, kernel_operation(&p->kernel));
    case NodeType::memcpy: return replace_copy(node, &p->memcpy.copyParams);
    case NodeType::memset: return replace(node, NodeType::memset, fill_operation(&p->memset));
    case NodeType::host: return replace(node, NodeType::host, host_operation(&p->host));
    case NodeType::wait_event:
    case NodeType::record_event: return set_event(node, static_cast<NodeType>(p->type), p->event);
    default: return finish({StatusCode::not_supported, "changing nodes of this type"});
  }
}
GUDA_API(cudaGraphExecNodeSetParams)(cudaGraphExec_t exec, cudaGraphNode_t node,
                                     cudaGraphNodeParams* p) {
  if (!p) return invalid_value();
  switch (static_cast<NodeType>(p->type)) {
    case NodeType::kernel: return exec_replace(exec, node, kernel_operation(&p->kernel));
    case NodeType::memcpy: return exec_replace(exec, node, copy_operation(&p->memcpy.copyParams));
    case NodeType::memset: return exec_replace(exec, node, fill_operation(&p->memset));
    case NodeType::host: return exec_replace(exec, node, host_operation(&p->host));
    case NodeType::wait_event:
    case NodeType::record_event: return exec_set_event(exec, node, p->event);
    default: return finish({StatusCode::not_supported, "changing nodes of this type"});
  }
}

}  // namespace guda::cudart
