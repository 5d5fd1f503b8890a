// A kernel object as the compiler would make it, for tests: kernel "answer" stores 42 + the first
// parameter into the variable "counter".
#include "compiler/driver/kernel_abi.h"

namespace {

void run(const guda::kernel::LaunchState* launch, guda::kernel::BlockState*) {
  *static_cast<int*>(launch->symbols[0]) = 42 + *reinterpret_cast<const int*>(launch->params);
}

const char* const kSymbols[] = {"counter"};

}  // namespace

extern "C" {
__attribute__((visibility("default"))) extern const guda::kernel::KernelInfo guda_kernel;
const guda::kernel::KernelInfo guda_kernel = [] {
  guda::kernel::KernelInfo info{};
  info.abi_version = guda::kernel::kAbiVersion;
  info.lanes = 32;
  info.param_bytes = 4;
  info.symbol_count = 1;
  info.name = "answer";
  info.symbols = kSymbols;
  info.run_block = run;
  return info;
}();
}
