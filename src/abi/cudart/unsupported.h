// What the functions do that GUDA does not implement.
#pragma once

namespace guda::cudart {

/// Logs the name once, sets the thread's last error and returns cudaErrorNotSupported.
int unsupported(const char* name);

}  // namespace guda::cudart
