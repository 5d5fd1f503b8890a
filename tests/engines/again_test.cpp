// Short launches that stay with the CPU while another engine is there: they are not decided each time, and what they write
// is seen wherever the next one runs. GUDA_DEVICES has the CPU first and the emulated device.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "guda/scheduler.h"
#include "tests/backends/kernels.h"

namespace {

#define OK(call) ASSERT_EQ(call, cudaSuccess)

constexpr int kDevice = 1;
constexpr uint32_t kCount = 200;  // floats: several buffers share a granule of the coherent pool's

/// sum += step, on a stream of its own.
struct Adder {
  Adder() {
    EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&sum), kCount * sizeof(float)), cudaSuccess);
    EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&step), kCount * sizeof(float)), cudaSuccess);
    const std::vector<float> ones(kCount, 1.0f);
    EXPECT_EQ(cudaMemset(sum, 0, kCount * sizeof(float)), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(step, ones.data(), kCount * sizeof(float), cudaMemcpyHostToDevice),
              cudaSuccess);
    EXPECT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  }
  void launch(cudaKernel_t kernel) {
    uint32_t count = kCount;
    void* arguments[] = {&sum, &step, &sum, &count};
    EXPECT_EQ(cudaLaunchKernel(reinterpret_cast<const void*>(kernel), dim3(2), dim3(128), arguments,
                               0, stream),
              cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  }
  void expect(float value) {
    std::vector<float> host(kCount);
    EXPECT_EQ(cudaMemcpy(host.data(), sum, kCount * sizeof(float), cudaMemcpyDeviceToHost),
              cudaSuccess);
    for (float each : host) ASSERT_EQ(each, value);
  }
  float *sum = nullptr, *step = nullptr;
  cudaStream_t stream = nullptr;
};

uint64_t decisions() {
  guda_scheduler_counters counters{};
  EXPECT_EQ(guda_scheduler_get_counters(&counters), 0);
  return counters.decisions;
}

TEST(Again, ShortLaunchesOnTheCpu) {
  cudaLibrary_t library = nullptr;
  cudaKernel_t kernel = nullptr;
  OK(cudaLibraryLoadData(&library, guda::backend::conformance::kKernels.data(), nullptr, nullptr, 0,
                         nullptr, nullptr, 0));
  OK(cudaLibraryGetKernel(&kernel, library, "vector_add"));
  int engines = 0;
  ASSERT_EQ(guda_scheduler_engine_count(&engines), 0);
  ASSERT_EQ(engines, 2);
  ASSERT_EQ(guda_scheduler_set_devices("cpu"), 0);
  constexpr int kAlone = 400;
  Adder mine, neighbour;
  const uint64_t before = decisions();
  for (int i = 0; i < kAlone; ++i) mine.launch(kernel);
  EXPECT_LT(decisions() - before, kAlone / 8u);
  mine.expect(kAlone);

  // The device takes copies of the granule while the CPU works in it.
  ASSERT_EQ(guda_scheduler_set_devices(nullptr), 0);
  std::atomic<bool> stop{false};
  int beside = 0;
  std::thread other([&] {
    EXPECT_EQ(guda_scheduler_force_engine(kDevice), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    for (; beside < 50; ++beside) neighbour.launch(kernel);
    stop = true;
  });
  int launched = kAlone;
  ASSERT_EQ(guda_scheduler_force_engine(-1), 0);
  for (; !stop; ++launched) mine.launch(kernel);
  other.join();
  // And the device goes on where the CPU has ended.
  ASSERT_EQ(guda_scheduler_force_engine(kDevice), 0);
  mine.launch(kernel);
  ASSERT_EQ(guda_scheduler_force_engine(-1), 0);
  mine.expect(static_cast<float>(launched + 1));
  neighbour.expect(static_cast<float>(beside));
}

}  // namespace
