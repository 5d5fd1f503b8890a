// What the scheduler decided for one piece of work, with the figures that decided it.
#pragma once

#include "scheduler/engine_model.h"
#include "scheduler/split_plan.h"

#include <array>
#include <cstdint>
#include <span>

namespace guda::scheduler {

struct Part {
  EngineIndex engine = 0;
  uint64_t begin = 0;  // units
  uint64_t count = 0;
};

enum class Verdict : uint8_t {
  none,    // no engine may run it
  only,    // one engine may
  forced,  // the program said where
  placed,  // the engine that finishes first
  explored,  // on an engine that might be faster but was hardly measured
  split,
};

/// Predictions with a smaller relative uncertainty are those of somebody who knows.
inline constexpr double kKnownSigma = 0.1;

/// Why work that several engines could run was not split.
enum class Refusal : uint8_t { none, indivisible, forbidden, small, little_gain, uncertain };

struct Decision {
  Verdict verdict = Verdict::none;
  Refusal refusal = Refusal::none;
  /// The prediction is a guess, and the work is run this way to learn.
  bool exploring = false;
  /// A split might pay, had earlier ones not been disappointing or were more known; where it is one, it is a try.
  bool discouraged = false;
  /// Rests on how an engine that gets nothing of the work was lately, which is soon forgotten.
  bool passing = false;
  uint32_t part_count = 0;
  /// In ascending order of units; one part unless split.
  std::array<Part, kMaxEngines> parts{};
  /// From now until finished, transfers included.
  double predicted_ns = 0;
  /// Of a split: how many times as long as its parts let expect. predicted_ns and gain are after that.
  double split_factor = 1;
  double sigma = 0;  // relative
  EngineIndex fastest = kNoEngine;  // alone
  double fastest_ns = 0;
  /// Of the best split, as part of fastest_ns; and the gain that would have been enough.
  double gain = 0;
  double needed_gain = 0;
  /// Engine i alone; 0: may not run it.
  std::array<double, kMaxEngines> alone_ns{};
  /// Engine i's share of a split, for co_execution.h; zeros where alone_ns is 0.
  std::array<CostLine, kMaxEngines> lines{};
  /// What starting a chunk costs engine i.
  std::array<double, kMaxEngines> chunk_ns{};
  /// Engines, by bit, to which operands of their parts have to be moved: that overlaps with computing other chunks.
  uint32_t moving = 0;

  std::span<const Part> all_parts() const { return {parts.data(), part_count}; }
  bool is_split() const { return verdict == Verdict::split; }
};

}  // namespace guda::scheduler
