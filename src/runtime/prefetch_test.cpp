#include "runtime/prefetch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace guda::runtime {
namespace {

using memory::Range;

constexpr uintptr_t kMB = 1 << 20;
constexpr Range kA{10 * kMB, 11 * kMB}, kB{20 * kMB, 21 * kMB}, kC{30 * kMB, 31 * kMB};

class NextToPrefetch : public testing::Test {
 protected:
  void running(std::vector<Range> writes, bool anything = false) {
    work_.running = 1;
    queued(1, {}, std::move(writes), anything);
  }
  void queued(memory::Space space, std::vector<Range> wanted, std::vector<Range> writes,
              bool anything = false) {
    auto upcoming = std::make_shared<Upcoming>();
    upcoming->wanted.push_back({space, std::move(wanted)});
    upcoming->writes = std::move(writes);
    upcoming->anything = anything;
    work_.operations.push_back(std::move(upcoming));
  }
  Range next(memory::Space space = 1) {
    return next_to_prefetch(work_, space, [&](Range range) { return range != there_; });
  }

  UpcomingWork work_;
  Range there_;
};

TEST_F(NextToPrefetch, IsWhatTheNextOperationLacks) {
  running({kC});
  queued(1, {kA, kB}, {kB});
  EXPECT_EQ(next(), kA);
  there_ = kA;
  EXPECT_EQ(next(), kB) << "what it writes it may read";
  EXPECT_TRUE(next(2).empty()) << "it does not run there";
}

TEST_F(NextToPrefetch, IsNothingThatIsWrittenBefore) {
  running({kA});
  queued(2, {}, {kB});
  queued(1, {kA, kB, kC}, {});
  EXPECT_EQ(next(), kC);
}

TEST_F(NextToPrefetch, IsNothingBesideWhatIsWrittenBefore) {
  constexpr uintptr_t kGranule = memory::CoherentPool::kGranule;
  running({{kA.begin + 1000, kA.begin + 2000}, {kA.begin + 4 * kGranule, kA.begin + 5 * kGranule}});
  queued(1, {kA, {kB.begin + 10, kB.begin + 20}}, {{kB.begin + 5 * kGranule, kB.end}});
  queued(1, {kB}, {});
  const Range first{kA.begin + kGranule, kA.begin + 4 * kGranule},
      second{kA.begin + 5 * kGranule, kA.end};
  EXPECT_EQ(next(), first) << "versions are of granules";
  const auto after = [&](std::vector<Range> there) {
    return next_to_prefetch(work_, 1, [&](Range range) {
      return std::find(there.begin(), there.end(), range) == there.end();
    });
  };
  EXPECT_EQ(after({first}), second);
  const Range third{kB.begin + 10, kB.begin + 20};
  EXPECT_EQ(after({first, second}), third);
  EXPECT_EQ(after({first, second, third}), (Range{kB.begin, kB.begin + 5 * kGranule}));
}

TEST_F(NextToPrefetch, IsNotOfAnOperationThatHasBegun) {
  work_.running = 1;
  queued(1, {kA}, {});
  EXPECT_TRUE(next().empty());
}

TEST_F(NextToPrefetch, IsNothingBehindWhatMayWriteAnywhere) {
  running({});
  queued(1, {kA}, {}, true);
  queued(1, {kB}, {});
  EXPECT_EQ(next(), kA);
  there_ = kA;
  EXPECT_TRUE(next().empty());
}

}  // namespace
}  // namespace guda::runtime
