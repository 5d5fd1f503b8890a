// How much of a divisible work each engine gets so that all finish together.
#pragma once

#include "scheduler/engine_model.h"

#include <cstdint>
#include <span>
#include <vector>

namespace guda::scheduler {

/// t(m) = fixed_ns + ns_per_unit * m for m > 0 units; an engine without units costs nothing.
struct CostLine {
  double fixed_ns = 0;
  double ns_per_unit = 1;

  double ns(double units) const { return units > 0 ? fixed_ns + ns_per_unit * units : 0; }
};

/// Least T with sum over engines of max(0, (T - fixed) / ns_per_unit) = units. Engines whose fixed cost is T
/// or more get nothing. `shares[i]` receives the units of engine i, not rounded.
double water_fill(std::span<const CostLine> engines, double units, std::span<double> shares);

/// The same in whole tiles: `shares` are multiples of `tile`, but for one that may have the odd rest, add up to
/// `units`, and no other choice of whole tiles finishes earlier. Returns the time of the last engine.
double split_in_tiles(std::span<const CostLine> engines, uint64_t units, uint64_t tile,
                      std::span<uint64_t> shares);

}  // namespace guda::scheduler
