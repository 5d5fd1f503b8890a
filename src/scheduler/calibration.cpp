#include "scheduler/calibration.h"

#include "support/log.h"

#include <algorithm>
#include <array>
#include <functional>

namespace guda::scheduler {
namespace {

using Clock = std::chrono::steady_clock;

/// Below this, latency and the clock's grain are much of what is measured.
constexpr double kLongEnoughNs = 2e6;
/// From here the next size may be four times as large: 64 times the work.
constexpr double kShortNs = 5e4;

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

/// What most work needs comes first: a slow engine's time may be over before the rest.
constexpr std::array kByImportance = {Arithmetic::f32,  Arithmetic::f64, Arithmetic::bf16,
                                      Arithmetic::int8, Arithmetic::f16, Arithmetic::int32};

class Calibration {
 public:
  Calibration(EngineProbes& probes, std::chrono::nanoseconds budget)
      : probes_(probes), end_(Clock::now() + budget) {}

  Result<EngineModel> run() {
    const auto launch = least([&] { return probes_.launch_ns(); }, 200, term_deadline());
    if (usable(launch, failure_)) model_.launch_ns = *launch;
    measure_arithmetic(Arithmetic::f32);
    measure_memory();
    measure_link([&](size_t bytes) { return probes_.upload_ns(bytes); }, model_.upload);
    measure_link([&](size_t bytes) { return probes_.download_ns(bytes); }, model_.download);
    for (const Arithmetic kind : kByImportance) {
      measure_gemm(kind);
      if (kind != Arithmetic::f32) measure_arithmetic(kind);
    }
    if (!failure_) return failure_;
    return model_;
  }

 private:
  bool over() const { return !failure_.is_ok() || Clock::now() > end_; }

  /// Short runs are mostly noise after the subtraction.
  double without_launch(double ns) const { return std::max(ns - model_.launch_ns, ns / 2); }

  /// Each term has its part of the time; one that needs less leaves it to the others.
  Clock::time_point term_deadline() {
    const auto now = Clock::now();
    return now + std::max(end_ - now, Clock::duration::zero()) / std::max(terms_left_--, 1);
  }

  void measure_arithmetic(Arithmetic kind) {
    double& rate = model_.kernel_rate[static_cast<size_t>(kind)];
    const auto deadline = term_deadline();
    for (double operations = 1e6; operations < 1e14 && !over(); operations *= 8) {
      double done = operations;
      const auto ns =
          least([&] { return probes_.arithmetic_ns(kind, operations, &done); }, 2, deadline);
      if (!usable(ns, failure_)) return;
      rate = std::max(rate, done / without_launch(*ns));
      if (*ns > kLongEnoughNs || Clock::now() > deadline) return;
    }
  }

  void measure_memory() {
    const auto deadline = term_deadline();
    for (size_t bytes = size_t{1} << 20; bytes <= size_t{1} << 28 && !over(); bytes *= 4) {
      const auto ns = least([&] { return probes_.stream_ns(bytes); }, 3, deadline);
      if (!usable(ns, failure_)) return;
      // The last one counts: smaller ones live in caches.
      model_.memory_rate = static_cast<double>(bytes) / without_launch(*ns);
      if (*ns > 2 * kLongEnoughNs || Clock::now() > deadline) return;
    }
  }

  void measure_gemm(Arithmetic kind) {
    double& rate = model_.gemm_rate[static_cast<size_t>(kind)];
    if (over()) return;
    auto deadline = term_deadline();
    for (int64_t n = 16; n <= 8192 && !over();) {
      // The first product of a type and size may load a vendor's library or kernels, which takes up to seconds and says
      // nothing about products.
      const auto before = Clock::now();
      if (!usable(probes_.gemm_ns(kind, n), failure_)) return;
      const auto loading = Clock::now() - before;
      const auto ns = least([&] { return probes_.gemm_ns(kind, n); }, 4, deadline);
      if (!usable(ns, failure_)) return;
      const auto extra = loading - std::chrono::nanoseconds(static_cast<int64_t>(*ns));
      if (extra.count() > 0) end_ += extra, deadline += extra;
      if (n == 16 && (model_.gemm_ns == 0 || *ns < model_.gemm_ns)) model_.gemm_ns = *ns;
      const auto size = static_cast<double>(n);
      rate = std::max(rate, 2 * size * size * size / *ns);
      if (*ns > 2 * kLongEnoughNs || Clock::now() > deadline) return;
      n *= *ns < kShortNs ? 4 : 2;
    }
  }

  template <typename Probe>
  void measure_link(Probe probe, Link& link) {
    if (over()) return;
    const auto deadline = term_deadline();
    constexpr size_t kSmall = 64;
    constexpr size_t kLarge = size_t{16} << 20;
    const auto small = least([&] { return probe(kSmall); }, 20, deadline);
    if (!usable(small, failure_)) return;
    const auto large = least([&] { return probe(kLarge); }, 3, deadline);
    if (!usable(large, failure_)) return;
    link.latency_ns = *small;
    link.bytes_per_ns = static_cast<double>(kLarge) / std::max(*large - *small, *large / 2);
  }

  EngineProbes& probes_;
  Clock::time_point end_;
  int terms_left_ = 4 + 2 * static_cast<int>(kArithmeticKinds);
  EngineModel model_;
  Status failure_;
};

}  // namespace

Result<EngineModel> calibrate(EngineProbes& probes, std::chrono::nanoseconds budget) {
  return Calibration(probes, budget).run();
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
