// Error queries.
#include "abi/cudart/api.h"

namespace guda::cudart {

GUDA_API(cudaGetLastError)() { return runtime::take_last_error(); }
GUDA_API(cudaPeekAtLastError)() { return runtime::peek_last_error(); }

extern "C" __attribute__((visibility("default"))) const char* guda_cudart_cudaGetErrorName(
    Error error) {
  return runtime::error_name(error);  // GUDA_API(cudaGetErrorName)
}
extern "C" __attribute__((visibility("default"))) const char* guda_cudart_cudaGetErrorString(
    Error error) {
  return runtime::error_text(error);  // GUDA_API(cudaGetErrorString)
}

}  // namespace guda::cudart
