// What the parts of the fake driver (fake_driver.cpp) share: its objects, its memory and how a call begins.
#pragma once

#include "backends/cuda/driver_api.h"
#include "backends/cuda/testing/fake_driver.h"
#include "backends/cuda/testing/fake_textures.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace guda::backend::cuda::testing {

extern "C" FakeControl fake_cuda;  // what tests see and set

inline constexpr DriverResult kInvalidValue = 1, kOutOfMemory = 2, kNoBinary = 209,
                              kInvalidPtx = 218, kInvalidHandle = 400, kNotFound = 500,
                              kIllegalAddress = 700, kLaunchFailed = 719, kNotSupported = 801,
                              kCaptureUnsupported = 900, kCaptureInvalidated = 901,
                              kCaptureMerge = 902, kCaptureUnmatched = 903, kCaptureUnjoined = 904,
                              kCaptureIsolation = 905, kCapturedEvent = 907;

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
  std::map<std::string, std::pair<uintptr_t, size_t>> variables;  // asked for: address, bytes
};
struct Function {
  std::string name;
  Module* module;
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

inline Stream& stream_of(StreamHandle handle) { return *reinterpret_cast<Stream*>(handle); }

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
inline DriverResult spoil(Stream& stream, DriverResult code) {
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
  DriverResult fault = 0;  // that everybody is told of
  DriverResult pending_fault = 0;  // of a kernel that nobody has waited for
};

State& state();
FakeTextures& textures();
int device_of(ContextHandle context);
int current_device();  // of the thread's context

/// Counts the call; not 0: what it has to answer.
DriverResult enter(const char* function, bool reports_faults = true);

/// Begins a call of the driver's, which answers what was injected or an earlier fault instead of doing anything.
#define CALL(name)                                           \
  std::lock_guard<std::recursive_mutex> lock(state().mutex); \
  if (DriverResult failed = enter(name); failed != 0) return failed

/// What came of the work, for calls that wait for it or ask: not 0 after a fault, which everybody is told of from then on.
DriverResult outcome();

bool in_space(uintptr_t address);  // reserved

/// Device memory behind an address; null where [address, address + bytes) is not mapped for the device.
std::byte* at(uintptr_t address, size_t bytes, int device = current_device());

}  // namespace guda::backend::cuda::testing
