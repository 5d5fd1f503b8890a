#include "abi/cuda/unsupported.h"

#include "abi/cuda/api.h"
#include "abi/cudart/unsupported.h"

namespace guda::cuda {

int unsupported(const char* name) {
  return without_runtime_state([&] { return cudart::unsupported(name); });
}

}  // namespace guda::cuda
