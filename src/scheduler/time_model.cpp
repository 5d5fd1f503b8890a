#include "scheduler/time_model.h"

#include "scheduler/evict.h"

#include <algorithm>
#include <cmath>

namespace guda::scheduler {
namespace {

constexpr size_t kMaxEntries = 8192;
/// Nothing is known about the kernel's instructions: hardly any confidence.
constexpr double kUnknownSigma = 1.0;
/// A second run this much faster than expected from the first: the first was a cold one.
constexpr double kWarm = 0.8;

/// Starting may take about this part of what the work took the first time.
constexpr double kStart = 0.1;

double traffic(const Work& work) {
  if (work.bytes > 0) return work.bytes;
  double bytes = 0;
  for (const MemoryUse& use : work.memory) {
    bytes += static_cast<double>(use.bytes) * (use.read && use.written ? 2 : 1);
  }
  return bytes;
}

}  // namespace

TimeModel::TimeModel(const EngineModel& model) : model_(model) {
  for (const WorkKind kind : {WorkKind::launch, WorkKind::gemm}) {
    const bool gemm = kind == WorkKind::gemm;
    // Large products reach their calibrated rate; kernels rarely their roofline.
    const Roofline::Vector expected = {1, gemm ? 1.1 : 1.5, 0.3};
    const Roofline::Vector deviation = {0.5, gemm ? 0.15 : 0.6, gemm ? 0.15 : 0.3};
    roofline_[static_cast<size_t>(kind)] = Roofline(expected, deviation);
  }
}

Regression<2>::Prediction TimeModel::Entry::predict(double amount, double factor) const {
  auto prediction = time.predict({1, amount});
  prediction.value *= factor;
  prediction.sigma = std::hypot(prediction.mean_sigma, drift.sigma());
  return prediction;
}

void TimeModel::Entry::observe(double amount, double share, double ns) {
  const double part = amount * share;
  const double before = time.predict({1, part}).value;
  time.observe({1, part}, ns);
  drift.observe(amount, share, ns / before, time.predict({1, part}).value / before);
}

TimeModel::Roofline::Vector TimeModel::roofline_features(const Work& work, double share) const {
  const bool gemm = work.kind == WorkKind::gemm;
  const double start =
      std::max(gemm ? std::max(model_.gemm_ns, model_.launch_ns) : model_.launch_ns, 1.0);
  const double compute = share * model_.compute_ns(work.operations, gemm);
  const double memory = share * model_.memory_ns(traffic(work));
  return {start, std::max(compute, memory), std::min(compute, memory)};
}

Estimate TimeModel::from_roofline(const Work& work) const {
  auto features = roofline_features(work, 1);
  const bool unknown = features[1] <= 0;
  if (unknown) {
    // A guess, so that large grids go to fast engines: a block of 256 threads with 20 operations and 3 words each.
    Work guess = work;
    guess.operations[static_cast<size_t>(Arithmetic::f32)] = 5120 * std::max(work.amount, 1.0);
    guess.bytes = 3072 * std::max(work.amount, 1.0);
    features = roofline_features(guess, 1);
  }
  const Roofline& roofline = roofline_[static_cast<size_t>(work.kind)];
  const auto whole = roofline.predict(features);
  const double start = roofline.predict({features[0], 0, 0}).value;
  Estimate estimate;
  estimate.fixed_ns = start;
  estimate.least_fixed_ns = start;
  const auto units = static_cast<double>(std::max<uint64_t>(work.units, 1));
  estimate.ns_per_unit = (whole.value - start) / units;
  estimate.mean_sigma = whole.mean_sigma;
  estimate.sigma = whole.sigma;
  // One kernel differs from the average kernel by more than the average is uncertain.
  const double spread = unknown ? kUnknownSigma : work.kind == WorkKind::gemm ? 0.05 : 0.3;
  estimate.mean_sigma = std::hypot(estimate.mean_sigma, spread);
  estimate.sigma = std::hypot(estimate.sigma, spread);
  return estimate;
}

Estimate TimeModel::estimate(const Work& work) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(work.key);
  if (found == entries_.end()) return from_roofline(work);
  const Entry& entry = found->second;
  const double factor = entry.drift.factor(work.amount);
  const auto prediction = entry.predict(work.amount, factor);
  const auto& line = entry.time.state().weights;
  const double start_sigma = std::sqrt(std::max(entry.time.state().covariance[0][0], 0.0));
  Estimate estimate;
  estimate.drift = factor;
  estimate.fixed_ns = factor * line[0];
  estimate.least_fixed_ns =
      std::min(estimate.fixed_ns, std::max(factor * (line[0] - 2 * start_sigma), model_.launch_ns));
  estimate.ns_per_unit =
      factor * line[1] * work.amount / static_cast<double>(std::max<uint64_t>(work.units, 1));
  estimate.mean_sigma = prediction.mean_sigma;
  estimate.sigma = prediction.sigma;
  estimate.observations = entry.time.observations();
  if (entry.cold && work.kind == WorkKind::gemm && model_.compute_ns(work.operations, true) > 0) {
    // The first product of a kind may have loaded a library; the calibrated rate says more.
    Estimate calibrated = from_roofline(work);
    const double units = static_cast<double>(std::max<uint64_t>(work.units, 1));
    if (calibrated.fixed_ns + calibrated.ns_per_unit * units < kWarm * prediction.value) {
      calibrated.observations = estimate.observations;
      return calibrated;
    }
  }
  return estimate;
}

/// Of work measured for the first time.
TimeModel::Entry TimeModel::first_entry(const Work& work, double amount, double ns) const {
  const Estimate prior = from_roofline(work);
  const double per_amount = prior.ns_per_unit *
                            static_cast<double>(std::max<uint64_t>(work.units, 1)) /
                            std::max(work.amount, 1e-9);
  const double doubt = std::max(prior.mean_sigma, 0.3);
  // Parts may cost more to start than an empty launch: products pack a factor anew for each.
  const double start_doubt = std::max(doubt * prior.fixed_ns, kStart * ns);
  Entry entry;
  entry.time =
      Regression<2>({prior.fixed_ns, per_amount}, {start_doubt, 2 * doubt * per_amount}, 0.1);
  // A measurement far from the guess says more than the guess.
  const double guessed = entry.time.predict({1, amount}).value;
  if (ns > 2 * guessed || ns < guessed / 2) {
    const double start = std::min(prior.fixed_ns, ns / 2);
    const double slope = (ns - start) / std::max(amount, 1e-9);
    entry.time = Regression<2>({start, slope}, {std::max(start, kStart * ns), slope}, 0.1);
  }
  return entry;
}

bool TimeModel::observe(const Work& work, double units, double ns) {
  if (!(ns > 0) || !(units > 0) || !std::isfinite(ns)) return false;
  const double share =
      std::min(units / static_cast<double>(std::max<uint64_t>(work.units, 1)), 1.0);
  const double amount = work.amount * share;
  const std::lock_guard lock(mutex_);
  auto found = entries_.find(work.key);
  if (found == entries_.end()) {
    if (entries_.size() >= kMaxEntries) evict_any(entries_, work.key);
    found = entries_.emplace(work.key, first_entry(work, amount, ns)).first;
    found->second.cold = true;
  } else if (found->second.cold) {
    const double factor = found->second.drift.factor(amount);
    if (ns < kWarm * found->second.predict(amount, factor).value) {
      found->second = first_entry(work, amount, ns);
    }
    found->second.cold = false;
  }
  Entry& entry = found->second;
  entry.observe(work.amount, share, ns);
  const auto features = roofline_features(work, share);
  if (features[1] > 0) roofline_[static_cast<size_t>(work.kind)].observe(features, ns);

  const auto now = entry.predict(work.amount, entry.drift.factor(work.amount));
  const bool moved = std::abs(now.value - entry.published_ns) > 0.02 * entry.published_ns ||
                     std::abs(now.mean_sigma - entry.published_sigma) > 0.2 * entry.published_sigma;
  if (moved) {
    entry.published_ns = now.value;
    entry.published_sigma = now.mean_sigma;
  }
  return moved;
}

std::vector<LearntTime> TimeModel::learnt(size_t limit) const {
  std::vector<LearntTime> all;
  {
    const std::lock_guard lock(mutex_);
    all.reserve(entries_.size());
    for (const auto& [key, entry] : entries_) all.push_back({key, entry.time.state()});
  }
  std::sort(all.begin(), all.end(), [](const LearntTime& a, const LearntTime& b) {
    return a.state.observations != b.state.observations
               ? a.state.observations > b.state.observations
               : a.key < b.key;
  });
  if (all.size() > limit) all.resize(limit);
  return all;
}

void TimeModel::restore(std::span<const LearntTime> times) {
  const std::lock_guard lock(mutex_);
  for (const LearntTime& time : times) {
    if (entries_.size() >= kMaxEntries) return;
    entries_.try_emplace(time.key,
                         Entry{Regression<2>(time.state), {}, time.state.observations <= 1, 0, 0});
  }
}

}  // namespace guda::scheduler
