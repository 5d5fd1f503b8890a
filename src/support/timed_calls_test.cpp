#include "support/timed_calls.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>

namespace guda {
namespace {

using namespace std::chrono_literals;

TEST(TimedCalls, ReturnWhatTheCallReturns) {
  TimedCalls calls("test");
  EXPECT_TRUE(calls.run(10s, [] { return Status::ok(); }));
  const Status refused = calls.run(10s, [] { return Status(StatusCode::not_supported, "no"); });
  EXPECT_EQ(refused.code(), StatusCode::not_supported);
  EXPECT_EQ(refused.message(), "no");
  EXPECT_FALSE(calls.hung());
}

TEST(TimedCalls, RunOffTheCallersThread) {
  TimedCalls calls("test");
  std::thread::id first, second;
  ASSERT_TRUE(calls.run(10s, [&] { return first = std::this_thread::get_id(), Status::ok(); }));
  ASSERT_TRUE(calls.run(10s, [&] { return second = std::this_thread::get_id(), Status::ok(); }));
  EXPECT_NE(first, std::this_thread::get_id());
  EXPECT_EQ(first, second);
}

TEST(TimedCalls, ReleaseWhatTheyHoldBeforeTheyReturn) {
  TimedCalls calls("test");
  auto held = std::make_shared<int>(1);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(calls.run(10s, [held] { return Status::ok(); }));
    ASSERT_EQ(held.use_count(), 1);
  }
}

TEST(TimedCalls, GiveUpOnACallThatHangs) {
  auto never = std::make_shared<std::promise<void>>();
  auto ended = std::make_shared<std::promise<void>>();
  {
    TimedCalls calls("test");
    EXPECT_EQ(calls
                  .run(20ms,
                       [never, ended] {
                         never->get_future().wait();
                         ended->set_value();
                         return Status::ok();
                       })
                  .code(),
              StatusCode::launch_timeout);
    EXPECT_TRUE(calls.hung());
    bool ran = false;
    EXPECT_EQ(calls.run(10s, [&] { return ran = true, Status::ok(); }).code(),
              StatusCode::launch_timeout);
    EXPECT_FALSE(ran) << "there is nobody to run it";
  }
  never->set_value();
  ended->get_future().wait();
}

TEST(TimedCalls, WaitLongerForACallThatIsExcused) {
  TimedCalls calls("test");
  std::promise<void> asked_twice;
  int asked = 0;
  EXPECT_TRUE(calls.run(
      2ms,
      [&] {
        asked_twice.get_future().wait();
        return Status::ok();
      },
      [&] {
        if (++asked == 2) asked_twice.set_value();
        return true;
      }));
  EXPECT_GE(asked, 2);
  EXPECT_FALSE(calls.hung());
}

TEST(TimeLimit, IsAMultipleAndNeverLessThanTheLeast) {
  const TimeLimit limit{20, 5s};
  EXPECT_EQ(limit.of(0), 5s);
  EXPECT_EQ(limit.of(1e9), 20s);
  EXPECT_EQ(limit.of(-1), 5s);
  EXPECT_GT(limit.of(1e300), 1000s);
  EXPECT_GT(limit.of(std::numeric_limits<double>::quiet_NaN()), 1000s);
}

}  // namespace
}  // namespace guda
