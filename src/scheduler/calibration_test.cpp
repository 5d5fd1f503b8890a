#include "scheduler/calibration.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

namespace guda::scheduler {
namespace {

/// An engine whose speed is known: 10 us per start, 20 G operations f32, 5 GB/s memory, links of 2 GB/s.
class KnownEngine final : public EngineProbes {
 public:
  Result<double> launch_ns() override { return 10'000 + noise(); }
  Result<double> arithmetic_ns(Arithmetic kind, double operations, double* done) override {
    if (kind != Arithmetic::f32 && kind != Arithmetic::f64) return unsupported();
    *done = operations;
    return 10'000 + operations / (kind == Arithmetic::f32 ? 20 : 10) + noise();
  }
  Result<double> stream_ns(size_t bytes) override {
    return 10'000 + static_cast<double>(bytes) / 5 + noise();
  }
  Result<double> gemm_ns(Arithmetic kind, int64_t n) override {
    if (kind != Arithmetic::f32) return unsupported();
    if (first_product.count() > 0) std::this_thread::sleep_for(first_product);
    const double loading = static_cast<double>(std::exchange(first_product, {}).count());
    const auto size = static_cast<double>(n);
    return loading + 15'000 + 2 * size * size * size / 16 + noise();
  }
  Result<double> upload_ns(size_t bytes) override {
    return 4'000 + static_cast<double>(bytes) / 2 + noise();
  }
  Result<double> download_ns(size_t) override { return failing; }

  Status failing{StatusCode::not_supported, "no downloads"};
  std::chrono::nanoseconds first_product{};  // what the first one takes longer
  int calls = 0;

 private:
  static Status unsupported() { return {StatusCode::not_supported, "no such kind"}; }
  // Every third run is disturbed.
  double noise() { return ++calls % 3 == 0 ? 40'000 : 0; }
};

TEST(Calibration, FindsTheTermsOfAKnownEngine) {
  KnownEngine engine;
  const auto model = calibrate(engine, std::chrono::seconds(1));
  ASSERT_TRUE(model);
  EXPECT_NEAR(model->launch_ns, 10'000, 1);
  EXPECT_NEAR(model->kernel_rate[static_cast<size_t>(Arithmetic::f32)], 20, 0.2);
  EXPECT_NEAR(model->kernel_rate[static_cast<size_t>(Arithmetic::f64)], 10, 0.1);
  EXPECT_EQ(model->kernel_rate[static_cast<size_t>(Arithmetic::int8)], 0);
  EXPECT_NEAR(model->memory_rate, 5, 0.1);
  EXPECT_NEAR(model->gemm_rate[static_cast<size_t>(Arithmetic::f32)], 16, 0.5);
  EXPECT_NEAR(model->upload.ns(1 << 20), 4'000 + (1 << 19), 10'000);
  EXPECT_EQ(model->download.bytes_per_ns, 0);
}

TEST(Calibration, LoadingALibraryIsNotTheSpeedOfProducts) {
  KnownEngine engine;
  engine.first_product = std::chrono::milliseconds(300);
  const auto model = calibrate(engine, std::chrono::milliseconds(200));
  ASSERT_TRUE(model);
  EXPECT_NEAR(model->gemm_rate[static_cast<size_t>(Arithmetic::f32)], 16, 0.5);
}

TEST(Calibration, AFailingEngineIsAnErrorNotAModel) {
  KnownEngine engine;
  engine.failing = {StatusCode::launch_failed, "gone"};
  EXPECT_EQ(calibrate(engine, std::chrono::seconds(1)).status().code(), StatusCode::launch_failed);
}

TEST(Calibration, HappensOnceAndAgainAfterDamage) {
  const std::string directory =
      fmt::format("{}/guda-calibration-{}", ::testing::TempDir(), getpid());
  const ModelStore store(directory);
  const EngineIdentity identity{"cpu", "test", "1", 2};
  int calibrations = 0;
  KnownEngine engine;
  const auto probes = [&]() -> EngineProbes& {
    ++calibrations;
    return engine;
  };
  ASSERT_TRUE(load_or_calibrate(store, identity, probes, std::chrono::milliseconds(100)));
  const auto second = load_or_calibrate(store, identity, probes, std::chrono::milliseconds(100));
  ASSERT_TRUE(second);
  EXPECT_NEAR(second->model.launch_ns, 10'000, 1);
  EXPECT_EQ(calibrations, 1);
  std::ofstream(store.path_of(identity)) << "guda engine model 1\nrubbish";
  ASSERT_TRUE(load_or_calibrate(store, identity, probes, std::chrono::milliseconds(100)));
  EXPECT_EQ(calibrations, 2);
  ASSERT_TRUE(load_or_calibrate(store, identity, probes, std::chrono::milliseconds(100)));
  EXPECT_EQ(calibrations, 2);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace guda::scheduler
