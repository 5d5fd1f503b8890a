#include "scheduler/pool_residency.h"

#include "tests/backends/memory_device.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

namespace guda::scheduler {
namespace {

using memory::Range;

constexpr size_t kBytes = size_t{1} << 20;

class PoolResidencyTest : public ::testing::Test {
 protected:
  PoolResidencyTest() {
    base_ = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    spaces_ = {memory::kHostSpace, pool_.add_device(first_), pool_.add_device(second_)};
    pool_.add_region(base_, kBytes, -1);
    whole_ = Range::of(base_, kBytes);
    use_ = {base_, kBytes, true, false, false};
  }
  ~PoolResidencyTest() override {
    pool_.remove_region(base_);
    munmap(base_, kBytes);
  }

  backend::MemoryDevice first_{uint64_t{1} << 30, 0};
  backend::MemoryDevice second_{uint64_t{1} << 30, 1};
  memory::CoherentPool pool_;
  std::vector<memory::Space> spaces_;
  void* base_ = nullptr;
  Range whole_;
  MemoryUse use_;
};

TEST_F(PoolResidencyTest, FollowsTheDataFromEngineToEngine) {
  const PoolResidency residency(pool_, spaces_);
  EXPECT_EQ(residency.missing(0, use_).bytes, 0);
  EXPECT_EQ(residency.missing(1, use_).bytes, kBytes);
  EXPECT_EQ(residency.missing(1, use_).source, kNoEngine);  // from the host
  const uint64_t at_home = residency.signature({&use_, 1});
  EXPECT_EQ(residency.signature({&use_, 1}), at_home);

  // Engine 1 writes it: everybody else would have to fetch it from there.
  ASSERT_TRUE(pool_.acquire(spaces_[1], {&whole_, 1}));
  pool_.commit(spaces_[1], {&whole_, 1});
  EXPECT_EQ(residency.missing(1, use_).bytes, 0);
  EXPECT_EQ(residency.missing(0, use_).bytes, kBytes);
  EXPECT_EQ(residency.missing(0, use_).source, 1u);
  EXPECT_EQ(residency.missing(2, use_).source, 1u);
  const uint64_t on_device = residency.signature({&use_, 1});
  EXPECT_NE(on_device, at_home);

  // Written there again: the same situation.
  pool_.commit(spaces_[1], {&whole_, 1});
  EXPECT_EQ(residency.signature({&use_, 1}), on_device);
  ASSERT_TRUE(pool_.bring_to_host({&whole_, 1}));
  EXPECT_NE(residency.signature({&use_, 1}), on_device);
}

TEST_F(PoolResidencyTest, SaysWhenThereIsADirectWay) {
  const PoolResidency residency(pool_, spaces_);
  ASSERT_TRUE(pool_.acquire(spaces_[1], {&whole_, 1}));
  pool_.commit(spaces_[1], {&whole_, 1});
  EXPECT_FALSE(residency.missing(2, use_).direct);
  second_.peers = true;
  EXPECT_TRUE(residency.missing(2, use_).direct);
  EXPECT_EQ(residency.missing(2, use_).direct_bytes_per_ns, 0) << "nobody has seen one";
  EXPECT_FALSE(residency.missing(0, use_).direct) << "the host takes part in nothing direct";
}

TEST_F(PoolResidencyTest, CountsGranulesNotWholeArrays) {
  const PoolResidency residency(pool_, spaces_);
  ASSERT_TRUE(pool_.acquire(spaces_[1], {&whole_, 1}));
  const Range quarter{whole_.begin, whole_.begin + kBytes / 4};
  pool_.commit(memory::kHostSpace, {&quarter, 1});
  EXPECT_EQ(residency.missing(1, use_).bytes, kBytes / 4);
}

}  // namespace
}  // namespace guda::scheduler
