#include "scheduler/chunk_handout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <random>

namespace guda::scheduler {
namespace {

/// Engines of true speeds in virtual time; returns when the last chunk is done. Chunks may be claimed one ahead.
struct Simulation {
  std::vector<CostLine> truth;  // per chunk: start and per unit
  size_t fails = ~size_t{0};  // this engine dies at its third chunk, what it has done is lost
  std::vector<uint64_t> units{};
  std::map<uint64_t, int> covered{};

  double run(ChunkHandout& handout) {
    const size_t count = truth.size();
    units.assign(count, 0);
    std::vector<double> free_at(count, 0);
    std::vector<std::vector<Chunk>> done(count);
    double finish = 0;
    std::vector<bool> idle(count, false);
    while (!handout.finished()) {
      // The engine that is free first asks; one that gets nothing waits until another has finished a chunk.
      size_t engine = count;
      for (size_t i = 0; i < count; ++i) {
        if (handout.active(i) && !idle[i] && (engine == count || free_at[i] < free_at[engine]))
          engine = i;
      }
      if (engine == count) return std::numeric_limits<double>::infinity();
      const auto chunk = handout.next(engine);
      if (!chunk) {
        idle[engine] = true;
        continue;
      }
      if (engine == fails && done[engine].size() == 2) {
        handout.retire(engine);
        handout.give_back(*chunk);
        for (const Chunk& lost : done[engine]) {
          handout.revoke(lost);
          for (uint64_t u = lost.begin; u < lost.end; ++u) --covered[u];
        }
        for (size_t i = 0; i < count; ++i) {
          if (idle[i]) free_at[i] = std::max(free_at[i], free_at[engine]);
        }
        idle.assign(count, false);
        continue;
      }
      const double ns = truth[engine].ns(static_cast<double>(chunk->units()));
      free_at[engine] += ns;
      handout.completed(engine, *chunk, ns);
      done[engine].push_back(*chunk);
      units[engine] += chunk->units();
      for (uint64_t u = chunk->begin; u < chunk->end; ++u) ++covered[u];
      finish = std::max(finish, free_at[engine]);
      idle.assign(count, false);
    }
    return finish;
  }
};

std::vector<PlannedPart> plan(std::span<const CostLine> believed, uint64_t units, uint64_t tile) {
  std::vector<uint64_t> shares(believed.size());
  split_in_tiles(believed, units, tile, shares);
  std::vector<PlannedPart> parts;
  uint64_t begin = 0;
  for (size_t i = 0; i < believed.size(); ++i) {
    parts.push_back({{begin, begin + shares[i]}, believed[i]});
    begin += shares[i];
  }
  return parts;
}

double sum_of_throughputs(std::span<const CostLine> truth) {
  double rate = 0;
  for (const CostLine& line : truth) rate += 1 / line.ns_per_unit;
  return rate;
}

TEST(ChunkHandout, UnequalEnginesReach95PercentOfTheSumOfTheirThroughputs) {
  const std::vector<CostLine> truth = {{20, 1}, {20, 3.7}};
  const uint64_t units = 10'000;
  ChunkHandout handout(plan(truth, units, 16), 16);
  Simulation simulation{truth};
  const double ns = simulation.run(handout);
  EXPECT_GT(static_cast<double>(units) / ns, 0.95 * sum_of_throughputs(truth));
}

TEST(ChunkHandout, StillReaches85PercentWhenPredictionsAreTwiceOff) {
  for (const double wrong : {0.5, 0.8, 1.25, 2.0}) {
    const std::vector<CostLine> truth = {{20, 1}, {20, 3}, {20, 2}};
    std::vector<CostLine> believed = truth;
    believed[1].ns_per_unit *= wrong;
    believed[2].ns_per_unit /= wrong;
    const uint64_t units = 20'000;
    ChunkHandout handout(plan(believed, units, 16), 16);
    Simulation simulation{truth};
    const double ns = simulation.run(handout);
    EXPECT_GT(static_cast<double>(units) / ns, 0.85 * sum_of_throughputs(truth)) << wrong;
  }
}

TEST(ChunkHandout, EveryUnitIsComputedOnceWhateverTheEnginesDo) {
  std::mt19937 random(2);
  std::uniform_real_distribution<double> speed(0.2, 8);
  for (int round = 0; round < 300; ++round) {
    const size_t count = 2 + random() % 3;
    std::vector<CostLine> truth(count);
    std::vector<CostLine> believed(count);
    for (size_t i = 0; i < count; ++i) {
      truth[i] = {speed(random), speed(random)};
      believed[i] = {speed(random), speed(random)};
    }
    const uint64_t units = 1 + random() % 700;
    const uint64_t tile = 1 + random() % 20;
    ChunkHandout handout(plan(believed, units, tile), tile);
    Simulation simulation{truth};
    simulation.fails = round % 2 == 0 ? random() % count : ~size_t{0};
    ASSERT_LT(simulation.run(handout), std::numeric_limits<double>::infinity()) << round;
    for (uint64_t u = 0; u < units; ++u) {
      ASSERT_EQ(simulation.covered[u], 1) << round << ", unit " << u;
    }
  }
}

TEST(ChunkHandout, WherePredictionsAreSureChunksAreFewAndLarge) {
  // Two equal devices whose chunks cost something to start; predictions are 1 % off.
  const std::vector<CostLine> truth = {{30, 1}, {30, 1.01}};
  const std::vector<CostLine> believed = {{30, 1.01}, {30, 1}};
  const uint64_t units = 16384;
  ChunkHandout handout(plan(believed, units, 128), 128, kWhereSure);
  const auto first = handout.next(0);
  ASSERT_TRUE(first);
  EXPECT_GT(first->units(), units / 2 * 9 / 10);
  handout.give_back(*first);
  ChunkHandout whole(plan(believed, units, 128), 128, kWhereSure);
  Simulation simulation{truth};
  const double ns = simulation.run(whole);
  EXPECT_GT(static_cast<double>(units) / ns, 0.97 * sum_of_throughputs(truth));
}

TEST(ChunkHandout, AnEngineWithWorkGetsNoMoreThanItCanDoInTime) {
  const std::vector<CostLine> lines = {{0, 1}, {0, 10}};
  ChunkHandout handout(plan(lines, 1100, 1), 1);
  // All together need 1000; the slow engine asks again and again.
  uint64_t units = 0;
  while (const auto chunk = handout.next(1)) units += chunk->units();
  EXPECT_GT(units, 50u);
  EXPECT_LE(units, 102u);
  // Who has nothing to do still gets something.
  EXPECT_TRUE(handout.next(0));
}

TEST(ChunkHandout, ChunksAreWholeTiles) {
  const std::vector<CostLine> lines = {{0, 1}, {0, 2}};
  ChunkHandout handout(plan(lines, 1000, 48), 48);
  for (size_t engine = 0; !handout.finished(); engine = 1 - engine) {
    const auto chunk = handout.next(engine);
    if (!chunk) continue;
    EXPECT_EQ(chunk->begin % 48, 0u);
    EXPECT_TRUE(chunk->end % 48 == 0 || chunk->end == 1000);
    handout.completed(engine, *chunk, static_cast<double>(chunk->units()));
  }
}

TEST(ChunkHandout, ASlowEngineDoesNotTakeWhatWouldFinishTooLate) {
  // Engine 1 needs 1000 times as long; at the end of engine 0's part it must keep off.
  const std::vector<PlannedPart> parts = {{{0, 100}, {0, 1}}, {{100, 100}, {0, 1000}}};
  ChunkHandout handout(parts, 1);
  EXPECT_FALSE(handout.next(1).has_value());
  while (const auto chunk = handout.next(0)) handout.completed(0, *chunk, 1);
  EXPECT_TRUE(handout.finished());
}

TEST(ChunkHandout, ThePartOfARetiredEngineGoesToTheOthers) {
  const std::vector<PlannedPart> parts = {{{0, 50}, {0, 1}}, {{50, 100}, {0, 1}}};
  ChunkHandout handout(parts, 1);
  handout.retire(0);
  uint64_t units = 0;
  while (const auto chunk = handout.next(1)) {
    handout.completed(1, *chunk, 1);
    units += chunk->units();
  }
  EXPECT_EQ(units, 100u);
  EXPECT_TRUE(handout.finished());
  EXPECT_FALSE(handout.deserted());
  handout.retire(1);
  EXPECT_TRUE(handout.deserted());
}

}  // namespace
}  // namespace guda::scheduler
