// From PTX text to a kernel for an OpenCL device.
#pragma once

#include "compiler/driver/compiler_api.h"
#include "support/status.h"

namespace guda::driver {

/// Compiles request.kernel and writes it, serialised (opencl_kernel.h), to request.output_path. Thread
/// safe. Errors: not_supported with the reason when an OpenCL device cannot run the kernel; invalid_ptx,
/// not_found, invalid_value, operating_system.
Status compile_opencl(const GudaOpenclRequest& request);

}  // namespace guda::driver
