// Devices and their attributes.
#include "runtime/device.h"

#include "abi/cuda/api.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace guda::cuda {

using runtime::device_properties;

Error check_device(CUdevice device) {
  int count = runtime::device_count();
  return device >= 0 && device < count ? kSuccess : kInvalidDevice;
}

GUDA_CU(cuDeviceGet)(CUdevice* device, int ordinal) {
  GUDA_CU_INITIALIZED();
  if (!device) return kInvalidValue;
  if (Error error = check_device(ordinal)) return error;
  *device = ordinal;
  return kSuccess;
}

GUDA_CU(cuDeviceGetCount)(int* count) {
  GUDA_CU_INITIALIZED();
  if (!count) return kInvalidValue;
  *count = runtime::device_count();
  return kSuccess;
}

GUDA_CU(cuDeviceGetName)(char* name, int length, CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (!name || length <= 0) return kInvalidValue;
  if (Error error = check_device(device)) return error;
  std::snprintf(name, static_cast<size_t>(length), "%s", device_properties().name.c_str());
  return kSuccess;
}

GUDA_CU(cuDeviceGetUuid_v2)(CUuuid* uuid, CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (!uuid) return kInvalidValue;
  if (Error error = check_device(device)) return error;
  std::memcpy(uuid->bytes, device_properties().uuid.data(), sizeof uuid->bytes);
  return kSuccess;
}

GUDA_CU(cuDeviceTotalMem_v2)(size_t* bytes, CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (!bytes) return kInvalidValue;
  if (Error error = check_device(device)) return error;
  *bytes = device_properties().total_memory;
  return kSuccess;
}

GUDA_CU(cuDeviceGetAttribute)(int* value, int attribute, CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (!value) return kInvalidValue;
  if (Error error = check_device(device)) return error;
  auto found = runtime::device_attribute(attribute);
  if (!found) return kInvalidValue;
  *value = *found;
  return kSuccess;
}

GUDA_CU(cuDeviceComputeCapability)(int* major, int* minor, CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (!major || !minor) return kInvalidValue;
  if (Error error = check_device(device)) return error;
  *major = device_properties().major;
  *minor = device_properties().minor;
  return kSuccess;
}

GUDA_CU(cuDeviceGetProperties)(CUdevprop* out, CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (!out) return kInvalidValue;
  if (Error error = check_device(device)) return error;
  const auto& properties = device_properties();
  out->maxThreadsPerBlock = properties.max_threads_per_block;
  std::copy(properties.max_block.begin(), properties.max_block.end(), out->maxThreadsDim);
  std::copy(properties.max_grid.begin(), properties.max_grid.end(), out->maxGridSize);
  out->sharedMemPerBlock = static_cast<int>(properties.shared_per_block);
  out->totalConstantMemory = static_cast<int>(properties.constant_memory);
  out->SIMDWidth = properties.warp_size;
  out->memPitch = 2147483647;
  out->regsPerBlock = properties.registers_per_block;
  out->clockRate = properties.clock_khz;
  out->textureAlign = runtime::device_attribute(14).value_or(512);
  return kSuccess;
}

// What is only known on Windows.
GUDA_CU(cuDeviceGetLuid)(char* luid, unsigned* mask, CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (!luid || !mask) return kInvalidValue;
  if (Error error = check_device(device)) return error;
  return kNotSupported;
}

GUDA_CU(cuDeviceGetTexture1DLinearMaxWidth)(size_t* width, int, unsigned channels,
                                            CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (!width || channels == 0 || channels > 4) return kInvalidValue;
  if (Error error = check_device(device)) return error;
  *width = static_cast<size_t>(runtime::device_attribute(69).value_or(0));
  return kSuccess;
}

GUDA_CU(cuDeviceGetExecAffinitySupport)(int* supported, int type, CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (!supported || type != 0) return kInvalidValue;
  if (Error error = check_device(device)) return error;
  *supported = 0;
  return kSuccess;
}

// As in the runtime API.
GUDA_CU_SHARED_DEVICE(cuDeviceGetPCIBusId, cudaDeviceGetPCIBusId,
                      (char* out, int length, CUdevice device), (out, length, device))
GUDA_CU_SHARED_DEVICE(cuDeviceGetByPCIBusId, cudaDeviceGetByPCIBusId,
                      (CUdevice * device, const char* id), (device, id))
GUDA_CU_SHARED_DEVICE(cuDeviceCanAccessPeer, cudaDeviceCanAccessPeer,
                      (int* can, CUdevice device, CUdevice peer), (can, device, peer))
GUDA_CU_SHARED_DEVICE(cuDeviceGetP2PAttribute, cudaDeviceGetP2PAttribute,
                      (int* value, int attribute, CUdevice source, CUdevice target),
                      (value, attribute, source, target))

}  // namespace guda::cuda
