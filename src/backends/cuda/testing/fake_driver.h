// What tests can do to the fake driver (fake_driver.cpp). They find it as the symbol `fake_cuda` of the library.
#pragma once

#include <cstdint>

namespace guda::backend::cuda::testing {

struct FakeControl {
  int devices = 1;  // that the driver has; at most kFakeDevices
  bool concurrent_managed = true;  // the host may use managed memory at any time
  bool one_address = true;  // of host memory for the host and for devices
  bool peers = true;  // they reach each other's memory
  // Faults. A failing call does nothing but answer the code.
  long fail_at = 0;  // the nth call from now of a driver function (1: the next); 0: none
  char fail_function[64] = {};  // only calls of this function count; empty: all
  int fail_code = 999;
  // What has been done.
  long calls = 0;
  long pinned_copies = 0, pageable_copies = 0;
  long peer_copies = 0;  // from memory to memory
  long staged_peer_copies = 0;  // where one device has no access to the other's memory
  uint64_t largest_copy = 0;
  int prefetches_home = 0, prefetches_to_device = 0, advices = 0;
  long pitched_copies = 0, pitched_fills = 0;  // calls
  int dynamic_shared_allowed = 0;  // the last value set with cuFuncSetAttribute
  int cooperative_launches = 0;
  int cluster_blocks = 0;  // of the last launch with clusters
  bool large_clusters = false;  // a function has been allowed more than eight blocks
  long key_mismatches = 0;  // a thread-specific value of the driver's was not what it had set
  long blanks_seen = 0;  // in the last module
  char last_module[4096] = {};  // its text, from the start
  char environment[64] = {};  // FAKE_CUDA_TEST as cuInit found it
  // What is alive.
  long allocations = 0, mappings = 0, registered = 0, host_buffers = 0, managed = 0;
  long modules = 0, streams = 0, events = 0, contexts = 0;
  long arrays = 0, textures = 0;  // surfaces included
  long graphs = 0, graph_execs = 0;
  long graph_launches = 0;  // so far
};

inline constexpr uint64_t kFakeMemory = uint64_t{1} << 30;  // of each device
inline constexpr int kFakeDevices = 4;

}  // namespace guda::backend::cuda::testing
