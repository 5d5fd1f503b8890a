// What queued launches will read is brought to their device while the launch before them runs: on an emulated device,
// whose launches are waited for.
#include <gtest/gtest.h>
#include <guda/memory.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "prefetch_kernels.h"

namespace {

#define OK(call) ASSERT_EQ(call, cudaSuccess)

constexpr size_t kCount = 6 << 20, kBytes = kCount * sizeof(unsigned);
/// At their ends arrays may share granules with others.
constexpr size_t kShared = 4 * 65536;
/// About a second; more on a busy machine, whose transfers then take longer, too.
constexpr unsigned kLong = 700'000'000;

guda_memory_counters counters() {
  guda_memory_counters now{};
  EXPECT_EQ(guda_memory_get_counters(&now), 0);
  return now;
}

class PrefetchTest : public testing::Test {
 protected:
  void SetUp() override {
    OK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    OK(cudaEventCreateWithFlags(&ran_, cudaEventDisableTiming));
    OK(cudaMalloc(reinterpret_cast<void**>(&result_), sizeof(float)));
    OK(cudaMemset(result_, 0, sizeof(float)));
    for (auto* values : {&first_, &second_}) {
      OK(cudaMalloc(reinterpret_cast<void**>(values), kBytes));
      fill(*values);
    }
    // Where such launches run is known afterwards.
    launch_busy(result_, kLong / 64, stream_);  // short ones would run on the launching thread
    launch_scale(first_, 3, kCount, stream_);
    OK(cudaStreamSynchronize(stream_));
    fill(first_);
    before_ = counters();
  }
  void TearDown() override {
    for (void* memory :
         {static_cast<void*>(result_), static_cast<void*>(first_), static_cast<void*>(second_)})
      OK(cudaFree(memory));
    OK(cudaEventDestroy(ran_));
    OK(cudaStreamDestroy(stream_));
  }

  void fill(unsigned* values) {
    std::vector<unsigned> numbers(kCount);
    for (size_t i = 0; i < kCount; ++i) numbers[i] = static_cast<unsigned>(i * 7 + 1);
    OK(cudaMemcpy(values, numbers.data(), kBytes, cudaMemcpyHostToDevice));
  }
  /// After launches with these factors.
  void expect_scaled(const unsigned* values, const std::vector<unsigned>& factors) {
    std::vector<unsigned> found(kCount);
    OK(cudaMemcpy(found.data(), values, kBytes, cudaMemcpyDeviceToHost));
    size_t wrong = 0;
    for (size_t i = 0; i < kCount; ++i) {
      auto expected = static_cast<unsigned>(i * 7 + 1);
      for (unsigned factor : factors) expected = expected * factor + static_cast<unsigned>(i);
      wrong += found[i] != expected;
    }
    EXPECT_EQ(wrong, 0u);
  }
  uint64_t prefetched() const { return counters().prefetched_bytes - before_.prefetched_bytes; }
  /// Until so many bytes have been brought, or the long launch has ended. False: it has.
  bool await(uint64_t bytes) {
    while (cudaEventQuery(ran_) == cudaErrorNotReady) {
      if (prefetched() >= bytes) return cudaEventQuery(ran_) == cudaErrorNotReady;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }

  cudaStream_t stream_ = nullptr;
  cudaEvent_t ran_ = nullptr;  // the long launch
  float* result_ = nullptr;
  unsigned *first_ = nullptr, *second_ = nullptr;
  guda_memory_counters before_{};
};

TEST_F(PrefetchTest, OperandsAreThereBeforeTheirLaunchBegins) {
  launch_busy(result_, kLong, stream_);
  OK(cudaEventRecord(ran_, stream_));
  launch_scale(first_, 5, kCount, stream_);
  launch_scale(second_, 7, kCount, stream_);
  EXPECT_TRUE(await(2 * kBytes - kShared)) << prefetched() << " bytes were brought";
  OK(cudaStreamSynchronize(stream_));
  const auto after = counters();
  EXPECT_LT(after.uploaded_bytes - after.prefetched_bytes -
                (before_.uploaded_bytes - before_.prefetched_bytes),
            kBytes / 2)
      << "the launches had to send little themselves";
  expect_scaled(first_, {5});
  expect_scaled(second_, {7});
}

TEST_F(PrefetchTest, WhatEarlierWorkWritesIsNotBrought) {
  launch_busy(result_, kLong / 4, stream_);
  OK(cudaEventRecord(ran_, stream_));
  OK(cudaMemsetAsync(first_, 0, kBytes, stream_));
  launch_scale(first_, 5, kCount, stream_);
  launch_scale(second_, 7, kCount, stream_);
  EXPECT_TRUE(await(kBytes - kShared));
  OK(cudaEventSynchronize(ran_));
  EXPECT_LT(prefetched(), kBytes + kBytes / 2) << "the first array was not, for the second was";
  OK(cudaStreamSynchronize(stream_));
  std::vector<unsigned> found(100);
  OK(cudaMemcpy(found.data(), first_, 400, cudaMemcpyDeviceToHost));
  EXPECT_EQ(found[99], 99u);
  expect_scaled(second_, {7});
}

TEST_F(PrefetchTest, WorkBehindAnotherStreamIsNotLookedAt) {
  cudaStream_t other;
  cudaEvent_t written;
  OK(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
  OK(cudaEventCreateWithFlags(&written, cudaEventDisableTiming));
  // The other stream writes the second array when its long launch has ended.
  launch_busy(result_, kLong / 4, other);
  launch_scale(second_, 11, kCount, other);
  OK(cudaEventRecord(written, other));
  launch_scale(first_, 5, kCount, stream_);
  OK(cudaStreamWaitEvent(stream_, written, 0));
  launch_scale(second_, 7, kCount, stream_);
  OK(cudaStreamSynchronize(stream_));
  expect_scaled(first_, {5});
  expect_scaled(second_, {11, 7});
  OK(cudaStreamDestroy(other));
  OK(cudaEventDestroy(written));
}

TEST_F(PrefetchTest, TheHostMayWriteBetweenLaunches) {
  for (unsigned round = 1; round < 6; ++round) {
    launch_busy(result_, kLong / 64, stream_);
    launch_scale(second_, 2 * round + 1, kCount, stream_);
    launch_scale(first_, 2 * round + 1, kCount, stream_);
    std::vector<unsigned> numbers(kCount);
    for (size_t i = 0; i < kCount; ++i) numbers[i] = static_cast<unsigned>(i * 7 + 1);
    OK(cudaMemcpyAsync(second_, numbers.data(), kBytes, cudaMemcpyHostToDevice, stream_));
    launch_scale(second_, round, kCount, stream_);
    OK(cudaStreamSynchronize(stream_));
    expect_scaled(second_, {round});
    fill(first_);
  }
}

}  // namespace
