#include "scheduler/scheduler.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <thread>

namespace guda::scheduler {
namespace {

EngineDescription engine(std::string id, double f32_rate, double launch_ns, bool host = true) {
  EngineDescription description;
  description.identity = {std::move(id), "test engine", "1", 4};
  description.model.kernel_rate[static_cast<size_t>(Arithmetic::f32)] = f32_rate;
  description.model.gemm_rate[static_cast<size_t>(Arithmetic::f32)] = f32_rate;
  description.model.memory_rate = 1e6;
  description.model.launch_ns = launch_ns;
  description.host_memory = host;
  if (!host) {
    description.model.upload = {5'000, 10};
    description.model.download = {5'000, 10};
  }
  return description;
}

Work launch(uint64_t key, uint64_t blocks, double operations_per_block = 1e6) {
  Work work;
  work.name = "kernel";
  work.key = key;
  work.units = blocks;
  work.amount = static_cast<double>(blocks);
  work.operations[static_cast<size_t>(Arithmetic::f32)] = operations_per_block * work.amount;
  work.divisible = true;
  return work;
}

/// Both engines have run the work often: t = start + per block.
void teach(Scheduler& scheduler, EngineIndex e, const Work& work, double start, double per_unit,
           int runs = 40) {
  for (int i = 0; i < runs; ++i) {
    const auto units = static_cast<double>(work.units) / (1 + i % 4);
    scheduler.observe(e, work, units, (start + per_unit * units) * (i % 2 == 0 ? 1.01 : 0.99));
  }
}

/// Two engines that have run the work, and what it took them.
void add_two_engines(Scheduler& scheduler, const Work& work, double ns_per_unit,
                     double second_ns_per_unit) {
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 100, 1'000)));
  teach(scheduler, 0, work, 1'000, ns_per_unit);
  teach(scheduler, 1, work, 1'000, second_ns_per_unit);
}

/// Everything is where it says, in bytes missing.
class FixedResidency final : public Residency {
 public:
  Missing missing(EngineIndex e, const MemoryUse&) const override {
    const auto found = bytes.find(e);
    return found == bytes.end() ? Missing{} : found->second;
  }
  uint64_t signature(std::span<const MemoryUse>) const override { return version; }

  std::map<EngineIndex, Missing> bytes;
  uint64_t version = 1;
};

TEST(Place, TheEngineThatFinishesFirstGetsTheWork) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 10'000, 100'000)));
  scheduler.set_split_mode(SplitMode::never);
  EXPECT_EQ(scheduler.plan(launch(1, 1)).parts[0].engine, 0u);
  EXPECT_EQ(scheduler.plan(launch(1, 10'000)).parts[0].engine, 1u);
}

TEST(Place, WhatComesFromAnotherDeviceDirectlyCostsOneWay) {
  Scheduler scheduler;
  EngineDescription device = engine("cuda:0", 1'000, 10'000, false);
  device.model.memory_rate = 640;  // a link of 20 is likely
  ASSERT_TRUE(scheduler.add_engine(device));
  device.identity.id = "cuda:1";
  ASSERT_TRUE(scheduler.add_engine(device));
  const MemoryUse use{nullptr, size_t{1} << 30, true, false, false};
  Work work = launch(1, 100);
  work.bytes = 1;
  work.memory = {&use, 1};
  FixedResidency residency;
  std::map<std::string, double> alone;
  for (auto [name, missing] :
       {std::pair<const char*, Missing>{"through the host", {1e9, 0, false, 0}},
        {"unseen", {1e9, 0, true, 0}},
        {"seen", {1e9, 0, true, 200}}}) {
    residency.bytes = {{1, missing}};
    ++residency.version;
    alone[name] = scheduler.plan(work, &residency).alone_ns[1];
  }
  EXPECT_NEAR(alone["through the host"] - alone["unseen"], 2e8 - 5e7, 1e6);
  EXPECT_NEAR(alone["unseen"] - alone["seen"], 5e7 - 5e6, 1e6);
}

TEST(Place, AFirstProductThatLoadedALibraryIsNotBelieved) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 10'000, 5'000, false)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:1", 10'000, 5'000, false)));
  scheduler.set_split_mode(SplitMode::never);
  Work work = launch(1, 4096, 1e7);
  work.kind = WorkKind::gemm;
  const MemoryUse use{nullptr, size_t{1} << 20, false, true, true};
  work.memory = {&use, 1};
  work.results_to_host = false;
  work.keeper = 0;
  const FixedResidency residency;
  EXPECT_EQ(scheduler.plan(work, &residency).parts[0].engine, 0u);
  scheduler.observe(0, work, 4096, 200e6);  // 4 ms, and a library
  Decision decision = scheduler.plan(work, &residency);
  EXPECT_EQ(decision.parts[0].engine, 0u) << scheduler.explain(work, decision);
  EXPECT_LT(decision.alone_ns[0], 20e6);
  scheduler.observe(0, work, 4096, 4.2e6);
  for (int i = 0; i < 3; ++i) scheduler.observe(0, work, 4096, 4.1e6);
  EXPECT_NEAR(scheduler.plan(work, &residency).alone_ns[0], 4.1e6, 0.4e6);
}

TEST(Place, WholeWorkElsewhereThanAtHomeBringsItsResultsBack) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 1'000, 10'000, false)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:1", 1'000, 10'000, false)));
  const MemoryUse use{nullptr, size_t{1} << 30, false, true, true};
  Work work = launch(1, 100);
  work.bytes = 1;
  work.memory = {&use, 1};
  work.results_to_host = false;
  work.keeper = 1;
  const FixedResidency residency;
  const Decision decision = scheduler.plan(work, &residency);
  EXPECT_NEAR(decision.alone_ns[0] - decision.alone_ns[1], 1.07e8, 1e6);
}

TEST(Place, ShortWorkStaysWhereDataLives) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 1'000, 1'000, false)));
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 1'000, 1'000)));
  scheduler.set_split_mode(SplitMode::never);
  Work work = launch(1, 1);
  work.results_to_host = false;
  teach(scheduler, 0, work, 1, 8'000);
  teach(scheduler, 1, work, 1, 300);
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 1u);
  work.keeper = 0;
  work.key = 2;
  teach(scheduler, 0, work, 1, 8'000);
  teach(scheduler, 1, work, 1, 300);
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 0u);
  work.key = 3;
  teach(scheduler, 0, work, 1, 80'000);
  teach(scheduler, 1, work, 1, 300);
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 1u);
  work.engines = 2;  // or where it has to be
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 1u);
}

TEST(Place, WhatStartingCostsAndASlowSpellDriveNothingAwayFromItsData) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 1'000, 40'000, false)));
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 1'000, 600)));
  scheduler.set_split_mode(SplitMode::never);
  Work work = launch(1, 1, 100);
  work.results_to_host = false;
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 1u);
  work.keeper = 0;
  work.key = 2;  // decisions are remembered
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 0u);
  work = launch(3, 1'000);
  work.results_to_host = false;
  work.keeper = 0;
  teach(scheduler, 0, work, 1'000, 100);
  teach(scheduler, 1, work, 1'000, 100);
  for (int i = 0; i < 2; ++i) scheduler.observe(0, work, 1'000, 250e3);
  const Decision slow = scheduler.plan(work);
  EXPECT_GT(slow.alone_ns[0], slow.alone_ns[1] + 10e3);
  EXPECT_EQ(slow.parts[0].engine, 0u);
}

TEST(Split, AnEngineThatWouldHardlyHelpStaysOut) {
  Scheduler scheduler;
  for (const char* id : {"cpu", "cuda:0", "cuda:1"})
    ASSERT_TRUE(scheduler.add_engine(engine(id, 1'000, 1'000)));
  const Work work = launch(1, 1000);
  teach(scheduler, 0, work, 1'000, 150'000);  // a thirtieth of what both devices do
  teach(scheduler, 1, work, 1'000, 10'000);
  teach(scheduler, 2, work, 1'000, 10'000);
  const Decision decision = scheduler.plan(work);
  ASSERT_TRUE(decision.is_split());
  ASSERT_EQ(decision.part_count, 2u) << scheduler.explain(work, decision);
  EXPECT_EQ(decision.parts[0].engine, 1u);
  EXPECT_EQ(decision.parts[1].engine, 2u);
  EXPECT_EQ(decision.parts[0].count + decision.parts[1].count, 1000u);
}

TEST(Split, ResultsThatStayWhereTheyAreCostNothing) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 1'000, 10'000, false)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:1", 1'000, 10'000, false)));
  const MemoryUse use{nullptr, size_t{8} << 30, false, true, true};
  Work work = launch(1, 10'000);
  work.bytes = 1;
  work.memory = {&use, 1};
  const FixedResidency residency;
  for (EngineIndex e : {0u, 1u}) teach(scheduler, e, work, 10'000, 10'000);
  const Decision copied = scheduler.plan(work, &residency);
  // A device alone brings its results back, too.
  EXPECT_GT(copied.alone_ns[0], 8e9 / 20);
  work.key = 2;  // decisions are remembered
  for (EngineIndex e : {0u, 1u}) teach(scheduler, e, work, 10'000, 10'000);
  work.results_to_host = false;
  const Decision left = scheduler.plan(work, &residency);
  ASSERT_TRUE(left.is_split()) << scheduler.explain(work, left);
  EXPECT_NEAR(static_cast<double>(left.parts[0].count), 5'000, 200);
  EXPECT_EQ(left.moving, 0u);
  EXPECT_LT(left.predicted_ns, copied.predicted_ns / 2);
  EXPECT_LT(left.sigma, 0.02);
}

TEST(Place, TransfersOfWhatIsStaleDecide) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 1'000, 10'000, false)));
  scheduler.set_split_mode(SplitMode::never);
  const MemoryUse use{nullptr, size_t{1} << 30, true, false, false};
  Work work = launch(1, 100);
  work.bytes = 1;
  work.memory = {&use, 1};
  FixedResidency residency;
  EXPECT_EQ(scheduler.plan(work, &residency).parts[0].engine, 1u);
  residency.bytes[1] = {static_cast<double>(use.bytes), kNoEngine};
  residency.version = 2;
  EXPECT_EQ(scheduler.plan(work, &residency).parts[0].engine, 0u);
  // Now the data is on the device: the host would have to fetch it.
  residency.bytes = {{0, {static_cast<double>(use.bytes), 1}}};
  residency.version = 3;
  EXPECT_EQ(scheduler.plan(work, &residency).parts[0].engine, 1u);
}

TEST(Place, ABusyEngineIsAvoided) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 200, 1'000)));
  scheduler.set_split_mode(SplitMode::never);
  EXPECT_EQ(scheduler.plan(launch(1, 100)).parts[0].engine, 1u);
  const std::array<double, 2> backlog = {0, 1e9};
  EXPECT_EQ(scheduler.plan(launch(1, 100), nullptr, backlog).parts[0].engine, 0u);
}

TEST(Place, AnEngineThatLooksSlowButWasNeverTriedIsTriedAFewTimes) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 80, 1'000)));
  const Work work = [] {
    Work w = launch(1, 100);
    w.divisible = false;
    return w;
  }();
  // In truth the second engine is four times as fast as its roofline says.
  int on_second = 0;
  for (int i = 0; i < 40; ++i) {
    const Decision decision = scheduler.plan(work);
    ASSERT_EQ(decision.part_count, 1u);
    const EngineIndex e = decision.parts[0].engine;
    on_second += e == 1 ? 1 : 0;
    scheduler.observe(e, work, 100, e == 0 ? 1.5e6 : 0.5e6);
  }
  EXPECT_GT(on_second, 25);
  EXPECT_GT(scheduler.counters().explored, 0u);
  EXPECT_EQ(scheduler.plan(work).verdict, Verdict::placed);
}

TEST(Split, SharesFollowTheMeasuredSpeedsNotTheRoofline) {
  Scheduler scheduler;
  const Work work = launch(1, 1000);
  add_two_engines(scheduler, work, 30'000, 10'000);
  const Decision decision = scheduler.plan(work);
  ASSERT_TRUE(decision.is_split()) << scheduler.explain(work, decision);
  ASSERT_EQ(decision.part_count, 2u);
  EXPECT_NEAR(static_cast<double>(decision.parts[0].count), 250, 25);
  EXPECT_EQ(decision.parts[0].count + decision.parts[1].count, 1000u);
  EXPECT_EQ(decision.parts[1].begin, decision.parts[0].count);
  EXPECT_NEAR(decision.predicted_ns, 7.5e6, 0.5e6);
  EXPECT_NEAR(decision.gain, 0.25, 0.03);
}

TEST(Split, IsRefusedWhenItGainsLittle) {
  Scheduler scheduler;
  const Work work = launch(1, 1000);
  add_two_engines(scheduler, work, 1'000'000, 30'000);
  const Decision decision = scheduler.plan(work);
  EXPECT_FALSE(decision.is_split());
  EXPECT_EQ(decision.refusal, Refusal::little_gain);
  EXPECT_EQ(decision.parts[0].engine, 1u);
  EXPECT_LT(decision.gain, 0.05);
}

TEST(Split, IsRefusedWhileThePredictionIsAGuess) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 100, 1'000)));
  const Decision decision = scheduler.plan(launch(1, 1000));
  EXPECT_FALSE(decision.is_split());
  EXPECT_EQ(decision.refusal, Refusal::uncertain);
  EXPECT_GT(decision.gain, 0.3);
}

TEST(Split, NeedsThreeStandardDeviations) {
  // The same means; only the noise of the measurements differs.
  for (const bool noisy : {false, true}) {
    Scheduler scheduler;
    ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
    ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 100, 1'000)));
    const Work work = launch(1, 1000);
    std::mt19937 random(5);
    std::normal_distribution<double> noise(0, noisy ? 0.25 : 0.01);
    for (int i = 0; i < 12; ++i) {
      scheduler.observe(0, work, 1000, 1e8 * (1 + noise(random)));
      scheduler.observe(1, work, 1000, 1e7 * (1 + noise(random)));
    }
    const Decision decision = scheduler.plan(work);
    EXPECT_EQ(decision.is_split(), !noisy) << scheduler.explain(work, decision);
    EXPECT_EQ(decision.gain > decision.needed_gain, !noisy);
  }
}

TEST(Split, WorkThatKeepsComingIsSplitToLearn) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 100, 1'000)));
  const Work work = launch(1, 1000);
  teach(scheduler, 0, work, 1'000, 10'000, 10);
  const Decision decision = scheduler.plan(work);
  EXPECT_TRUE(decision.is_split()) << scheduler.explain(work, decision);
  EXPECT_TRUE(decision.exploring);
  EXPECT_LT(decision.gain, decision.needed_gain);
}

TEST(Split, CutsAtTilesAndNeverTheIndivisible) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 100, 1'000)));
  Work work = launch(1, 1000);
  teach(scheduler, 0, work, 1'000, 17'000);
  teach(scheduler, 1, work, 1'000, 10'000);
  work.tile = 48;
  const Decision tiled = scheduler.plan(work);
  ASSERT_TRUE(tiled.is_split());
  EXPECT_EQ(tiled.parts[0].count % 48, 0u);
  EXPECT_EQ(tiled.parts[1].begin % 48, 0u);

  work.divisible = false;
  work.indivisible_because = "synchronises the grid";
  const Decision whole = scheduler.plan(work);
  EXPECT_EQ(whole.refusal, Refusal::indivisible);
  EXPECT_NE(scheduler.explain(work, whole).find("synchronises the grid"), std::string::npos);
}

TEST(Split, MovingTheDataMayCostMoreThanComputing) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 100, 1'000, false)));
  const MemoryUse use{nullptr, size_t{1} << 30, true, true, true};
  Work work = launch(1, 1000);
  teach(scheduler, 0, work, 1'000, 10'000);
  teach(scheduler, 1, work, 1'000, 10'000);
  work.memory = {&use, 1};
  FixedResidency residency;
  residency.bytes[1] = {static_cast<double>(use.bytes), kNoEngine};
  const Decision decision = scheduler.plan(work, &residency);
  EXPECT_FALSE(decision.is_split()) << scheduler.explain(work, decision);
  EXPECT_EQ(decision.parts[0].engine, 0u);
}

TEST(Split, CopiesOfReducedMemoryAreFilledBroughtBackAndCombined) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 100, 1'000, false)));
  FixedResidency residency;  // nothing is stale: what there is to move are the copies
  const auto decide = [&](size_t bytes, bool reduced, uint64_t key) {
    Work work = launch(key, 1'000);
    const MemoryUse use{nullptr, bytes, true, true, false, reduced};
    work.memory = {&use, 1};
    teach(scheduler, 0, work, 1'000, 1e4);
    teach(scheduler, 1, work, 1'000, 1e4);
    return scheduler.plan(work, &residency);
  };
  EXPECT_TRUE(decide(1024, true, 1).is_split());
  // 10 ms of computing; 1 GB is 0.1 s each way.
  const Decision large = decide(size_t{1} << 30, true, 2);
  EXPECT_FALSE(large.is_split());
  EXPECT_EQ(large.refusal, Refusal::little_gain);
  EXPECT_TRUE(decide(size_t{1} << 30, false, 3).is_split());
  // In between the device with the copy gets less.
  const Decision middle = decide(size_t{16} << 20, true, 4);
  ASSERT_TRUE(middle.is_split());
  EXPECT_GT(middle.parts[0].count, middle.parts[1].count + 100);
}

TEST(Split, EnginesThatCannotTakeAPartStillRunTheWhole) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("opencl:0", 120, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 110, 1'000)));
  Work work = launch(1, 1'000);
  for (EngineIndex e = 0; e < 3; ++e) teach(scheduler, e, work, 1'000, e == 1 ? 8e3 : 1e4);
  work.part_engines = ~0u & ~(1u << 1);
  const Decision split = scheduler.plan(work);
  ASSERT_TRUE(split.is_split());
  for (const Part& part : split.all_parts()) EXPECT_NE(part.engine, 1u);
  scheduler.set_split_mode(SplitMode::never);
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 1u);
}

TEST(Policy, NeverAlwaysAndForced) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 1, 1e9)));
  const Work work = launch(1, 1000);
  scheduler.set_split_mode(SplitMode::always);
  const Decision always = scheduler.plan(work);
  ASSERT_TRUE(always.is_split());
  EXPECT_EQ(always.part_count, 2u);
  scheduler.set_split_mode(SplitMode::never);
  EXPECT_EQ(scheduler.plan(work).refusal, Refusal::forbidden);
  Scheduler::force_engine(1);
  const Decision forced = scheduler.plan(work);
  Scheduler::force_engine(kNoEngine);
  EXPECT_EQ(forced.verdict, Verdict::forced);
  EXPECT_EQ(forced.parts[0].engine, 1u);
}

TEST(Policy, TheDeviceListAllowsAndPrefers) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:1", 100, 1'000)));
  EngineDescription on_cores = engine("opencl:0", 1e6, 1);
  on_cores.host_cores = true;
  ASSERT_TRUE(scheduler.add_engine(on_cores));
  Work work = launch(1, 1000);
  work.divisible = false;
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 0u);  // the device on our own cores takes no part
  scheduler.set_devices(*DeviceList::parse("cuda:1, cpu"));
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 2u);
  scheduler.set_devices(*DeviceList::parse("cuda"));
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 1u);
  scheduler.set_devices(*DeviceList::parse("cpu,opencl"));
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 3u);
  scheduler.set_devices(*DeviceList::parse("cuda:7"));
  EXPECT_EQ(scheduler.plan(work).verdict, Verdict::none);
  EXPECT_EQ(scheduler.plan(work).part_count, 0u);
  scheduler.set_devices({});
  work.engines = 2;
  EXPECT_EQ(scheduler.plan(work).verdict, Verdict::only);
}

TEST(Policy, ListsAreParsedStrictly) {
  EXPECT_TRUE(DeviceList::parse("")->allows_all());
  EXPECT_EQ(DeviceList::parse("cpu,cuda:1")->rank("cuda:1"), 1);
  EXPECT_EQ(DeviceList::parse("cpu:0")->rank("cpu"), 0);
  EXPECT_EQ(DeviceList::parse("cuda:1")->rank("cuda:10"), -1);
  for (const char* wrong : {"CPU", "cuda:", "cuda:x", "cpu,,cuda", ":0", "cuda:1:2"}) {
    EXPECT_EQ(DeviceList::parse(wrong).status().code(), StatusCode::invalid_value) << wrong;
  }
  EXPECT_EQ(parse_split_mode("sometimes").status().code(), StatusCode::invalid_value);
}

TEST(Quarantine, AFailedEngineGetsNothingUntilReleased) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 10'000, 1'000)));
  const Work work = launch(1, 1000);
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 1u);
  scheduler.quarantine(1, "fell off the bus");
  EXPECT_EQ(scheduler.plan(work).verdict, Verdict::only);
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 0u);
  EXPECT_EQ(scheduler.quarantine_reason(1), "fell off the bus");
  EXPECT_EQ(scheduler.engine_counters(1).failures, 1u);
  scheduler.release(1);
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 1u);
}

TEST(DecisionCache, RepeatsUntilSomethingChanged) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 120, 1'000)));
  Work work = launch(1, 1000);
  work.divisible = false;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(scheduler.plan(work).parts[0].engine, 1u);
  EXPECT_EQ(scheduler.counters().repeated, 4u);
  // Measurements turn the decision at once.
  teach(scheduler, 1, work, 1'000, 90'000);
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 0u);
}

TEST(Prediction, OfUnseenKernelsLearnsFromOthers) {
  // Every kernel really takes three times its roofline; after twenty kernels the twenty-first is predicted.
  TimeModel model(engine("cpu", 100, 1'000).model);
  std::mt19937 random(9);
  const auto truth = [](double operations) { return 2'000 + 3 * operations / 100; };
  for (uint64_t key = 1; key <= 20; ++key) {
    const Work work = launch(key, 100, 1e4 * static_cast<double>(1 + random() % 100));
    model.observe(work, 100, truth(work.operations[1]));
  }
  const Work unseen = launch(99, 100, 3.3e5);
  const Estimate estimate = model.estimate(unseen);
  EXPECT_EQ(estimate.observations, 0u);
  EXPECT_NEAR(estimate.ns(100), truth(unseen.operations[1]), 0.15 * truth(unseen.operations[1]));
}

TEST(Prediction, WorkWithoutMemoryTrafficForEverSpoilsNothing) {
  TimeModel model(engine("cpu", 100, 1'000).model);
  std::mt19937 random(11);
  const auto truth = [](const Work& work) { return 2'000 + 3 * work.operations[1] / 100; };
  const auto work = [](uint64_t key, double operations) {
    Work work = launch(key, 100, operations);
    work.bytes = 0;
    work.memory = {};
    return work;
  };
  for (int i = 0; i < 100'000; ++i) {
    const Work done = i % 2 == 0 ? work(1, 1e5) : work(2, 2e6);
    model.observe(done, 100, truth(done) * (0.95 + 0.001 * static_cast<double>(random() % 100)));
  }
  const Work unseen = work(3, 5e5);
  EXPECT_NEAR(model.estimate(unseen).ns(100), truth(unseen), 0.1 * truth(unseen));
  EXPECT_LT(model.estimate(unseen).sigma, 0.5);
}

TEST(Prediction, OfAKernelThatNothingIsKnownAboutPrefersFastEnginesForLargeGrids) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 10'000, 10'000)));
  EXPECT_EQ(scheduler.plan(launch(1, 4, 0)).parts[0].engine, 0u);
  EXPECT_EQ(scheduler.plan(launch(2, 1'000'000, 0)).parts[0].engine, 1u);
}

TEST(Prediction, AColdFirstRunIsForgottenWithTheSecond) {
  TimeModel model(engine("cpu", 100, 1'000).model);
  const Work work = launch(1, 100);
  model.observe(work, 100, 80e6);  // compiled first
  model.observe(work, 100, 1e6);
  model.observe(work, 100, 1e6);
  EXPECT_NEAR(model.estimate(work).ns(100), 1e6, 0.1e6);
  EXPECT_LT(model.estimate(work).mean_sigma, 0.15);
}

TEST(Prediction, WhatWasLearntIsThereInTheNextProcess) {
  const std::string directory = fmt::format("{}/guda-learnt-{}", ::testing::TempDir(), getpid());
  const ModelStore store(directory);
  const Work work = launch(42, 100);
  {
    Scheduler scheduler;
    ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
    ASSERT_TRUE(scheduler.add_engine(engine("cuda:0", 100, 1'000)));
    teach(scheduler, 0, work, 1'000, 50'000);
    scheduler.keep_learnt(store);
  }
  EngineDescription again = engine("cpu", 100, 1'000);
  const auto record = store.load(again.identity);
  ASSERT_TRUE(record) << record.status().message();
  again.learnt = record->learnt;
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(again));
  EXPECT_NEAR(scheduler.plan(work).predicted_ns, 5e6, 0.2e6);
  // The engine that was never measured has no file.
  EXPECT_EQ(store.load(engine("cuda:0", 100, 1'000).identity).status().code(),
            StatusCode::not_found);
  std::filesystem::remove_all(directory);
}

TEST(Prediction, MedianErrorIsBelow15PercentAfterAFewRuns) {
  // Thirty kernels, each with its own efficiency and start, at changing sizes, with 5 % noise.
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 5'000)));
  std::mt19937 random(11);
  std::normal_distribution<double> noise(0, 0.05);
  std::uniform_real_distribution<double> efficiency(0.1, 1);
  std::vector<double> speeds(30);
  for (double& speed : speeds) speed = 100 * efficiency(random);
  for (int round = 0; round < 10; ++round) {
    for (uint64_t key = 0; key < speeds.size(); ++key) {
      const Work work = launch(key, 50 + random() % 1000, 1e5);
      const double actual = (8'000 + work.operations[1] / speeds[key]) * (1 + noise(random));
      const Decision decision = scheduler.plan(work);
      if (round >= 2) scheduler.record_outcome(work, decision, actual);
      scheduler.observe(0, work, static_cast<double>(work.units), actual);
    }
  }
  EXPECT_EQ(scheduler.counters().predictions, 240u);
  EXPECT_LT(scheduler.counters().median_error, 0.15);
  EXPECT_GT(scheduler.counters().median_error, 0.005);
}

TEST(Split, DisappointingOnesAreGivenUpAndTriedEverLessOften) {
  Scheduler scheduler;
  const Work work = launch(1, 1000);
  add_two_engines(scheduler, work, 10'000, 30'000);
  // Each engine is as fast as ever when it works alone, and splits take twice what they should.
  const auto run = [&](double times) {
    (void)scheduler.plan(work);  // work may be planned more often than it runs
    const Decision decision = scheduler.plan(work);
    if (!decision.is_split()) scheduler.observe(decision.parts[0].engine, work, 1'000, 1e7);
    scheduler.record_outcome(work, decision, decision.is_split() ? times * 7.5e6 : 1e7);
    return decision.is_split();
  };
  int splits = 0;
  for (int i = 0; i < 6; ++i) splits += run(2) ? 1 : 0;
  EXPECT_GE(splits, 2);  // the first might just have been cold
  EXPECT_LE(splits, 4);
  EXPECT_NE(scheduler.explain_last().find("times what was expected"), std::string::npos)
      << scheduler.explain_last();
  EXPECT_LT(scheduler.plan(work).gain, 0);

  std::vector<int> tries;
  for (int i = 0; i < 1'000; ++i)
    if (run(2)) tries.push_back(i);
  ASSERT_GE(tries.size(), 5u);
  EXPECT_LE(tries.size(), 9u);
  for (size_t i = 2; i < tries.size(); ++i)
    EXPECT_GT(tries[i] - tries[i - 1], tries[i - 1] - tries[i - 2]);

  // What was in the way has gone.
  for (int i = 0; i < 2'000; ++i) (void)run(1);
  splits = 0;
  for (int i = 0; i < 20; ++i) splits += run(1) ? 1 : 0;
  EXPECT_EQ(splits, 20);
}

TEST(Split, BadOnesCostLittleHoweverBadTheyAre) {
  Scheduler scheduler;
  const Work work = launch(1, 1000);
  add_two_engines(scheduler, work, 10'000, 10'000);
  int splits = 0;
  for (int i = 0; i < 200; ++i) {
    const Decision decision = scheduler.plan(work);
    splits += decision.is_split() ? 1 : 0;
    // With each try things are a little different, and never good.
    const double bad = i % 2 == 0 ? 10 : 6;
    if (!decision.is_split()) scheduler.observe(decision.parts[0].engine, work, 1'000, 1e7);
    scheduler.record_outcome(work, decision, decision.is_split() ? bad * 5e6 : 1e7);
  }
  EXPECT_GE(splits, 4);
  EXPECT_LE(splits, 12);
}

TEST(Split, SmallWorksThatDisappointSayNothingOfLargeOnes) {
  Scheduler scheduler;
  const Work small = launch(1, 1'000);
  const Work large = launch(1, 100'000);
  add_two_engines(scheduler, small, 10'000, 10'000);
  int small_splits = 0;
  int large_splits = 0;
  for (int i = 0; i < 200; ++i) {
    for (const Work* work : {&small, &large}) {
      const Decision decision = scheduler.plan(*work);
      const auto units = static_cast<double>(work->units);
      (work == &small ? small_splits : large_splits) += decision.is_split() ? 1 : 0;
      if (!decision.is_split())
        scheduler.observe(decision.parts[0].engine, *work, units, units * 10'000);
      scheduler.record_outcome(*work, decision,
                               units * (!decision.is_split() ? 10'000
                                        : work == &small     ? 15'000
                                                             : 5'000));
    }
  }
  EXPECT_LE(small_splits, 15);
  EXPECT_EQ(large_splits, 200);
}

TEST(Split, EnginesThatFailSayNothingOfSplits) {
  Scheduler scheduler;
  const Work work = launch(1, 1000);
  add_two_engines(scheduler, work, 10'000, 10'000);
  for (int i = 0; i < 10; ++i) {
    const Decision decision = scheduler.plan(work);
    ASSERT_TRUE(decision.is_split());
    scheduler.record_outcome(work, decision, 0);
  }
  EXPECT_EQ(scheduler.counters().predictions, 0u);
}

TEST(Scheduler, ADecisionBecauseOfABadMomentIsNotForEver) {
  Scheduler scheduler;
  Work work = launch(1, 1000);
  work.divisible = false;
  add_two_engines(scheduler, work, 10'000, 11'500);
  for (int i = 0; i < 500; ++i) scheduler.observe(0, work, 1'000, i % 2 == 0 ? 0.95e7 : 1.05e7);
  EXPECT_EQ(scheduler.plan(work).fastest, 0u);
  for (int i = 0; i < 5; ++i) scheduler.observe(0, work, 1'000, 1.4e7);
  ASSERT_EQ(scheduler.plan(work).fastest, 1u) << scheduler.explain_last();
  // The second engine is as it always was. Nobody sees how the first one is now.
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (scheduler.plan(work).fastest == 1 && std::chrono::steady_clock::now() < limit)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(scheduler.plan(work).fastest, 0u) << scheduler.explain_last();
}

TEST(Split, WhatLooksSlowToStartIsTriedAllTheSame) {
  Scheduler scheduler;
  ASSERT_TRUE(scheduler.add_engine(engine("cpu", 100, 1'000)));
  ASSERT_TRUE(scheduler.add_engine(engine("opencl:0", 100, 1'000)));
  const Work work = launch(1, 1000);
  teach(scheduler, 0, work, 1'000, 10'000);
  // Both times that it had a part somebody else had its core; whole works say nothing of what starting costs.
  for (int i = 0; i < 4; ++i) scheduler.observe(1, work, 1'000, 3e7);
  for (int i = 0; i < 2; ++i) scheduler.observe(1, work, 100, 1.8e7);
  for (int i = 0; i < 300; ++i) scheduler.observe(1, work, 1'000, 3e7 * (i % 2 == 0 ? 1.01 : 0.99));
  EXPECT_FALSE(scheduler.plan(work).is_split()) << scheduler.explain_last();
  int splits = 0;
  for (int i = 0; i < 40; ++i) {
    const Decision decision = scheduler.plan(work);
    splits += decision.is_split() ? 1 : 0;
    double ns = 0;
    for (const Part& part : decision.all_parts()) {
      const auto units = static_cast<double>(part.count);
      const double took = 1'000 + (part.engine == 0 ? 10'000 : 30'000) * units;
      scheduler.observe(part.engine, work, units, took);
      ns = std::max(ns, took);
    }
    scheduler.record_outcome(work, decision, ns);
  }
  EXPECT_GE(splits, 20) << scheduler.explain_last();
}

TEST(Split, OneSlowFirstRunIsForgiven) {
  Scheduler scheduler;
  const Work work = launch(1, 1000);
  add_two_engines(scheduler, work, 10'000, 10'000);
  for (const double ns : {80e6, 5e6, 5e6, 5e6}) {
    const Decision decision = scheduler.plan(work);
    ASSERT_TRUE(decision.is_split());
    EXPECT_NEAR(decision.predicted_ns, 5e6, 1e5);
    scheduler.record_outcome(work, decision, ns);
  }
}

TEST(Explain, SaysEnginesSharesAndReason) {
  Scheduler scheduler;
  EXPECT_EQ(scheduler.explain_last(), "");
  const Work work = launch(1, 1000);
  add_two_engines(scheduler, work, 10'000, 10'000);
  const Decision decision = scheduler.plan(work);
  ASSERT_TRUE(decision.is_split());
  const std::string text = scheduler.explain(work, decision);
  EXPECT_NE(text.find("kernel: split: cpu 50"), std::string::npos) << text;
  EXPECT_NE(text.find("cuda:0 "), std::string::npos) << text;
  EXPECT_EQ(scheduler.explain_last(), text);
}

}  // namespace
}  // namespace guda::scheduler
