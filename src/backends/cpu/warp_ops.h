// Meaning of the cross-lane operations, as pure functions on the operands of a warp's lanes
// (PTX ISA, "Data Movement: shfl.sync", "vote.sync", "match.sync", "redux.sync", "elect.sync").
#pragma once

#include <cstdint>

#include "compiler/driver/kernel_abi.h"

namespace guda::cpu {

inline constexpr uint32_t kWarpSize = 32;

struct LaneOperands {
  uint64_t a = 0;
  uint32_t b = 0;
  uint32_t c = 0;
};

struct LaneResult {
  uint64_t value = 0;
  uint32_t predicate = 0;
};

/// Computes the results of the lanes in `members` (the lanes that take part: the member mask
/// without exited lanes). `operands` and `results` are indexed by lane.
void evaluate_warp_op(kernel::WarpOp op, uint32_t members, const LaneOperands* operands,
                      LaneResult* results);

}  // namespace guda::cpu
