// What else could be done than running the whole work on the fastest engine: splits, and engines that nobody knows.
#include "scheduler/scheduler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace guda::scheduler {
namespace {

/// A split has to gain this much at least.
constexpr double kLeastGain = 0.05;
/// And this many standard deviations of the prediction.
constexpr double kSigmas = 3;
/// An engine that was measured this often is known.
constexpr uint32_t kKnown = 3;
/// Engines are tried out when the best one has been measured this often: work that never comes again is not
/// worth learning about.
constexpr uint32_t kWorthLearning = 4;
/// Not when it is expected to take longer than this many times the best.
constexpr double kExploreAtMost = 1.5;

/// Who gets how much of a work.
struct Shares {
  std::array<CostLine, kMaxEngines> lines{};
  std::array<EngineIndex, kMaxEngines> engines{};
  std::array<uint64_t, kMaxEngines> units{};
  size_t count = 0;
  double finish_ns = 0;

  size_t parts() const {
    return static_cast<size_t>(
        std::count_if(units.begin(), units.begin() + count, [](uint64_t u) { return u != 0; }));
  }

  void divide(const Work& work, uint64_t tile) {
    units.fill(0);
    finish_ns = split_in_tiles({lines.data(), count}, work.units, tile, units);
  }

  void leave_out(size_t who) {
    std::copy(lines.begin() + who + 1, lines.begin() + count, lines.begin() + who);
    std::copy(engines.begin() + who + 1, engines.begin() + count, engines.begin() + who);
    --count;
  }

  /// "always" is for tests and for measuring: whoever can compute takes part.
  void everybody_takes_part(uint64_t tile) {
    const auto donor =
        static_cast<size_t>(std::max_element(units.begin(), units.begin() + count) - units.begin());
    finish_ns = 0;
    for (size_t i = 0; i < count; ++i) {
      if (units[i] == 0 && units[donor] >= 2 * tile) {
        units[i] = tile;
        units[donor] -= tile;
      }
    }
    for (size_t i = 0; i < count; ++i)
      finish_ns = std::max(finish_ns, lines[i].ns(static_cast<double>(units[i])));
  }

  /// Relative, of the finish. Uncertainties of the shares are independent.
  double sigma(std::span<const Estimate> estimates) const {
    double all = 0;
    double variance = 0;
    for (size_t i = 0; i < count; ++i) all += static_cast<double>(units[i]);
    for (size_t i = 0; i < count; ++i) {
      const double sigma = static_cast<double>(units[i]) / all * estimates[engines[i]].mean_sigma;
      variance += sigma * sigma;
    }
    return std::sqrt(variance);
  }
};

/// `lines`: by engine.
Shares share_out(const Work& work, const Decision& decision, std::span<const CostLine> lines,
                 SplitMode mode) {
  const uint64_t tile = std::max<uint64_t>(work.tile, 1);
  Shares shares;
  for (EngineIndex e = 0; e < lines.size(); ++e) {
    if (decision.alone_ns[e] <= 0 || (work.part_engines >> e & 1) == 0) continue;
    shares.lines[shares.count] = lines[e];
    if (mode == SplitMode::always) shares.lines[shares.count].fixed_ns = 0;
    shares.engines[shares.count++] = e;
  }
  shares.divide(work, tile);
  if (mode == SplitMode::always) {
    for (size_t i = 0; i < shares.count; ++i) shares.lines[i] = lines[shares.engines[i]];
    shares.everybody_takes_part(tile);
    return shares;
  }
  // Who would take over less than a split has to gain costs more, on a bad day, than it brings.
  while (shares.count > 2) {
    size_t least = shares.count;
    for (size_t i = 0; i < shares.count; ++i) {
      const bool little = shares.units[i] != 0 && static_cast<double>(shares.units[i]) <
                                                      kLeastGain * static_cast<double>(work.units);
      if (little && (least == shares.count || shares.units[i] < shares.units[least])) least = i;
    }
    if (least == shares.count) break;
    shares.leave_out(least);
    shares.divide(work, tile);
  }
  return shares;
}

/// A split that would gain is uncertain as long as an engine is a guess. Work that keeps coming pays for finding
/// out, and the hand-out of chunks corrects a wrong guess while it runs.
bool worth_learning(std::span<const Estimate> estimates, const Decision& decision,
                    const Shares& shares) {
  if (estimates[decision.fastest].observations < kWorthLearning) return false;
  for (size_t i = 0; i < shares.count; ++i) {
    if (shares.units[i] != 0 && estimates[shares.engines[i]].observations < kKnown) return true;
  }
  return false;
}

}  // namespace

/// `hopeful`: decision.lines, had engines nothing but the least costs of starting that what was measured allows.
void Scheduler::split(const Work& work, std::span<const Estimate> estimates,
                      std::span<const CostLine> hopeful, Decision& decision) {
  const SplitMode mode = split_mode();
  if (mode == SplitMode::never) {
    decision.refusal = Refusal::forbidden;
    return;
  }
  if (!work.divisible) {
    decision.refusal = Refusal::indivisible;
    return;
  }
  if (work.units < 2 * std::max<uint64_t>(work.tile, 1)) {
    decision.refusal = Refusal::small;
    return;
  }
  const bool automatic = mode == SplitMode::automatic;
  const auto gain = [&](double finish_ns) { return 1 - finish_ns / decision.fastest_ns; };
  Shares shares =
      share_out(work, decision, std::span(decision.lines).first(estimates.size()), mode);
  // The uncertainty of the fastest alone is another's.
  const double sigma = std::hypot(shares.sigma(estimates), estimates[decision.fastest].mean_sigma);
  decision.needed_gain = std::max(kLeastGain, kSigmas * sigma);
  if (automatic && shares.parts() >= 2) decision.split_factor = split_experience_.factor(work);
  decision.gain = gain(shares.finish_ns * decision.split_factor);
  const auto pays = [&] {
    return shares.parts() >= 2 && gain(shares.finish_ns) > decision.needed_gain;
  };
  const bool gains = shares.parts() >= 2 && decision.gain > kLeastGain;
  bool accepted = shares.parts() >= 2 && (!automatic || decision.gain > decision.needed_gain);
  if (!accepted && gains)
    accepted = decision.exploring = worth_learning(estimates, decision, shares);
  if (!accepted && automatic) {
    // It might pay all the same: what spoilt earlier splits may have gone, or engines that only ever had whole works may
    // start faster than it looks.
    if (!pays()) {
      shares = share_out(work, decision, hopeful.first(estimates.size()), mode);
      decision.exploring = true;
    }
    decision.discouraged = pays();
    accepted = decision.discouraged && split_experience_.try_is_due(work);
    decision.exploring = decision.exploring && accepted;
  }
  if (!accepted) {
    decision.refusal = gains ? Refusal::uncertain : Refusal::little_gain;
    return;
  }
  decision.verdict = Verdict::split;
  decision.gain = gain(shares.finish_ns * decision.split_factor);
  decision.predicted_ns = shares.finish_ns * decision.split_factor;
  decision.sigma = shares.sigma(estimates);
  decision.part_count = 0;
  uint64_t begin = 0;
  for (size_t i = 0; i < shares.count; ++i) {
    if (shares.units[i] == 0) continue;
    decision.parts[decision.part_count++] = {shares.engines[i], begin, shares.units[i]};
    begin += shares.units[i];
  }
}

/// An engine may look slow only because nobody has tried. Work that keeps coming pays for finding out.
EngineIndex Scheduler::worth_exploring(std::span<const Estimate> estimates,
                                       const Decision& decision) const {
  if (estimates[decision.fastest].observations < kWorthLearning) return kNoEngine;
  EngineIndex best = kNoEngine;
  double best_ns = std::numeric_limits<double>::infinity();
  for (EngineIndex e = 0; e < estimates.size(); ++e) {
    const double alone = decision.alone_ns[e];
    if (alone <= 0 || e == decision.fastest || estimates[e].observations >= kKnown) continue;
    if (alone * (1 - std::min(estimates[e].mean_sigma, 0.9)) >= decision.fastest_ns) continue;
    if (alone > kExploreAtMost * decision.fastest_ns) continue;
    if (alone < best_ns) {
      best = e;
      best_ns = alone;
    }
  }
  return best;
}

}  // namespace guda::scheduler
