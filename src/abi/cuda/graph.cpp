// Graphs. Structures have the runtime API's layout, except those of copies, and of kernels, whose newer
// version names the kernel twice.
#include "abi/cuda/api.h"
#include "abi/cudart/types.h"

#include <cstring>

namespace guda::cuda {

using cudart::cudaGraphEdgeData;
using cudart::cudaHostNodeParams;
using cudart::cudaMemcpy3DParms;
using cudart::cudaMemsetParams;

GUDA_CU_SHARED_DEVICE(cuGraphCreate, cudaGraphCreate, (CUgraph * out, unsigned flags), (out, flags))
GUDA_CU_SHARED_DEVICE(cuGraphDestroy, cudaGraphDestroy, (CUgraph graph), (graph))
GUDA_CU_SHARED_DEVICE(cuGraphClone, cudaGraphClone, (CUgraph * out, CUgraph original),
                      (out, original))
GUDA_CU_SHARED_DEVICE(cuGraphNodeFindInClone, cudaGraphNodeFindInClone,
                      (CUgraphNode * out, CUgraphNode original, CUgraph clone),
                      (out, original, clone))
GUDA_CU_SHARED_DEVICE(cuGraphGetNodes, cudaGraphGetNodes,
                      (CUgraph graph, CUgraphNode* out, size_t* count), (graph, out, count))
GUDA_CU_SHARED_DEVICE(cuGraphGetRootNodes, cudaGraphGetRootNodes,
                      (CUgraph graph, CUgraphNode* out, size_t* count), (graph, out, count))
GUDA_CU_SHARED_DEVICE(cuGraphGetEdges, cudaGraphGetEdges_v1,
                      (CUgraph graph, CUgraphNode* from, CUgraphNode* to, size_t* count),
                      (graph, from, to, count))
GUDA_CU_SHARED_DEVICE(cuGraphGetEdges_v2, cudaGraphGetEdges_v2,
                      (CUgraph graph, CUgraphNode* from, CUgraphNode* to, cudaGraphEdgeData* edges,
                       size_t* count),
                      (graph, from, to, edges, count))
GUDA_CU_SHARED_DEVICE(cuGraphNodeGetDependencies, cudaGraphNodeGetDependencies_v1,
                      (CUgraphNode node, CUgraphNode* out, size_t* count), (node, out, count))
GUDA_CU_SHARED_DEVICE(cuGraphNodeGetDependencies_v2, cudaGraphNodeGetDependencies_v2,
                      (CUgraphNode node, CUgraphNode* out, cudaGraphEdgeData* edges, size_t* count),
                      (node, out, edges, count))
GUDA_CU_SHARED_DEVICE(cuGraphNodeGetDependentNodes, cudaGraphNodeGetDependentNodes_v1,
                      (CUgraphNode node, CUgraphNode* out, size_t* count), (node, out, count))
GUDA_CU_SHARED_DEVICE(cuGraphNodeGetDependentNodes_v2, cudaGraphNodeGetDependentNodes_v2,
                      (CUgraphNode node, CUgraphNode* out, cudaGraphEdgeData* edges, size_t* count),
                      (node, out, edges, count))
GUDA_CU_SHARED_DEVICE(cuGraphAddDependencies, cudaGraphAddDependencies_v1,
                      (CUgraph graph, const CUgraphNode* from, const CUgraphNode* to, size_t count),
                      (graph, from, to, count))
GUDA_CU_SHARED_DEVICE(cuGraphAddDependencies_v2, cudaGraphAddDependencies_v2,
                      (CUgraph graph, const CUgraphNode* from, const CUgraphNode* to,
                       const cudaGraphEdgeData* edges, size_t count),
                      (graph, from, to, edges, count))
GUDA_CU_SHARED_DEVICE(cuGraphRemoveDependencies, cudaGraphRemoveDependencies_v1,
                      (CUgraph graph, const CUgraphNode* from, const CUgraphNode* to, size_t count),
                      (graph, from, to, count))
GUDA_CU_SHARED_DEVICE(cuGraphRemoveDependencies_v2, cudaGraphRemoveDependencies_v2,
                      (CUgraph graph, const CUgraphNode* from, const CUgraphNode* to,
                       const cudaGraphEdgeData* edges, size_t count),
                      (graph, from, to, edges, count))
GUDA_CU_SHARED_DEVICE(cuGraphDestroyNode, cudaGraphDestroyNode, (CUgraphNode node), (node))
GUDA_CU_SHARED_DEVICE(cuGraphNodeGetType, cudaGraphNodeGetType, (CUgraphNode node, int* type),
                      (node, type))
GUDA_CU_SHARED_DEVICE(cuGraphDebugDotPrint, cudaGraphDebugDotPrint,
                      (CUgraph graph, const char* path, unsigned flags), (graph, path, flags))

// Executable graphs ------------------------------------------------------------------------------------

GUDA_CU_SHARED_DEVICE(cuGraphInstantiateWithFlags, cudaGraphInstantiateWithFlags,
                      (CUgraphExec * out, CUgraph graph, unsigned long long flags),
                      (out, graph, flags))
GUDA_CU_SHARED_DEVICE(cuGraphInstantiate, cudaGraphInstantiate_v1,
                      (CUgraphExec * out, CUgraph graph, CUgraphNode* culprit, char* log,
                       size_t size),
                      (out, graph, culprit, log, size))
GUDA_CU_SHARED_DEVICE_PTSZ(cuGraphInstantiateWithParams, cudaGraphInstantiateWithParams,
                           (CUgraphExec * out, CUgraph graph,
                            cudart::cudaGraphInstantiateParams* parameters),
                           (out, graph, parameters))
GUDA_CU_SHARED_DEVICE(cuGraphExecGetFlags, cudaGraphExecGetFlags,
                      (CUgraphExec exec, unsigned long long* flags), (exec, flags))
GUDA_CU_SHARED_DEVICE(cuGraphExecDestroy, cudaGraphExecDestroy, (CUgraphExec exec), (exec))
GUDA_CU_SHARED_PTSZ(cuGraphLaunch, cudaGraphLaunch, (CUgraphExec exec, CUstream stream),
                    (exec, stream))
GUDA_CU_SHARED_PTSZ(cuGraphUpload, cudaGraphUpload, (CUgraphExec exec, CUstream stream),
                    (exec, stream))
GUDA_CU_SHARED_DEVICE(cuGraphExecUpdate, cudaGraphExecUpdate_v1,
                      (CUgraphExec exec, CUgraph graph, CUgraphNode* culprit, int* result),
                      (exec, graph, culprit, result))
GUDA_CU_SHARED_DEVICE(cuGraphExecUpdate_v2, cudaGraphExecUpdate,
                      (CUgraphExec exec, CUgraph graph,
                       cudart::cudaGraphExecUpdateResultInfo* result),
                      (exec, graph, result))
GUDA_CU_SHARED_DEVICE(cuGraphNodeSetEnabled, cudaGraphNodeSetEnabled,
                      (CUgraphExec exec, CUgraphNode node, unsigned enabled), (exec, node, enabled))
GUDA_CU_SHARED_DEVICE(cuGraphNodeGetEnabled, cudaGraphNodeGetEnabled,
                      (CUgraphExec exec, CUgraphNode node, unsigned* enabled),
                      (exec, node, enabled))

GUDA_CU_SHARED_DEVICE(cuDeviceGraphMemTrim, cudaDeviceGraphMemTrim, (CUdevice device), (device))
GUDA_CU_SHARED_DEVICE(cuDeviceGetGraphMemAttribute, cudaDeviceGetGraphMemAttribute,
                      (CUdevice device, int attribute, void* value), (device, attribute, value))
GUDA_CU_SHARED_DEVICE(cuDeviceSetGraphMemAttribute, cudaDeviceSetGraphMemAttribute,
                      (CUdevice device, int attribute, void* value), (device, attribute, value))
GUDA_CU_SHARED_DEVICE(cuUserObjectCreate, cudaUserObjectCreate,
                      (void** out, void* pointer, void (*destroy)(void*), unsigned references,
                       unsigned flags),
                      (out, pointer, destroy, references, flags))
GUDA_CU_SHARED_DEVICE(cuUserObjectRetain, cudaUserObjectRetain, (void* object, unsigned count),
                      (object, count))
GUDA_CU_SHARED_DEVICE(cuUserObjectRelease, cudaUserObjectRelease, (void* object, unsigned count),
                      (object, count))
GUDA_CU_SHARED_DEVICE(cuGraphRetainUserObject, cudaGraphRetainUserObject,
                      (CUgraph graph, void* object, unsigned count, unsigned flags),
                      (graph, object, count, flags))
GUDA_CU_SHARED_DEVICE(cuGraphReleaseUserObject, cudaGraphReleaseUserObject,
                      (CUgraph graph, void* object, unsigned count), (graph, object, count))

// Nodes ------------------------------------------------------------------------------------------------

#define PLACE_PARAMETERS \
  CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count
#define PLACE out, graph, dependencies, count

GUDA_CU_SHARED_DEVICE(cuGraphAddEmptyNode, cudaGraphAddEmptyNode, (PLACE_PARAMETERS), (PLACE))
GUDA_CU_SHARED_DEVICE(cuGraphAddChildGraphNode, cudaGraphAddChildGraphNode,
                      (PLACE_PARAMETERS, CUgraph child), (PLACE, child))
GUDA_CU_SHARED_DEVICE(cuGraphAddEventRecordNode, cudaGraphAddEventRecordNode,
                      (PLACE_PARAMETERS, CUevent event), (PLACE, event))
GUDA_CU_SHARED_DEVICE(cuGraphAddEventWaitNode, cudaGraphAddEventWaitNode,
                      (PLACE_PARAMETERS, CUevent event), (PLACE, event))
GUDA_CU_SHARED_DEVICE(cuGraphAddHostNode, cudaGraphAddHostNode,
                      (PLACE_PARAMETERS, const cudaHostNodeParams* p), (PLACE, p))
GUDA_CU_SHARED_DEVICE(cuGraphAddMemAllocNode, cudaGraphAddMemAllocNode,
                      (PLACE_PARAMETERS, cudart::cudaMemAllocNodeParams* p), (PLACE, p))
GUDA_CU_SHARED_DEVICE(cuGraphAddMemFreeNode, cudaGraphAddMemFreeNode,
                      (PLACE_PARAMETERS, void* address), (PLACE, address))
GUDA_CU_SHARED_DEVICE(cuGraphChildGraphNodeGetGraph, cudaGraphChildGraphNodeGetGraph,
                      (CUgraphNode node, CUgraph* out), (node, out))
GUDA_CU_SHARED_DEVICE(cuGraphEventRecordNodeGetEvent, cudaGraphEventRecordNodeGetEvent,
                      (CUgraphNode node, CUevent* out), (node, out))
GUDA_CU_SHARED_DEVICE(cuGraphEventRecordNodeSetEvent, cudaGraphEventRecordNodeSetEvent,
                      (CUgraphNode node, CUevent event), (node, event))
GUDA_CU_SHARED_DEVICE(cuGraphEventWaitNodeGetEvent, cudaGraphEventWaitNodeGetEvent,
                      (CUgraphNode node, CUevent* out), (node, out))
GUDA_CU_SHARED_DEVICE(cuGraphEventWaitNodeSetEvent, cudaGraphEventWaitNodeSetEvent,
                      (CUgraphNode node, CUevent event), (node, event))
GUDA_CU_SHARED_DEVICE(cuGraphExecEventRecordNodeSetEvent, cudaGraphExecEventRecordNodeSetEvent,
                      (CUgraphExec exec, CUgraphNode node, CUevent event), (exec, node, event))
GUDA_CU_SHARED_DEVICE(cuGraphExecEventWaitNodeSetEvent, cudaGraphExecEventWaitNodeSetEvent,
                      (CUgraphExec exec, CUgraphNode node, CUevent event), (exec, node, event))
GUDA_CU_SHARED_DEVICE(cuGraphHostNodeGetParams, cudaGraphHostNodeGetParams,
                      (CUgraphNode node, cudaHostNodeParams* p), (node, p))
GUDA_CU_SHARED_DEVICE(cuGraphHostNodeSetParams, cudaGraphHostNodeSetParams,
                      (CUgraphNode node, const cudaHostNodeParams* p), (node, p))
GUDA_CU_SHARED_DEVICE(cuGraphExecHostNodeSetParams, cudaGraphExecHostNodeSetParams,
                      (CUgraphExec exec, CUgraphNode node, const cudaHostNodeParams* p),
                      (exec, node, p))
GUDA_CU_SHARED_DEVICE(cuGraphMemAllocNodeGetParams, cudaGraphMemAllocNodeGetParams,
                      (CUgraphNode node, cudart::cudaMemAllocNodeParams* p), (node, p))
GUDA_CU_SHARED_DEVICE(cuGraphMemFreeNodeGetParams, cudaGraphMemFreeNodeGetParams,
                      (CUgraphNode node, void* out), (node, out))
GUDA_CU_SHARED_DEVICE(cuGraphKernelNodeCopyAttributes, cudaGraphKernelNodeCopyAttributes,
                      (CUgraphNode to, CUgraphNode from), (to, from))
GUDA_CU_SHARED_DEVICE(cuGraphKernelNodeGetAttribute, cudaGraphKernelNodeGetAttribute,
                      (CUgraphNode node, int id, cudart::cudaLaunchAttributeValue* value),
                      (node, id, value))
GUDA_CU_SHARED_DEVICE(cuGraphKernelNodeSetAttribute, cudaGraphKernelNodeSetAttribute,
                      (CUgraphNode node, int id, const cudart::cudaLaunchAttributeValue* value),
                      (node, id, value))

// Kernel nodes. The first version's structure is the runtime API's.
static_assert(sizeof(CUDA_KERNEL_NODE_PARAMS_v1) == sizeof(cudart::cudaKernelNodeParams));

GUDA_CU_SHARED_DEVICE(cuGraphAddKernelNode, cudaGraphAddKernelNode,
                      (PLACE_PARAMETERS, const CUDA_KERNEL_NODE_PARAMS_v1* p), (PLACE, p))
GUDA_CU_SHARED_DEVICE(cuGraphKernelNodeGetParams, cudaGraphKernelNodeGetParams,
                      (CUgraphNode node, CUDA_KERNEL_NODE_PARAMS_v1* p), (node, p))
GUDA_CU_SHARED_DEVICE(cuGraphKernelNodeSetParams, cudaGraphKernelNodeSetParams,
                      (CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v1* p), (node, p))
GUDA_CU_SHARED_DEVICE(cuGraphExecKernelNodeSetParams, cudaGraphExecKernelNodeSetParams,
                      (CUgraphExec exec, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v1* p),
                      (exec, node, p))

namespace {

CUDA_KERNEL_NODE_PARAMS_v1 first_version(const CUDA_KERNEL_NODE_PARAMS& p) {
  CUDA_KERNEL_NODE_PARAMS_v1 out = p;
  if (!out.func) out.func = p.kern;
  return out;
}

}  // namespace

GUDA_CU(cuGraphAddKernelNode_v2)(PLACE_PARAMETERS, const CUDA_KERNEL_NODE_PARAMS* p) {
  if (!p) return kInvalidValue;
  auto same = first_version(*p);
  return guda_cuda_cuGraphAddKernelNode(PLACE, &same);
}
GUDA_CU(cuGraphKernelNodeGetParams_v2)(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS* p) {
  if (!p) return kInvalidValue;
  Error error = guda_cuda_cuGraphKernelNodeGetParams(node, p);
  p->kern = nullptr;
  p->ctx = current_context();
  return error;
}
GUDA_CU(cuGraphKernelNodeSetParams_v2)(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS* p) {
  if (!p) return kInvalidValue;
  auto same = first_version(*p);
  return guda_cuda_cuGraphKernelNodeSetParams(node, &same);
}
GUDA_CU(cuGraphExecKernelNodeSetParams_v2)(CUgraphExec exec, CUgraphNode node,
                                           const CUDA_KERNEL_NODE_PARAMS* p) {
  if (!p) return kInvalidValue;
  auto same = first_version(*p);
  return guda_cuda_cuGraphExecKernelNodeSetParams(exec, node, &same);
}

// Fill nodes: the driver's functions also name a context.
extern "C" {
Error guda_cudart_cudaGraphAddMemsetNode(PLACE_PARAMETERS, const cudaMemsetParams* p);
Error guda_cudart_cudaGraphExecMemsetNodeSetParams(void* exec, void* node,
                                                   const cudaMemsetParams* p);
Error guda_cudart_cudaGraphAddMemcpyNode(PLACE_PARAMETERS, const cudaMemcpy3DParms* p);
Error guda_cudart_cudaGraphMemcpyNodeGetParams(void* node, cudaMemcpy3DParms* p);
Error guda_cudart_cudaGraphMemcpyNodeSetParams(void* node, const cudaMemcpy3DParms* p);
Error guda_cudart_cudaGraphExecMemcpyNodeSetParams(void* exec, void* node,
                                                   const cudaMemcpy3DParms* p);
}

GUDA_CU(cuGraphAddMemsetNode)(PLACE_PARAMETERS, const cudaMemsetParams* p, void*) {
  return shared([&] { return guda_cudart_cudaGraphAddMemsetNode(PLACE, p); });
}
GUDA_CU_SHARED_DEVICE(cuGraphMemsetNodeGetParams, cudaGraphMemsetNodeGetParams,
                      (CUgraphNode node, cudaMemsetParams* p), (node, p))
GUDA_CU_SHARED_DEVICE(cuGraphMemsetNodeSetParams, cudaGraphMemsetNodeSetParams,
                      (CUgraphNode node, const cudaMemsetParams* p), (node, p))
GUDA_CU(cuGraphExecMemsetNodeSetParams)(CUgraphExec exec, CUgraphNode node,
                                        const cudaMemsetParams* p, void*) {
  return shared([&] { return guda_cudart_cudaGraphExecMemsetNodeSetParams(exec, node, p); });
}

// Copy nodes -------------------------------------------------------------------------------------------

namespace {

/// Memory sides only; arrays are counted in elements there and in bytes here.
bool to_runtime(const CUDA_MEMCPY3D* p, cudaMemcpy3DParms& out) {
  if (!p || p->srcMemoryType == kMemoryArray || p->dstMemoryType == kMemoryArray) return false;
  const void* from = p->srcMemoryType == kMemoryHost ? p->srcHost : pointer_of(p->srcDevice);
  void* to = p->dstMemoryType == kMemoryHost ? p->dstHost : pointer_of(p->dstDevice);
  size_t from_pitch = p->srcPitch ? p->srcPitch : p->srcXInBytes + p->WidthInBytes;
  size_t to_pitch = p->dstPitch ? p->dstPitch : p->dstXInBytes + p->WidthInBytes;
  out = {};
  out.srcPtr = {const_cast<void*>(from), from_pitch, from_pitch,
                p->srcHeight ? p->srcHeight : p->srcY + p->Height};
  out.dstPtr = {to, to_pitch, to_pitch, p->dstHeight ? p->dstHeight : p->dstY + p->Height};
  out.srcPos = {p->srcXInBytes, p->srcY, p->srcZ};
  out.dstPos = {p->dstXInBytes, p->dstY, p->dstZ};
  out.extent = {p->WidthInBytes, p->Height, p->Depth};
  out.kind = 4;  // by the addresses
  return true;
}

CUDA_MEMCPY3D to_driver(const cudaMemcpy3DParms& p) {
  CUDA_MEMCPY3D out{};
  out.srcMemoryType = out.dstMemoryType = kMemoryUnified;
  out.srcDevice = address_of(p.srcPtr.ptr);
  out.srcPitch = p.srcPtr.pitch;
  out.srcHeight = p.srcPtr.ysize;
  out.srcXInBytes = p.srcPos.x;
  out.srcY = p.srcPos.y;
  out.srcZ = p.srcPos.z;
  out.dstDevice = address_of(p.dstPtr.ptr);
  out.dstPitch = p.dstPtr.pitch;
  out.dstHeight = p.dstPtr.ysize;
  out.dstXInBytes = p.dstPos.x;
  out.dstY = p.dstPos.y;
  out.dstZ = p.dstPos.z;
  out.WidthInBytes = p.extent.width;
  out.Height = p.extent.height;
  out.Depth = p.extent.depth;
  return out;
}

template <typename Call>
Error with_copy(const CUDA_MEMCPY3D* p, Call&& call) {
  GUDA_CU_ENTER();
  if (!p) return kInvalidValue;
  cudaMemcpy3DParms same;
  if (!to_runtime(p, same))
    return finish({StatusCode::not_supported, "copy nodes of arrays through the driver API"});
  return without_runtime_state([&] { return call(&same); });
}

}  // namespace

GUDA_CU(cuGraphAddMemcpyNode)(PLACE_PARAMETERS, const CUDA_MEMCPY3D* p, void*) {
  return with_copy(p, [&](auto* same) { return guda_cudart_cudaGraphAddMemcpyNode(PLACE, same); });
}
GUDA_CU(cuGraphMemcpyNodeSetParams)(CUgraphNode node, const CUDA_MEMCPY3D* p) {
  return with_copy(
      p, [&](auto* same) { return guda_cudart_cudaGraphMemcpyNodeSetParams(node, same); });
}
GUDA_CU(cuGraphExecMemcpyNodeSetParams)(CUgraphExec exec, CUgraphNode node, const CUDA_MEMCPY3D* p,
                                        void*) {
  return with_copy(p, [&](auto* same) {
    return guda_cudart_cudaGraphExecMemcpyNodeSetParams(exec, node, same);
  });
}
GUDA_CU(cuGraphMemcpyNodeGetParams)(CUgraphNode node, CUDA_MEMCPY3D* p) {
  if (!p) return kInvalidValue;
  cudaMemcpy3DParms same{};
  Error error = shared([&] { return guda_cudart_cudaGraphMemcpyNodeGetParams(node, &same); });
  if (error == kSuccess) *p = to_driver(same);
  return error;
}

// Nodes of any type ------------------------------------------------------------------------------------

extern "C" {
Error guda_cudart_cudaGraphAddNode_v1(PLACE_PARAMETERS, cudart::cudaGraphNodeParams* p);
Error guda_cudart_cudaGraphNodeSetParams(void* node, cudart::cudaGraphNodeParams* p);
Error guda_cudart_cudaGraphExecNodeSetParams(void* exec, void* node,
                                             cudart::cudaGraphNodeParams* p);
}

namespace {

/// CUgraphNodeParams. Members that are not here are the runtime API's, too.
struct NodeParameters {
  int type;  // CUgraphNodeType
  int reserved0[3];
  union {
    long long reserved1[29];
    CUDA_KERNEL_NODE_PARAMS kernel;
    struct {
      int flags, reserved;
      void* context;
      CUDA_MEMCPY3D copy;
    } memcpy;
  };
  long long reserved2;
};
static_assert(sizeof(NodeParameters) == sizeof(cudart::cudaGraphNodeParams) &&
              offsetof(cudart::cudaGraphNodeParams, kernel) == 4 * sizeof(int));
constexpr int kKernelNode = 0, kMemcpyNode = 1, kAllocationNode = 10;

/// call(parameters as the runtime API has them)
template <typename Call>
Error with_node(const NodeParameters* p, Call&& call) {
  GUDA_CU_ENTER();
  if (!p) return kInvalidValue;
  NodeParameters driver = *p;
  if (driver.type == kKernelNode && !driver.kernel.func) driver.kernel.func = driver.kernel.kern;
  cudart::cudaGraphNodeParams same;
  std::memcpy(static_cast<void*>(&same), &driver, sizeof same);
  if (driver.type == kMemcpyNode) {
    same.memcpy = {};
    if (!to_runtime(&p->memcpy.copy, same.memcpy.copyParams))
      return finish({StatusCode::not_supported, "copy nodes of arrays through the driver API"});
  }
  return without_runtime_state([&] { return call(same); });
}

Error add_node(PLACE_PARAMETERS, NodeParameters* p) {
  return with_node(p, [&](cudart::cudaGraphNodeParams& same) {
    Error error = guda_cudart_cudaGraphAddNode_v1(PLACE, &same);
    // Where the memory is, the caller is told.
    if (error == kSuccess && p->type == kAllocationNode)
      std::memcpy(static_cast<void*>(p), &same, sizeof same);
    return error;
  });
}

}  // namespace

GUDA_CU(cuGraphAddNode)(PLACE_PARAMETERS, NodeParameters* p) { return add_node(PLACE, p); }
GUDA_CU(cuGraphAddNode_v2)(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies,
                           const cudaGraphEdgeData*, size_t count, NodeParameters* p) {
  return add_node(PLACE, p);
}
GUDA_CU(cuGraphNodeSetParams)(CUgraphNode node, NodeParameters* p) {
  return with_node(p, [&](cudart::cudaGraphNodeParams& same) {
    return guda_cudart_cudaGraphNodeSetParams(node, &same);
  });
}
GUDA_CU(cuGraphExecNodeSetParams)(CUgraphExec exec, CUgraphNode node, NodeParameters* p) {
  return with_node(p, [&](cudart::cudaGraphNodeParams& same) {
    return guda_cudart_cudaGraphExecNodeSetParams(exec, node, &same);
  });
}

}  // namespace guda::cuda
