// Links the PTX of several translation units (nvcc -rdc=true) into one module text.
#pragma once

#include <span>
#include <string>

#include "support/status.h"

namespace guda::runtime {

/// One PTX module with the definitions of all `units`. Internal symbols that collide are renamed, extern
/// declarations give way to definitions, weak definitions of one name become one, .common variables the
/// largest; .version and .target are the highest; .file numbers are made distinct; DWARF sections are
/// dropped. The result does not depend on the order of the units (cache keys are made of it). One unit
/// is returned as it is. What stays undefined stays declared.
/// Errors: invalid_ptx with the names for two strong definitions of one symbol or text that is not PTX.
Result<std::string> link_ptx(std::span<const std::string> units, const std::string& name);

}  // namespace guda::runtime
