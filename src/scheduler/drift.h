// What the machine makes of work at the moment: the factor between the last runs' times and those a regression expects,
// whose memory is long. Clocks, caches, neighbours and where memory lies change it from process to process and from second
// to second.
//
// A Kalman filter for a level that wanders, over the logarithm of measured by expected time. A run that is far off counts
// as one at the edge of what was to be expected.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>

namespace guda::scheduler {

class Drift {
 public:
  using Clock = std::chrono::steady_clock;

  /// One run of work with this amount, taken at its word.
  static Drift of_one(double amount, double measured, Clock::time_point now = Clock::now()) {
    Drift drift;
    drift.level_ = std::log(measured);
    drift.amount_ = amount;
    drift.seen_ = now;
    return drift;
  }

  /// Of work with this amount. Less is said of amounts far from the last one's: the error of a line need not be the same
  /// there. And nothing of what has not been seen for long: engines are not left for ever because of one bad moment.
  double factor(double amount, Clock::time_point now = Clock::now()) const {
    return level_ == 0 ? 1 : std::exp(level_ * likeness(amount) * kept(now));
  }

  /// Relative standard deviation of one run.
  double sigma() const { return std::sqrt(variance_ + noise_); }

  /// A run of work with this amount, or of a `share` of it, took `measured` times what a regression expected; now the
  /// regression, which has seen the run, expects `learnt` times what it did. Small parts say little of the whole.
  void observe(double amount, double share, double measured, double learnt,
               Clock::time_point now = Clock::now()) {
    if (!(share > 0) || !(measured > 0) || !(learnt > 0)) return;
    const double fresh = kept(now);
    level_ *= likeness(amount) * fresh;
    variance_ =
        fresh * fresh * variance_ + (1 - fresh * fresh) * kAtFirst * kAtFirst + kStep * kStep;
    amount_ = amount;
    seen_ = now;
    const double spread = variance_ + noise_ / share;
    const double limit = std::min(kEdge * std::sqrt(spread), kFactorTwo);
    const double error = std::clamp(std::log(measured) - level_, -limit, limit);
    const double gain = variance_ / spread;
    // What the regression has learnt is not counted twice; where it went further than the level would have, it knows
    // better.
    const double whole = level_ + gain * error;
    const double rest = whole - std::log(learnt);
    level_ = (rest > 0) == (whole > 0) ? rest : 0;
    variance_ *= 1 - gain;
    // E[error^2] = spread, so this estimates the noise whatever the level's uncertainty is.
    const double sample = error * error * noise_ / spread;
    noise_ = std::max(noise_ + (sample - noise_) / (std::min(runs_++, 30) + 3), kLeast * kLeast);
  }

 private:
  static constexpr double kAtFirst = 0.2;  // standard deviation between processes
  static constexpr double kStep = 0.05;  // and from run to run
  static constexpr double kNoise = 0.1;
  static constexpr double kLeast = 0.01;
  static constexpr double kEdge = 2;  // standard deviations
  static constexpr double kFactorTwo = 0.7;
  static constexpr double kHalfLife = 2;  // seconds
  static constexpr double kAlike = 4;  // times as much

  double kept(Clock::time_point now) const {
    const double age = std::chrono::duration<double>(now - seen_).count();
    return std::exp2(-std::max(age, 0.0) / kHalfLife);
  }
  double likeness(double amount) const {
    const double larger = std::max(amount, amount_);
    return larger > 0 ? std::min(kAlike * std::min(amount, amount_) / larger, 1.0) : 1;
  }

  double level_ = 0;
  double amount_ = 0;
  double variance_ = kAtFirst * kAtFirst;
  double noise_ = kNoise * kNoise;
  int runs_ = 0;
  Clock::time_point seen_;
};

}  // namespace guda::scheduler
