#include "scheduler/scheduler.h"

#include <guda/scheduler.h>

#include <gtest/gtest.h>

#include <cstring>

namespace guda::scheduler {
namespace {

// The process's scheduler is one: the tests of this file run in order.
TEST(SchedulerApi, ACpuAloneIsOneEngine) {
  int count = 0;
  ASSERT_EQ(guda_scheduler_engine_count(&count), 0);
  EXPECT_EQ(count, 1);
  guda_engine engine;
  ASSERT_EQ(guda_scheduler_engine(0, &engine), 0);
  EXPECT_STREQ(engine.id, "cpu");
  EXPECT_EQ(guda_scheduler_engine(1, &engine), 101);
  char text[8] = "old";
  EXPECT_EQ(guda_scheduler_explain_last(text, sizeof text), 0);
  EXPECT_STREQ(text, "");
}

TEST(SchedulerApi, WrongArgumentsAreRefused) {
  EXPECT_EQ(guda_scheduler_engine_count(nullptr), 1);
  EXPECT_EQ(guda_scheduler_engine(0, nullptr), 1);
  EXPECT_EQ(guda_scheduler_set_split(static_cast<guda_split_mode>(7)), 1);
  EXPECT_EQ(guda_scheduler_get_split(nullptr), 1);
  EXPECT_EQ(guda_scheduler_set_devices("no spaces, please!"), 1);
  EXPECT_EQ(guda_scheduler_force_engine(5), 101);
  EXPECT_EQ(guda_scheduler_force_engine(-2), 101);
  EXPECT_EQ(guda_scheduler_release_engine(5), 101);
  EXPECT_EQ(guda_scheduler_get_counters(nullptr), 1);
  EXPECT_EQ(guda_scheduler_explain_last(nullptr, 10), 1);
}

TEST(SchedulerApi, ForcesForbidsAndCounts) {
  Scheduler& scheduler = Scheduler::process();
  for (const char* id : {"cpu", "cuda:0"}) {
    EngineDescription description;
    description.identity = {id, "an engine with a name", "1", 2};
    description.host_memory = true;
    description.model.launch_ns = std::strcmp(id, "cpu") == 0 ? 1'000 : 50'000;
    ASSERT_TRUE(scheduler.add_engine(description));
  }
  Work work;
  work.name = "some_kernel";
  work.key = 5;
  work.units = 10;
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 0u);

  ASSERT_EQ(guda_scheduler_force_engine(1), 0);
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 1u);
  char text[128];
  ASSERT_EQ(guda_scheduler_explain_last(text, sizeof text), 0);
  EXPECT_STREQ(text, "some_kernel: cuda:0, as the program wishes");
  ASSERT_EQ(guda_scheduler_force_engine(-1), 0);

  ASSERT_EQ(guda_scheduler_set_devices("cuda"), 0);
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 1u);
  ASSERT_EQ(guda_scheduler_set_devices(nullptr), 0);
  EXPECT_EQ(scheduler.plan(work).parts[0].engine, 0u);

  ASSERT_EQ(guda_scheduler_set_split(GUDA_SPLIT_NEVER), 0);
  guda_split_mode mode = GUDA_SPLIT_AUTO;
  ASSERT_EQ(guda_scheduler_get_split(&mode), 0);
  EXPECT_EQ(mode, GUDA_SPLIT_NEVER);
  static_cast<void>(scheduler.plan(work));
  guda_scheduler_counters counters;
  ASSERT_EQ(guda_scheduler_get_counters(&counters), 0);
  EXPECT_EQ(counters.decisions, 5u);
  EXPECT_EQ(counters.refused_forbidden, 1u);

  scheduler.quarantine(1, "gone");
  guda_engine engine;
  ASSERT_EQ(guda_scheduler_engine(1, &engine), 0);
  EXPECT_STREQ(engine.id, "cuda:0");
  EXPECT_STREQ(engine.name, "an engine with a name");
  EXPECT_EQ(engine.quarantined, 1);
  EXPECT_EQ(engine.placed, 2u);
  EXPECT_EQ(engine.failures, 1u);
  ASSERT_EQ(guda_scheduler_release_engine(1), 0);
  ASSERT_EQ(guda_scheduler_engine(1, &engine), 0);
  EXPECT_EQ(engine.quarantined, 0);
}

}  // namespace
}  // namespace guda::scheduler
