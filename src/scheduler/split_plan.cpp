#include "scheduler/split_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace guda::scheduler {

double water_fill(std::span<const CostLine> engines, double units, std::span<double> shares) {
  std::array<size_t, kMaxEngines> order{};
  const size_t count = std::min(engines.size(), kMaxEngines);
  std::iota(order.begin(), order.begin() + count, size_t{0});
  std::sort(order.begin(), order.begin() + count,
            [&](size_t a, size_t b) { return engines[a].fixed_ns < engines[b].fixed_ns; });
  // With the engines up to i taking part: T = (units + sum fixed/slope) / sum 1/slope. The water stands
  // when the next engine's floor is not below its level.
  double rate = 0;
  double floor = 0;
  double level = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < count; ++i) {
    const CostLine& line = engines[order[i]];
    if (line.fixed_ns >= level) break;
    rate += 1 / line.ns_per_unit;
    floor += line.fixed_ns / line.ns_per_unit;
    level = (units + floor) / rate;
  }
  for (size_t i = 0; i < count; ++i) {
    shares[i] = std::max(0.0, (level - engines[i].fixed_ns) / engines[i].ns_per_unit);
  }
  return level;
}

double split_in_tiles(std::span<const CostLine> engines, uint64_t units, uint64_t tile,
                      std::span<uint64_t> shares) {
  std::array<double, kMaxEngines> ideal{};
  const size_t count = std::min(engines.size(), kMaxEngines);
  tile = std::max<uint64_t>(tile, 1);
  const uint64_t tiles = (units + tile - 1) / tile;
  const auto tile_units = static_cast<double>(tile);
  water_fill(engines, static_cast<double>(tiles) * tile_units, ideal);
  // Whole tiles below the water level are right in every best choice; the few others go, one by one, to who
  // finishes them first.
  std::array<uint64_t, kMaxEngines> taken{};
  uint64_t given = 0;
  for (size_t i = 0; i < count; ++i) {
    taken[i] = std::min(static_cast<uint64_t>(ideal[i] / tile_units), tiles - given);
    given += taken[i];
  }
  for (; given < tiles; ++given) {
    size_t best = 0;
    double best_ns = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < count; ++i) {
      const double ns = engines[i].ns(static_cast<double>(taken[i] + 1) * tile_units);
      if (ns < best_ns) {
        best_ns = ns;
        best = i;
      }
    }
    ++taken[best];
  }
  // The last engine with tiles has the odd rest.
  double finish = 0;
  uint64_t left = units;
  for (size_t i = 0; i < count; ++i) {
    shares[i] = std::min(taken[i] * tile, left);
    left -= shares[i];
    finish = std::max(finish, engines[i].ns(static_cast<double>(shares[i])));
  }
  return finish;
}

}  // namespace guda::scheduler
