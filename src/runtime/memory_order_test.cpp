#include "runtime/memory_order.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace guda::runtime {
namespace {

using memory::Range;

constexpr uintptr_t kGranule = memory::CoherentPool::kGranule;

class MemoryOrderTest : public testing::Test {
 protected:
  /// Whether work comes at once, or only after `first` has ended.
  bool waits(MemoryOrder::Turn first, memory::Space space, std::vector<Range> reads,
             std::vector<Range> writes) {
    std::atomic<bool> there{false};
    std::thread second([&] {
      auto turn = order_.wait(space, reads, writes);
      there = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    bool waited = !there;
    first.end();
    second.join();
    return waited;
  }
  MemoryOrder::Turn on(memory::Space space, std::vector<Range> reads, std::vector<Range> writes) {
    return order_.wait(space, reads, writes);
  }
  MemoryOrder order_;
};

const Range kFirst{kGranule, kGranule + 8};
const Range kNeighbour{kGranule + 100, kGranule + 108};
const Range kFar{9 * kGranule, 9 * kGranule + 8};

TEST_F(MemoryOrderTest, NeighboursInOneGranuleWait) {
  EXPECT_TRUE(waits(on(1, {}, {kFirst}), 0, {}, {kNeighbour}));
  EXPECT_TRUE(waits(on(1, {}, {kFirst}), 2, {kNeighbour}, {}));
  EXPECT_TRUE(waits(on(1, {kFirst}, {}), 0, {}, {kNeighbour}));
}

TEST_F(MemoryOrderTest, OneMemoryNeedsNoOrder) {
  EXPECT_FALSE(waits(on(1, {}, {kFirst}), 1, {}, {kFirst}));
}

TEST_F(MemoryOrderTest, ReadersShare) { EXPECT_FALSE(waits(on(1, {kFirst}, {}), 0, {kFirst}, {})); }

TEST_F(MemoryOrderTest, WhatIsFarApartDoesNotWait) {
  EXPECT_FALSE(waits(on(1, {}, {kFirst}), 0, {}, {kFar}));
}

TEST_F(MemoryOrderTest, SplitWorkConflictsWithAll) {
  EXPECT_TRUE(waits(on(MemoryOrder::kSeveral, {}, {kFirst}), MemoryOrder::kSeveral, {}, {kFirst}));
}

TEST_F(MemoryOrderTest, WhoDoesNotWaitGetsATurnOnlyWhenThereIsNoConflict) {
  const Range range{kGranule, 2 * kGranule}, other{5 * kGranule, 6 * kGranule};
  auto writing = order_.wait(1, {}, {&range, 1});
  EXPECT_FALSE(order_.take(MemoryOrder::kSeveral, {&range, 1}, {}));
  {
    auto reading = order_.take(MemoryOrder::kSeveral, {&other, 1}, {});
    ASSERT_TRUE(reading);
    EXPECT_FALSE(order_.clear(1, {}, {&other, 1})) << "others wait for it";
  }
  EXPECT_TRUE(order_.clear(1, {}, {&other, 1}));
  writing.end();
  EXPECT_TRUE(order_.take(MemoryOrder::kSeveral, {&range, 1}, {}));
}

}  // namespace
}  // namespace guda::runtime
