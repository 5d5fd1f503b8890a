// NVIDIA GPUs through NVIDIA's driver, opened at run time.
#pragma once

#include "backends/cuda/driver.h"
#include "backends/device.h"

#include <memory>
#include <string>
#include <vector>

namespace guda::backend {

struct CudaOptions {
  /// Files to open instead of the machine's; empty: look for them. `cublas` may be "none".
  std::string driver, cublas;
  /// Devices to open, by number. The first of all works at the program's own addresses.
  std::vector<int> ordinals{};
  /// And all others, after these.
  bool others = true;
};

/// From GUDA_CUDA_DRIVER, GUDA_CUBLAS and GUDA_DEVICES.
CudaOptions cuda_options();

/// The devices of the driver, in the order of their numbers. None with a note when there is no driver, no device, or one that
/// lacks virtual memory management.
Discovery discover_cuda(const CudaOptions& options = cuda_options());

/// The devices of a driver that is open already.
Discovery discover_cuda(const std::shared_ptr<cuda::Driver>& driver, const CudaOptions& options);

}  // namespace guda::backend
