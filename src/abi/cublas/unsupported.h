// What the functions do that GUDA does not implement.
#pragma once

namespace guda::cublas {

/// Logs the name once and returns CUBLAS_STATUS_NOT_SUPPORTED.
int unsupported(const char* name);

}  // namespace guda::cublas
