// Random work on several streams, ordered by events alone, against the same work done one after the other.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

namespace {

constexpr size_t kBytes = 200 << 10;  // some granules and a part of one
constexpr size_t kBuffers = 5, kStreams = 4;

#define OK(call) ASSERT_EQ(call, cudaSuccess)

/// What a host function finds in memory that a copy before it on its stream filled.
struct Look {
  const unsigned char* found;
  std::vector<unsigned char> expected;
  std::atomic<size_t>* wrong;
};

void look(void* data) {
  auto& it = *static_cast<Look*>(data);
  if (std::memcmp(it.found, it.expected.data(), it.expected.size()) != 0) ++*it.wrong;
}

class OrderTest : public testing::Test {
 protected:
  void SetUp() override {
    for (auto& buffer : buffers_) OK(cudaMalloc(reinterpret_cast<void**>(&buffer), kBytes));
    for (auto& contents : expected_) contents.assign(kBytes, 0);
    for (auto* buffer : buffers_) OK(cudaMemset(buffer, 0, kBytes));
    streams_[0] = nullptr;
    for (size_t i = 1; i < kStreams; ++i)
      OK(cudaStreamCreateWithFlags(&streams_[i], i == 1 ? cudaStreamNonBlocking : 0));
    for (auto& event : events_) OK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  }
  void TearDown() override {
    OK(cudaDeviceSynchronize());
    for (auto* buffer : buffers_) OK(cudaFree(buffer));
    for (size_t i = 1; i < kStreams; ++i) OK(cudaStreamDestroy(streams_[i]));
    for (auto& event : events_) OK(cudaEventDestroy(event));
  }
  /// The stream's next work comes after what touched the buffer last.
  void after(cudaStream_t stream, size_t buffer) {
    OK(cudaStreamWaitEvent(stream, events_[buffer], 0));
  }
  void touched(cudaStream_t stream, size_t buffer) { OK(cudaEventRecord(events_[buffer], stream)); }

  std::array<unsigned char*, kBuffers> buffers_{};
  std::array<std::vector<unsigned char>, kBuffers> expected_;
  std::array<cudaStream_t, kStreams> streams_{};
  std::array<cudaEvent_t, kBuffers> events_{};
};

TEST_F(OrderTest, EventsOrderWorkOfSeveralStreams) {
  std::mt19937 random(11);
  std::atomic<size_t> wrong{0};
  std::vector<std::unique_ptr<Look>> looks;
  std::vector<unsigned char*> pinned;
  for (int step = 0; step < 900; ++step) {
    cudaStream_t stream = streams_[random() % kStreams];
    const size_t to = random() % kBuffers, from = (to + 1 + random() % (kBuffers - 1)) % kBuffers;
    const size_t start = random() % kBytes, count = 1 + random() % (kBytes - start);
    const auto value = static_cast<unsigned char>(random());
    after(stream, to);
    // Rows of pitched operations, all within the buffer.
    const size_t pitch = 64 + random() % 2000, width = 1 + random() % pitch,
                 rows = (kBytes - start - std::min(width, kBytes - start)) / pitch;
    switch (random() % 10) {
      case 6:
        if (rows == 0) break;
        OK(cudaMemset2DAsync(buffers_[to] + start, pitch, value, width, rows, stream));
        for (size_t y = 0; y < rows; ++y)
          std::memset(expected_[to].data() + start + y * pitch, value, width);
        break;
      case 7:
        if (rows == 0) break;
        after(stream, from);
        OK(cudaMemcpy2DAsync(buffers_[to] + start, pitch, buffers_[from], pitch, width, rows,
                             cudaMemcpyDeviceToDevice, stream));
        for (size_t y = 0; y < rows; ++y)
          std::memcpy(expected_[to].data() + start + y * pitch, expected_[from].data() + y * pitch,
                      width);
        touched(stream, from);
        break;
      case 8: {
        if (rows == 0) break;
        std::vector<unsigned char> source(rows * width, value);
        OK(cudaMemcpy2DAsync(buffers_[to] + start, pitch, source.data(), width, width, rows,
                             cudaMemcpyHostToDevice, stream));
        std::memset(source.data(), 0xEE, source.size());
        for (size_t y = 0; y < rows; ++y)
          std::memset(expected_[to].data() + start + y * pitch, value, width);
        break;
      }
      case 9: {
        if (rows == 0) break;
        void* memory = nullptr;
        OK(cudaMallocHost(&memory, rows * width));
        pinned.push_back(static_cast<unsigned char*>(memory));
        OK(cudaMemcpy2DAsync(memory, width, buffers_[to] + start, pitch, width, rows,
                             cudaMemcpyDeviceToHost, stream));
        auto expectation = std::make_unique<Look>();
        expectation->found = pinned.back();
        for (size_t y = 0; y < rows; ++y) {
          const auto row = expected_[to].begin() + static_cast<ptrdiff_t>(start + y * pitch);
          expectation->expected.insert(expectation->expected.end(), row,
                                       row + static_cast<ptrdiff_t>(width));
        }
        expectation->wrong = &wrong;
        OK(cudaLaunchHostFunc(stream, look, expectation.get()));
        looks.push_back(std::move(expectation));
        break;
      }
      case 0:
      case 1:
        OK(cudaMemsetAsync(buffers_[to] + start, value, count, stream));
        std::memset(expected_[to].data() + start, value, count);
        break;
      case 2:
        after(stream, from);
        OK(cudaMemcpyAsync(buffers_[to] + start, buffers_[from] + start, count,
                           cudaMemcpyDeviceToDevice, stream));
        std::memcpy(expected_[to].data() + start, expected_[from].data() + start, count);
        touched(stream, from);
        break;
      case 3: {
        std::vector<unsigned char> source(count, value);
        OK(cudaMemcpyAsync(buffers_[to] + start, source.data(), count, cudaMemcpyHostToDevice,
                           stream));
        std::memset(source.data(), 0xEE, count);  // pageable memory may be used again at once
        std::memset(expected_[to].data() + start, value, count);
        break;
      }
      case 4: {
        // Memory in stream order, given back while the work on it may be under way.
        void* between = nullptr;
        OK(cudaMallocAsync(&between, kBytes, stream));
        OK(cudaMemcpyAsync(between, buffers_[to], kBytes, cudaMemcpyDefault, stream));
        OK(cudaMemsetAsync(buffers_[to], 0x11, kBytes, stream));
        OK(cudaMemcpyAsync(buffers_[to], between, kBytes, cudaMemcpyDefault, stream));
        OK(cudaFreeAsync(between, stream));
        break;
      }
      default: {
        void* memory = nullptr;
        OK(cudaMallocHost(&memory, count));
        pinned.push_back(static_cast<unsigned char*>(memory));
        OK(cudaMemcpyAsync(memory, buffers_[to] + start, count, cudaMemcpyDeviceToHost, stream));
        auto expectation = std::make_unique<Look>();
        expectation->found = pinned.back();
        expectation->expected.assign(expected_[to].begin() + static_cast<ptrdiff_t>(start),
                                     expected_[to].begin() + static_cast<ptrdiff_t>(start + count));
        expectation->wrong = &wrong;
        OK(cudaLaunchHostFunc(stream, look, expectation.get()));
        looks.push_back(std::move(expectation));
        break;
      }
    }
    touched(stream, to);
    if (random() % 40 == 0) {
      std::vector<unsigned char> found(kBytes);
      OK(cudaEventSynchronize(events_[from]));
      OK(cudaMemcpy(found.data(), buffers_[from], kBytes, cudaMemcpyDeviceToHost));
      ASSERT_EQ(found, expected_[from]) << "step " << step;
    }
  }
  OK(cudaDeviceSynchronize());
  EXPECT_EQ(wrong, 0u);
  for (size_t i = 0; i < kBuffers; ++i) {
    std::vector<unsigned char> found(kBytes);
    OK(cudaMemcpy(found.data(), buffers_[i], kBytes, cudaMemcpyDeviceToHost));
    EXPECT_EQ(found, expected_[i]) << i;
  }
  for (auto* memory : pinned) OK(cudaFreeHost(memory));
}

TEST_F(OrderTest, EventsAreReachedWhenTheirWorkIs) {
  cudaStream_t stream = streams_[2];
  cudaEvent_t start, middle, end;
  for (auto* event : {&start, &middle, &end}) OK(cudaEventCreate(event));
  OK(cudaEventRecord(start, stream));
  for (int i = 0; i < 50; ++i) OK(cudaMemsetAsync(buffers_[0], i, kBytes, stream));
  OK(cudaEventRecord(middle, stream));
  for (int i = 0; i < 50; ++i) OK(cudaMemsetAsync(buffers_[1], i, kBytes, stream));
  OK(cudaEventRecord(end, stream));
  OK(cudaEventSynchronize(middle));
  EXPECT_EQ(cudaEventQuery(start), cudaSuccess);
  OK(cudaStreamSynchronize(stream));
  EXPECT_EQ(cudaEventQuery(end), cudaSuccess);
  EXPECT_EQ(cudaStreamQuery(stream), cudaSuccess);
  float first = -1, whole = -1;
  OK(cudaEventElapsedTime(&first, start, middle));
  OK(cudaEventElapsedTime(&whole, start, end));
  EXPECT_GE(first, 0);
  EXPECT_GE(whole, first);
  for (auto event : {start, middle, end}) OK(cudaEventDestroy(event));
}

TEST_F(OrderTest, TheDefaultStreamWaitsForBlockingStreamsAndTheyForIt) {
  std::vector<unsigned char> found(kBytes);
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < 5; ++i) OK(cudaMemsetAsync(buffers_[0], round, kBytes, streams_[2]));
    OK(cudaMemcpyAsync(buffers_[1], buffers_[0], kBytes, cudaMemcpyDeviceToDevice, nullptr));
    OK(cudaMemcpyAsync(buffers_[2], buffers_[1], kBytes, cudaMemcpyDeviceToDevice, streams_[3]));
    OK(cudaMemsetAsync(buffers_[1], 0xAA, kBytes, nullptr));
    OK(cudaMemcpy(found.data(), buffers_[2], kBytes, cudaMemcpyDeviceToHost));
    ASSERT_EQ(found, std::vector<unsigned char>(kBytes, static_cast<unsigned char>(round)));
  }
}

}  // namespace
