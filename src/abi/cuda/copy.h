// CUDA_MEMCPY2D and CUDA_MEMCPY3D resolved to addresses; shared by copies and graph nodes.
#pragma once

#include "abi/cuda/types.h"
#include "runtime/copy.h"

#include <optional>

namespace guda::cuda {

struct Box {
  runtime::CopySide to, from;
  runtime::CopyShape shape;
  runtime::CopyKind kind = runtime::CopyKind::unspecified;
};

/// Empty when a side is missing, or does not fit its array, or a pitch is less than a row.
std::optional<Box> resolve_copy(const CUDA_MEMCPY3D& copy);
CUDA_MEMCPY3D in_three_dimensions(const CUDA_MEMCPY2D& copy);

}  // namespace guda::cuda
