// The integer that stands for a device function's address.
//
// Every kernel is compiled on its own, yet function pointers travel between kernels and the host in
// memory (vtables, __device__ variables, cudaMemcpyFromSymbol). So an address is not machine code
// but the function's number in its module, the same for every kernel; an indirect call dispatches
// on it.
#pragma once

#include <cstdint>
#include <string_view>

#include "compiler/ptx/ast.h"

namespace guda::device_ir {

inline constexpr uint64_t kFunctionAddressBase = 0x1000;
inline constexpr uint64_t kFunctionAddressStep = 16;

/// Address of the function in `module` with this name; 0 when there is none. The number counts
/// Module::functions; the first entry with the name (declaration or definition) decides.
inline uint64_t function_address(const ptx::Module& module, std::string_view name) {
  for (const auto& [alias, target] : module.aliases) {
    if (alias == name) name = target;
  }
  for (size_t i = 0; i < module.functions.size(); ++i) {
    if (module.functions[i].name == name) return kFunctionAddressBase + i * kFunctionAddressStep;
  }
  return 0;
}

}  // namespace guda::device_ir
