// Linear regression that learns one measurement at a time and knows how sure it is.
//
// t = w . x, fitted to relative errors (a kernel of 10 us counts as much as one of 10 s): recursive least
// squares with a Gaussian prior and slow forgetting. The noise of the measurements is estimated beside the
// weights. A measurement far outside what was expected is taken at the edge of it, since other processes
// disturb; three in a row mean that the world has changed, and the past is forgotten.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace guda::scheduler {

template <size_t N>
class Regression {
 public:
  using Vector = std::array<double, N>;

  struct Prediction {
    double value = 0;
    double mean_sigma = 0;  // relative uncertainty of the mean
    double sigma = 0;  // the same of one measurement
  };

  /// All that is known; plain numbers, so that it can be kept on disk.
  struct State {
    Vector weights{};
    std::array<Vector, N> covariance{};
    double noise = 0;  // relative variance
    uint32_t observations = 0;
    uint32_t outliers = 0;  // in a row
  };

  Regression() = default;
  explicit Regression(const State& state) : state_(state) {
    state_.noise = std::clamp(state_.noise, kLeastNoise * kLeastNoise, kMostNoise * kMostNoise);
  }
  /// Weights expected, and the standard deviation of each.
  Regression(const Vector& expected, const Vector& deviation, double noise = kInitialNoise) {
    state_.weights = expected;
    state_.noise = noise * noise;
    for (size_t i = 0; i < N; ++i) state_.covariance[i][i] = deviation[i] * deviation[i];
  }

  Prediction predict(const Vector& x) const {
    Prediction result;
    for (size_t i = 0; i < N; ++i) result.value += state_.weights[i] * x[i];
    if (result.value <= 0) return result;
    const double variance = quadratic(x) / (result.value * result.value);
    result.mean_sigma = std::sqrt(variance);
    result.sigma = std::sqrt(variance + state_.noise);
    return result;
  }

  void observe(const Vector& features, double time) {
    if (!(time > 0)) return;
    // Errors are relative to the larger of measured and expected, so that they stay within 1 either way.
    double expected = 0;
    for (size_t i = 0; i < N; ++i) expected += state_.weights[i] * features[i];
    const double scale = std::max(time, expected);
    Vector x;
    for (size_t i = 0; i < N; ++i) x[i] = features[i] / scale;
    double error = (time - expected) / scale;
    double spread = quadratic(x) + state_.noise;
    const double limit = std::min(kOutlier * std::sqrt(spread), kFactorTwo);
    if (std::abs(error) > limit) {
      if (++state_.outliers >= kChange) {
        forget(x);
        spread = quadratic(x) + state_.noise;
      } else {
        error = std::copysign(limit, error);
      }
    } else {
      state_.outliers = 0;
    }
    update(x, error, spread);
    ++state_.observations;
  }

  const State& state() const { return state_; }
  uint32_t observations() const { return state_.observations; }

 private:
  static constexpr double kInitialNoise = 0.15;
  static constexpr double kLeastNoise = 0.01;
  static constexpr double kMostNoise = 0.5;
  static constexpr double kOutlier = 4;  // standard deviations
  static constexpr double kFactorTwo = 0.5;  // this error is one, however noisy things are
  static constexpr uint32_t kChange = 3;
  static constexpr double kForgetting = 0.98;
  static constexpr double kForgottenShare = 0.3;
  static constexpr double kMaxMeanVariance = 0.04;  // forgetting stops here
  static constexpr double kWidest = 1;  // and when a weight's part of the time has this variance

  double quadratic(const Vector& x) const {
    double sum = 0;
    for (size_t i = 0; i < N; ++i) {
      for (size_t j = 0; j < N; ++j) sum += x[i] * state_.covariance[i][j] * x[j];
    }
    return std::max(sum, 0.0);
  }

  void forget(const Vector& x) {
    state_.outliers = 0;
    state_.noise = kInitialNoise * kInitialNoise;
    state_.observations = 0;
    for (size_t i = 0; i < N; ++i) {
      state_.covariance[i] = {};
      // What counted for nothing may be part of the time now.
      const double share = x[i] != 0 ? kForgottenShare / std::abs(x[i]) : 0;
      const double deviation = std::max(10 * state_.weights[i], share);
      state_.covariance[i][i] = deviation * deviation;
    }
  }

  void update(const Vector& x, double error, double spread) {
    Vector gain{};
    for (size_t i = 0; i < N; ++i) {
      for (size_t j = 0; j < N; ++j) gain[i] += state_.covariance[i][j] * x[j];
    }
    const Vector projected = gain;  // P x
    for (size_t i = 0; i < N; ++i) gain[i] /= spread;
    const double before = spread - state_.noise;
    for (size_t i = 0; i < N; ++i) {
      // Times do not fall with more work; a weight goes down to a small part of itself at most.
      const double moved = state_.weights[i] + gain[i] * error;
      state_.weights[i] = std::max(moved, 0.01 * state_.weights[i]);
      // Both halves are one number: a difference in the last digit would grow with every forgetting, until variances are
      // negative after some 1500 measurements.
      for (size_t j = 0; j <= i; ++j) {
        state_.covariance[i][j] -= gain[i] * projected[j];
        state_.covariance[j][i] = state_.covariance[i][j];
      }
    }
    // What the same features again and again cannot tell apart would grow without end.
    bool bounded = true;
    for (size_t i = 0; i < N; ++i) bounded &= state_.covariance[i][i] * x[i] * x[i] < kWidest;
    if (before < kMaxMeanVariance && bounded) {
      // Nor is anything forgotten about a feature that is not there: nothing takes its place.
      Vector widening;
      for (size_t i = 0; i < N; ++i) widening[i] = x[i] != 0 ? 1 / std::sqrt(kForgetting) : 1;
      for (size_t i = 0; i < N; ++i) {
        for (size_t j = 0; j < N; ++j) state_.covariance[i][j] *= widening[i] * widening[j];
      }
    }
    // E[error^2] = spread, so this estimates the noise whatever the weights' uncertainty is.
    const double sample = error * error * state_.noise / spread;
    const double rate = 1.0 / (std::min(state_.observations, 30u) + 3);
    state_.noise =
        std::max(state_.noise + rate * (sample - state_.noise), kLeastNoise * kLeastNoise);
  }

  State state_;
};

}  // namespace guda::scheduler
