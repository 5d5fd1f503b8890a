// A driver for tests without a GPU: a libcuda.so.1 over host memory that behaves as NVIDIA's does where the backend
// depends on it (read on an H200):
//   - memory is mapped inside reserved addresses only, whose host side is inaccessible;
//   - a host pointer into a reservation is taken for a device address;
//   - a copy that crosses the edge of registered host memory fails;
//   - devices share one space of addresses, and each reaches only the memory that it was given access to;
//   - after a fault of a kernel every call fails until the process ends;
//   - a stream that waits for an event of a capture joins it, and whatever is not in order with it spoils the capture.
// FAKE_CUDA_DEVICES says how many devices it has, for programs that find it through GUDA_CUDA_DRIVER. With
// FAKE_CUDA_GEMM_RATE, operations per nanosecond, products compute nothing but take their time, on each stream for
// itself: what the layers above cost shows without a GPU.
// Work is done when it is queued; errors of kernels show at the next synchronisation. Kernels are C++ functions that go
// by the names of the conformance suite's; a few more for faults.
#include "backends/cuda/testing/fake_driver.h"

#include "backends/cuda/testing/fake_state.h"

#include <pthread.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace guda::backend::cuda::testing {

EXPORT FakeControl fake_cuda;
FakeControl fake_cuda;

State& state() {
  static State* state = new State;
  return *state;
}

namespace {
thread_local ContextHandle current_context = nullptr;
}  // namespace

int device_of(ContextHandle context) {
  return context == nullptr ? 0
                            : static_cast<int>(reinterpret_cast<char*>(context) - state().contexts);
}
int current_device() { return device_of(current_context); }

DriverResult enter(const char* function, bool reports_faults) {
  ++fake_cuda.calls;
  bool counts =
      fake_cuda.fail_function[0] == 0 || std::strcmp(fake_cuda.fail_function, function) == 0;
  if (counts && fake_cuda.fail_at > 0 && --fake_cuda.fail_at == 0) return fake_cuda.fail_code;
  return reports_faults ? state().fault : 0;
}

DriverResult outcome() {
  State& s = state();
  if (s.fault == 0) s.fault = s.pending_fault;
  return s.fault;
}

EXPORT DriverResult cuInit(unsigned) {
  CALL("cuInit");
  if (const char* value = std::getenv("FAKE_CUDA_TEST"))
    std::strncpy(fake_cuda.environment, value, sizeof fake_cuda.environment - 1);
  if (const char* count = std::getenv("FAKE_CUDA_DEVICES"))
    fake_cuda.devices = std::clamp(std::atoi(count), 0, kFakeDevices);
  return 0;
}
EXPORT DriverResult cuDriverGetVersion(int* version) {
  *version = 13010;
  return 0;
}
EXPORT DriverResult cuGetErrorName(DriverResult code, const char** text) {
  *text = code == kIllegalAddress ? "CUDA_ERROR_ILLEGAL_ADDRESS" : nullptr;
  return *text != nullptr ? 0 : kInvalidValue;
}
EXPORT DriverResult cuGetErrorString(DriverResult code, const char** text) {
  *text = code == kIllegalAddress ? "an illegal memory access was encountered" : nullptr;
  return *text != nullptr ? 0 : kInvalidValue;
}
EXPORT DriverResult cuDeviceGetCount(int* count) {
  CALL("cuDeviceGetCount");
  *count = fake_cuda.devices;
  return 0;
}
EXPORT DriverResult cuDeviceGet(int* device, int ordinal) {
  CALL("cuDeviceGet");
  if (ordinal < 0 || ordinal >= fake_cuda.devices) return kInvalidValue;
  *device = ordinal;
  return 0;
}
EXPORT DriverResult cuDeviceGetName(char* name, int size, int) {
  CALL("cuDeviceGetName");
  std::strncpy(name, "Fake GPU", static_cast<size_t>(size));
  return 0;
}
EXPORT DriverResult cuDeviceTotalMem_v2(size_t* bytes, int) {
  CALL("cuDeviceTotalMem_v2");
  *bytes = kFakeMemory;
  return 0;
}
EXPORT DriverResult cuDeviceGetAttribute(int* value, int attribute, int) {
  CALL("cuDeviceGetAttribute");
  if (attribute <= 0 || attribute > 140) return kInvalidValue;
  // Limits that programs can live with: CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK and what follows it.
  constexpr int kLimits[] = {1024, 1024, 1024, 64, 2147483647, 65535, 65535, 49152};
  *value = attribute <= 8                             ? kLimits[attribute - 1]
           : attribute == kAttributeVirtualMemory     ? 1
           : attribute == kAttributeComputeMajor      ? 9
           : attribute == kAttributeComputeMinor      ? 0
           : attribute == kAttributeConcurrentManaged ? fake_cuda.concurrent_managed
                                                      : attribute;
  return 0;
}
EXPORT DriverResult cuDevicePrimaryCtxRetain(ContextHandle* context, int device) {
  CALL("cuDevicePrimaryCtxRetain");
  ++fake_cuda.contexts;
  *context = reinterpret_cast<ContextHandle>(&state().contexts[device]);
  return 0;
}
EXPORT DriverResult cuDevicePrimaryCtxRelease_v2(int) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  --fake_cuda.contexts;
  return enter("cuDevicePrimaryCtxRelease_v2", false);
}
/// Keeps something for each thread, as the real one does.
EXPORT DriverResult cuCtxSetCurrent(ContextHandle context) {
  current_context = context;
  static pthread_key_t key = [] {
    pthread_key_t created = 0;
    if (pthread_key_create(&created, [](void* value) { std::free(value); }) != 0) std::abort();
    return created;
  }();
  thread_local void* set = nullptr;
  void* value = pthread_getspecific(key);
  if (value != set) {
    std::lock_guard<std::recursive_mutex> lock(state().mutex);
    ++fake_cuda.key_mismatches;
  }
  if (set == nullptr) {
    set = std::malloc(16);
    pthread_setspecific(key, set);
  }
  return 0;
}

}  // namespace guda::backend::cuda::testing
