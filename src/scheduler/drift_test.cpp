#include "scheduler/drift.h"

#include "scheduler/time_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace guda::scheduler {
namespace {

/// Machines may stop for a moment, and what has been seen would be half forgotten.
constexpr Drift::Clock::time_point kNow{std::chrono::hours(1)};

TEST(Drift, FollowsALevelThatStays) {
  Drift drift;
  EXPECT_EQ(drift.factor(100, kNow), 1);
  for (int i = 0; i < 5; ++i) drift.observe(100, 1, 1.3, 1, kNow);
  EXPECT_NEAR(drift.factor(100, kNow), 1.3, 0.03);
  for (int i = 0; i < 5; ++i) drift.observe(100, 1, 0.9, 1, kNow);
  EXPECT_NEAR(drift.factor(100, kNow), 0.9, 0.05);
}

TEST(Drift, IsNotCountedTwiceWhenTheRegressionLearns) {
  Drift drift;
  // The regression goes a tenth of the way to 1.3 with each run.
  double expected = 1;
  for (int i = 0; i < 30; ++i) {
    const double learnt = std::pow(1.3 / expected, 0.1);
    drift.observe(100, 1, 1.3 / expected, learnt, kNow);
    expected *= learnt;
    if (i >= 4) {
      EXPECT_NEAR(expected * drift.factor(100, kNow), 1.3, 0.03) << i;
    }
  }
  EXPECT_NEAR(drift.factor(100, kNow), 1, 0.05);
}

TEST(Drift, ARegressionThatGoesFurtherKnowsBetter) {
  // The first run of all: the roofline was four times off, and the regression believes the run.
  Drift drift;
  drift.observe(100, 1, 4, 3.9, kNow);
  EXPECT_EQ(drift.factor(100, kNow), 1);
  drift.observe(100, 1, 0.25, 0.26, kNow);
  EXPECT_EQ(drift.factor(100, kNow), 1);
}

TEST(Drift, WhatNobodyHasSeenForLongIsForgotten) {
  using namespace std::chrono_literals;
  const auto start = Drift::Clock::now();
  Drift drift;
  for (int i = 0; i < 5; ++i) drift.observe(100, 1, 1.5, 1, start);
  EXPECT_NEAR(drift.factor(100, start), 1.5, 0.05);
  EXPECT_NEAR(drift.factor(100, start + 2s), std::sqrt(1.5), 0.05);
  EXPECT_NEAR(drift.factor(100, start + 20s), 1, 0.01);
}

TEST(Drift, SaysLittleOfOtherAmounts) {
  Drift drift;
  for (int i = 0; i < 5; ++i) drift.observe(100, 1, 1.5, 1, kNow);
  EXPECT_NEAR(drift.factor(30, kNow), 1.5, 0.05);
  EXPECT_NEAR(drift.factor(800, kNow), std::sqrt(1.5), 0.05);
  EXPECT_NEAR(drift.factor(10'000, kNow), 1, 0.02);
  // Nor does what was seen there add up with what is seen here.
  for (int i = 0; i < 5; ++i) drift.observe(10'000, 1, 1.0, 1, kNow);
  EXPECT_NEAR(drift.factor(10'000, kNow), 1, 0.03);
}

TEST(Drift, SmallPartsSayLittleOfTheWhole) {
  Drift whole;
  Drift part;
  whole.observe(100, 1, 1.3, 1, kNow);
  part.observe(100, 0.05, 1.3, 1, kNow);
  EXPECT_GT(whole.factor(100, kNow), 1.15);
  EXPECT_LT(part.factor(100, kNow), 1.1);
  EXPECT_GT(part.factor(100, kNow), 1.01);
}

TEST(Drift, OneDisturbedRunDoesLittleAndOfSteadyWorkNearlyNothing) {
  Drift drift;
  for (int i = 0; i < 50; ++i) drift.observe(100, 1, i % 2 == 0 ? 0.99 : 1.01, 1, kNow);
  EXPECT_LT(drift.sigma(), 0.08);
  drift.observe(100, 1, 50, 1, kNow);
  EXPECT_LT(drift.factor(100, kNow), 1.15);
  for (int i = 0; i < 4; ++i) drift.observe(100, 1, 1, 1, kNow);
  EXPECT_NEAR(drift.factor(100, kNow), 1, 0.03);
  for (const double nonsense : {0.0, -1.0, std::nan("")}) drift.observe(100, 1, nonsense, 1, kNow);
  EXPECT_NEAR(drift.factor(100, kNow), 1, 0.03);
}

/// What machines do from process to process: everything is a fifth slower than the five hundred runs of last time.
TEST(Drift, PredictionsOfANewProcessAreRightAfterAFewRuns) {
  EngineModel model;
  model.kernel_rate[static_cast<size_t>(Arithmetic::f32)] = 100;
  model.memory_rate = 1e6;
  model.launch_ns = 1'000;
  std::mt19937 random(5);
  std::normal_distribution<double> noise(0, 0.05);
  const auto work_of = [](uint64_t units) {
    Work work;
    work.key = 1;
    work.units = units;
    work.amount = static_cast<double>(units);
    return work;
  };
  const auto time = [&](uint64_t units) {
    return (5'000 + 1'000 * static_cast<double>(units)) * (1 + noise(random));
  };
  TimeModel before(model);
  for (int i = 0; i < 500; ++i) {
    const uint64_t units = i % 2 == 0 ? 1'000 : 400;
    before.observe(work_of(units), static_cast<double>(units), time(units));
  }
  TimeModel now(model);
  now.restore(before.learnt(10));
  std::vector<double> errors;
  for (int i = 0; i < 40; ++i) {
    const uint64_t units = i % 2 == 0 ? 1'000 : 400;
    const double predicted = now.estimate(work_of(units)).ns(static_cast<double>(units));
    const double actual = 1.2 * time(units);
    if (i >= 6) errors.push_back(std::abs(predicted / actual - 1));
    now.observe(work_of(units), static_cast<double>(units), actual);
  }
  std::nth_element(errors.begin(), errors.begin() + 17, errors.end());
  EXPECT_LT(errors[17], 0.07);
}

}  // namespace
}  // namespace guda::scheduler
