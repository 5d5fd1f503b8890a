#include "backends/cpu/warp_ops.h"

#include <gtest/gtest.h>

#include <array>

namespace guda::cpu {
namespace {

using kernel::WarpOp;

struct Lanes {
  std::array<LaneOperands, 32> operands;
  std::array<LaneResult, 32> results;

  void run(WarpOp op, uint32_t members = ~0u) {
    evaluate_warp_op(op, members, operands.data(), results.data());
  }
};

Lanes identity(uint32_t b, uint32_t c) {
  Lanes lanes{};
  for (uint32_t l = 0; l < 32; ++l) lanes.operands[l] = {100 + l, b, c};
  return lanes;
}

// c as nvcc writes it for a width: segment mask in bits 8-12, clamp 31 (0 for up).
constexpr uint32_t control(uint32_t width, uint32_t clamp) { return ((32 - width) << 8) | clamp; }

TEST(Shuffle, DownStopsAtSegmentEnd) {
  Lanes lanes = identity(3, control(8, 31));
  lanes.run(WarpOp::shfl_down);
  for (uint32_t l = 0; l < 32; ++l) {
    const bool inside = l % 8 + 3 < 8;
    EXPECT_EQ(lanes.results[l].value, 100 + (inside ? l + 3 : l)) << l;
    EXPECT_EQ(lanes.results[l].predicate, inside ? 1u : 0u) << l;
  }
}

TEST(Shuffle, UpStopsAtSegmentStart) {
  Lanes lanes = identity(5, control(16, 0));
  lanes.run(WarpOp::shfl_up);
  for (uint32_t l = 0; l < 32; ++l) {
    const bool inside = l % 16 >= 5;
    EXPECT_EQ(lanes.results[l].value, 100 + (inside ? l - 5 : l)) << l;
    EXPECT_EQ(lanes.results[l].predicate, inside ? 1u : 0u) << l;
  }
}

TEST(Shuffle, ButterflyAndIndexStayInSegment) {
  Lanes lanes = identity(4, control(4, 31));
  lanes.run(WarpOp::shfl_bfly);
  // 4 ^ lane leaves segments of 4 upwards for lanes whose bit 2 is clear.
  EXPECT_EQ(lanes.results[0].value, 100u);
  EXPECT_EQ(lanes.results[0].predicate, 0u);
  EXPECT_EQ(lanes.results[4].value, 100u);
  EXPECT_EQ(lanes.results[4].predicate, 1u);
  lanes = identity(6, control(4, 31));
  lanes.run(WarpOp::shfl_idx);
  for (uint32_t l = 0; l < 32; ++l) EXPECT_EQ(lanes.results[l].value, 100 + (l & ~3u) + 2);
}

TEST(Shuffle, AbsentSourceGivesOwnValue) {
  Lanes lanes = identity(1, control(32, 31));
  lanes.run(WarpOp::shfl_down, 0x5);
  EXPECT_EQ(lanes.results[0].value, 100u);
  EXPECT_EQ(lanes.results[2].value, 102u);
}

TEST(Vote, CountsOnlyMembers) {
  Lanes lanes{};
  lanes.operands[3].a = 1;
  lanes.operands[9].a = 1;
  lanes.run(WarpOp::vote_ballot, 0xff);
  EXPECT_EQ(lanes.results[0].value, 8u);
  lanes.run(WarpOp::vote_any, 0xf0);
  EXPECT_EQ(lanes.results[4].value, 0u);
  lanes.run(WarpOp::vote_all, 0x208);
  EXPECT_EQ(lanes.results[3].predicate, 1u);
  lanes.run(WarpOp::vote_uni, 0xf0);
  EXPECT_EQ(lanes.results[4].value, 1u);
}

TEST(Match, GroupsEqualValues) {
  Lanes lanes{};
  for (uint32_t l = 0; l < 32; ++l) lanes.operands[l].a = (uint64_t{l % 3} << 40) | 7;
  lanes.run(WarpOp::match_any, 0x3f);
  EXPECT_EQ(lanes.results[1].value, 0x12u);
  lanes.run(WarpOp::match_all, 0x3f);
  EXPECT_EQ(lanes.results[0].value, 0u);
  lanes.run(WarpOp::match_all, 0x9);
  EXPECT_EQ(lanes.results[0].value, 9u);
  EXPECT_EQ(lanes.results[3].predicate, 1u);
}

TEST(Redux, SignedAndUnsigned) {
  Lanes lanes{};
  for (uint32_t l = 0; l < 32; ++l)
    lanes.operands[l].a = static_cast<uint32_t>(static_cast<int>(l) - 16);
  lanes.run(WarpOp::redux_min_s32);
  EXPECT_EQ(static_cast<int32_t>(lanes.results[5].value), -16);
  lanes.run(WarpOp::redux_min_u32);
  EXPECT_EQ(lanes.results[5].value, 0u);
  lanes.run(WarpOp::redux_add);
  EXPECT_EQ(static_cast<int32_t>(lanes.results[5].value), -16);
  lanes.run(WarpOp::elect, 0xf0);
  EXPECT_EQ(lanes.results[4].predicate, 1u);
  EXPECT_EQ(lanes.results[5].predicate, 0u);
  EXPECT_EQ(lanes.results[7].value, 4u);
}

}  // namespace
}  // namespace guda::cpu
