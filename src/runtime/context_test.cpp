#include "runtime/context.h"

#include "runtime/launch.h"
#include "runtime/stream.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

namespace guda::runtime {
namespace {

/// What `function` returns in a forked child.
template <typename Function>
int in_child(Function&& function) {
  pid_t child = fork();
  if (child == 0) _exit(function());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Runs first: the other tests create the context.
TEST(ContextFork, UseAfterForkWorksWhenTheParentHadNoContext) {
  ASSERT_FALSE(Context::exists());
  EXPECT_EQ(in_child([] {
              if (Context::enter() != kSuccess) return 1;
              auto stream = StreamTable::instance().create(0, 0);
              stream->synchronize();
              return 0;
            }),
            0);
}

TEST(ContextFork, UseAfterForkIsAnInitializationErrorWhenTheParentHadOne) {
  ASSERT_EQ(Context::enter(), kSuccess);
  EXPECT_EQ(in_child([] { return Context::enter(); }), 3);
  EXPECT_EQ(Context::enter(), kSuccess);
}

TEST(Context, FirstFaultStaysUntilReset) {
  ASSERT_EQ(Context::enter(), kSuccess);
  auto& context = Context::instance();
  context.set_sticky_error({StatusCode::illegal_address, "first"});
  context.set_sticky_error({StatusCode::device_assert, "second"});
  EXPECT_EQ(Context::enter(), 700);
  EXPECT_EQ(Context::enter_ignoring_faults(), kSuccess);
  EXPECT_EQ(context.sticky_message(), "first");
  EXPECT_EQ(context.reset(), kSuccess);
  EXPECT_EQ(Context::enter(), kSuccess);
}

TEST(Context, LimitsAreKept) {
  ASSERT_EQ(Context::enter(), kSuccess);
  auto& context = Context::instance();
  EXPECT_TRUE(context.set_limit(Limit::stack_size, 4096).is_ok());
  EXPECT_EQ(*context.limit(Limit::stack_size), 4096u);
  EXPECT_EQ(static_cast<int>(context.limit(static_cast<Limit>(99)).status().code()),
            kErrorUnsupportedLimit);
}

TEST(LastError, BelongsToItsThread) {
  take_last_error();
  record_error(2);
  std::thread([] { EXPECT_EQ(peek_last_error(), kSuccess); }).join();
  EXPECT_EQ(peek_last_error(), 2);
  EXPECT_EQ(take_last_error(), 2);
  EXPECT_EQ(take_last_error(), kSuccess);
  record_error(static_cast<int>(StatusCode::not_ready));
  EXPECT_EQ(peek_last_error(), kSuccess);
}

TEST(CallConfiguration, NestsAndReportsWhenMissing) {
  CallConfiguration out{};
  EXPECT_FALSE(pop_call_configuration(out));
  push_call_configuration({{1, 2, 3}, {4, 5, 6}, 7, nullptr});
  push_call_configuration({{8, 1, 1}, {9, 1, 1}, 0, nullptr});
  ASSERT_TRUE(pop_call_configuration(out));
  EXPECT_EQ(out.grid.x, 8u);
  ASSERT_TRUE(pop_call_configuration(out));
  EXPECT_EQ(out.block.z, 6u);
  EXPECT_EQ(out.dynamic_shared, 7u);
}

}  // namespace
}  // namespace guda::runtime
