// Cubins, and fatbins with cubins, given to the driver as they are.
#pragma once

#include "backends/cuda/context.h"
#include "backends/machine_code.h"

#include <memory>
#include <string>

namespace guda::backend::cuda {

/// `image`: as cuModuleLoadData takes it; not needed after the call. Errors: not_supported (the driver is older than
/// 12.4), no_binary_for_gpu and others of the driver's.
Result<std::shared_ptr<MachineCode>> load_machine_code(std::shared_ptr<Context> context,
                                                       const void* image, const std::string& name);

}  // namespace guda::backend::cuda
