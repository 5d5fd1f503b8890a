#include "backends/cpu/warp_ops.h"

#include <algorithm>
#include <bit>

namespace guda::cpu {
namespace {

using kernel::WarpOp;

template <typename Visit>
void for_each_lane(uint32_t mask, Visit visit) {
  for (; mask != 0; mask &= mask - 1) visit(static_cast<uint32_t>(std::countr_zero(mask)));
}

// shfl.sync: c holds the clamp value in bits 0-4 and the segment mask in bits 8-12.
void shuffle(WarpOp op, uint32_t members, const LaneOperands* operands, LaneResult* results) {
  for_each_lane(members, [&](uint32_t lane) {
    const uint32_t b = operands[lane].b & 31;
    const uint32_t clamp = operands[lane].c & 31;
    const uint32_t segment = (operands[lane].c >> 8) & 31;
    const auto max_lane = static_cast<int>((lane & segment) | (clamp & ~segment));
    const auto min_lane = static_cast<int>(lane & segment);
    const auto own = static_cast<int>(lane);
    const auto offset = static_cast<int>(b);
    int source = own;
    bool in_range = false;
    switch (op) {
      case WarpOp::shfl_up:
        source = own - offset;
        in_range = source >= max_lane;
        break;
      case WarpOp::shfl_down:
        source = own + offset;
        in_range = source <= max_lane;
        break;
      case WarpOp::shfl_bfly:
        source = own ^ offset;
        in_range = source <= max_lane;
        break;
      default:
        source = min_lane | (offset & static_cast<int>(~segment & 31));
        in_range = source <= max_lane;
        break;
    }
    if (!in_range) source = own;
    // A source that does not take part has no defined value: the lane keeps its own.
    const bool present = source >= 0 && source < 32 && ((members >> source) & 1) != 0;
    results[lane].value = operands[present ? source : own].a & 0xffffffffu;
    results[lane].predicate = in_range ? 1 : 0;
  });
}

uint32_t ballot(uint32_t members, const LaneOperands* operands) {
  uint32_t set = 0;
  for_each_lane(members, [&](uint32_t lane) {
    if (operands[lane].a != 0) set |= 1u << lane;
  });
  return set;
}

template <typename T, typename Combine>
uint64_t reduce(uint32_t members, const LaneOperands* operands, Combine combine) {
  bool first = true;
  T total{};
  for_each_lane(members, [&](uint32_t lane) {
    const auto value = static_cast<T>(static_cast<uint32_t>(operands[lane].a));
    total = first ? value : static_cast<T>(combine(total, value));
    first = false;
  });
  return static_cast<uint32_t>(total);
}

void broadcast(uint32_t members, uint64_t value, uint32_t predicate, LaneResult* results) {
  for_each_lane(members, [&](uint32_t lane) { results[lane] = {value, predicate}; });
}

uint64_t redux(WarpOp op, uint32_t members, const LaneOperands* operands) {
  switch (op) {
    case WarpOp::redux_add:
      return reduce<uint32_t>(members, operands, [](uint32_t x, uint32_t y) { return x + y; });
    case WarpOp::redux_min_s32:
      return reduce<int32_t>(members, operands,
                             [](int32_t x, int32_t y) { return std::min(x, y); });
    case WarpOp::redux_max_s32:
      return reduce<int32_t>(members, operands,
                             [](int32_t x, int32_t y) { return std::max(x, y); });
    case WarpOp::redux_min_u32:
      return reduce<uint32_t>(members, operands,
                              [](uint32_t x, uint32_t y) { return std::min(x, y); });
    case WarpOp::redux_max_u32:
      return reduce<uint32_t>(members, operands,
                              [](uint32_t x, uint32_t y) { return std::max(x, y); });
    case WarpOp::redux_and:
      return reduce<uint32_t>(members, operands, [](uint32_t x, uint32_t y) { return x & y; });
    case WarpOp::redux_or:
      return reduce<uint32_t>(members, operands, [](uint32_t x, uint32_t y) { return x | y; });
    default:
      return reduce<uint32_t>(members, operands, [](uint32_t x, uint32_t y) { return x ^ y; });
  }
}

}  // namespace

void evaluate_warp_op(WarpOp op, uint32_t members, const LaneOperands* operands,
                      LaneResult* results) {
  if (members == 0) return;
  const auto first = static_cast<uint32_t>(std::countr_zero(members));
  switch (op) {
    case WarpOp::shfl_up:
    case WarpOp::shfl_down:
    case WarpOp::shfl_bfly:
    case WarpOp::shfl_idx: shuffle(op, members, operands, results); return;
    case WarpOp::vote_all:
      broadcast(members, ballot(members, operands) == members, 0, results);
      break;
    case WarpOp::vote_any: broadcast(members, ballot(members, operands) != 0, 0, results); break;
    case WarpOp::vote_uni: {
      const uint32_t set = ballot(members, operands);
      broadcast(members, set == 0 || set == members, 0, results);
      break;
    }
    case WarpOp::vote_ballot: broadcast(members, ballot(members, operands), 0, results); return;
    case WarpOp::match_any:
      for_each_lane(members, [&](uint32_t lane) {
        uint32_t equal = 0;
        for_each_lane(members, [&](uint32_t other) {
          if (operands[other].a == operands[lane].a) equal |= 1u << other;
        });
        results[lane] = {equal, 0};
      });
      return;
    case WarpOp::match_all: {
      bool equal = true;
      for_each_lane(members,
                    [&](uint32_t lane) { equal &= operands[lane].a == operands[first].a; });
      broadcast(members, equal ? members : 0, equal, results);
      return;
    }
    case WarpOp::elect:
      for_each_lane(members, [&](uint32_t lane) { results[lane] = {first, lane == first}; });
      return;
    case WarpOp::sync:
    case WarpOp::activemask: broadcast(members, members, 0, results); return;
    default: broadcast(members, redux(op, members, operands), 0, results); return;
  }
  // Votes give a predicate: offer it as both.
  for_each_lane(members, [&](uint32_t lane) {
    results[lane].predicate = static_cast<uint32_t>(results[lane].value);
  });
}

}  // namespace guda::cpu
