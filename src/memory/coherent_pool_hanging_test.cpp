// Devices that do not answer.
#include "memory/coherent_pool_machine.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace guda::memory {
namespace {

/// A pool whose devices may hang. They are never destroyed: what was left behind in them still uses them.
class HangingDevices : public testing::Test {
 protected:
  HangingDevices() : first_(kept()), second_(kept()) {
    pool_.set_limit({1, std::chrono::milliseconds(20)});
    a_ = pool_.add_device(first_);
    b_ = pool_.add_device(second_);
    for (Space space : {a_, b_}) pool_.set_link(space, 1000, 1000);
    pool_.add_region(memory_.data(), memory_.size(), -1);
    // Both are at work before anything happens.
    for (Space space : {a_, b_}) EXPECT_TRUE(pool_.acquire(space, {&first_granule_, 1}));
  }
  static MemoryDevice& kept() {
    static auto* devices = new std::vector<std::unique_ptr<MemoryDevice>>;
    return *devices->emplace_back(std::make_unique<MemoryDevice>(64 * kGranule));
  }
  /// From now on these calls do not return.
  static void hang(MemoryDevice& device, const std::string& call) {
    device.fault = [call](const char* made) {
      while (made == call) std::this_thread::sleep_for(std::chrono::hours(1));
      return Status::ok();
    };
  }
  void write(Space space, MemoryDevice& device, Range range, int value) {
    ASSERT_TRUE(pool_.acquire(space, {&range, 1}));
    std::memset(device.at(reinterpret_cast<void*>(range.begin)), value, range.bytes());
    pool_.commit(space, {&range, 1});
  }

  MemoryDevice& first_;
  MemoryDevice& second_;
  Memory memory_{4};
  const Range all_ = memory_.all(), first_granule_ = memory_.bytes(0, 1);
  CoherentPool pool_;
  Space a_ = 0, b_ = 0;
};

TEST_F(HangingDevices, AreGivenUpAndOthersGoOn) {
  write(b_, second_, memory_.bytes(0, kGranule), 8);
  hang(first_, "upload");
  EXPECT_EQ(pool_.acquire(a_, {&all_, 1}).status().code(), StatusCode::launch_timeout);
  EXPECT_TRUE(pool_.hung(a_));
  EXPECT_FALSE(pool_.hung(b_));
  EXPECT_EQ(pool_.missing_bytes(a_, {&all_, 1}), memory_.size()) << "nobody knows what arrived";
  EXPECT_EQ(pool_.acquire(a_, {}).status().code(), StatusCode::launch_timeout) << "at once";
  write(b_, second_, memory_.bytes(0, kGranule), 9);
  ASSERT_TRUE(pool_.bring_to_host({&all_, 1}));
  EXPECT_EQ(memory_.data()[7], std::byte{9});
  EXPECT_TRUE(pool_.lose(a_).empty());
  pool_.remove_region(memory_.data());
}

TEST_F(HangingDevices, LoseWhatOnlyTheyHave) {
  const Range two = memory_.bytes(kGranule, 2 * kGranule);
  write(a_, first_, two, 9);
  hang(first_, "download");
  EXPECT_EQ(pool_.bring_to_host({&two, 1}).code(), StatusCode::launch_timeout);
  EXPECT_EQ(pool_.acquire(b_, {&two, 1}).status().code(), StatusCode::launch_timeout);
  const auto lost = pool_.lose(a_);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0], two);
  EXPECT_TRUE(pool_.acquire(b_, {&two, 1})) << "older contents are there";
}

TEST_F(HangingDevices, AreFoundInEveryCallOfATransfer) {
  for (const char* call : {"map", "create_queue", "upload", "synchronize", "copy_from_peer"}) {
    MemoryDevice& target = kept();
    target.peers = true;
    // Nothing says when the hung call is done with the source's memory, so that stays mapped.
    static auto* const pools = new std::vector<std::unique_ptr<CoherentPool>>;
    CoherentPool& pool = *pools->emplace_back(std::make_unique<CoherentPool>());
    pool.set_limit({1, std::chrono::milliseconds(20)});
    const Space from = pool.add_device(kept()), to = pool.add_device(target);
    for (Space space : {from, to}) pool.set_link(space, 1000, 1000);
    pool.add_region(memory_.data(), memory_.size(), -1);
    ASSERT_TRUE(pool.acquire(from, {&first_granule_, 1}));
    pool.commit(from, {&first_granule_, 1});
    hang(target, call);
    EXPECT_EQ(pool.acquire(to, {&all_, 1}).status().code(), StatusCode::launch_timeout) << call;
    EXPECT_TRUE(pool.hung(to)) << call;
    ASSERT_TRUE(pool.bring_to_host({&all_, 1})) << call;
  }
}

TEST_F(HangingDevices, HangWhenSomethingIsBroughtAhead) {
  hang(first_, "upload");
  EXPECT_EQ(pool_.prefetch(a_, all_).status().code(), StatusCode::launch_timeout);
  EXPECT_TRUE(pool_.hung(a_));
  EXPECT_TRUE(pool_.lose(a_).empty());
  EXPECT_TRUE(pool_.acquire(b_, {&all_, 1}));
  pool_.remove_region(memory_.data());
}

TEST_F(HangingDevices, AreNotThoseThatWorkForSomebodyElse) {
  first_.fault = [](const char* call) {
    if (std::string_view(call) == "upload")
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return Status::ok();
  };
  pool_.expect_busy(a_, std::chrono::steady_clock::now() + std::chrono::seconds(30));
  EXPECT_TRUE(pool_.acquire(a_, {&all_, 1}));
  EXPECT_FALSE(pool_.hung(a_));
}

}  // namespace
}  // namespace guda::memory
