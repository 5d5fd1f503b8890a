#include "scheduler/calibration.h"

#include "support/log.h"

#include <algorithm>
#include <functional>

namespace guda::scheduler {
namespace {

using Clock = std::chrono::steady_clock;

/// Below this, latency and the clock's grain are much of what is measured.
constexpr double kLongEnoughNs = 2e6;

/// The least of several runs: disturbances only add. Runs at least once, at most `most` times, until the deadline.
Result<double> least(const std::function<Result<double>()>& probe, int most,
                     Clock::time_point deadline) {
  double best = 0;
  for (int i = 0; i < most && (i == 0 || Clock::now() < deadline); ++i) {
    const Result<double> ns = probe();
    if (!ns) return ns;
    if (best == 0 || *ns < best) best = *ns;
  }
  return std::max(best, 1.0);
}

/// What is not supported leaves the term as it is; other errors are kept.
bool usable(const Result<double>& result, Status& failure) {
  if (result) return true;
  const Status status = result.status();
  if (status.code() != StatusCode::not_supported && failure.is_ok()) failure = status;
  return false;
}

}  // namespace

Result<EngineModel> calibrate(EngineProbes& probes, std::chrono::nanoseconds budget) {
  EngineModel model;
  Status failure;
  // Each term has its part of the time; one that needs less leaves it to the others.
  constexpr int kTerms = 2 + 2 * static_cast<int>(kArithmeticKinds) + 2;
  const Clock::time_point end = Clock::now() + budget;
  int terms_left = kTerms;
  const auto term_deadline = [&] {
    const auto now = Clock::now();
    const auto left = std::max(end - now, Clock::duration::zero());
    return now + left / std::max(terms_left--, 1);
  };

  if (const auto ns = least([&] { return probes.launch_ns(); }, 200, term_deadline());
      usable(ns, failure)) {
    model.launch_ns = *ns;
  }

  for (size_t k = 0; k < kArithmeticKinds && failure.is_ok(); ++k) {
    const auto kind = static_cast<Arithmetic>(k);
    const auto deadline = term_deadline();
    for (double operations = 1e6; operations < 1e14; operations *= 8) {
      double done = operations;
      const auto ns =
          least([&] { return probes.arithmetic_ns(kind, operations, &done); }, 2, deadline);
      if (!usable(ns, failure)) break;
      model.kernel_rate[k] =
          std::max(model.kernel_rate[k], done / std::max(*ns - model.launch_ns, 1.0));
      if (*ns > kLongEnoughNs || Clock::now() > deadline) break;
    }
  }

  auto deadline = term_deadline();
  for (size_t bytes = size_t{1} << 20; bytes <= size_t{1} << 28 && failure.is_ok(); bytes *= 4) {
    const auto ns = least([&] { return probes.stream_ns(bytes); }, 3, deadline);
    if (!usable(ns, failure)) break;
    // The last one counts: smaller ones live in caches.
    model.memory_rate = static_cast<double>(bytes) / std::max(*ns - model.launch_ns, 1.0);
    if (*ns > 2 * kLongEnoughNs || Clock::now() > deadline) break;
  }

  for (size_t k = 0; k < kArithmeticKinds && failure.is_ok(); ++k) {
    const auto kind = static_cast<Arithmetic>(k);
    deadline = term_deadline();
    for (int64_t n = 16; n <= 8192; n *= 2) {
      const auto ns = least([&] { return probes.gemm_ns(kind, n); }, 4, deadline);
      if (!usable(ns, failure)) break;
      if (n == 16 && (model.gemm_ns == 0 || *ns < model.gemm_ns)) model.gemm_ns = *ns;
      const auto size = static_cast<double>(n);
      model.gemm_rate[k] = std::max(model.gemm_rate[k], 2 * size * size * size / *ns);
      if (*ns > 2 * kLongEnoughNs || Clock::now() > deadline) break;
    }
  }

  const auto measure_link = [&](auto probe, Link& link) {
    const auto link_deadline = term_deadline();
    constexpr size_t kSmall = 64;
    constexpr size_t kLarge = size_t{16} << 20;
    const auto small = least([&] { return probe(kSmall); }, 20, link_deadline);
    if (!usable(small, failure)) return;
    const auto large = least([&] { return probe(kLarge); }, 3, link_deadline);
    if (!usable(large, failure)) return;
    link.latency_ns = *small;
    link.bytes_per_ns = static_cast<double>(kLarge) / std::max(*large - *small, 1.0);
  };
  if (failure.is_ok())
    measure_link([&](size_t bytes) { return probes.upload_ns(bytes); }, model.upload);
  if (failure.is_ok())
    measure_link([&](size_t bytes) { return probes.download_ns(bytes); }, model.download);
  if (!failure) return failure;
  return model;
}

Result<EngineRecord> load_or_calibrate(const ModelStore& store, const EngineIdentity& identity,
                                       const std::function<EngineProbes&()>& make_probes,
                                       std::chrono::nanoseconds budget) {
  Result<EngineRecord> stored = store.load(identity);
  if (stored) return stored;
  if (stored.status().code() != StatusCode::not_found) {
    log(LogPart::scheduler, LogLevel::warn, "{}: {}; calibrated again", identity.id,
        stored.status().message());
  }
  Result<EngineModel> model = calibrate(make_probes(), budget);
  if (!model) return model.status();
  EngineRecord record{*model, {}};
  if (const Status status = store.save(identity, record);
      !status && status.code() != StatusCode::not_found) {
    log(LogPart::scheduler, LogLevel::warn, "{}: {}", identity.id, status.message());
  }
  return record;
}

}  // namespace guda::scheduler
