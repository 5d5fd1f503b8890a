// The kernels of the fake driver: C++ functions that go by the names of the conformance suite's, and a few for faults.
#pragma once

#include "backends/cuda/testing/fake_state.h"

#include <cstddef>
#include <cstring>

namespace guda::backend::cuda::testing {

/// A launch, as its kernel sees it.
struct Grid {
  unsigned grid[3], block[3], shared;
  const std::byte* params;
  size_t param_bytes = 0;
  bool bad = false;  // an address that is not mapped
  Module* module = nullptr;

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

/// Runs a kernel to its end; a fault of the kernel's shows in a later call. Products may only take time on the stream.
DriverResult run_kernel(const Function& function, Grid& g, Stream& stream);

}  // namespace guda::backend::cuda::testing
