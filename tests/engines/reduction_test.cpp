// Launches whose blocks combine integers in shared memory give the same bits on one engine and on several, also when a
// device fails meanwhile. GUDA_DEVICES and GUDA_SPLIT say which engines.
#include <cuda_runtime.h>
#include <guda/scheduler.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "reduction_kernels.h"

namespace reductions {
namespace {

constexpr int kElements = 60'013;

#define CUDA_OK(call) ASSERT_EQ(call, cudaSuccess) << #call

template <typename T>
class Array {
 public:
  explicit Array(const std::vector<T>& values) : count_(values.size()) {
    EXPECT_EQ(cudaMalloc(&data_, bytes()), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(data_, values.data(), bytes(), cudaMemcpyHostToDevice), cudaSuccess);
  }
  ~Array() { cudaFree(data_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  operator T*() const { return data_; }
  std::vector<T> values() const {
    std::vector<T> values(count_);
    EXPECT_EQ(cudaMemcpy(values.data(), data_, bytes(), cudaMemcpyDeviceToHost), cudaSuccess);
    return values;
  }

 private:
  size_t bytes() const { return count_ * sizeof(T); }
  size_t count_;
  T* data_ = nullptr;
};

std::vector<unsigned> random_words(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<unsigned> words(count);
  for (unsigned& word : words) word = static_cast<unsigned>(random());
  return words;
}

class Reductions : public testing::Test {
 protected:
  Reductions() : input_(random_words(kElements, 1)), in_(input_) {
    guda_scheduler_counters counters{};
    guda_scheduler_get_counters(&counters);
    splits_before_ = counters.splits;
  }
  ~Reductions() override {
    // What the tests are for: with a device that works, launches were split.
    const char* mode = std::getenv("GUDA_SPLIT");
    if (mode == nullptr || std::string(mode) != "always") return;
    if (std::getenv("GUDA_EMULATED_FAULT") != nullptr) return;
#if defined(__SANITIZE_THREAD__)
    // With its allocator LLVM's SPIR-V generator gives one id twice at every attempt; such kernels stay on the CPU.
    return;
#endif
    guda_scheduler_counters counters{};
    guda_scheduler_get_counters(&counters);
    EXPECT_GT(counters.splits, splits_before_);
  }

  std::vector<unsigned> input_;
  Array<unsigned> in_;
  uint64_t splits_before_ = 0;
};

TEST_F(Reductions, BinsInSharedMemoryFirst) {
  std::vector<unsigned> expected(256, 3);
  Array<unsigned> bins(expected);
  for (int round = 0; round < 3; ++round) {
    launch_histogram_shared(in_, bins, kElements);
    for (const unsigned word : input_) ++expected[word >> 24];
  }
  CUDA_OK(cudaDeviceSynchronize());
  EXPECT_EQ(bins.values(), expected);
}

TEST_F(Reductions, BinsThatFollowFromTheData) {
  std::vector<unsigned> expected = random_words(kBins, 2);
  Array<unsigned> bins(expected);
  for (int round = 0; round < 3; ++round) {
    launch_histogram_global(in_, bins, kElements);
    launch_scale(bins, kBins, 3);
    for (const unsigned word : input_) expected[word % kBins] += word & 7;
    for (unsigned& bin : expected) bin *= 3;
  }
  CUDA_OK(cudaDeviceSynchronize());
  EXPECT_EQ(bins.values(), expected);
}

TEST_F(Reductions, FieldsOfOneStructure) {
  Sums expected{11, 22, 33, 44};
  Array<Sums> sums(std::vector<Sums>{expected});
  for (int round = 0; round < 2; ++round) {
    launch_sums(in_, sums, kElements);
    for (const unsigned word : input_) {
      expected.count += word & 1;
      expected.squares += static_cast<unsigned long long>(word) * word;
    }
  }
  const Sums got = sums.values()[0];
  EXPECT_EQ(got.before, expected.before);
  EXPECT_EQ(got.count, expected.count);
  EXPECT_EQ(got.squares, expected.squares);
  EXPECT_EQ(got.after, expected.after);
}

TEST_F(Reductions, SignedExtremes) {
  std::vector<int> least(7, 100);
  std::vector<long long> largest(5, -2'999'000'000ll);
  Array<int> device_least(least);
  Array<long long> device_largest(largest);
  launch_least(in_, device_least, kElements);
  launch_largest(in_, device_largest, kElements);
  for (size_t i = 0; i < input_.size(); ++i) {
    least[i % 7] = std::min(least[i % 7], static_cast<int>(input_[i]));
    largest[i % 5] = std::max(largest[i % 5], static_cast<long long>(input_[i]) - 3'000'000'000ll);
  }
  EXPECT_EQ(device_least.values(), least);
  EXPECT_EQ(device_largest.values(), largest);
}

TEST_F(Reductions, BitOperations) {
  std::vector<unsigned> any(3, 0x100), all(3, 0xf0ffffff);
  std::vector<unsigned long long> parity(3, 0x1234'5678'9abc'def0ull);
  Array<unsigned> device_any(any), device_all(all);
  Array<unsigned long long> device_parity(parity);
  launch_bits(in_, device_any, device_all, device_parity, kElements);
  for (size_t i = 0; i < input_.size(); ++i) {
    any[i % 3] |= input_[i] & 0x00ff00ff;
    all[i % 3] &= input_[i] | 0xffff0000;
    parity[i % 3] ^= static_cast<unsigned long long>(input_[i]) << (i % 32);
  }
  EXPECT_EQ(device_any.values(), any);
  EXPECT_EQ(device_all.values(), all);
  EXPECT_EQ(device_parity.values(), parity);
}

TEST_F(Reductions, BesideWritesOfBlocksOwn) {
  constexpr int kRows = 200;
  std::vector<unsigned> squares(kRows * kColumns), columns(kColumns, 9);
  Array<unsigned> device_squares(squares), device_columns(columns);
  for (int round = 0; round < 2; ++round) {
    launch_rows_and_columns(in_, device_squares, device_columns, kRows);
    for (size_t i = 0; i < squares.size(); ++i) {
      squares[i] = input_[i] * input_[i];
      columns[i % kColumns] += input_[i] & 3;
    }
  }
  EXPECT_EQ(device_squares.values(), squares);
  EXPECT_EQ(device_columns.values(), columns);
}

}  // namespace
}  // namespace reductions
