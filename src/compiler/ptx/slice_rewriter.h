// PTX of kernels whose launches can be cut into slices: for devices that run the program's own PTX and count
// blocks themselves.
//
// A sliced kernel gets six hidden parameters of type .u32 after its own: the first block of the slice (x, y, z)
// and the grid's dimensions (x, y, z). It sees %ctaid = the device's block index + first, and %nctaid = the
// whole grid.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/ptx/ast.h"
#include "support/status.h"

namespace guda::ptx {

inline constexpr uint32_t kSliceParameterBytes = 6 * 4;

/// Where the hidden parameters stand in the parameter block of a kernel whose own take `param_bytes`.
constexpr uint32_t slice_parameter_offset(uint32_t param_bytes) {
  return (param_bytes + 3) / 4 * 4;
}

/// The module's text with hidden parameters added: to `kernel`, and the other kernels left out; or to all
/// kernels when it is empty. Device functions that look at block indices find them in 24 bytes of shared memory,
/// which every thread of a kernel writes before anything else. Bodies of `module` are parsed as needed and
/// changed: it cannot be used for anything else afterwards. Errors: invalid_ptx, not_found, not_supported
/// (clusters, parameter blocks that become too large).
Result<std::string> add_slice_parameters(Module& module, std::string_view kernel,
                                         std::string_view file_name);

}  // namespace guda::ptx
