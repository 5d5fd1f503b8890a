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

#include "backends/cuda/driver_api.h"
#include "backends/cuda/gemm_ptx.h"
#include "backends/cuda/testing/fake_textures.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using namespace guda::backend::cuda;
using guda::backend::cuda::testing::FakeControl;
using guda::backend::cuda::testing::FakeTextures;
using guda::backend::cuda::testing::kFakeDevices;
using guda::backend::cuda::testing::kFakeMemory;

constexpr DriverResult kInvalidValue = 1, kOutOfMemory = 2, kInvalidPtx = 218, kInvalidHandle = 400,
                       kNotFound = 500, kIllegalAddress = 700, kLaunchFailed = 719,
                       kNotSupported = 801, kCaptureUnsupported = 900, kCaptureInvalidated = 901,
                       kCaptureMerge = 902, kCaptureUnmatched = 903, kCaptureUnjoined = 904,
                       kCaptureIsolation = 905, kCapturedEvent = 907;

}  // namespace

EXPORT FakeControl fake_cuda;
FakeControl fake_cuda;

namespace {

struct Allocation {
  size_t size;
  std::byte* memory;
  int device;
  bool released = false, mapped = false;
};
struct Mapping {
  size_t size;
  MemoryHandle handle;
  unsigned accessible = 0;  // to which devices, by bit
};
struct Module {
  std::string ptx;
};
struct Function {
  std::string name;
  const Module* module;
};
using Clock = std::chrono::steady_clock;
struct Stream;
struct Node {
  std::function<DriverResult(Stream&)> work;
  std::set<size_t> after;  // earlier nodes
};
struct Graph {
  std::vector<Node> nodes;
};
struct Capture {
  Stream* origin;
  std::set<Stream*> streams;  // while it is open
  bool open = true, invalid = false;
  Graph graph;
};
struct Event {
  Clock::time_point time;  // when it is reached
  bool timed = true;
  std::shared_ptr<Capture> capture;  // that it was last recorded in
  std::set<size_t> after;  // nodes
};
struct Stream {
  Clock::time_point busy_until{};
  std::shared_ptr<Capture> capture;
  std::set<size_t> last;  // nodes that the next one comes after
};

Stream& stream_of(StreamHandle handle) { return *reinterpret_cast<Stream*>(handle); }

/// Does the work of a call, or keeps it as a node of the stream's capture.
template <typename Work>
DriverResult submit(StreamHandle handle, Work work) {
  Stream& stream = stream_of(handle);
  if (!stream.capture) return work(stream);
  if (stream.capture->invalid) return kCaptureInvalidated;
  auto& nodes = stream.capture->graph.nodes;
  nodes.push_back({std::move(work), std::move(stream.last)});
  stream.last = {nodes.size() - 1};
  return 0;
}

/// Of a call that a capturing stream does not take.
DriverResult spoil(Stream& stream, DriverResult code) {
  if (!stream.capture) return 0;
  stream.capture->invalid = true;
  return code;
}

/// The devices. All calls are serialised.
struct State {
  std::recursive_mutex mutex;
  std::map<uintptr_t, size_t> spaces;  // reserved
  MemoryHandle next_handle = 1;
  uint64_t used[kFakeDevices] = {};
  char contexts[kFakeDevices] = {};  // a context is the address of its device's
  std::map<MemoryHandle, Allocation> allocations;
  std::map<uintptr_t, Mapping> mappings;
  std::map<uintptr_t, size_t> registered;  // pinned, all of it
  std::map<uintptr_t, size_t> shared;  // host memory that kernels reach
  std::map<std::pair<const Module*, std::string>, Function> functions;
  DriverResult fault = 0;
};

State& state() {
  static State* state = new State;
  return *state;
}

thread_local ContextHandle current_context = nullptr;

int device_of(ContextHandle context) {
  return context == nullptr ? 0
                            : static_cast<int>(reinterpret_cast<char*>(context) - state().contexts);
}
int current_device() { return device_of(current_context); }

/// Counts the call; not 0: what it has to answer.
DriverResult enter(const char* function, bool reports_faults = true) {
  ++fake_cuda.calls;
  bool counts =
      fake_cuda.fail_function[0] == 0 || std::strcmp(fake_cuda.fail_function, function) == 0;
  if (counts && fake_cuda.fail_at > 0 && --fake_cuda.fail_at == 0) return fake_cuda.fail_code;
  return reports_faults ? state().fault : 0;
}

bool in_space(uintptr_t address) {
  auto next = state().spaces.upper_bound(address);
  return next != state().spaces.begin() &&
         address - std::prev(next)->first < std::prev(next)->second;
}

/// Device memory behind an address; null where [address, address + bytes) is not mapped for the device.
std::byte* at(uintptr_t address, size_t bytes, int device = current_device()) {
  for (auto& [base, size] : state().shared) {
    if (address >= base && address + bytes <= base + size)
      return reinterpret_cast<std::byte*>(address);
  }
  auto next = state().mappings.upper_bound(address);
  if (next == state().mappings.begin()) return nullptr;
  auto& [base, mapping] = *std::prev(next);
  if ((mapping.accessible >> device & 1) == 0 || address + bytes > base + mapping.size)
    return nullptr;
  return state().allocations.at(mapping.handle).memory + (address - base);
}

/// Calls copy(bytes done, bytes) for each mapping of contiguous ones that [address, address + bytes) runs across.
template <typename Copy>
DriverResult across_mappings(uintptr_t address, size_t bytes, Copy&& copy) {
  for (size_t done = 0; done < bytes;) {
    auto next = state().mappings.upper_bound(address + done);
    size_t part = bytes - done;
    if (next != state().mappings.begin()) {
      auto& [base, mapping] = *std::prev(next);
      if (base + mapping.size > address + done)
        part = std::min(part, base + mapping.size - (address + done));
    }
    if (DriverResult result = copy(done, part)) return result;
    done += part;
  }
  return 0;
}

FakeTextures& textures() {
  static auto* textures =
      new FakeTextures([](uintptr_t address, size_t bytes) { return at(address, bytes); });
  return *textures;
}

/// How the driver reads host memory: null when it cannot.
std::byte* host(const void* pointer, size_t bytes) {
  auto address = reinterpret_cast<uintptr_t>(pointer);
  if (in_space(address)) return at(address, bytes);
  bool pinned = false;
  for (auto& [base, size] : state().registered) {
    if (address >= base + size || base >= address + bytes) continue;
    if (address < base || address + bytes > base + size) return nullptr;
    pinned = true;
  }
  ++(pinned ? fake_cuda.pinned_copies : fake_cuda.pageable_copies);
  fake_cuda.largest_copy = std::max<uint64_t>(fake_cuda.largest_copy, bytes);
  return const_cast<std::byte*>(static_cast<const std::byte*>(pointer));
}

// --- kernels --------------------------------------------------------------------------------------------

struct Grid {
  unsigned grid[3], block[3], shared;
  const std::byte* params;
  size_t param_bytes = 0;
  bool bad = false;  // an address that is not mapped

  template <typename T>
  T param(size_t offset) const {
    T value;
    std::memcpy(&value, params + offset, sizeof value);
    return value;
  }
  /// Element of an array of the program's.
  template <typename T>
  T& element(uint64_t address, uint64_t index) {
    static T nowhere{};
    std::byte* memory = at(address + index * sizeof(T), sizeof(T));
    if (memory == nullptr) bad = true;
    return memory != nullptr ? *reinterpret_cast<T*>(memory) : nowhere;
  }
  unsigned threads() const { return grid[0] * block[0]; }
};

void vector_add(Grid& g) {
  auto a = g.param<uint64_t>(0), b = g.param<uint64_t>(8), c = g.param<uint64_t>(16);
  // A slice has its first block behind the kernel's own parameters.
  const unsigned first = g.param_bytes > 28 ? g.param<uint32_t>(28) * g.block[0] : 0;
  for (unsigned i = first; i < first + g.threads() && i < g.param<uint32_t>(24); ++i)
    g.element<float>(c, i) = g.element<float>(a, i) + g.element<float>(b, i);
}

void where(Grid& g) {
  // A slice has its first block and the whole grid behind the kernel's own parameters.
  uint32_t first[3] = {}, whole[3] = {g.grid[0], g.grid[1], g.grid[2]};
  for (size_t i = 0; g.param_bytes > 8 && i < 3; ++i) {
    first[i] = g.param<uint32_t>(8 + 4 * i);
    whole[i] = g.param<uint32_t>(20 + 4 * i);
  }
  unsigned threads = g.block[0] * g.block[1];
  for (unsigned z = first[2]; z < first[2] + g.grid[2]; ++z) {
    for (unsigned y = first[1]; y < first[1] + g.grid[1]; ++y) {
      for (unsigned x = first[0]; x < first[0] + g.grid[0]; ++x) {
        uint64_t n = ((uint64_t{z} * whole[1] + y) * whole[0] + x) * threads * 8;
        for (unsigned t = 0; t < threads; ++t) {
          for (unsigned value :
               {x, y, z, whole[0], whole[1], whole[2], t % g.block[0], t / g.block[0]})
            g.element<uint32_t>(g.param<uint64_t>(0), n++) = value;
        }
      }
    }
  }
}

void parameters(Grid& g) {
  const uint64_t values[] = {g.param<uint8_t>(8), g.param<uint16_t>(10), g.param<uint32_t>(12),
                             g.param<uint64_t>(16), g.param<uint64_t>(40)};
  for (uint64_t i = 0; i < 5; ++i) g.element<uint64_t>(g.param<uint64_t>(0), i) = values[i];
}

void block_sum(Grid& g) {
  for (unsigned block = 0; block < g.grid[0]; ++block) {
    uint32_t sum = 0;
    for (unsigned i = 0; i < 128; ++i)
      sum += g.element<uint32_t>(g.param<uint64_t>(0), block * 128 + i);
    g.element<uint32_t>(g.param<uint64_t>(8), block) = sum;
  }
}

void reverse(Grid& g) {
  if (g.shared < g.block[0] * 4) {
    g.bad = true;
    return;
  }
  auto data = g.param<uint64_t>(0);
  for (unsigned block = 0; block < g.grid[0]; ++block)
    for (unsigned i = 0; i < g.block[0] / 2; ++i)
      std::swap(g.element<uint32_t>(data, block * g.block[0] + i),
                g.element<uint32_t>(data, (block + 1) * g.block[0] - 1 - i));
}

void histogram(Grid& g) {
  for (unsigned i = 0; i < g.threads(); ++i)
    ++g.element<uint32_t>(g.param<uint64_t>(8), g.element<uint32_t>(g.param<uint64_t>(0), i) % 16);
}

void warp_sum(Grid& g) {
  auto data = g.param<uint64_t>(0);
  for (unsigned warp = 0; warp < g.threads() / 32; ++warp) {
    uint32_t sum = 0;
    for (unsigned i = 0; i < 32; ++i) sum += g.element<uint32_t>(data, warp * 32 + i);
    for (unsigned i = 0; i < 32; ++i) g.element<uint32_t>(data, warp * 32 + i) = sum;
  }
}

void follow(Grid& g) {
  auto pointer = g.element<uint64_t>(g.param<uint64_t>(0), 0);
  g.element<uint32_t>(g.param<uint64_t>(8), 0) = g.element<uint32_t>(pointer, 0);
}

/// Texels of a texture of floats to memory.
void texels(Grid& g) {
  for (unsigned i = 0; i < g.threads(); ++i) {
    std::byte* texel = textures().texel(g.param<uint64_t>(0), false, i);
    if (texel == nullptr)
      g.bad = true;
    else
      std::memcpy(&g.element<float>(g.param<uint64_t>(8), i), texel, sizeof(float));
  }
}

/// i + 0.5 to texel i of a surface of floats.
void store_texels(Grid& g) {
  for (unsigned i = 0; i < g.threads(); ++i) {
    const float value = static_cast<float>(i) + 0.5f;
    std::byte* texel = textures().texel(g.param<uint64_t>(0), true, i);
    if (texel == nullptr)
      g.bad = true;
    else
      std::memcpy(texel, &value, sizeof value);
  }
}

template <typename T>
void gemm(Grid& g) {
  auto p = g.param<GemmParameters>(0);
  auto matrix = [&](const void* pointer, int64_t last) {
    auto* memory =
        at(reinterpret_cast<uintptr_t>(pointer), static_cast<size_t>(last + 1) * sizeof(T));
    g.bad |= memory == nullptr;
    return reinterpret_cast<T*>(memory);
  };
  const T* a = matrix(p.a, (p.m - 1) * p.a_row + (p.k - 1) * p.a_depth);
  const T* b = matrix(p.b, (p.k - 1) * p.b_depth + (p.n - 1) * p.b_column);
  T* c = matrix(p.c, p.m - 1 + (p.n - 1) * p.ldc);
  if (g.bad) return;
  T alpha, beta;
  std::memcpy(&alpha, p.alpha, sizeof alpha);
  std::memcpy(&beta, p.beta, sizeof beta);
  for (int64_t j = 0; j < p.n; ++j) {
    for (int64_t i = 0; i < p.m; ++i) {
      T sum{};
      for (int64_t l = 0; l < p.k; ++l)
        sum += a[i * p.a_row + l * p.a_depth] * b[l * p.b_depth + j * p.b_column];
      T& out = c[i + j * p.ldc];
      out = alpha * sum + ((p.flags & kReadC) != 0 ? beta * out : T{});
    }
  }
}

DriverResult run(const Function& function, Grid& g) {
  static const std::map<std::string, void (*)(Grid&)> kKernels = {
      {"vector_add", vector_add}, {"where", where},      {"parameters", parameters},
      {"block_sum", block_sum},   {"reverse", reverse},  {"histogram", histogram},
      {"warp_sum", warp_sum},     {"follow", follow},    {"empty", [](Grid&) {}},
      {"texels", texels},         {"texels_1d", texels}, {"store_texels", store_texels},
      {"guda_gemm", nullptr},     {"trap", nullptr},
  };
  if (function.name == "trap") return kLaunchFailed;
  auto found = kKernels.find(function.name);
  if (found == kKernels.end()) return kNotSupported;
  if (function.name == kGemmKernel)
    (function.module->ptx.find("fma.rn.f64") != std::string::npos ? gemm<double> : gemm<float>)(g);
  else
    found->second(g);
  return g.bad ? kIllegalAddress : 0;
}

/// Of products, when they take time instead of computing; 0: they compute.
double gemm_rate() {
  static const double rate = [] {
    const char* text = std::getenv("FAKE_CUDA_GEMM_RATE");
    return text != nullptr ? std::atof(text) : 0.0;
  }();
  return rate;
}

DriverResult run_now(const Function& function, Grid& g, Stream& stream) {
  if (function.name == kGemmKernel && gemm_rate() > 0) {
    const auto p = g.param<GemmParameters>(0);
    const double operations =
        2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
    auto* busy = &stream.busy_until;
    *busy = std::max(*busy, Clock::now()) +
            std::chrono::nanoseconds(static_cast<int64_t>(operations / gemm_rate()));
    return 0;
  }
  DriverResult code = run(function, g);
  if (code == kNotSupported) return code;
  if (code != 0) state().fault = code;
  return 0;  // shows when somebody waits
}

DriverResult launch(FunctionHandle handle, Grid g, StreamHandle stream, void** extra) {
  auto* function = reinterpret_cast<Function*>(handle);
  if (g.shared > 48 << 10 && g.shared > static_cast<unsigned>(fake_cuda.dynamic_shared_allowed))
    return kInvalidValue;
  std::vector<std::byte> params;
  if (extra != nullptr && extra[0] == reinterpret_cast<void*>(kLaunchParamBuffer)) {
    auto* from = static_cast<std::byte*>(extra[1]);
    params.assign(from, from + *static_cast<size_t*>(extra[3]));
  }
  g.param_bytes = params.size();
  params.resize(params.size() + 256);
  return submit(stream, [function, g, params = std::move(params)](Stream& on) mutable {
    g.params = params.data();
    return run_now(*function, g, on);
  });
}

}  // namespace

/// For libraries beside it that compute with the program's addresses: brings what the first device has there to the
/// host's side, and what the host has there to the device's; twice is back again.
EXPORT void fake_cuda_exchange() {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  for (auto& [address, mapping] : state().mappings) {
    const Allocation& allocation = state().allocations.at(mapping.handle);
    auto* host_side = reinterpret_cast<std::byte*>(address);
    if (allocation.device == 0)
      std::swap_ranges(host_side, host_side + mapping.size, allocation.memory);
  }
}

#define CALL(name)                                           \
  std::lock_guard<std::recursive_mutex> lock(state().mutex); \
  if (DriverResult failed = enter(name); failed != 0) return failed

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
EXPORT DriverResult cuMemGetInfo_v2(size_t* free, size_t* total) {
  CALL("cuMemGetInfo_v2");
  *free = kFakeMemory - state().used[current_device()];
  *total = kFakeMemory;
  return 0;
}
EXPORT DriverResult cuMemGetAllocationGranularity(size_t* bytes,
                                                  const AllocationProperties* properties, int) {
  CALL("cuMemGetAllocationGranularity");
  if (properties->type != 1 || properties->location.type != 1) return kInvalidValue;
  *bytes = size_t{2} << 20;
  return 0;
}
EXPORT DriverResult cuMemAddressReserve(DevicePointer* address, size_t bytes, size_t, DevicePointer,
                                        unsigned long long) {
  CALL("cuMemAddressReserve");
  constexpr size_t kAlignment = size_t{2} << 20;
  void* start = mmap(nullptr, bytes + kAlignment, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) return kOutOfMemory;
  *address = (reinterpret_cast<uintptr_t>(start) + kAlignment - 1) / kAlignment * kAlignment;
  state().spaces[*address] = bytes;
  return 0;
}
EXPORT DriverResult cuMemCreate(MemoryHandle* handle, size_t bytes,
                                const AllocationProperties* properties, unsigned long long) {
  CALL("cuMemCreate");
  const int device = properties->location.id;
  if (device < 0 || device >= fake_cuda.devices) return kInvalidValue;
  if (bytes > kFakeMemory - state().used[device]) return kOutOfMemory;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return kOutOfMemory;
  std::memset(memory, 0xcd, std::min<size_t>(bytes, 4096));  // what was there before
  state().used[device] += bytes;
  *handle = state().next_handle++;
  state().allocations[*handle] = {bytes, static_cast<std::byte*>(memory), device};
  ++fake_cuda.allocations;
  return 0;
}

namespace {
void drop(MemoryHandle handle) {
  auto found = state().allocations.find(handle);
  if (!found->second.released || found->second.mapped) return;
  munmap(found->second.memory, found->second.size);
  state().used[found->second.device] -= found->second.size;
  state().allocations.erase(found);
  --fake_cuda.allocations;
}
}  // namespace

EXPORT DriverResult cuMemRelease(MemoryHandle handle) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  auto found = state().allocations.find(handle);
  if (found == state().allocations.end()) return kInvalidValue;
  found->second.released = true;
  drop(handle);
  return enter("cuMemRelease", false);
}
EXPORT DriverResult cuMemMap(DevicePointer address, size_t bytes, size_t, MemoryHandle handle,
                             unsigned long long) {
  CALL("cuMemMap");
  State& s = state();
  if (!in_space(address) || !in_space(address + bytes - 1) || !s.allocations.contains(handle) ||
      s.allocations.at(handle).size != bytes)
    return kInvalidValue;
  for (auto& [base, mapping] : s.mappings) {
    if (address < base + mapping.size && base < address + bytes) return kInvalidValue;
  }
  s.mappings[address] = {bytes, handle};
  s.allocations.at(handle).mapped = true;
  ++fake_cuda.mappings;
  return 0;
}
EXPORT DriverResult cuMemUnmap(DevicePointer address, size_t bytes) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  auto found = state().mappings.find(address);
  if (found == state().mappings.end() || found->second.size != bytes) return kInvalidValue;
  MemoryHandle handle = found->second.handle;
  state().mappings.erase(found);
  state().allocations.at(handle).mapped = false;
  drop(handle);
  --fake_cuda.mappings;
  return enter("cuMemUnmap", false);
}
EXPORT DriverResult cuMemSetAccess(DevicePointer address, size_t bytes,
                                   const AccessDescription* access, size_t count) {
  CALL("cuMemSetAccess");
  auto found = state().mappings.find(address);
  if (count != 1 || access->flags != 3 || found == state().mappings.end() ||
      found->second.size != bytes)
    return kInvalidValue;
  const int owner = state().allocations.at(found->second.handle).device;
  if (access->location.id != owner && !fake_cuda.peers) return kInvalidValue;
  found->second.accessible |= 1u << access->location.id;
  return 0;
}
EXPORT DriverResult cuMemHostRegister_v2(void* pointer, size_t bytes, unsigned flags) {
  CALL("cuMemHostRegister_v2");
  auto address = reinterpret_cast<uintptr_t>(pointer);
  if (in_space(address)) return kInvalidValue;
  for (auto& [base, size] : state().registered) {
    if (address < base + size && base < address + bytes) return 712;
  }
  state().registered[address] = bytes;
  if (flags & kHostDeviceMap) state().shared[address] = bytes;
  ++fake_cuda.registered;
  return 0;
}
EXPORT DriverResult cuMemHostUnregister(void* pointer) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  if (state().registered.erase(reinterpret_cast<uintptr_t>(pointer)) == 0) return 713;
  state().shared.erase(reinterpret_cast<uintptr_t>(pointer));
  --fake_cuda.registered;
  return enter("cuMemHostUnregister", false);
}
EXPORT DriverResult cuMemHostAlloc(void** pointer, size_t bytes, unsigned flags) {
  CALL("cuMemHostAlloc");
  *pointer = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  state().registered[reinterpret_cast<uintptr_t>(*pointer)] = bytes;
  if (flags & kHostDeviceMap) state().shared[reinterpret_cast<uintptr_t>(*pointer)] = bytes;
  ++fake_cuda.host_buffers;
  return 0;
}
EXPORT DriverResult cuMemFreeHost(void* pointer) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  state().registered.erase(reinterpret_cast<uintptr_t>(pointer));
  state().shared.erase(reinterpret_cast<uintptr_t>(pointer));
  std::free(pointer);
  --fake_cuda.host_buffers;
  return enter("cuMemFreeHost", false);
}
EXPORT DriverResult cuMemHostGetDevicePointer_v2(DevicePointer* device, void* pointer, unsigned) {
  CALL("cuMemHostGetDevicePointer_v2");
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  if (!state().registered.contains(address) || at(address, 1) == nullptr) return kInvalidValue;
  *device = fake_cuda.one_address ? address : address + (uint64_t{1} << 40);
  return 0;
}
EXPORT DriverResult cuMemAllocManaged(DevicePointer* address, size_t bytes, unsigned flags) {
  CALL("cuMemAllocManaged");
  if (flags != kManagedGlobal || bytes == 0) return kInvalidValue;
  *address =
      reinterpret_cast<DevicePointer>(std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096));
  state().shared[*address] = bytes;
  ++fake_cuda.managed;
  return 0;
}
EXPORT DriverResult cuMemPrefetchAsync_v2(DevicePointer address, size_t bytes,
                                          MemoryLocation location, unsigned flags, StreamHandle) {
  CALL("cuMemPrefetchAsync_v2");
  if (flags != 0 || at(address, bytes) == nullptr) return kInvalidValue;
  if (location.type != kLocationHost && location.id != current_device()) return kInvalidValue;
  ++(location.type == kLocationHost ? fake_cuda.prefetches_home : fake_cuda.prefetches_to_device);
  return 0;
}
EXPORT DriverResult cuMemAdvise_v2(DevicePointer address, size_t bytes, int advice,
                                   MemoryLocation) {
  CALL("cuMemAdvise_v2");
  if (advice < 1 || advice > 6 || at(address, bytes) == nullptr) return kInvalidValue;
  ++fake_cuda.advices;
  return 0;
}
EXPORT DriverResult cuMemFree_v2(DevicePointer address) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  if (state().shared.erase(address) == 0) return kInvalidValue;
  std::free(reinterpret_cast<void*>(address));
  --fake_cuda.managed;
  return enter("cuMemFree_v2", false);
}

namespace {
DriverResult transfer(std::byte* to, const std::byte* from, size_t bytes) {
  if (to == nullptr || from == nullptr) return kInvalidValue;
  std::memmove(to, from, bytes);
  return 0;
}
template <typename T>
DriverResult fill(DevicePointer address, T value, size_t count) {
  std::byte* to = at(address, count * sizeof(T));
  if (to == nullptr) return kInvalidValue;
  for (size_t i = 0; i < count; ++i) std::memcpy(to + i * sizeof(T), &value, sizeof(T));
  return 0;
}
}  // namespace

EXPORT DriverResult cuMemcpyHtoDAsync_v2(DevicePointer to, const void* from, size_t bytes,
                                         StreamHandle stream) {
  CALL("cuMemcpyHtoDAsync_v2");
  return submit(stream, [=](Stream&) {
    return across_mappings(to, bytes, [&](size_t done, size_t part) {
      return transfer(at(to + done, part), host(static_cast<const char*>(from) + done, part), part);
    });
  });
}
EXPORT DriverResult cuMemcpyDtoHAsync_v2(void* to, DevicePointer from, size_t bytes,
                                         StreamHandle stream) {
  CALL("cuMemcpyDtoHAsync_v2");
  return submit(stream, [=](Stream&) {
    return across_mappings(from, bytes, [&](size_t done, size_t part) {
      return transfer(host(static_cast<char*>(to) + done, part), at(from + done, part), part);
    });
  });
}
EXPORT DriverResult cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from, size_t bytes,
                                         StreamHandle stream) {
  CALL("cuMemcpyDtoDAsync_v2");
  return submit(stream, [=](Stream&) { return transfer(at(to, bytes), at(from, bytes), bytes); });
}
EXPORT DriverResult cuDeviceCanAccessPeer(int* can, int device, int peer) {
  CALL("cuDeviceCanAccessPeer");
  *can = fake_cuda.peers && device != peer;
  return 0;
}
/// The driver finds a way in any case.
EXPORT DriverResult cuMemcpyPeerAsync(DevicePointer to, ContextHandle to_context,
                                      DevicePointer from, ContextHandle from_context, size_t bytes,
                                      StreamHandle stream) {
  CALL("cuMemcpyPeerAsync");
  if (DriverResult code = spoil(stream_of(stream), kCaptureUnsupported)) return code;
  const int reader = device_of(to_context), owner = device_of(from_context);
  ++(at(from, bytes, reader) != nullptr ? fake_cuda.peer_copies : fake_cuda.staged_peer_copies);
  return transfer(at(to, bytes, reader), at(from, bytes, owner), bytes);
}
EXPORT DriverResult cuMemsetD8Async(DevicePointer address, unsigned char value, size_t count,
                                    StreamHandle stream) {
  CALL("cuMemsetD8Async");
  return submit(stream, [=](Stream&) { return fill(address, value, count); });
}
EXPORT DriverResult cuMemsetD16Async(DevicePointer address, unsigned short value, size_t count,
                                     StreamHandle stream) {
  CALL("cuMemsetD16Async");
  return submit(stream, [=](Stream&) { return fill(address, value, count); });
}
EXPORT DriverResult cuMemsetD32Async(DevicePointer address, unsigned value, size_t count,
                                     StreamHandle stream) {
  CALL("cuMemsetD32Async");
  return submit(stream, [=](Stream&) { return fill(address, value, count); });
}
namespace {
/// As the driver has it: pitches and starts are multiples of the element.
template <typename T>
DriverResult fill_rows(StreamHandle stream, DevicePointer address, size_t pitch, T value,
                       size_t width, size_t height) {
  if (pitch < width * sizeof(T) || pitch % sizeof(T) != 0 || address % sizeof(T) != 0)
    return kInvalidValue;
  ++fake_cuda.pitched_fills;
  return submit(stream, [=](Stream&) {
    DriverResult code = 0;
    for (size_t y = 0; code == 0 && y < height; ++y) code = fill(address + y * pitch, value, width);
    return code;
  });
}

/// Between rows in memory of the host's or the device's.
DriverResult copy_rows(const Copy3D& copy) {
  for (const CopySide3D* side : {&copy.from, &copy.to}) {
    if (side->pitch < copy.width_bytes || (copy.depth > 1 && side->height < copy.height))
      return kInvalidValue;
  }
  auto row = [&](const CopySide3D& side, size_t y, size_t z) -> std::byte* {
    const size_t offset = (z * side.height + y) * side.pitch;
    if (side.memory_type == kMemoryDevice) return at(side.device + offset, copy.width_bytes);
    return side.memory_type != kMemoryHost
               ? nullptr
               : host(static_cast<const std::byte*>(side.host) + offset, copy.width_bytes);
  };
  DriverResult code = 0;
  for (size_t z = 0; code == 0 && z < copy.depth; ++z) {
    for (size_t y = 0; code == 0 && y < copy.height; ++y)
      code = transfer(row(copy.to, y, z), row(copy.from, y, z), copy.width_bytes);
  }
  return code;
}
}  // namespace

EXPORT DriverResult cuMemsetD2D8Async(DevicePointer address, size_t pitch, unsigned char value,
                                      size_t width, size_t height, StreamHandle stream) {
  CALL("cuMemsetD2D8Async");
  return fill_rows(stream, address, pitch, value, width, height);
}
EXPORT DriverResult cuMemsetD2D16Async(DevicePointer address, size_t pitch, unsigned short value,
                                       size_t width, size_t height, StreamHandle stream) {
  CALL("cuMemsetD2D16Async");
  return fill_rows(stream, address, pitch, value, width, height);
}
EXPORT DriverResult cuMemsetD2D32Async(DevicePointer address, size_t pitch, unsigned value,
                                       size_t width, size_t height, StreamHandle stream) {
  CALL("cuMemsetD2D32Async");
  return fill_rows(stream, address, pitch, value, width, height);
}
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
namespace {
constexpr DriverResult kNotReady = 600;
DriverResult answer(Clock::time_point end) { return Clock::now() < end ? kNotReady : 0; }
}  // namespace

EXPORT DriverResult cuStreamQuery(StreamHandle stream) {
  CALL("cuStreamQuery");
  if (DriverResult code = spoil(stream_of(stream), kCaptureUnsupported)) return code;
  return answer(reinterpret_cast<Stream*>(stream)->busy_until);
}
EXPORT DriverResult cuStreamSynchronize(StreamHandle stream) {
  Clock::time_point end;
  {
    CALL("cuStreamSynchronize");
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
    if (DriverResult code = nodes[next].work(on); code != 0 && state().fault == 0)
      state().fault = code;  // shows when somebody waits
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
  if (reinterpret_cast<Event*>(event)->capture) return kCapturedEvent;
  return answer(reinterpret_cast<Event*>(event)->time);
}
EXPORT DriverResult cuEventSynchronize(EventHandle event) {
  Clock::time_point end;
  {
    CALL("cuEventSynchronize");
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
EXPORT DriverResult cuModuleLoadDataEx(ModuleHandle* module, const void* image, unsigned count,
                                       int* options, void** values) {
  CALL("cuModuleLoadDataEx");
  std::string ptx = static_cast<const char*>(image);
  // As compilers do; in a thread that the C library here does not know it crashes.
  fake_cuda.blanks_seen =
      std::count_if(ptx.begin(), ptx.end(), [](char c) { return std::isspace(c); });
  std::strncpy(fake_cuda.last_module, ptx.c_str(), sizeof fake_cuda.last_module - 1);
  size_t target = ptx.find("sm_");
  bool too_new = target != std::string::npos && std::atoi(ptx.c_str() + target + 3) > 90;
  if (too_new || ptx.find("bogus") != std::string::npos) {
    for (unsigned i = 0; i < count; ++i) {
      if (options[i] == kJitErrorLogBuffer)
        std::strcpy(static_cast<char*>(values[i]),
                    "ptxas error: Not a name of any known instruction: 'bogus'\n");
    }
    return kInvalidPtx;
  }
  *module = reinterpret_cast<ModuleHandle>(new Module{ptx});
  ++fake_cuda.modules;
  return 0;
}
EXPORT DriverResult cuModuleUnload(ModuleHandle handle) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  auto* module = reinterpret_cast<Module*>(handle);
  std::erase_if(state().functions, [&](auto& each) { return each.first.first == module; });
  delete module;
  --fake_cuda.modules;
  return enter("cuModuleUnload", false);
}
EXPORT DriverResult cuModuleGetFunction(FunctionHandle* function, ModuleHandle handle,
                                        const char* name) {
  CALL("cuModuleGetFunction");
  auto* module = reinterpret_cast<Module*>(handle);
  size_t at = module->ptx.find(std::string(".entry ") + name + "(");
  if (at == std::string::npos) return kNotFound;
  Function& entry = state().functions[{module, name}];
  entry = {name, module};
  *function = reinterpret_cast<FunctionHandle>(&entry);
  return 0;
}
EXPORT DriverResult cuFuncGetAttribute(int* value, int attribute, FunctionHandle) {
  CALL("cuFuncGetAttribute");
  *value = attribute == kFunctionStaticShared ? 1024 : 0;
  return 0;
}
EXPORT DriverResult cuFuncSetAttribute(FunctionHandle, int attribute, int value) {
  CALL("cuFuncSetAttribute");
  if (attribute != kFunctionMaxDynamicShared || value > 227 << 10) return kInvalidValue;
  fake_cuda.dynamic_shared_allowed = value;
  return 0;
}
EXPORT DriverResult cuLaunchKernel(FunctionHandle function, unsigned gx, unsigned gy, unsigned gz,
                                   unsigned bx, unsigned by, unsigned bz, unsigned shared,
                                   StreamHandle stream, void**, void** extra) {
  CALL("cuLaunchKernel");
  if (gx == 0 || bx == 0 || bx * by * bz > 1024) return kInvalidValue;
  return launch(function, {{gx, gy, gz}, {bx, by, bz}, shared, nullptr, 0}, stream, extra);
}
EXPORT DriverResult cuLaunchKernelEx(const LaunchConfig* c, FunctionHandle function, void**,
                                     void** extra) {
  CALL("cuLaunchKernelEx");
  if (c->attribute_count != 1 || c->attributes[0].id != kLaunchAttributeCooperative)
    return kInvalidHandle;
  fake_cuda.cooperative_launches += c->attributes[0].value.cooperative;
  return launch(function,
                {{c->grid_x, c->grid_y, c->grid_z},
                 {c->block_x, c->block_y, c->block_z},
                 c->shared_bytes,
                 nullptr,
                 0},
                c->stream, extra);
}

EXPORT DriverResult cuArray3DCreate_v2(ArrayHandle* array, const ArrayDescriptor* descriptor) {
  CALL("cuArray3DCreate_v2");
  void* handle = nullptr;
  DriverResult code = textures().create_array(&handle, *descriptor, 0);
  *array = static_cast<ArrayHandle>(handle);
  fake_cuda.arrays += code == 0 ? 1 : 0;
  return code;
}
EXPORT DriverResult cuArrayDestroy(ArrayHandle array) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  if (DriverResult code = textures().destroy_array(array); code != 0) return code;
  --fake_cuda.arrays;
  return enter("cuArrayDestroy", false);
}
EXPORT DriverResult cuMipmappedArrayCreate(MipmappedArrayHandle* array,
                                           const ArrayDescriptor* descriptor, unsigned levels) {
  CALL("cuMipmappedArrayCreate");
  void* handle = nullptr;
  DriverResult code =
      levels == 0 ? kInvalidValue : textures().create_array(&handle, *descriptor, levels);
  *array = static_cast<MipmappedArrayHandle>(handle);
  fake_cuda.arrays += code == 0 ? 1 : 0;
  return code;
}
EXPORT DriverResult cuMipmappedArrayGetLevel(ArrayHandle* level_array, MipmappedArrayHandle array,
                                             unsigned level) {
  CALL("cuMipmappedArrayGetLevel");
  return textures().level_of(level_array, array, level);
}
EXPORT DriverResult cuMipmappedArrayDestroy(MipmappedArrayHandle array) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  if (DriverResult code = textures().destroy_array(array); code != 0) return code;
  --fake_cuda.arrays;
  return enter("cuMipmappedArrayDestroy", false);
}
EXPORT DriverResult cuMemcpy3DAsync_v2(const Copy3D* copy, StreamHandle stream) {
  CALL("cuMemcpy3DAsync_v2");
  const bool array = copy->from.memory_type == kMemoryArray || copy->to.memory_type == kMemoryArray;
  if (!array) ++fake_cuda.pitched_copies;
  return submit(stream, [given = *copy, array](Stream&) {
    return array ? textures().copy(given) : copy_rows(given);
  });
}
EXPORT DriverResult cuTexObjectCreate(TextureHandle* texture, const ResourceDescriptor* resource,
                                      const TextureDescriptor*, const ResourceViewDescriptor*) {
  CALL("cuTexObjectCreate");
  DriverResult code = textures().create(texture, *resource, false);
  fake_cuda.textures += code == 0 ? 1 : 0;
  return code;
}
EXPORT DriverResult cuTexObjectDestroy(TextureHandle texture) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  if (DriverResult code = textures().destroy(texture, false); code != 0) return code;
  --fake_cuda.textures;
  return enter("cuTexObjectDestroy", false);
}
EXPORT DriverResult cuSurfObjectCreate(TextureHandle* surface, const ResourceDescriptor* resource) {
  CALL("cuSurfObjectCreate");
  DriverResult code = textures().create(surface, *resource, true);
  fake_cuda.textures += code == 0 ? 1 : 0;
  return code;
}
EXPORT DriverResult cuSurfObjectDestroy(TextureHandle surface) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  if (DriverResult code = textures().destroy(surface, true); code != 0) return code;
  --fake_cuda.textures;
  return enter("cuSurfObjectDestroy", false);
}
