#include "runtime/program_branches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace guda::runtime {
namespace {

using After = std::vector<std::vector<uint32_t>>;

/// [i][j]: operation j is done before operation i begins, as branches and waits say; the last row: before the end.
std::vector<std::vector<bool>> order_of(const Branches& plan) {
  const size_t n = plan.operations.size();
  std::vector<std::vector<bool>> before(n + 1, std::vector<bool>(n));
  auto add = [&](size_t later, size_t earlier) {
    before[later][earlier] = true;
    for (size_t i = 0; i < n; ++i) {
      if (before[earlier][i]) before[later][i] = true;
    }
  };
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (plan.operations[j].branch == plan.operations[i].branch) add(i, j);
    }
    for (uint32_t wait : plan.operations[i].waits) {
      EXPECT_LT(wait, i);
      EXPECT_TRUE(plan.operations[wait].marked);
      add(i, wait);
    }
  }
  for (size_t j = 0; j < n; ++j) {
    if (plan.operations[j].branch == 0) add(n, j);
  }
  for (uint32_t end : plan.ends) {
    EXPECT_TRUE(plan.operations[end].marked);
    add(n, end);
  }
  return before;
}

TEST(ProgramBranches, AChainStaysInOneQueueWithoutMarks) {
  const Branches plan = plan_branches(After{{}, {0}, {1}, {0, 2}}, 8);
  EXPECT_EQ(plan.count, 1u);
  EXPECT_TRUE(plan.ends.empty());
  for (const BranchedOperation& each : plan.operations) {
    EXPECT_FALSE(each.marked);
    EXPECT_TRUE(each.waits.empty());
  }
}

TEST(ProgramBranches, ForkAndJoinWaitOnce) {
  // 0 -> 1 -> 3 -> 5, 0 -> 2 -> 4 -> 5
  const Branches plan = plan_branches(After{{}, {0}, {0}, {1}, {2, 0}, {3, 4, 1}}, 8);
  EXPECT_EQ(plan.count, 2u);
  EXPECT_EQ(plan.operations[1].branch, 0u);
  EXPECT_EQ(plan.operations[2].branch, 1u);
  EXPECT_EQ(plan.operations[2].waits, std::vector<uint32_t>{0});
  EXPECT_TRUE(plan.operations[4].waits.empty());
  EXPECT_EQ(plan.operations[5].waits, std::vector<uint32_t>{4});
  EXPECT_TRUE(plan.ends.empty());
}

TEST(ProgramBranches, TheEndComesAfterEveryBranch) {
  const Branches plan = plan_branches(After{{}, {}, {}}, 2);
  EXPECT_EQ(plan.count, 2u);
  EXPECT_EQ(plan.ends.size(), 1u);
}

TEST(ProgramBranches, EveryDependencyIsKeptInRandomGraphs) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    After after(1 + random() % 30);
    for (size_t i = 1; i < after.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (random() % (1 + i / 2) == 0) after[i].push_back(static_cast<uint32_t>(j));
      }
      std::shuffle(after[i].begin(), after[i].end(), random);
    }
    const auto most = static_cast<uint32_t>(1 + random() % 6);
    const Branches plan = plan_branches(after, most);
    ASSERT_LE(plan.count, most);
    const auto before = order_of(plan);
    for (size_t i = 0; i < after.size(); ++i) {
      ASSERT_LT(plan.operations[i].branch, plan.count);
      for (uint32_t wanted : after[i]) ASSERT_TRUE(before[i][wanted]) << i << " after " << wanted;
      ASSERT_TRUE(before[after.size()][i]) << i << " before the end";
    }
  }
}

}  // namespace
}  // namespace guda::runtime
