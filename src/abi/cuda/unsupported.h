// What the driver API functions do that GUDA does not implement.
#pragma once

namespace guda::cuda {

/// Logs the name once and returns CUDA_ERROR_NOT_SUPPORTED.
int unsupported(const char* name);

}  // namespace guda::cuda
