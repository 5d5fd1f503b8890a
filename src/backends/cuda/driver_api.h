// The part of NVIDIA's driver API that the backend uses, declared here so that no SDK is needed to build.
// Names, types and layouts: CUDA Driver API, "Module Management", "Virtual Memory Management" and so on;
// driver_layout_test.cpp compares the layouts with cuda.h where there is one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace guda::backend::cuda {

/// CUresult. Values equal StatusCode's.
using DriverResult = int;
using DevicePointer = uint64_t;
using MemoryHandle = unsigned long long;
using ContextHandle = struct CUctx_st*;
using StreamHandle = struct CUstream_st*;
using EventHandle = struct CUevent_st*;
using ModuleHandle = struct CUmod_st*;
using FunctionHandle = struct CUfunc_st*;
using ArrayHandle = struct CUarray_st*;
using MipmappedArrayHandle = struct CUmipmappedArray_st*;
using GraphHandle = struct CUgraph_st*;
using GraphExecHandle = struct CUgraphExec_st*;
using TextureHandle = unsigned long long;  // CUtexObject and CUsurfObject

/// CUmemLocation
struct MemoryLocation {
  int type = 1;  // CU_MEM_LOCATION_TYPE_DEVICE
  int id = 0;
};
inline constexpr int kLocationHost = 2;  // CU_MEM_LOCATION_TYPE_HOST

/// CUmemAllocationProp
struct AllocationProperties {
  int type = 1;  // CU_MEM_ALLOCATION_TYPE_PINNED
  int handle_types = 0;
  MemoryLocation location;
  void* win32_metadata = nullptr;
  unsigned char compression = 0, rdma_capable = 0;
  unsigned short usage = 0;
  unsigned char reserved[4] = {};
};

/// CUmemAccessDesc
struct AccessDescription {
  MemoryLocation location;
  int flags = 3;  // CU_MEM_ACCESS_FLAGS_PROT_READWRITE
};

/// CUlaunchAttribute
struct LaunchAttribute {
  int id = 0;
  char padding[4] = {};
  union {
    char bytes[64];
    int cooperative;
    unsigned cluster[3];
  } value = {};
};

/// CUlaunchConfig
struct LaunchConfig {
  unsigned grid_x = 1, grid_y = 1, grid_z = 1;
  unsigned block_x = 1, block_y = 1, block_z = 1;
  unsigned shared_bytes = 0;
  StreamHandle stream = nullptr;
  LaunchAttribute* attributes = nullptr;
  unsigned attribute_count = 0;
};

/// CUDA_ARRAY3D_DESCRIPTOR
struct ArrayDescriptor {
  size_t width = 0, height = 0, depth = 0;
  int format = 0;  // CUarray_format
  unsigned channels = 1;
  unsigned flags = 0;
};

/// CUDA_RESOURCE_DESC
struct ResourceDescriptor {
  int type = 0;
  union {
    struct {
      ArrayHandle handle;
    } array;
    struct {
      MipmappedArrayHandle handle;
    } mipmapped;
    struct {
      DevicePointer address;
      int format;
      unsigned channels;
      size_t bytes;
    } linear;
    struct {
      DevicePointer address;
      int format;
      unsigned channels;
      size_t width, height, pitch;
    } pitched;
    int reserved[32];
  } of = {};
  unsigned flags = 0;
};

/// CUDA_TEXTURE_DESC
struct TextureDescriptor {
  int address_mode[3] = {};
  int filter_mode = 0;
  unsigned flags = 0;
  unsigned max_anisotropy = 0;
  int mipmap_filter_mode = 0;
  float mipmap_level_bias = 0;
  float min_mipmap_level = 0, max_mipmap_level = 0;
  float border_color[4] = {};
  int reserved[12] = {};
};

/// CUDA_RESOURCE_VIEW_DESC
struct ResourceViewDescriptor {
  int format = 0;
  size_t width = 0, height = 0, depth = 0;
  unsigned first_level = 0, last_level = 0;
  unsigned first_layer = 0, last_layer = 0;
  unsigned reserved[16] = {};
};

/// CUDA_MEMCPY3D
struct CopySide3D {
  size_t x_bytes = 0, y = 0, z = 0, lod = 0;
  int memory_type = 0;
  void* host = nullptr;
  DevicePointer device = 0;
  ArrayHandle array = nullptr;
  void* reserved = nullptr;
  size_t pitch = 0, height = 0;
};
struct Copy3D {
  CopySide3D from, to;
  size_t width_bytes = 0, height = 1, depth = 1;
};

struct DeviceUuid {
  unsigned char bytes[16];
};

inline constexpr int kLaunchAttributeCooperative = 2, kLaunchAttributeCluster = 4;
inline constexpr unsigned kStreamNonBlocking = 1;  // CU_STREAM_NON_BLOCKING
inline constexpr unsigned kEventDisableTiming = 2;  // CU_EVENT_DISABLE_TIMING
inline constexpr int kCaptureRelaxed = 2;  // CU_STREAM_CAPTURE_MODE_RELAXED
inline constexpr int kMinimumGranularity = 0;  // CU_MEM_ALLOC_GRANULARITY_MINIMUM
inline constexpr int kJitErrorLogBuffer = 5;  // CU_JIT_ERROR_LOG_BUFFER
inline constexpr int kJitErrorLogBufferSize = 6;  // CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES
// CU_FUNC_ATTRIBUTE_...
inline constexpr int kFunctionMaxThreads = 0, kFunctionConstant = 2, kFunctionLocal = 3,
                     kFunctionRegisters = 4, kFunctionPtxVersion = 5,
                     kFunctionClusterWidth = 11;  // height and depth follow
inline constexpr int kPointerIsManaged = 8;  // CU_POINTER_ATTRIBUTE_IS_MANAGED
inline constexpr int kFunctionStaticShared = 1;  // CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES
inline constexpr int kFunctionNonPortableCluster =
    14;  // CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED
inline constexpr int kFunctionMaxDynamicShared =
    8;  // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
inline constexpr int kAttributeMultiprocessors = 16;  // CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT
inline constexpr int kAttributeComputeMajor = 75, kAttributeComputeMinor = 76;
inline constexpr int kAttributeMapsHostMemory = 19;  // CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY
inline constexpr int kAttributeUnifiedAddressing = 41;
inline constexpr int kAttributeConcurrentManaged = 89;  // ..._CONCURRENT_MANAGED_ACCESS
inline constexpr unsigned kHostPortable = 1,
                          kHostDeviceMap = 2;  // CU_MEMHOSTALLOC_, _MEMHOSTREGISTER_
inline constexpr unsigned kManagedGlobal = 1;  // CU_MEM_ATTACH_GLOBAL
inline constexpr int kAttributeVirtualMemory = 102;  // ..._VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED
// CUarray_format
inline constexpr int kFormatU8 = 1, kFormatU16 = 2, kFormatU32 = 3, kFormatS8 = 8, kFormatS16 = 9,
                     kFormatS32 = 10, kFormatF16 = 16, kFormatF32 = 32;
// CUresourcetype
inline constexpr int kResourceArray = 0, kResourceMipmapped = 1, kResourceLinear = 2,
                     kResourcePitched = 3;
// CU_TRSF_...
inline constexpr unsigned kReadAsInteger = 1, kNormalizedCoordinates = 2, kSrgb = 16,
                          kNoTrilinearOptimization = 32, kSeamlessCubemap = 64;
inline constexpr int kMemoryHost = 1, kMemoryDevice = 2, kMemoryArray = 3;  // CUmemorytype
/// Values for cuLaunchKernel's `extra`: the packed parameters, their size, the end.
inline constexpr uintptr_t kLaunchParamBuffer = 1, kLaunchParamBufferSize = 2, kLaunchParamEnd = 0;

/// F(member, symbol, parameters) for every function. Without a required one the driver is too old for the backend.
#define GUDA_CUDA_REQUIRED_FUNCTIONS(F)                                                            \
  F(init, "cuInit", (unsigned flags))                                                              \
  F(driver_version, "cuDriverGetVersion", (int* version))                                          \
  F(error_name, "cuGetErrorName", (DriverResult code, const char** text))                          \
  F(error_string, "cuGetErrorString", (DriverResult code, const char** text))                      \
  F(device_count, "cuDeviceGetCount", (int* count))                                                \
  F(device_get, "cuDeviceGet", (int* device, int ordinal))                                         \
  F(device_name, "cuDeviceGetName", (char* name, int size, int device))                            \
  F(device_total_memory, "cuDeviceTotalMem_v2", (size_t* bytes, int device))                       \
  F(device_attribute, "cuDeviceGetAttribute", (int* value, int attribute, int device))             \
  F(context_retain, "cuDevicePrimaryCtxRetain", (ContextHandle * context, int device))             \
  F(context_release, "cuDevicePrimaryCtxRelease_v2", (int device))                                 \
  F(context_set_current, "cuCtxSetCurrent", (ContextHandle context))                               \
  F(memory_info, "cuMemGetInfo_v2", (size_t* free_bytes, size_t* total))                           \
  F(memory_granularity, "cuMemGetAllocationGranularity",                                           \
    (size_t* bytes, const AllocationProperties* properties, int which))                            \
  F(memory_reserve, "cuMemAddressReserve",                                                         \
    (DevicePointer * address, size_t bytes, size_t alignment, DevicePointer hint,                  \
     unsigned long long flags))                                                                    \
  F(memory_create, "cuMemCreate",                                                                  \
    (MemoryHandle * handle, size_t bytes, const AllocationProperties* properties,                  \
     unsigned long long flags))                                                                    \
  F(memory_release, "cuMemRelease", (MemoryHandle handle))                                         \
  F(memory_map, "cuMemMap",                                                                        \
    (DevicePointer address, size_t bytes, size_t offset, MemoryHandle handle,                      \
     unsigned long long flags))                                                                    \
  F(memory_unmap, "cuMemUnmap", (DevicePointer address, size_t bytes))                             \
  F(memory_set_access, "cuMemSetAccess",                                                           \
    (DevicePointer address, size_t bytes, const AccessDescription* access, size_t count))          \
  F(host_register, "cuMemHostRegister_v2", (void* pointer, size_t bytes, unsigned flags))          \
  F(host_unregister, "cuMemHostUnregister", (void* pointer))                                       \
  F(host_allocate, "cuMemHostAlloc", (void** pointer, size_t bytes, unsigned flags))               \
  F(host_free, "cuMemFreeHost", (void* pointer))                                                   \
  F(copy_to_device, "cuMemcpyHtoDAsync_v2",                                                        \
    (DevicePointer to, const void* from, size_t bytes, StreamHandle stream))                       \
  F(copy_to_host, "cuMemcpyDtoHAsync_v2",                                                          \
    (void* to, DevicePointer from, size_t bytes, StreamHandle stream))                             \
  F(copy_within, "cuMemcpyDtoDAsync_v2",                                                           \
    (DevicePointer to, DevicePointer from, size_t bytes, StreamHandle stream))                     \
  F(fill_8, "cuMemsetD8Async",                                                                     \
    (DevicePointer address, unsigned char value, size_t count, StreamHandle stream))               \
  F(fill_16, "cuMemsetD16Async",                                                                   \
    (DevicePointer address, unsigned short value, size_t count, StreamHandle stream))              \
  F(fill_32, "cuMemsetD32Async",                                                                   \
    (DevicePointer address, unsigned value, size_t count, StreamHandle stream))                    \
  F(stream_create, "cuStreamCreate", (StreamHandle * stream, unsigned flags))                      \
  F(stream_destroy, "cuStreamDestroy_v2", (StreamHandle stream))                                   \
  F(stream_query, "cuStreamQuery", (StreamHandle stream))                                          \
  F(stream_synchronize, "cuStreamSynchronize", (StreamHandle stream))                              \
  F(stream_wait_event, "cuStreamWaitEvent",                                                        \
    (StreamHandle stream, EventHandle event, unsigned flags))                                      \
  F(event_create, "cuEventCreate", (EventHandle * event, unsigned flags))                          \
  F(event_destroy, "cuEventDestroy_v2", (EventHandle event))                                       \
  F(event_record, "cuEventRecord", (EventHandle event, StreamHandle stream))                       \
  F(event_query, "cuEventQuery", (EventHandle event))                                              \
  F(event_synchronize, "cuEventSynchronize", (EventHandle event))                                  \
  F(event_elapsed, "cuEventElapsedTime", (float* milliseconds, EventHandle from, EventHandle to))  \
  F(module_load, "cuModuleLoadDataEx",                                                             \
    (ModuleHandle * module, const void* image, unsigned count, int* options, void** values))       \
  F(module_unload, "cuModuleUnload", (ModuleHandle module))                                        \
  F(module_function, "cuModuleGetFunction",                                                        \
    (FunctionHandle * function, ModuleHandle module, const char* name))                            \
  F(function_attribute, "cuFuncGetAttribute",                                                      \
    (int* value, int attribute, FunctionHandle function))                                          \
  F(function_set_attribute, "cuFuncSetAttribute",                                                  \
    (FunctionHandle function, int attribute, int value))                                           \
  F(launch_kernel, "cuLaunchKernel",                                                               \
    (FunctionHandle function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, \
     unsigned block_y, unsigned block_z, unsigned shared_bytes, StreamHandle stream,               \
     void** parameters, void** extra))

/// Null when the driver lacks it; whoever calls it looks first.
#define GUDA_CUDA_OPTIONAL_FUNCTIONS(F)                                                           \
  F(module_global, "cuModuleGetGlobal_v2",                                                        \
    (DevicePointer * address, size_t* bytes, ModuleHandle module, const char* name))              \
  F(module_function_count, "cuModuleGetFunctionCount", (unsigned* count, ModuleHandle module))    \
  F(module_functions, "cuModuleEnumerateFunctions",                                               \
    (FunctionHandle * functions, unsigned count, ModuleHandle module))                            \
  F(function_name, "cuFuncGetName", (const char** name, FunctionHandle function))                 \
  F(function_parameter, "cuFuncGetParamInfo",                                                     \
    (FunctionHandle function, size_t index, size_t* offset, size_t* bytes))                       \
  F(pointer_attribute, "cuPointerGetAttribute",                                                   \
    (void* value, int attribute, DevicePointer address))                                          \
  F(copy_from_peer, "cuMemcpyPeerAsync",                                                          \
    (DevicePointer to, ContextHandle to_context, DevicePointer from, ContextHandle from_context,  \
     size_t bytes, StreamHandle stream))                                                          \
  F(can_access_peer, "cuDeviceCanAccessPeer", (int* can, int device, int peer))                   \
  F(host_device_pointer, "cuMemHostGetDevicePointer_v2",                                          \
    (DevicePointer * device, void* host, unsigned flags))                                         \
  F(managed_allocate, "cuMemAllocManaged",                                                        \
    (DevicePointer * address, size_t bytes, unsigned flags))                                      \
  F(prefetch, "cuMemPrefetchAsync_v2",                                                            \
    (DevicePointer address, size_t bytes, MemoryLocation location, unsigned flags,                \
     StreamHandle stream))                                                                        \
  F(advise, "cuMemAdvise_v2",                                                                     \
    (DevicePointer address, size_t bytes, int advice, MemoryLocation location))                   \
  F(memory_free, "cuMemFree_v2", (DevicePointer address))                                         \
  F(device_uuid, "cuDeviceGetUuid_v2", (DeviceUuid * uuid, int device))                           \
  F(launch_kernel_ex, "cuLaunchKernelEx",                                                         \
    (const LaunchConfig* config, FunctionHandle function, void** parameters, void** extra))       \
  F(array_create, "cuArray3DCreate_v2", (ArrayHandle * array, const ArrayDescriptor* descriptor)) \
  F(array_destroy, "cuArrayDestroy", (ArrayHandle array))                                         \
  F(mipmapped_create, "cuMipmappedArrayCreate",                                                   \
    (MipmappedArrayHandle * array, const ArrayDescriptor* descriptor, unsigned levels))           \
  F(mipmapped_level, "cuMipmappedArrayGetLevel",                                                  \
    (ArrayHandle * level_array, MipmappedArrayHandle array, unsigned level))                      \
  F(mipmapped_destroy, "cuMipmappedArrayDestroy", (MipmappedArrayHandle array))                   \
  F(copy_3d, "cuMemcpy3DAsync_v2", (const Copy3D* copy, StreamHandle stream))                     \
  F(fill_2d_8, "cuMemsetD2D8Async",                                                               \
    (DevicePointer address, size_t pitch, unsigned char value, size_t width, size_t height,       \
     StreamHandle stream))                                                                        \
  F(fill_2d_16, "cuMemsetD2D16Async",                                                             \
    (DevicePointer address, size_t pitch, unsigned short value, size_t width, size_t height,      \
     StreamHandle stream))                                                                        \
  F(fill_2d_32, "cuMemsetD2D32Async",                                                             \
    (DevicePointer address, size_t pitch, unsigned value, size_t width, size_t height,            \
     StreamHandle stream))                                                                        \
  F(begin_capture, "cuStreamBeginCapture_v2", (StreamHandle stream, int mode))                    \
  F(end_capture, "cuStreamEndCapture", (StreamHandle stream, GraphHandle * graph))                \
  F(graph_instantiate, "cuGraphInstantiateWithFlags",                                             \
    (GraphExecHandle * exec, GraphHandle graph, unsigned long long flags))                        \
  F(graph_launch, "cuGraphLaunch", (GraphExecHandle exec, StreamHandle stream))                   \
  F(graph_exec_destroy, "cuGraphExecDestroy", (GraphExecHandle exec))                             \
  F(graph_destroy, "cuGraphDestroy", (GraphHandle graph))                                         \
  F(texture_create, "cuTexObjectCreate",                                                          \
    (TextureHandle * texture, const ResourceDescriptor* resource,                                 \
     const TextureDescriptor* texture_descriptor, const ResourceViewDescriptor* view))            \
  F(texture_destroy, "cuTexObjectDestroy", (TextureHandle texture))                               \
  F(surface_create, "cuSurfObjectCreate",                                                         \
    (TextureHandle * surface, const ResourceDescriptor* resource))                                \
  F(surface_destroy, "cuSurfObjectDestroy", (TextureHandle surface))

/// The driver's functions.
struct DriverApi {
#define GUDA_CUDA_MEMBER(member, symbol, parameters) DriverResult(*member) parameters = nullptr;
  GUDA_CUDA_REQUIRED_FUNCTIONS(GUDA_CUDA_MEMBER)
  GUDA_CUDA_OPTIONAL_FUNCTIONS(GUDA_CUDA_MEMBER)
#undef GUDA_CUDA_MEMBER
};

}  // namespace guda::backend::cuda
