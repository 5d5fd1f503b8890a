// Predicts how long work takes on one engine. Work that has been measured is predicted from its own
// measurements, t = a + b * amount, and by how far the last ones were off; other work from the roofline,
// corrected by a regression over all measurements of the engine.
#pragma once

#include "scheduler/drift.h"
#include "scheduler/engine_model.h"
#include "scheduler/regression.h"
#include "scheduler/work.h"

#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace guda::scheduler {

/// t(part) = fixed_ns + ns_per_unit * units of the part; transfers not included.
struct Estimate {
  double fixed_ns = 0;
  double ns_per_unit = 0;
  /// What fixed_ns may be at least, for all that has been measured: who only ever ran whole works may start faster.
  double least_fixed_ns = 0;
  /// Of these times: what the machine makes of the work at the moment (drift.h).
  double drift = 1;
  double mean_sigma = 0;  // relative uncertainty of the expected time of the whole work
  double sigma = 0;  // the same of one run
  uint32_t observations = 0;  // of this work's key

  double ns(double units) const { return fixed_ns + ns_per_unit * units; }
};

/// What has been learnt about the work of one key.
struct LearntTime {
  uint64_t key = 0;
  Regression<2>::State state;
};

/// Thread safe.
class TimeModel {
 public:
  explicit TimeModel(const EngineModel& model);

  Estimate estimate(const Work& work) const;

  /// `units` of the work took `ns` (without transfers). True when predictions changed enough for earlier
  /// decisions about this key to be reconsidered.
  bool observe(const Work& work, double units, double ns);

  /// For model_store.h: the most measured keys, at most `limit`.
  std::vector<LearntTime> learnt(size_t limit) const;
  void restore(std::span<const LearntTime> times);

  const EngineModel& engine() const { return model_; }

 private:
  using Roofline = Regression<3>;  // start, larger and smaller of compute and memory time

  struct Entry {
    /// `factor`: the drift's, of this amount.
    Regression<2>::Prediction predict(double amount, double factor) const;
    void observe(double amount, double share, double ns);

    Regression<2> time;
    Drift drift;  // of this process
    /// Measured once only. That run may have compiled, loaded, touched memory for the first time.
    bool cold = false;
    // As they were when decisions were last invalidated.
    double published_ns = 0;
    double published_sigma = 0;
  };

  Roofline::Vector roofline_features(const Work& work, double share) const;
  Estimate from_roofline(const Work& work) const;
  Entry first_entry(const Work& work, double amount, double ns) const;

  EngineModel model_;
  mutable std::mutex mutex_;
  std::array<Roofline, 2> roofline_;  // by WorkKind
  std::unordered_map<uint64_t, Entry> entries_;
};

}  // namespace guda::scheduler
