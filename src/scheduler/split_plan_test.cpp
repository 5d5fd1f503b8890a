#include "scheduler/split_plan.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace guda::scheduler {
namespace {

TEST(WaterFill, EveryEngineWithWorkFinishesAtTheSameTime) {
  const std::vector<CostLine> engines = {{10, 2}, {0, 1}, {5, 4}};
  std::array<double, 3> shares{};
  const double level = water_fill(engines, 100, shares);
  EXPECT_NEAR(shares[0] + shares[1] + shares[2], 100, 1e-9);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(engines[i].ns(shares[i]), level, 1e-9);
}

TEST(WaterFill, AnEngineThatStartsTooLateGetsNothing) {
  const std::vector<CostLine> engines = {{0, 1}, {1000, 0.001}};
  std::array<double, 2> shares{};
  EXPECT_NEAR(water_fill(engines, 100, shares), 100, 1e-9);
  EXPECT_EQ(shares[1], 0);
}

/// The best that whole tiles can do, by trying all distributions.
double best_by_trying(std::span<const CostLine> engines, uint64_t tiles, double tile,
                      double so_far = 0) {
  if (engines.size() == 1) {
    return std::max(so_far, engines[0].ns(static_cast<double>(tiles) * tile));
  }
  double best = std::numeric_limits<double>::infinity();
  for (uint64_t mine = 0; mine <= tiles; ++mine) {
    best = std::min(
        best, best_by_trying(engines.subspan(1), tiles - mine, tile,
                             std::max(so_far, engines[0].ns(static_cast<double>(mine) * tile))));
  }
  return best;
}

TEST(SplitInTiles, NoOtherChoiceOfTilesIsFaster) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> fixed(0, 60);
  std::uniform_real_distribution<double> slope(0.1, 5);
  for (int round = 0; round < 500; ++round) {
    const size_t count = 1 + random() % 4;
    const uint64_t tile = 1 + random() % 7;
    const uint64_t tiles = 1 + random() % 14;
    std::vector<CostLine> engines(count);
    for (CostLine& line : engines) line = {fixed(random), slope(random)};
    std::vector<uint64_t> shares(count);
    const double time = split_in_tiles(engines, tiles * tile, tile, shares);
    EXPECT_EQ(std::accumulate(shares.begin(), shares.end(), uint64_t{0}), tiles * tile);
    EXPECT_NEAR(time, best_by_trying(engines, tiles, static_cast<double>(tile)), 1e-6) << round;
  }
}

TEST(SplitInTiles, OnlyOneShareHasAnOddRest) {
  const std::vector<CostLine> engines = {{0, 1}, {0, 3}, {2, 2}};
  for (uint64_t units = 1; units < 200; ++units) {
    std::array<uint64_t, 3> shares{};
    split_in_tiles(engines, units, 16, shares);
    EXPECT_EQ(shares[0] + shares[1] + shares[2], units);
    int odd = 0;
    for (const uint64_t share : shares) odd += share % 16 != 0 ? 1 : 0;
    EXPECT_EQ(odd, units % 16 != 0 ? 1 : 0) << units;
  }
}

}  // namespace
}  // namespace guda::scheduler
