// From PTX text to a kernel's shared object: every phase in order, with its timing and its dumps.
#pragma once

#include "compiler/driver/compiler_api.h"
#include "support/status.h"

namespace guda::driver {

/// Compiles request.kernel. Thread safe. Errors: invalid_ptx, not_found, not_supported,
/// invalid_value (request), operating_system.
Status compile_kernel(const GudaCompileRequest& request);

/// Writes the serialized access summary of request.kernel to request.output_path, without code. Errors: as
/// compile_kernel().
Status analyze_kernel(const GudaCompileRequest& request);

}  // namespace guda::driver
