// What a kernel reaches through direct calls, read off the syntax tree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/ptx/ast.h"
#include "support/status.h"

namespace guda::runtime {

/// Functions of a module by name; definitions win over declarations.
using FunctionIndex = std::unordered_map<std::string_view, ptx::Function*>;

struct KernelReach {
  uint32_t shared_bytes = 0;           // .shared variables with a size, module scope and bodies
  uint32_t local_bytes = 0;            // .local variables, all functions added up
  std::vector<std::string> undefined;  // functions named in bodies that have no definition
};

/// Parses the bodies on the way (the caller holds the module's body mutex). Errors: invalid_ptx.
Result<KernelReach> kernel_reach(ptx::Module& module, const FunctionIndex& functions,
                                 std::string_view kernel, std::string_view file_name);

}  // namespace guda::runtime
