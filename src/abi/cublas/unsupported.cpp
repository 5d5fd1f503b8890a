#include "abi/cublas/unsupported.h"

#include "abi/cublas/call_log.h"

namespace guda::cublas {

int unsupported(const char* name) {
  log_failure(name, kNotSupported);
  return kNotSupported;
}

}  // namespace guda::cublas
