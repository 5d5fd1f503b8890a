#include "runtime/device_tail.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <vector>

namespace guda::runtime {
namespace {

using backend::Mark;

/// A queue whose work finishes when the test says so.
struct Device {
  std::mutex mutex;
  std::condition_variable changed;
  uint64_t handed = 0, finished = 0;
  Status failure;
  size_t marks = 0;
  std::vector<uint64_t> waited_for;

  void finish(uint64_t count) {
    std::unique_lock lock(mutex);
    finished = count;
    changed.notify_all();
  }
};

class TestMark final : public Mark {
 public:
  TestMark(Device& device, uint64_t place) : device_(device), place_(place) {}
  bool reached() const override {
    std::unique_lock lock(device_.mutex);
    return device_.finished >= place_;
  }
  Status wait() override {
    std::unique_lock lock(device_.mutex);
    device_.changed.wait(lock, [&] { return device_.finished >= place_; });
    return device_.failure;
  }
  std::optional<int64_t> since(const Mark& earlier) const override {
    return static_cast<int64_t>(place_ - static_cast<const TestMark&>(earlier).place_) * 100;
  }
  uint64_t place() const { return place_; }

 private:
  Device& device_;
  uint64_t place_;
};

class TestQueue final : public backend::Queue {
 public:
  explicit TestQueue(Device& device) : device_(device) {}
  Status launch(const backend::Launch&) override {
    std::unique_lock lock(device_.mutex);
    ++device_.handed;
    return Status::ok();
  }
  Status upload(void*, const void*, size_t) override { return Status::ok(); }
  Status download(void*, const void*, size_t) override { return Status::ok(); }
  Status copy(void*, const void*, size_t) override { return Status::ok(); }
  Status fill(void*, uint32_t, uint32_t, size_t) override { return Status::ok(); }
  Result<std::unique_ptr<Mark>> mark() override {
    std::unique_lock lock(device_.mutex);
    ++device_.marks;
    return std::unique_ptr<Mark>(std::make_unique<TestMark>(device_, device_.handed));
  }
  Status wait_for(const Mark& mark) override {
    device_.waited_for.push_back(static_cast<const TestMark&>(mark).place());
    return Status::ok();
  }
  Status synchronize() override {
    std::unique_lock lock(device_.mutex);
    const uint64_t wanted = device_.handed;
    device_.changed.wait(lock, [&] { return device_.finished >= wanted; });
    return device_.failure;
  }

 private:
  Device& device_;
};

class DeviceTailTest : public testing::Test {
 protected:
  void launch(DeviceTail& tail, uint64_t ticket) {
    ASSERT_TRUE(
        tail.announce(ticket).hand_over([](backend::Queue& queue) { return queue.launch({}); }));
  }
  Device device_, other_device_;
  DeviceTail tail_{std::make_unique<TestQueue>(device_)};
  DeviceTail other_{std::make_unique<TestQueue>(other_device_)};
};

TEST_F(DeviceTailTest, WorkIsOpenUntilSomebodySeesItsEnd) {
  EXPECT_TRUE(tail_.finished(7));
  launch(tail_, 7);
  launch(tail_, 8);
  EXPECT_EQ(tail_.first_open(), 7u);
  EXPECT_FALSE(tail_.finished(8));
  EXPECT_TRUE(tail_.finished(6));
  device_.finish(2);
  EXPECT_TRUE(tail_.wait(8));
  EXPECT_EQ(tail_.first_open(), 0u);
}

TEST_F(DeviceTailTest, AMarkIsPassedBeforeLaterWorkEnds) {
  launch(tail_, 1);
  ASSERT_TRUE(tail_.mark(2, true));
  launch(tail_, 3);
  EXPECT_FALSE(tail_.poll(2));
  device_.finish(1);
  EXPECT_TRUE(tail_.poll(2));
  EXPECT_TRUE(tail_.wait(1));  // does not wait for 3
  EXPECT_FALSE(tail_.finished(3));
  EXPECT_FALSE(tail_.poll(3));
  device_.finish(2);
  EXPECT_TRUE(tail_.poll(3));
}

TEST_F(DeviceTailTest, AskingOftenTakesOneMark) {
  launch(tail_, 1);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(tail_.poll(1));
  EXPECT_EQ(device_.marks, 1u);
}

TEST_F(DeviceTailTest, ManyMarksAreNotKeptForEver) {
  device_.finish(1000000);
  for (uint64_t ticket = 1; ticket < 1000; ++ticket)
    ASSERT_TRUE(tail_.mark(ticket, ticket % 2 == 0));
  EXPECT_GT(tail_.first_open(), 900u);
}

TEST_F(DeviceTailTest, FollowersWaitOnTheDeviceOnce) {
  launch(other_, 5);
  EXPECT_TRUE(tail_.follow(other_, 5, 1));
  EXPECT_TRUE(tail_.follow(other_, 5, 2));
  EXPECT_EQ(device_.waited_for, std::vector<uint64_t>{1});
  EXPECT_FALSE(tail_.finished(1));
  launch(other_, 6);
  EXPECT_TRUE(tail_.follow(other_, 6, 3));
  EXPECT_EQ(device_.waited_for, (std::vector<uint64_t>{1, 2}));
  other_device_.finish(2);
  EXPECT_TRUE(other_.wait(6));
  launch(other_, 7);
  other_device_.finish(3);
  EXPECT_TRUE(other_.wait(7));
  EXPECT_TRUE(tail_.follow(other_, 7, 4));  // has finished
  EXPECT_EQ(device_.waited_for.size(), 2u);
}

TEST_F(DeviceTailTest, FailuresReachWhoeverWaits) {
  launch(tail_, 1);
  device_.failure = {StatusCode::illegal_address, "injected"};
  device_.finish(1);
  EXPECT_EQ(tail_.wait(1).code(), StatusCode::illegal_address);
  launch(tail_, 2);
  device_.finish(2);
  auto polled = tail_.poll(2);
  ASSERT_TRUE(polled);
  EXPECT_EQ(polled->code(), StatusCode::illegal_address);
}

TEST_F(DeviceTailTest, TimedWorkIsReportedWhenItHasFinished) {
  int64_t reported = 0;
  ASSERT_TRUE(
      tail_.announce(1).hand_over_timed([](backend::Queue& queue) { return queue.launch({}); },
                                        [&](int64_t nanoseconds) { reported = nanoseconds; }));
  EXPECT_EQ(reported, 0);
  device_.finish(1);
  EXPECT_TRUE(tail_.wait(1));
  EXPECT_EQ(reported, 100);
}

}  // namespace
}  // namespace guda::runtime
