#include "memory/coherent_pool_machine.h"

#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace guda::memory {
namespace {

TEST_F(CoherentPoolTest, DeviceSeesWhatTheHostWrote) {
  Memory memory(2);
  add(memory);
  memory.data()[5] = std::byte{42};
  Range range = memory.bytes(0, 16);
  ASSERT_TRUE(pool_.acquire(a_, {&range, 1}));
  EXPECT_EQ(*first_.at(memory.data() + 5), std::byte{42});
  EXPECT_EQ(pool_.statistics().uploaded_bytes, kGranule);
}

TEST_F(CoherentPoolTest, NothingMovesTwice) {
  Memory memory(2);
  add(memory);
  Range range = memory.all();
  ASSERT_TRUE(pool_.acquire(a_, {&range, 1}));
  uint64_t before = pool_.statistics().transfers;
  EXPECT_EQ(pool_.missing_bytes(a_, {&range, 1}), 0u);
  ASSERT_TRUE(pool_.acquire(a_, {&range, 1}));
  EXPECT_EQ(pool_.statistics().transfers, before);
  EXPECT_EQ(pool_.missing_bytes(b_, {&range, 1}), memory.size());
}

TEST_F(CoherentPoolTest, LatestVersionTravelsBetweenDevices) {
  Memory memory(3);
  add(memory);
  write(a_, first_, memory.bytes(kGranule, 100), 7);
  EXPECT_EQ(memory.data()[kGranule], std::byte{0});  // not yet
  write(b_, second_, memory.bytes(kGranule + 50, 100), 9);
  Range range = memory.all();
  ASSERT_TRUE(pool_.bring_to_host({&range, 1}));
  EXPECT_EQ(memory.data()[kGranule + 49], std::byte{7});
  EXPECT_EQ(memory.data()[kGranule + 50], std::byte{9});
  ASSERT_TRUE(pool_.acquire(a_, {&range, 1}));
  EXPECT_EQ(*first_.at(memory.data() + kGranule + 149), std::byte{9});
}

TEST_F(CoherentPoolTest, HostWritesMakeDevicesStale) {
  Memory memory(1);
  add(memory);
  write(a_, first_, memory.bytes(0, 10), 1);
  Range range = memory.bytes(4, 4);
  ASSERT_TRUE(pool_.acquire(kHostSpace, {&range, 1}));
  std::memset(memory.data() + 4, 2, 4);
  pool_.commit(kHostSpace, {&range, 1});
  ASSERT_TRUE(pool_.acquire(a_, {&range, 1}));
  EXPECT_EQ(*first_.at(memory.data() + 3), std::byte{1});
  EXPECT_EQ(*first_.at(memory.data() + 4), std::byte{2});
}

TEST_F(CoherentPoolTest, OverwritingTransfersOnlyTheEdges) {
  Memory memory(4);
  add(memory);
  std::memset(memory.data(), 3, memory.size());
  Range range = memory.bytes(10, 3 * kGranule);
  ASSERT_TRUE(pool_.acquire(a_, {}, {&range, 1}));
  EXPECT_EQ(pool_.statistics().uploaded_bytes, 2 * kGranule);
  EXPECT_EQ(*first_.at(memory.data() + 9), std::byte{3});
}

TEST_F(CoherentPoolTest, FailedWorkLeavesTheOldContents) {
  Memory memory(1);
  add(memory);
  std::memset(memory.data(), 5, memory.size());
  Range range = memory.all();
  ASSERT_TRUE(pool_.acquire(a_, {&range, 1}));
  std::memset(first_.at(memory.data()), 6, memory.size());  // not committed
  first_.vanish();
  EXPECT_TRUE(pool_.lose(a_).empty());
  ASSERT_TRUE(pool_.acquire(b_, {&range, 1}));
  EXPECT_EQ(*second_.at(memory.data()), std::byte{5});
}

TEST_F(CoherentPoolTest, ALostDeviceTakesOnlyWhatNobodyElseHas) {
  Memory memory(3);
  add(memory);
  write(a_, first_, memory.bytes(0, 2 * kGranule), 1);
  Range saved = memory.bytes(0, 1);
  ASSERT_TRUE(pool_.bring_to_host({&saved, 1}));
  first_.vanish();
  auto lost = pool_.lose(a_);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0], memory.bytes(kGranule, kGranule));
  Range all = memory.all();
  ASSERT_TRUE(pool_.acquire(b_, {&all, 1}));
  EXPECT_EQ(*second_.at(memory.data()), std::byte{1});
}

TEST_F(CoherentPoolTest, AFullDeviceGivesUpWhatWasUsedLongestAgo) {
  Memory one(4), two(4), three(4);
  for (auto* memory : {&one, &two, &three}) add(*memory);
  write(a_, first_, one.all(), 1);
  write(a_, first_, two.all(), 2);
  write(a_, first_, one.bytes(0, 1), 3);
  write(a_, first_, three.all(), 4);  // two goes
  EXPECT_EQ(first_.mapped_ranges(), 2u);
  EXPECT_EQ(first_.at(two.data()), nullptr);
  EXPECT_EQ(two.data()[0], std::byte{2});
  EXPECT_EQ(pool_.statistics().evictions, 1u);
}

TEST_F(CoherentPoolTest, MemoryInUseIsNotTaken) {
  Memory one(4), two(4), three(4);
  for (auto* memory : {&one, &two, &three}) add(*memory);
  Range both[2] = {one.all(), two.all()};
  auto lease = pool_.acquire(a_, both);
  ASSERT_TRUE(lease);
  Range more = three.all();
  EXPECT_EQ(pool_.acquire(a_, {&more, 1}).status().code(), StatusCode::out_of_memory);
  lease->release();
  EXPECT_TRUE(pool_.acquire(a_, {&more, 1}));
}

TEST_F(CoherentPoolTest, PartsThatShareAGranuleAreMerged) {
  Memory memory(3);
  add(memory);
  size_t half = memory.size() / 2;  // inside the second granule
  Range all = memory.all();
  auto lease_a = pool_.acquire(a_, {&all, 1});
  auto lease_b = pool_.acquire(b_, {&all, 1});
  std::memset(first_.at(memory.data()), 1, half);
  std::memset(second_.at(memory.data()) + half, 2, memory.size() - half);
  std::vector<CoherentPool::Part> parts{{a_, {memory.bytes(0, half)}},
                                        {b_, {memory.bytes(half, memory.size() - half)}}};
  ASSERT_TRUE(pool_.commit_parts(parts));
  ASSERT_TRUE(pool_.bring_to_host({&all, 1}));
  for (size_t i = 0; i < memory.size(); ++i)
    ASSERT_EQ(memory.data()[i], std::byte(i < half ? 1 : 2)) << i;
}

TEST_F(CoherentPoolTest, CopiedResultsSurviveTheDevice) {
  Memory memory(1);
  add(memory);
  Range range = memory.bytes(8, 8);
  ASSERT_TRUE(pool_.acquire(a_, {&range, 1}));
  std::memset(first_.at(memory.data() + 8), 5, 8);
  std::memset(memory.data() + 8, 5, 8);  // as the caller's copy did
  pool_.commit_copied(a_, {&range, 1});
  first_.vanish();
  EXPECT_TRUE(pool_.lose(a_).empty());
  ASSERT_TRUE(pool_.acquire(b_, {&range, 1}));
  EXPECT_EQ(*second_.at(memory.data() + 8), std::byte{5});
}

TEST_F(CoherentPoolTest, AFailedUploadIsDoneAgain) {
  Memory memory(1);
  add(memory);
  memory.data()[0] = std::byte{8};
  Range range = memory.all();
  first_.fault = [](const char* call) {
    return std::string_view(call) == "synchronize" ? Status(StatusCode::launch_failed, "injected")
                                                   : Status::ok();
  };
  EXPECT_FALSE(pool_.acquire(a_, {&range, 1}));
  first_.fault = nullptr;
  *first_.at(memory.data()) = std::byte{0};
  ASSERT_TRUE(pool_.acquire(a_, {&range, 1}));
  EXPECT_EQ(*first_.at(memory.data()), std::byte{8});
}

TEST_F(CoherentPoolTest, MemoryOutsideRegionsIsTheHosts) {
  Memory memory(1);
  Range range = memory.all();
  EXPECT_FALSE(pool_.covers(range));
  EXPECT_TRUE(pool_.bring_to_host({&range, 1}));
  EXPECT_EQ(pool_.acquire(a_, {&range, 1}).status().code(), StatusCode::invalid_value);
}

TEST_F(CoherentPoolTest, ScratchIsTheWorksOwnAndCountsForNobody) {
  Memory memory(4);
  add(memory);
  std::memset(memory.data(), 1, memory.size());
  const Range all = memory.all();
  write(a_, first_, all, 2);  // the device alone has the latest contents
  // A whole granule and pieces of its neighbours.
  const Range own = memory.bytes(kGranule - 100, kGranule + 300);
  {
    auto scratch = pool_.acquire_scratch(a_, {&own, 1});
    ASSERT_TRUE(scratch) << scratch.status().message();
    EXPECT_EQ(memory.data()[kGranule], std::byte{2});
    std::memset(first_.at(memory.data() + kGranule - 100), 9, own.bytes());
    // Work around it neither disturbs it nor takes it from there.
    ASSERT_TRUE(pool_.acquire(a_, {&all, 1}));
    EXPECT_EQ(*first_.at(memory.data() + kGranule - 100), std::byte{9});
    EXPECT_EQ(*first_.at(memory.data() + 2 * kGranule + 199), std::byte{9});
    EXPECT_EQ(*first_.at(memory.data() + kGranule - 101), std::byte{2});
    EXPECT_EQ(*first_.at(memory.data() + 2 * kGranule + 200), std::byte{2});
    ASSERT_TRUE(pool_.acquire(b_, {&all, 1}));
    EXPECT_EQ(*second_.at(memory.data() + kGranule), std::byte{2});
    // The device's own results beside it are put together with it on the host.
    const Range beside = memory.bytes(0, 50);
    std::memset(first_.at(memory.data()), 7, 50);
    const CoherentPool::Part parts[] = {{a_, {beside}}, {kHostSpace, {own}}};
    ASSERT_TRUE(pool_.commit_parts(parts));
    EXPECT_EQ(memory.data()[49], std::byte{7});
    EXPECT_EQ(memory.data()[kGranule - 100], std::byte{2});
  }
  ASSERT_TRUE(pool_.acquire(a_, {&all, 1}));
  EXPECT_EQ(*first_.at(memory.data() + kGranule), std::byte{2});
  EXPECT_EQ(*first_.at(memory.data() + kGranule - 100), std::byte{2});
}

TEST_F(CoherentPoolTest, ScratchIsNotEvicted) {
  Memory memory(4), large(8);
  add(memory);
  add(large);
  const Range own = memory.bytes(0, 64), all = large.all();
  auto scratch = pool_.acquire_scratch(a_, {&own, 1});
  ASSERT_TRUE(scratch);
  EXPECT_EQ(pool_.acquire(a_, {&all, 1}).status().code(), StatusCode::out_of_memory);
  scratch->release();
  EXPECT_TRUE(pool_.acquire(a_, {&all, 1}));
}

TEST_F(CoherentPoolTest, ScratchMayEndWithItsRegion) {
  Memory memory(2);
  add(memory);
  const Range own = memory.bytes(kGranule, kGranule), all = memory.all();
  auto scratch = pool_.acquire_scratch(a_, {&own, 1});
  ASSERT_TRUE(scratch) << scratch.status().message();
  auto lease = pool_.acquire(a_, {&all, 1});
  EXPECT_TRUE(lease) << lease.status().message();
}

TEST_F(CoherentPoolTest, FreshMemoryStartsAtHome) {
  pool_.set_home(b_);
  Memory memory(2);
  pool_.add_region(memory.data(), memory.size(), -1, true);
  Range range = memory.all();
  EXPECT_TRUE(pool_.all_in(b_));
  EXPECT_EQ(pool_.missing_bytes(b_, {&range, 1}), 0u);
  EXPECT_EQ(pool_.statistics().transfers, 0u);
  ASSERT_TRUE(pool_.acquire(a_, {&range, 1}));
  EXPECT_FALSE(pool_.all_in(b_));  // a and the host have copies now
  write(b_, second_, range, 1);
  EXPECT_TRUE(pool_.all_in(b_));
  Memory other(1);
  add(other);
  EXPECT_FALSE(pool_.all_in(b_));
  pool_.remove_region(other.data());
  EXPECT_TRUE(pool_.all_in(b_));
}

TEST_F(CoherentPoolTest, FreshMemoryThatDoesNotFitStartsOnTheHost) {
  pool_.set_home(a_);
  Memory large(9);
  pool_.add_region(large.data(), large.size(), -1, true);
  Range range = large.all();
  EXPECT_EQ(pool_.missing_bytes(kHostSpace, {&range, 1}), 0u);
}

TEST_F(CoherentPoolTest, WorkIsAwaitedBeforeItsMemoryIsTaken) {
  std::vector<Space> awaited;
  pool_.set_quiesce([&](Space space) { awaited.push_back(space); });
  Memory one(4), two(8);
  add(one);
  add(two);
  write(a_, first_, one.all(), 1);
  write(a_, first_, two.all(), 1);  // one is evicted
  EXPECT_EQ(awaited, std::vector<Space>{a_});
  pool_.remove_region(two.data());
  EXPECT_EQ(awaited, (std::vector<Space>{a_, a_}));
}

TEST(HeldVersionsTest, OnlyTheOrderCounts) {
  HeldVersions one = HeldVersions::only(kHostSpace), other = HeldVersions::only(kHostSpace);
  one.write(2);
  for (int i = 0; i < 1000; ++i) other.write(2);
  EXPECT_EQ(one, other);
  EXPECT_TRUE(one.only_current(2));
  one.copy_to(1);
  EXPECT_FALSE(one.only_current(2));
  one.forget(2);
  EXPECT_TRUE(one.only_current(1));
  one.forget(1);
  EXPECT_TRUE(one.only_current(kHostSpace));  // the version from before
}

TEST(VersionsTest, RunsMergeWhenTheyAreEqualAgain) {
  Versions versions(100, HeldVersions::only(kHostSpace));
  auto written = [](HeldVersions& held) { held.write(1); };
  versions.change(10, 20, written);
  versions.change(20, 30, written);
  EXPECT_EQ(versions.runs(), 3u);
  versions.change(99, 100, written);
  EXPECT_EQ(versions.runs(), 4u);
  EXPECT_EQ(versions.sole_owner(2), kNoSpace);
  versions.change(0, 100, written);
  EXPECT_EQ(versions.runs(), 1u);
  EXPECT_EQ(versions.sole_owner(2), 1u);
}

TEST_F(CoherentPoolTest, WhatOnlyADeviceHasComesFromItDirectly) {
  second_.peers = true;
  Memory memory(4);
  add(memory);
  std::memset(memory.data(), 1, memory.size());
  Range all = memory.all(), two = memory.bytes(kGranule, 2 * kGranule);
  write(a_, first_, two, 5);
  EXPECT_TRUE(pool_.direct(b_, a_));
  EXPECT_FALSE(pool_.direct(a_, b_)) << "the first device takes nothing from others";
  EXPECT_FALSE(pool_.direct(b_, kHostSpace));
  ASSERT_TRUE(pool_.acquire(b_, {&all, 1}));
  EXPECT_EQ(pool_.statistics().direct_bytes, 2 * kGranule);
  EXPECT_EQ(pool_.statistics().downloaded_bytes, 0u);
  EXPECT_EQ(*second_.at(memory.data()), std::byte{1});
  EXPECT_EQ(*second_.at(memory.data() + kGranule), std::byte{5});
  EXPECT_EQ(memory.data()[kGranule], std::byte{1}) << "the host was not asked";
  first_.vanish();
  EXPECT_TRUE(pool_.lose(a_).empty()) << "the second device has it all";
  ASSERT_TRUE(pool_.bring_to_host({&all, 1}));
  EXPECT_EQ(memory.data()[kGranule], std::byte{5});
}

TEST_F(CoherentPoolTest, ADirectCopyThatFailsGoesThroughTheHost) {
  for (std::string_view broken : {"copy_from_peer", "synchronize"}) {
    second_.peers = true;
    Memory memory(2);
    add(memory);
    write(a_, first_, memory.all(), 6);
    int left = 1;
    second_.fault = [&](const char* call) {
      return call == broken && left-- > 0 ? Status(StatusCode::launch_failed, "injected")
                                          : Status::ok();
    };
    const uint64_t before = pool_.statistics().downloaded_bytes;
    Range all = memory.all();
    ASSERT_TRUE(pool_.acquire(b_, {&all, 1})) << broken;
    EXPECT_EQ(*second_.at(memory.data() + kGranule), std::byte{6});
    EXPECT_EQ(pool_.statistics().downloaded_bytes - before, memory.size());
    EXPECT_EQ(pool_.statistics().direct_bytes, 0u);
    second_.fault = nullptr;
    pool_.remove_region(memory.data());
  }
}

TEST_F(CoherentPoolTest, AFailedUploadIsNotHiddenByADirectCopy) {
  second_.peers = true;
  Memory memory(2);
  add(memory);
  std::memset(memory.data(), 3, memory.size());
  write(a_, first_, memory.bytes(kGranule, kGranule), 4);
  second_.fault = [](const char* call) {
    return std::string_view(call) == "upload" ? Status(StatusCode::launch_failed, "injected")
                                              : Status::ok();
  };
  const Range all = memory.all();
  EXPECT_FALSE(pool_.acquire(b_, {&all, 1})) << "the first granule has not arrived";
  second_.fault = nullptr;
  ASSERT_TRUE(pool_.acquire(b_, {&all, 1}));
  EXPECT_EQ(*second_.at(memory.data()), std::byte{3});
  EXPECT_EQ(*second_.at(memory.data() + kGranule), std::byte{4});
}

TEST_F(CoherentPoolTest, AFailedUploadCostsOnlyWhatWasUploaded) {
  second_.peers = true;
  Memory one(1), two(1);
  add(one);
  add(two);
  write(a_, first_, one.all(), 7);
  const Range both[2] = {one.all(), two.all()};
  ASSERT_TRUE(pool_.acquire(b_, {both, 1}));  // directly: two devices have it now
  first_.fault = [](const char* call) {
    return std::string_view(call) == "upload" ? Status(StatusCode::launch_failed, "injected")
                                              : Status::ok();
  };
  EXPECT_FALSE(pool_.acquire(a_, both));
  first_.fault = nullptr;
  second_.vanish();
  EXPECT_TRUE(pool_.lose(b_).empty()) << "the first device has it still";
}

TEST_F(CoherentPoolTest, AFailedDownloadIsNoVersion) {
  Memory memory(1);
  add(memory);
  std::memset(memory.data(), 1, memory.size());
  const Range all = memory.all();
  ASSERT_TRUE(pool_.acquire(b_, {&all, 1}));
  write(a_, first_, all, 2);
  first_.fault = [](const char* call) {  // the bytes are there, the device says no
    return std::string_view(call) == "synchronize" ? Status(StatusCode::launch_failed, "injected")
                                                   : Status::ok();
  };
  EXPECT_FALSE(pool_.bring_to_host({&all, 1}));
  first_.vanish();
  EXPECT_EQ(pool_.lose(a_).size(), 1u);
  ASSERT_TRUE(pool_.bring_to_host({&all, 1}));
  EXPECT_EQ(memory.data()[0], std::byte{1}) << "what the second device has";
}

TEST_F(CoherentPoolTest, EvictionLeavesNothingToADeviceThatOnlyHelps) {
  second_.peers = true;
  Memory one(4), two(8);
  add(one);
  add(two);
  write(a_, first_, one.all(), 7);
  const Range range = one.all();
  ASSERT_TRUE(pool_.acquire(b_, {&range, 1}));  // directly
  write(a_, first_, two.all(), 8);              // one is evicted there
  second_.vanish();
  EXPECT_TRUE(pool_.lose(b_).empty());
  EXPECT_EQ(one.data()[0], std::byte{7});
}

TEST_F(CoherentPoolTest, EvictionReadsNothingThatSomebodyIsWorkingOn) {
  Memory memory(6), large(60);
  add(memory);
  add(large);
  first_.peers = second_.peers = true;
  const Range all = memory.all();
  write(b_, second_, all, 7);
  auto lease = pool_.acquire(a_, {&all, 1});  // both devices have it now, and the host has not
  ASSERT_TRUE(lease);
  std::memset(first_.at(memory.data()), 8, memory.size());
  write(b_, second_, large.all(), 1);
  EXPECT_EQ(pool_.statistics().evictions, 1u);
  // The work fails.
  lease->release();
  EXPECT_TRUE(pool_.lose(a_).empty());
  ASSERT_TRUE(pool_.bring_to_host({&all, 1}));
  for (size_t i = 0; i < memory.size(); ++i) ASSERT_EQ(memory.data()[i], std::byte{7}) << i;
}

TEST_F(CoherentPoolTest, LargeDirectCopiesTellHowFastTheyAre) {
  MemoryDevice source(uint64_t{1} << 30, 2), target(uint64_t{1} << 30, 3);
  target.peers = true;
  CoherentPool pool;
  const Space from = pool.add_device(source), to = pool.add_device(target);
  Memory memory((size_t{65} << 20) / kGranule);
  pool.add_region(memory.data(), memory.size(), -1);
  for (Range range : {memory.bytes(0, 10), memory.all()}) {
    EXPECT_EQ(pool.direct_rate(to), 0);
    ASSERT_TRUE(pool.acquire(from, {&range, 1}));
    pool.commit(from, {&range, 1});
    ASSERT_TRUE(pool.acquire(to, {&range, 1}));
  }
  EXPECT_GT(pool.direct_rate(to), 0.01);
  EXPECT_LT(pool.direct_rate(to), 1000);
}

TEST_F(CoherentPoolTest, KnowsWhereGranulesMeet) {
  Memory memory(3);
  add(memory);
  const auto base = reinterpret_cast<uintptr_t>(memory.data());
  EXPECT_TRUE(pool_.at_granule(base));
  EXPECT_TRUE(pool_.at_granule(base + 2 * kGranule));
  EXPECT_TRUE(pool_.at_granule(base + memory.size()));
  EXPECT_FALSE(pool_.at_granule(base + 1));
  EXPECT_FALSE(pool_.at_granule(base + memory.size() - 1));
}

// Parts with pieces of all sizes, many in one granule, against plain memory.
TEST_F(CoherentPoolTest, PartsOfAnyShapeArePutTogether) {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    Memory memory(5);
    add(memory);
    const Range all = memory.all();
    std::vector<std::byte> expected(memory.size());
    for (Space space : {a_, b_}) ASSERT_TRUE(pool_.acquire(space, {&all, 1}));
    std::vector<CoherentPool::Part> parts{{kHostSpace, {}}, {a_, {}}, {b_, {}}};
    const size_t longest = round % 3 == 0 ? 500 : 2 * kGranule;
    for (size_t at = 0; at < memory.size();) {
      const size_t count = std::min(1 + random() % longest, memory.size() - at);
      const Space space = random() % 4;  // 3: nobody
      if (space < 3) {
        std::byte* bytes = space == kHostSpace
                               ? memory.data() + at
                               : (space == a_ ? first_ : second_).at(memory.data() + at);
        std::memset(bytes, round + 1, count);
        std::memset(expected.data() + at, round + 1, count);
        parts[space].written.push_back(memory.bytes(at, count));
      }
      at += count;
    }
    for (auto& part : parts) std::shuffle(part.written.begin(), part.written.end(), random);
    ASSERT_TRUE(pool_.commit_parts(parts));
    ASSERT_TRUE(pool_.bring_to_host({&all, 1}));
    ASSERT_EQ(std::memcmp(memory.data(), expected.data(), memory.size()), 0) << round;
    pool_.remove_region(memory.data());
  }
}

// Random work on random engines against plain memory; each way of direct copies open or not.
TEST_F(CoherentPoolTest, AnySequenceGivesWhatOneMemoryGives) {
  std::mt19937 random(7);
  Memory memory(6), other(3);
  add(memory);
  add(other);
  std::vector<std::byte> expected[2] = {std::vector<std::byte>(memory.size()),
                                        std::vector<std::byte>(other.size())};
  for (int step = 1; step < 2000; ++step) {
    size_t which = random() % 2;
    const Memory& region = which == 0 ? memory : other;
    size_t from = random() % region.size();
    size_t count = 1 + random() % std::min<size_t>(region.size() - from, 3 * kGranule);
    Range range = region.bytes(from, count);
    Space space = random() % 3;
    first_.peers = random() % 2 == 0;
    second_.peers = random() % 2 == 0;
    auto lease = pool_.acquire(space, {&range, 1});
    ASSERT_TRUE(lease) << lease.status().message();
    std::byte* bytes = space == kHostSpace
                           ? region.data() + from
                           : (space == a_ ? first_ : second_).at(region.data() + from);
    ASSERT_EQ(std::memcmp(bytes, expected[which].data() + from, count), 0) << "step " << step;
    if (random() % 2) continue;
    std::memset(bytes, step, count);
    std::memset(expected[which].data() + from, step, count);
    pool_.commit(space, {&range, 1});
  }
}

}  // namespace
}  // namespace guda::memory
