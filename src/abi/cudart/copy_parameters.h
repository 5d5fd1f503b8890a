// cudaMemcpy3DParms resolved to addresses; shared by copies and graph nodes.
#pragma once

#include "abi/cudart/types.h"
#include "runtime/copy.h"

#include <optional>

namespace guda::cudart {

struct Box {
  runtime::CopySide to, from;
  runtime::CopyShape shape;
};

/// Extents and positions count elements when an array takes part, else bytes. Empty when a side is missing
/// or does not fit its array.
std::optional<Box> resolve_copy(const cudaMemcpy3DParms& parameters);

}  // namespace guda::cudart
