#include "runtime/stream.h"

#include "runtime/context.h"
#include "runtime/event.h"
#include "runtime/host_function.h"
#include "runtime/submit.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

namespace guda::runtime {
namespace {

using namespace std::chrono_literals;

class Call final : public Operation {
 public:
  explicit Call(std::function<void()> function) : function_(std::move(function)) {}
  Status execute() override {
    function_();
    return Status::ok();
  }

 private:
  std::function<void()> function_;
};

void enqueue(Stream& stream, std::function<void()> function) {
  stream.enqueue(std::make_unique<Call>(std::move(function)));
}

class StreamTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(Context::enter(), kSuccess); }
  void TearDown() override { Context::instance().reset(); }
  std::shared_ptr<Stream> make(uint32_t flags = 0) {
    return StreamTable::instance().create(flags, 0);
  }
};

/// Holds a stream until it is opened.
struct Gate {
  std::atomic<bool> open{false};
  void pass() const {
    while (!open.load()) std::this_thread::yield();
  }
};

TEST_F(StreamTest, OperationsRunInOrder) {
  auto stream = make();
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) enqueue(*stream, [&order, i] { order.push_back(i); });
  stream->synchronize();
  ASSERT_EQ(order.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST_F(StreamTest, WorkProceedsWithoutSynchronisation) {
  auto stream = make();
  std::atomic<bool> ran{false};
  enqueue(*stream, [&] { ran = true; });
  for (int i = 0; i < 5000 && !ran; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(ran);
}

TEST_F(StreamTest, EnqueueDoesNotWait) {
  auto stream = make();
  Gate gate;
  enqueue(*stream, [&] { gate.pass(); });
  enqueue(*stream, [] {});
  EXPECT_FALSE(stream->idle());
  gate.open = true;
  stream->synchronize();
  EXPECT_TRUE(stream->idle());
}

TEST_F(StreamTest, IndependentStreamsDoNotWaitForEachOther) {
  auto slow = make(1), fast = make(1);
  Gate gate;
  enqueue(*slow, [&] { gate.pass(); });
  bool ran = false;
  enqueue(*fast, [&] { ran = true; });
  fast->synchronize();
  EXPECT_TRUE(ran);
  gate.open = true;
  slow->synchronize();
}

TEST_F(StreamTest, LegacyStreamWaitsForBlockingStreams) {
  auto blocking = make(0);
  auto& legacy = *StreamTable::instance().legacy();
  Gate gate;
  std::vector<int> order;
  enqueue(*blocking, [&] {
    gate.pass();
    order.push_back(1);
  });
  EXPECT_EQ(legacy.try_begin(), 0u);
  enqueue(legacy, [&] { order.push_back(2); });
  enqueue(*blocking, [&] { order.push_back(3); });
  gate.open = true;
  blocking->synchronize();
  legacy.synchronize();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST_F(StreamTest, LegacyStreamIgnoresNonBlockingStreams) {
  auto other = make(1);
  auto& legacy = *StreamTable::instance().legacy();
  Gate gate;
  enqueue(*other, [&] { gate.pass(); });
  bool ran = false;
  enqueue(legacy, [&] { ran = true; });
  legacy.synchronize();
  EXPECT_TRUE(ran);
  gate.open = true;
  other->synchronize();
}

TEST_F(StreamTest, IdleStreamLetsTheCallerRun) {
  auto stream = make();
  uint64_t ticket = stream->try_begin();
  ASSERT_NE(ticket, 0u);
  EXPECT_FALSE(stream->idle());
  EXPECT_EQ(stream->try_begin(), 0u);
  std::atomic<bool> ran{false};
  enqueue(*stream, [&] { ran = true; });
  std::this_thread::sleep_for(5ms);
  EXPECT_FALSE(ran);  // behind the caller's own work
  stream->end(ticket);
  stream->synchronize();
  EXPECT_TRUE(ran);
}

TEST_F(StreamTest, EventOrdersTwoStreams) {
  auto producer = make(1), consumer = make(1);
  for (int round = 0; round < 200; ++round) {
    int value = 0, seen = -1;
    enqueue(*producer, [&] { value = round; });
    Event event(0);
    event.record(*producer);
    auto mark = event.mark();
    if (mark->stream) consumer->wait_for({mark->stream, mark->ticket});
    enqueue(*consumer, [&] { seen = value; });
    consumer->synchronize();
    ASSERT_EQ(seen, round);
    producer->synchronize();
  }
}

TEST_F(StreamTest, WaitingStreamIsNotIdle) {
  auto producer = make(1), consumer = make(1);
  Gate gate;
  enqueue(*producer, [&] { gate.pass(); });
  Event event(0);
  event.record(*producer);
  EXPECT_FALSE(event.complete());
  consumer->wait_for({event.mark()->stream, event.mark()->ticket});
  EXPECT_FALSE(consumer->idle());
  gate.open = true;
  consumer->synchronize();
  EXPECT_TRUE(event.complete());
}

TEST_F(StreamTest, ElapsedTimeCoversTheWorkBetween) {
  auto stream = make();
  Event start(0), end(0);
  start.record(*stream);
  enqueue(*stream, [] { std::this_thread::sleep_for(20ms); });
  end.record(*stream);
  EXPECT_EQ(Event::elapsed(start, end).status().code(), StatusCode::not_ready);
  end.synchronize();
  auto elapsed = Event::elapsed(start, end);
  ASSERT_TRUE(elapsed);
  EXPECT_GE(*elapsed, 19.0f);
  Event never(0);
  EXPECT_EQ(Event::elapsed(start, never).status().code(), StatusCode::invalid_handle);
  EXPECT_TRUE(never.complete());
}

TEST_F(StreamTest, SettlingRunsShortWorkButNeverWaitsForTheHost) {
  class Short final : public Operation {
   public:
    explicit Short(int* out) : out_(out) {}
    Status execute() override {
      *out_ = 1;
      return Status::ok();
    }
    uint64_t expected_ns() const override { return 0; }

   private:
    int* out_;
  };
  auto stream = make(1);
  int value = 0;
  stream->enqueue(std::make_unique<Short>(&value));
  StreamTable::instance().settle_non_blocking();
  EXPECT_EQ(value, 1);
  Gate gate;
  enqueue(*stream, [&] { gate.pass(); });
  EXPECT_FALSE(stream->settle());
  gate.open = true;
  stream->synchronize();
}

TEST_F(StreamTest, DestroyedStreamFinishesItsWork) {
  auto stream = make();
  Gate gate;
  std::atomic<bool> ran{false};
  enqueue(*stream, [&] { gate.pass(); });
  enqueue(*stream, [&] { ran = true; });
  Stream* handle = stream.get();
  stream.reset();
  EXPECT_TRUE(StreamTable::instance().destroy(handle));
  EXPECT_FALSE(StreamTable::instance().destroy(handle));
  EXPECT_EQ(StreamTable::instance().find(handle), nullptr);
  gate.open = true;
  for (int i = 0; i < 5000 && !ran; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(ran);
}

TEST_F(StreamTest, ErrorIsStickyAndLaterWorkIsSkipped) {
  class Fault final : public Operation {
    Status execute() override { return {StatusCode::illegal_address, "test"}; }
  };
  auto stream = make();
  bool ran = false;
  stream->enqueue(std::make_unique<Fault>());
  enqueue(*stream, [&] { ran = true; });
  EXPECT_EQ(Context::instance().synchronize(), 700);
  EXPECT_EQ(Context::enter(), 700);
  EXPECT_FALSE(ran);
  EXPECT_EQ(Context::instance().reset(), kSuccess);
  EXPECT_EQ(Context::enter(), kSuccess);
}

TEST_F(StreamTest, EachThreadHasItsOwnDefaultStream) {
  Stream* mine = StreamTable::instance().per_thread().get();
  Stream* theirs = nullptr;
  std::thread([&] {
    theirs = StreamTable::instance().find(reinterpret_cast<void*>(kPerThreadStreamHandle));
    enqueue(*theirs, [] {});
    theirs->synchronize();
  }).join();
  EXPECT_NE(theirs, nullptr);
  EXPECT_NE(mine, theirs);
}

TEST_F(StreamTest, ManyThreadsAndStreamsKeepTheirOrder) {
  constexpr int kThreads = 6, kRounds = 300;
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      auto first = make(static_cast<uint32_t>(t % 2)), second = make(static_cast<uint32_t>(t % 2));
      for (int i = 0; i < kRounds; ++i) {
        int value = 0;
        enqueue(*first, [&] { value = 1; });
        Event event(0);
        event.record(*first);
        if (auto mark = event.mark(); mark->stream) second->wait_for({mark->stream, mark->ticket});
        enqueue(*second, [&] {
          if (value != 1) ++failures;
          value = 2;
        });
        if (i % 7 == 0) enqueue(*StreamTable::instance().legacy(), [] {});
        second->synchronize();
        first->synchronize();
        if (value != 2) ++failures;
      }
      StreamTable::instance().destroy(first.get());
      StreamTable::instance().destroy(second.get());
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
}

// Work on the legacy stream looks at all blocking streams; a test for sanitizers above all.
TEST_F(StreamTest, StreamsComeAndGoWhileTheLegacyStreamLooksAtThem) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        auto stream = make();
        enqueue(*stream, [] {});
        stream->synchronize();
        StreamTable::instance().destroy(stream.get());
      }
    });
  }
  Stream& legacy = *StreamTable::instance().legacy();
  int count = 0;
  constexpr int kOperations = 500;
  for (int i = 0; i < kOperations; ++i) {
    enqueue(legacy, [&] { ++count; });
    if (i % 16 == 0) legacy.synchronize();
  }
  legacy.synchronize();
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count, kOperations);
}

}  // namespace
}  // namespace guda::runtime
