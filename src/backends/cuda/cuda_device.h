// NVIDIA GPUs through NVIDIA's driver, opened at run time.
#pragma once

#include "backends/cuda/driver.h"
#include "backends/device.h"

#include <memory>
#include <string>

namespace guda::backend {

struct CudaOptions {
  /// Files to open instead of the machine's; empty: look for them. `cublas` may be "none".
  std::string driver, cublas;
};

/// From GUDA_CUDA_DRIVER and GUDA_CUBLAS.
CudaOptions cuda_options();

/// All devices of the driver. None with a note when there is no driver, no device, or one that
/// lacks virtual memory management.
Discovery discover_cuda(const CudaOptions& options = cuda_options());

/// The devices of a driver that is open already.
Discovery discover_cuda(const std::shared_ptr<cuda::Driver>& driver, const CudaOptions& options);

}  // namespace guda::backend
