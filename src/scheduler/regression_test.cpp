#include "scheduler/regression.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace guda::scheduler {
namespace {

using Line = Regression<2>;

TEST(Regression, FindsStartAndSlopeUnderNoise) {
  std::mt19937 random(3);
  std::normal_distribution<double> noise(0, 0.05);
  // Expected twice as fast and with a tenth of the start.
  Line line({1'000, 0.5}, {5'000, 0.5});
  for (int i = 0; i < 300; ++i) {
    const auto x = static_cast<double>(1'000 << (i % 8));
    line.observe({1, x}, (10'000 + 1.0 * x) * (1 + noise(random)));
  }
  for (const double x : {2e3, 5e4, 1e6}) {
    const auto prediction = line.predict({1, x});
    EXPECT_NEAR(prediction.value, 10'000 + x, 0.04 * (10'000 + x)) << x;
    EXPECT_LT(prediction.mean_sigma, 0.05) << x;
  }
  EXPECT_NEAR(line.predict({1, 1e5}).sigma, 0.05, 0.03);
}

TEST(Regression, ItsConfidenceIsEarned) {
  std::mt19937 random(4);
  std::normal_distribution<double> noise(0, 0.1);
  int inside = 0;
  constexpr int kRounds = 200;
  for (int round = 0; round < kRounds; ++round) {
    Line line({100, 1}, {100, 1});
    for (int i = 0; i < 20; ++i) {
      const double x = 100 + static_cast<double>(random() % 2000);
      line.observe({1, x}, (200 + 2 * x) * (1 + noise(random)));
    }
    const auto prediction = line.predict({1, 1000});
    inside +=
        std::abs(prediction.value - 2200) < 2 * prediction.mean_sigma * prediction.value ? 1 : 0;
  }
  // Two standard deviations: 95 % when the model is right about itself.
  EXPECT_GT(inside, kRounds * 85 / 100);
}

TEST(Regression, OneDisturbedRunHardlyMatters) {
  Line line({0, 1}, {1, 1});
  for (int i = 0; i < 50; ++i) line.observe({1, 1000}, 1000 * (i % 2 == 0 ? 0.98 : 1.02));
  const double before = line.predict({1, 1000}).value;
  line.observe({1, 1000}, 50'000);
  EXPECT_NEAR(line.predict({1, 1000}).value, before, 0.1 * before);
}

TEST(Regression, AChangeThatStaysIsLearntWithinAFewRuns) {
  Line line({0, 1}, {1, 1});
  for (int i = 0; i < 200; ++i) line.observe({1, 1000}, 1000 * (i % 2 == 0 ? 0.98 : 1.02));
  for (int i = 0; i < 8; ++i) line.observe({1, 1000}, 4000);
  EXPECT_NEAR(line.predict({1, 1000}).value, 4000, 400);
}

TEST(Regression, AnOldBeliefFarOffInEitherDirectionIsGivenUp) {
  for (const double now : {100.0, 10'000.0, 100'000.0}) {
    Line line({0, 1}, {1, 1});
    for (int i = 0; i < 100; ++i) line.observe({1, 1000}, i % 3 == 0 ? 1500 : 900);  // noisy past
    for (int i = 0; i < 12; ++i) line.observe({1, 1000}, now);
    EXPECT_NEAR(line.predict({1, 1000}).value, now, 0.15 * now);
  }
}

TEST(Regression, TheSameWorkForEverStaysInBounds) {
  std::mt19937 random(6);
  std::normal_distribution<double> noise(0, 0.02);
  Line line({100, 1}, {100, 1});
  for (int i = 0; i < 200'000; ++i) line.observe({1, 1'000}, 2'000 * (1 + noise(random)));
  const auto& state = line.state();
  for (const auto& row : state.covariance)
    for (const double value : row) EXPECT_LT(std::abs(value), 1e8);
  EXPECT_NEAR(line.predict({1, 1'000}).value, 2'000, 40);
  // What it was not shown it still learns.
  for (int i = 0; i < 10; ++i) line.observe({1, 10'000}, 20'000 * (1 + noise(random)));
  EXPECT_NEAR(line.predict({1, 10'000}).value, 20'000, 1'500);
}

TEST(Regression, TheSameTwoWorksForEverStayLearnt) {
  std::mt19937 random(8);
  std::normal_distribution<double> noise(0, 0.03);
  Line line({1'000, 1.5}, {500, 0.6});
  for (int i = 0; i < 20'000; ++i) {
    const double x = i % 2 == 0 ? 1'000 : 20'000;
    line.observe({1, x}, (1'000 + x) * (1 + noise(random)));
    const auto& covariance = line.state().covariance;
    ASSERT_EQ(covariance[0][1], covariance[1][0]) << i;
    ASSERT_GT(covariance[0][0], 0) << i;
    ASSERT_GT(covariance[1][1], 0) << i;
  }
  EXPECT_NEAR(line.predict({1, 1'000}).value, 2'000, 60);
  EXPECT_NEAR(line.predict({1, 20'000}).value, 21'000, 600);
  EXPECT_NEAR(line.predict({1, 100'000}).value, 101'000, 5'000);
}

TEST(Regression, WhatCountedForNothingIsLearntAfterAChange) {
  // So short that all of the time is start.
  Line line({1'000, 0}, {1'000, 0});
  for (int i = 0; i < 50; ++i) line.observe({1, 1'000. * (1 + i % 2)}, 1'000);
  for (int i = 0; i < 50; ++i) {
    const double x = 1'000 * (1 + i % 2);
    line.observe({1, x}, 1'000 + 10 * x);
  }
  EXPECT_NEAR(line.predict({1, 4'000}).value, 41'000, 3'000);
}

TEST(Regression, AFeatureThatIsNeverThereStaysInBounds) {
  // Kernels whose instructions are unknown have no arithmetic, products with k = 0 no operations.
  std::mt19937 random(7);
  std::normal_distribution<double> noise(0, 0.02);
  Line line({100, 1}, {100, 1});
  for (int i = 0; i < 50'000; ++i) line.observe({1, 0}, 200 * (1 + noise(random)));
  EXPECT_NEAR(line.predict({1, 0}).value, 200, 4);
  // What was believed about it holds, and so does how much.
  EXPECT_EQ(line.state().weights[1], 1);
  EXPECT_NEAR(line.state().covariance[1][1], 1, 1e-9);
  for (int i = 0; i < 10; ++i) line.observe({1, 1'000}, 2'200 * (1 + noise(random)));
  EXPECT_NEAR(line.predict({1, 1'000}).value, 2'200, 150);
}

TEST(Regression, TimesStayPositive) {
  Line line({1000, 1}, {1000, 1});
  for (int i = 0; i < 100; ++i) line.observe({1, 1e6}, 10);
  EXPECT_GT(line.predict({1, 1}).value, 0);
  EXPECT_NEAR(line.predict({1, 1e6}).value, 10, 5);
}

}  // namespace
}  // namespace guda::scheduler
