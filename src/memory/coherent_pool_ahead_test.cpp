// What is brought to a device before it is asked for.
#include "memory/coherent_pool_machine.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

namespace guda::memory {
namespace {

TEST_F(CoherentPoolTest, WhatIsBroughtAheadIsThere) {
  const size_t granules = CoherentPool::kPrefetched / kGranule + 3;
  MemoryDevice device(uint64_t{1} << 30, 2);
  CoherentPool pool;
  const Space space = pool.add_device(device);
  Memory memory(granules);
  std::memset(memory.data(), 7, memory.size());
  pool.add_region(memory.data(), memory.size(), -1);
  const Range all = memory.all();
  auto brought = pool.prefetch(space, all);
  ASSERT_TRUE(brought);
  EXPECT_EQ(*brought, CoherentPool::kPrefetched) << "a piece at a time";
  brought = pool.prefetch(space, all);
  ASSERT_TRUE(brought);
  EXPECT_EQ(*brought, 3 * kGranule);
  brought = pool.prefetch(space, all);
  ASSERT_TRUE(brought);
  EXPECT_EQ(*brought, 0u);
  EXPECT_EQ(*device.at(memory.data() + memory.size() - 1), std::byte{7});
  const uint64_t before = pool.statistics().transfers;
  ASSERT_TRUE(pool.acquire(space, {&all, 1}));
  EXPECT_EQ(pool.statistics().transfers, before);
  EXPECT_EQ(pool.statistics().prefetched_bytes, memory.size());
}

TEST_F(CoherentPoolTest, NothingIsBroughtAheadThatTheHostHasNotOrThatDoesNotFit) {
  Memory memory(2), large(5);
  add(memory);
  add(large);
  const Range all = memory.all(), none = large.all();
  write(b_, second_, all, 4);
  auto brought = pool_.prefetch(a_, all);
  ASSERT_TRUE(brought);
  EXPECT_EQ(*brought, 0u) << "only the other device has it";
  EXPECT_EQ(pool_.prefetch(a_, none).status().code(), StatusCode::out_of_memory);
  EXPECT_EQ(pool_.statistics().evictions, 0u);
}

/// The device stops in its next upload until it is told to go on.
class Gate {
 public:
  explicit Gate(MemoryDevice& device) : device_(device) {
    device.fault = [this](const char* call) {
      if (std::string_view(call) != "upload") return Status::ok();
      std::unique_lock lock(mutex_);
      reached_ = true;
      changed_.notify_all();
      changed_.wait(lock, [&] { return open_; });
      return Status::ok();
    };
  }
  ~Gate() { device_.fault = nullptr; }
  void await() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return reached_; });
  }
  void open() {
    std::unique_lock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  MemoryDevice& device_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool reached_ = false, open_ = false;
};

TEST_F(CoherentPoolTest, OthersUseThePoolWhileSomethingIsBroughtAhead) {
  Memory memory(2), other(2);
  add(memory);
  add(other);
  const Range all = memory.all(), theirs = other.all();
  Gate gate(first_);
  std::thread ahead([&] { EXPECT_TRUE(pool_.prefetch(a_, all)); });
  gate.await();
  write(b_, second_, theirs, 3);
  ASSERT_TRUE(pool_.bring_to_host({&theirs, 1}));
  EXPECT_GT(pool_.missing_bytes(a_, {&all, 1}), 0u) << "it is on its way";
  std::thread wanting([&] {
    EXPECT_TRUE(pool_.acquire(a_, {&all, 1}));
    EXPECT_EQ(pool_.statistics().prefetched_bytes, memory.size()) << "it waited for it";
  });
  gate.open();
  ahead.join();
  wanting.join();
  EXPECT_EQ(pool_.statistics().prefetched_bytes, memory.size());
}

TEST_F(CoherentPoolTest, WhatIsWrittenOnItsWayDoesNotCount) {
  Memory memory(2);
  add(memory);
  const Range all = memory.all(), one = memory.bytes(0, 10);
  Gate gate(first_);
  std::thread ahead([&] { EXPECT_TRUE(pool_.prefetch(a_, all)); });
  gate.await();
  memory.data()[0] = std::byte{9};
  pool_.commit(kHostSpace, {&one, 1});
  gate.open();
  ahead.join();
  EXPECT_EQ(pool_.missing_bytes(a_, {&all, 1}), memory.size());
  ASSERT_TRUE(pool_.acquire(a_, {&all, 1}));
  EXPECT_EQ(*first_.at(memory.data()), std::byte{9});
}

TEST_F(CoherentPoolTest, ARegionStaysWhileSomethingIsOnItsWayThere) {
  auto memory = std::make_unique<Memory>(2);
  add(*memory);
  const Range all = memory->all();
  Gate gate(first_);
  std::thread ahead([&] { EXPECT_TRUE(pool_.prefetch(a_, all)); });
  gate.await();
  std::thread removing([&] {
    pool_.remove_region(memory->data());
    memory.reset();
  });
  gate.open();
  ahead.join();
  removing.join();
  EXPECT_EQ(first_.mapped_ranges(), 0u);
}

}  // namespace
}  // namespace guda::memory
