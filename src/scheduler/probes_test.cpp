#include "scheduler/cpu_probes.h"
#include "scheduler/device_probes.h"

#include "backends/null/null_device.h"
#include "compiler/driver/kernel_abi.h"
#include "tests/backends/memory_device.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <thread>

namespace guda::scheduler {
namespace {

using namespace std::chrono_literals;

TEST(CpuProbes, GivePlausibleRates) {
  CpuProbes probes;
  const auto model = calibrate(probes, 300ms);
  ASSERT_TRUE(model);
  EXPECT_GT(model->launch_ns, 10);
  EXPECT_LT(model->launch_ns, 1e7);
  EXPECT_GT(model->memory_rate, 0.1);
  // Without SIMD instructions nothing is measured; with them it is not slower than scalar code.
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0) {
    EXPECT_GT(model->kernel_rate[static_cast<size_t>(Arithmetic::f32)], 1);
    EXPECT_LT(model->kernel_rate[static_cast<size_t>(Arithmetic::f32)], 1e6);
  }
  EXPECT_EQ(model->gemm_rate[static_cast<size_t>(Arithmetic::f32)], 0);  // no BLAS was given
  EXPECT_EQ(model->upload.bytes_per_ns, 0);
}

TEST(CpuProbes, MoreWorkTakesLonger) {
  CpuProbes probes;
  double done = 0;
  double best_small = 1e18;
  double best_large = 1e18;
  for (int i = 0; i < 20; ++i) {
    const auto small = probes.arithmetic_ns(Arithmetic::f32, 1e6, &done);
    if (!small) GTEST_SKIP() << small.status().message();
    EXPECT_GE(done, 1e6);
    const auto large = probes.arithmetic_ns(Arithmetic::f32, 2e7, &done);
    best_small = std::min(best_small, *small);
    best_large = std::min(best_large, *large);
  }
  EXPECT_GT(best_large, 3 * best_small);
}

/// A device whose kernels take known times.
class TimedDevice {
 public:
  TimedDevice() {
    device.editable_info().compute_units = 1;
    device.add_kernel("nothing", [](auto&, auto&, auto) {});
    device.add_kernel("arithmetic_f32",
                      [this](auto&, const backend::Launch& launch, backend::Dim3 block) {
                        uint32_t count = 0;
                        std::memcpy(&count, launch.params.data() + 8, 4);
                        // 256 threads, 8 x 8 multiply-adds an iteration, at 10 operations per ns.
                        if (block.x == 0)
                          spend(static_cast<double>(count) * launch.grid.x * 256 * 64 * 2 / 10);
                      });
    device.add_kernel("stream", [this](auto&, const backend::Launch& launch, backend::Dim3 block) {
      if (block.x == 0) spend(static_cast<double>(launch.grid.x) * 256 * 32 / 2);  // 2 bytes per ns
      ++streamed;
    });
  }

  backend::MemoryDevice device;
  int streamed = 0;

 private:
  static void spend(double ns) {
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::nanoseconds(static_cast<int64_t>(ns));
    while (std::chrono::steady_clock::now() < end) {
    }
  }
};

TEST(DeviceProbes, MeasureWhatTheDeviceCanDoAndLeaveOutTheRest) {
  TimedDevice timed;
  {
    auto probes = DeviceProbes::create(timed.device);
    ASSERT_TRUE(probes) << probes.status().message();
    EXPECT_EQ(timed.device.mapped_ranges(), 1u);
    const auto model = calibrate(**probes, 500ms);
    ASSERT_TRUE(model) << model.status().message();
    // Only disturbances make it slower than it is.
    const double f32 = model->kernel_rate[static_cast<size_t>(Arithmetic::f32)];
    EXPECT_LT(f32, 10.5);
    EXPECT_GT(f32, 2);
    EXPECT_LT(model->memory_rate, 2.2);
    EXPECT_GT(model->memory_rate, 0.4);
    EXPECT_EQ(model->kernel_rate[static_cast<size_t>(Arithmetic::f64)], 0);
    EXPECT_EQ(model->gemm_rate[static_cast<size_t>(Arithmetic::f32)], 0);
    EXPECT_GT(model->upload.bytes_per_ns, 0.05);
    EXPECT_GT(model->download.bytes_per_ns, 0.05);
  }
  EXPECT_GT(timed.streamed, 0);
  EXPECT_EQ(timed.device.mapped_ranges(), 0u);
}

TEST(DeviceProbes, ADeviceThatFailsIsAnError) {
  TimedDevice timed;
  auto probes = DeviceProbes::create(timed.device);
  ASSERT_TRUE(probes);
  timed.device.fault = [](const char* call) {
    return std::strcmp(call, "launch") == 0 ? Status(StatusCode::launch_failed, "broken")
                                            : Status::ok();
  };
  EXPECT_EQ(calibrate(**probes, 100ms).status().code(), StatusCode::launch_failed);
  timed.device.fault = nullptr;
}

TEST(DeviceProbes, ADeviceWithoutMemoryCannotBeCalibrated) {
  auto found = backend::discover_null();
  EXPECT_EQ(DeviceProbes::create(*found.devices[0]).status().code(), StatusCode::not_supported);
}

}  // namespace
}  // namespace guda::scheduler
