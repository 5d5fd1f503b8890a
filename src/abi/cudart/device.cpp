// Devices, properties, limits, versions, peers.
#include "runtime/device.h"

#include "abi/cudart/api.h"
#include "backends/cpu/executor.h"
#include "memory/heap.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

extern "C" int guda_cuda_cuGetProcAddress_v2(const char* name, void** function, int version,
                                             unsigned long long flags, int* status);

namespace guda::cudart {
namespace {

using runtime::Context;
using runtime::device_attribute;

thread_local unsigned thread_cache_config = 0;
thread_local unsigned device_flags = 0;

constexpr Error kNoDevice = static_cast<Error>(StatusCode::no_device);

/// Validates an ordinal.
Error check_device(int device) {
  int count = runtime::device_count();
  if (count == 0) return fail(kNoDevice);
  return device >= 0 && device < count ? kSuccess : invalid_device();
}

int attribute(int number) { return device_attribute(number).value_or(0); }

/// Members that the layouts of all generations share.
template <typename Prop>
void fill_properties(Prop& out) {
  const auto& d = runtime::device_properties();
  std::snprintf(out.name, sizeof out.name, "%s", d.name.c_str());
  std::memcpy(out.uuid.bytes, d.uuid.data(), d.uuid.size());
  out.totalGlobalMem = d.total_memory;
  out.sharedMemPerBlock = d.shared_per_block;
  out.regsPerBlock = d.registers_per_block;
  out.warpSize = d.warp_size;
  out.memPitch = 2147483647;
  out.maxThreadsPerBlock = d.max_threads_per_block;
  std::copy(d.max_block.begin(), d.max_block.end(), out.maxThreadsDim);
  std::copy(d.max_grid.begin(), d.max_grid.end(), out.maxGridSize);
  out.totalConstMem = d.constant_memory;
  out.major = d.major;
  out.minor = d.minor;
  out.textureAlignment = static_cast<size_t>(attribute(14));
  out.texturePitchAlignment = static_cast<size_t>(attribute(51));
  out.multiProcessorCount = d.multiprocessors;
  out.integrated = attribute(18);
  out.canMapHostMemory = 1;
  auto copy = [](int* to, std::initializer_list<int> attributes) {
    for (int number : attributes) *to++ = attribute(number);
  };
  out.maxTexture1D = attribute(21);
  out.maxTexture1DMipmap = attribute(77);
  copy(out.maxTexture2D, {22, 23});
  copy(out.maxTexture2DMipmap, {73, 74});
  copy(out.maxTexture2DLinear, {70, 71, 72});
  copy(out.maxTexture2DGather, {45, 46});
  copy(out.maxTexture3D, {24, 25, 26});
  copy(out.maxTexture3DAlt, {47, 48, 49});
  out.maxTextureCubemap = attribute(52);
  copy(out.maxTexture1DLayered, {42, 43});
  copy(out.maxTexture2DLayered, {27, 28, 29});
  copy(out.maxTextureCubemapLayered, {53, 54});
  out.maxSurface1D = attribute(55);
  copy(out.maxSurface2D, {56, 57});
  copy(out.maxSurface3D, {58, 59, 60});
  copy(out.maxSurface1DLayered, {61, 62});
  copy(out.maxSurface2DLayered, {63, 64, 65});
  out.maxSurfaceCubemap = attribute(66);
  copy(out.maxSurfaceCubemapLayered, {67, 68});
  out.surfaceAlignment = static_cast<size_t>(attribute(30));
  out.concurrentKernels = 1;
  out.asyncEngineCount = attribute(40);
  out.unifiedAddressing = 1;
  out.memoryBusWidth = d.memory_bus_bits;
  out.l2CacheSize = d.l2_bytes;
  out.maxThreadsPerMultiProcessor = d.max_threads_per_multiprocessor;
  out.streamPrioritiesSupported = 1;
  out.globalL1CacheSupported = 1;
  out.localL1CacheSupported = 1;
  out.sharedMemPerMultiprocessor = d.shared_per_multiprocessor;
  out.regsPerMultiprocessor = d.registers_per_multiprocessor;
  out.managedMemory = 1;
  out.hostNativeAtomicSupported = attribute(86);
  out.pageableMemoryAccess = attribute(88);
  out.concurrentManagedAccess = attribute(89);
  out.computePreemptionSupported = attribute(90);
  out.canUseHostPointerForRegisteredMem = attribute(91);
  out.cooperativeLaunch = attribute(95);
  out.sharedMemPerBlockOptin = d.shared_per_block_optin;
  out.pageableMemoryAccessUsesHostPageTables = attribute(100);
  out.directManagedMemAccessFromHost = attribute(101);
  out.maxBlocksPerMultiProcessor = d.max_blocks_per_multiprocessor;
  out.reservedSharedMemPerBlock = d.shared_reserved_per_block;
  out.hostRegisterSupported = attribute(99);
  out.hostRegisterReadOnlySupported = attribute(113);
  out.memoryPoolsSupported = attribute(115);
  out.memoryPoolSupportedHandleTypes = static_cast<unsigned>(attribute(119));
  out.ipcEventSupported = attribute(125);
}

cudaDeviceProp12 properties12() {
  cudaDeviceProp12 p{};
  fill_properties(p);
  const auto& d = runtime::device_properties();
  p.clockRate = d.clock_khz;
  p.memoryClockRate = d.memory_clock_khz;
  p.deviceOverlap = 1;
  p.maxTexture1DLinear = attribute(69);
  p.singleToDoublePrecisionPerfRatio = attribute(87);
  return p;
}

/// A function of the driver API, as cuGetProcAddress finds it.
Error driver_entry(const char* symbol, void** function, unsigned version, unsigned long long flags,
                   bool per_thread, int* result) {
  GUDA_ENTER();
  constexpr unsigned long long kLegacy = 1, kPerThread = 2;
  if (!(flags & (kLegacy | kPerThread))) flags |= per_thread ? kPerThread : kLegacy;
  Error error =
      guda_cuda_cuGetProcAddress_v2(symbol, function, static_cast<int>(version), flags, result);
  return error ? fail(error) : kSuccess;
}

}  // namespace

GUDA_API(cudaGetDeviceCount)(int* count) {
  if (!count) return invalid_value();
  *count = runtime::device_count();
  return *count ? kSuccess : fail(kNoDevice);
}

GUDA_API(cudaSetDevice)(int device) {
  if (Error error = check_device(device)) return error;
  GUDA_ENTER();
  return kSuccess;
}

GUDA_API(cudaGetDevice)(int* device) {
  if (!device) return invalid_value();
  if (runtime::device_count() == 0) return fail(kNoDevice);
  *device = 0;
  return kSuccess;
}

GUDA_API(cudaInitDevice)(int device, unsigned, unsigned) {
  if (Error error = check_device(device)) return error;
  GUDA_ENTER();
  return kSuccess;
}

GUDA_API(cudaSetValidDevices)(int* devices, int length) {
  for (int i = 0; i < length && devices; ++i) {
    if (Error error = check_device(devices[i])) return error;
  }
  return kSuccess;
}

GUDA_API(cudaChooseDevice)(int* device, const void* properties) {
  if (!device || !properties) return invalid_value();
  if (Error error = check_device(0)) return error;
  *device = 0;
  return kSuccess;
}

GUDA_API(cudaSetDeviceFlags)(unsigned flags) {
  if (flags & ~0x9fu) return invalid_value();
  device_flags = flags;
  return kSuccess;
}

GUDA_API(cudaGetDeviceFlags)(unsigned* flags) {
  if (!flags) return invalid_value();
  *flags = device_flags | 8;  // unified addressing: host memory is always mapped
  return kSuccess;
}

GUDA_API(cudaGetDeviceProperties)(cudaDeviceProp13* out, int device) {
  if (!out) return invalid_value();
  if (Error error = check_device(device)) return error;
  *out = {};
  fill_properties(*out);
  out->deviceNumaId = attribute(131);
  out->hostNumaId = attribute(134);
  return kSuccess;
}

GUDA_API(cudaGetDeviceProperties_v2)(cudaDeviceProp12* out, int device) {
  if (!out) return invalid_value();
  if (Error error = check_device(device)) return error;
  *out = properties12();
  return kSuccess;
}

GUDA_API(cudaGetDeviceProperties_v1)(void* out, int device) {
  if (!out) return invalid_value();
  if (Error error = check_device(device)) return error;
  cudaDeviceProp12 all = properties12();
  std::memcpy(out, &all, kDevicePropSize11);
  return kSuccess;
}

GUDA_API(cudaDeviceGetAttribute)(int* value, int number, int device) {
  if (!value) return invalid_value();
  if (Error error = check_device(device)) return error;
  auto found = device_attribute(number);
  if (!found) return invalid_value();
  *value = *found;
  return kSuccess;
}

GUDA_API(cudaDeviceGetPCIBusId)(char* out, int length, int device) {
  if (!out || length < 13) return invalid_value();
  if (Error error = check_device(device)) return error;
  std::snprintf(out, static_cast<size_t>(length), "0000:00:00.0");
  return kSuccess;
}

GUDA_API(cudaDeviceGetByPCIBusId)(int* device, const char* id) {
  if (!device || !id) return invalid_value();
  unsigned domain = 0, bus = 0, slot = 0, function = 0;
  bool parsed = std::sscanf(id, "%x:%x:%x.%x", &domain, &bus, &slot, &function) >= 3 ||
                std::sscanf(id, "%x:%x.%x", &bus, &slot, &function) == 3;
  if (!parsed) return invalid_value();
  if (domain || bus || slot) return invalid_device();
  *device = 0;
  return kSuccess;
}

GUDA_API(cudaDeviceSynchronize)() {
  GUDA_ENTER();
  Error error = Context::instance().synchronize();
  cpu::flush_printf();
  return error ? fail(error) : kSuccess;
}
GUDA_API(cudaThreadSynchronize)() { return guda_cudart_cudaDeviceSynchronize(); }

GUDA_API(cudaDeviceReset)() {
  if (!Context::exists()) return kSuccess;
  if (Error error = Context::enter_ignoring_faults()) return fail(error);
  Context::instance().reset();
  cpu::flush_printf();
  return kSuccess;
}
GUDA_API(cudaThreadExit)() { return guda_cudart_cudaDeviceReset(); }

GUDA_API(cudaDeviceSetLimit)(int limit, size_t value) {
  GUDA_ENTER();
  if (limit == 0) cpu::set_stack_limit(value);
  if (limit == 2) {
    if (Status status = cpu::set_malloc_heap_limit(value); !status) return finish(status);
  }
  return finish(Context::instance().set_limit(static_cast<runtime::Limit>(limit), value));
}
GUDA_API(cudaDeviceGetLimit)(size_t* value, int limit) {
  GUDA_ENTER();
  if (!value) return invalid_value();
  auto result = Context::instance().limit(static_cast<runtime::Limit>(limit));
  if (!result) return finish(result.status());
  *value = *result;
  return kSuccess;
}
GUDA_API(cudaThreadSetLimit)(int limit, size_t value) {
  return guda_cudart_cudaDeviceSetLimit(limit, value);
}
GUDA_API(cudaThreadGetLimit)(size_t* value, int limit) {
  return guda_cudart_cudaDeviceGetLimit(value, limit);
}

GUDA_API(cudaDeviceSetCacheConfig)(int config) {
  if (config < 0 || config > 3) return invalid_value();
  thread_cache_config = static_cast<unsigned>(config);
  return kSuccess;
}
GUDA_API(cudaDeviceGetCacheConfig)(int* config) {
  if (!config) return invalid_value();
  *config = static_cast<int>(thread_cache_config);
  return kSuccess;
}
GUDA_API(cudaThreadSetCacheConfig)(int config) {
  return guda_cudart_cudaDeviceSetCacheConfig(config);
}
GUDA_API(cudaThreadGetCacheConfig)(int* config) {
  return guda_cudart_cudaDeviceGetCacheConfig(config);
}
GUDA_API(cudaDeviceSetSharedMemConfig)(int) { return kSuccess; }
GUDA_API(cudaDeviceGetSharedMemConfig)(int* config) {
  if (!config) return invalid_value();
  *config = 1;  // banks of four bytes
  return kSuccess;
}

GUDA_API(cudaDeviceGetTexture1DLinearMaxWidth)(size_t* width, const cudaChannelFormatDesc* format,
                                               int device) {
  if (!width || !format) return invalid_value();
  if (Error error = check_device(device)) return error;
  *width = static_cast<size_t>(attribute(69));
  return kSuccess;
}

GUDA_API(cudaDeviceFlushGPUDirectRDMAWrites)(int, int) {
  GUDA_ENTER();
  return fail(static_cast<Error>(StatusCode::not_supported));
}

// Peers: there is one device ---------------------------------------------------------------------------

GUDA_API(cudaDeviceCanAccessPeer)(int* can, int device, int peer) {
  if (!can) return invalid_value();
  if (Error error = check_device(device)) return error;
  if (Error error = check_device(peer)) return error;
  *can = 0;
  return kSuccess;
}
GUDA_API(cudaDeviceEnablePeerAccess)(int peer, unsigned flags) {
  GUDA_ENTER();
  if (flags != 0) return invalid_value();
  if (Error error = check_device(peer)) return error;
  return invalid_device();  // a device is not its own peer
}
GUDA_API(cudaDeviceDisablePeerAccess)(int peer) {
  GUDA_ENTER();
  if (Error error = check_device(peer)) return error;
  return fail(static_cast<Error>(StatusCode::peer_access_not_enabled));
}
GUDA_API(cudaDeviceGetP2PAttribute)(int* value, int number, int source, int target) {
  if (!value || number < 1 || number > 5) return invalid_value();
  if (Error error = check_device(source)) return error;
  if (Error error = check_device(target)) return error;
  return invalid_device();
}

// Versions ---------------------------------------------------------------------------------------------

namespace {
Error version(int* out, int value) {
  if (!out) return invalid_value();
  *out = value;
  return kSuccess;
}
constexpr int kVersion13 = 13000, kVersion12 = 12080, kVersion11 = 11080;
}  // namespace

GUDA_API(cudaRuntimeGetVersion)(int* out) { return version(out, kVersion13); }
GUDA_API(cudaRuntimeGetVersion_v12)(int* out) { return version(out, kVersion12); }
GUDA_API(cudaRuntimeGetVersion_v11)(int* out) { return version(out, kVersion11); }
GUDA_API(cudaDriverGetVersion)(int* out) { return version(out, kVersion13); }
GUDA_API(cudaDriverGetVersion_v12)(int* out) { return version(out, kVersion12); }
GUDA_API(cudaDriverGetVersion_v11)(int* out) { return version(out, kVersion11); }

GUDA_API_PTSZ(cudaGetDriverEntryPoint,
              (const char* symbol, void** function, unsigned long long flags, int* result),
              (symbol, function, flags, result)) {
  return driver_entry(symbol, function, kVersion13, flags, kPerThread, result);
}
GUDA_API_PTSZ(cudaGetDriverEntryPoint_v1,
              (const char* symbol, void** function, unsigned long long flags),
              (symbol, function, flags)) {
  return driver_entry(symbol, function, kVersion11, flags, kPerThread, nullptr);
}
GUDA_API_PTSZ(cudaGetDriverEntryPointByVersion,
              (const char* symbol, void** function, unsigned version, unsigned long long flags,
               int* result),
              (symbol, function, version, flags, result)) {
  return driver_entry(symbol, function, version, flags, kPerThread, result);
}

// Profiling tools look at the process from outside; these only mark regions.
GUDA_API(cudaProfilerStart)() { return kSuccess; }
GUDA_API(cudaProfilerStop)() { return kSuccess; }
GUDA_API(cudaProfilerInitialize)(const char*, const char*, int) { return kSuccess; }

}  // namespace guda::cudart
