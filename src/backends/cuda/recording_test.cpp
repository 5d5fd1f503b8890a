// Recordings and copies of rows over the fake driver: what the conformance suite does not see.
#include "backends/cuda/cuda_device.h"
#include "backends/cuda/testing/open_fake.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <vector>

namespace guda::backend {
namespace {

using cuda::testing::control;
using cuda::testing::discover_fake;

constexpr size_t kBytes = size_t{2} << 20;

class CudaRecordingTest : public testing::Test {
 protected:
  void SetUp() override {
    found_ = discover_fake();
    ASSERT_EQ(found_.devices.size(), 1u) << found_.note;
    static size_t used =
        device().address_space().size() / 4 * 3;  // addresses that no other test has
    data_ = device().address_space().data() + used;
    used += 2 * kBytes;
    file_ = memfd_create("test", MFD_CLOEXEC);
    ASSERT_EQ(ftruncate(file_, kBytes), 0);
    ASSERT_NE(mmap(data_, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file_, 0),
              MAP_FAILED);
    ASSERT_TRUE(device().map(data_, kBytes, file_));
  }
  void TearDown() override {
    control().fail_at = 0;
    control().fail_function[0] = 0;
    EXPECT_TRUE(device().unmap(data_, kBytes));
    found_.devices.clear();
    mmap(data_, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    close(file_);
    EXPECT_EQ(control().streams, 0);
    EXPECT_EQ(control().events, 0);
    EXPECT_EQ(control().graphs, 0);
    EXPECT_EQ(control().graph_execs, 0);
  }
  Device& device() { return *found_.devices.front(); }
  std::unique_ptr<Queue> queue() {
    auto made = device().create_queue();
    EXPECT_TRUE(made);
    return std::move(*made);
  }

  /// Two branches, joined; replayed twice. The first half of the memory is 7s then, else it is what it was: 1s.
  Status record_and_replay() {
    auto first = device().create_queue(), second = device().create_queue();
    if (!first || !second) return !first ? first.status() : second.status();
    Queue &a = **first, &b = **second;
    if (Status status = a.fill(data_, 1, 1, kBytes); !status) return status;
    if (Status status = a.synchronize(); !status) return status;
    auto hand_over = [&]() -> Status {
      auto fork = a.mark();
      if (!fork) return fork.status();
      if (Status status = b.wait_for(**fork); !status) return status;
      if (Status status = a.fill(data_, 7, 1, kBytes / 4); !status) return status;
      if (Status status = b.fill(data_ + kBytes / 4, 7, 1, kBytes / 4); !status) return status;
      auto join = b.mark();
      if (!join) return join.status();
      return a.wait_for(**join);
    };
    if (Status status = a.begin_recording(); !status) return status;
    Status status = hand_over();
    auto recording = a.end_recording();
    if (status) status = recording.status();
    if (!status) {
      // Both queues can be used as before.
      Status works = b.fill(data_, 1, 1, 16);
      if (works) works = b.synchronize();
      if (works) works = a.synchronize();
      EXPECT_TRUE(works || control().fail_at > 0) << works.message();
      return status;
    }
    for (int i = 0; i < 2; ++i) {
      if (status = b.replay(*recording); !status) return status;
    }
    return b.synchronize();
  }
  unsigned char byte_on_device(size_t offset) {
    unsigned char value = 0;
    auto reader = queue();
    EXPECT_TRUE(reader->download(&value, data_ + offset, 1));
    EXPECT_TRUE(reader->synchronize());
    return value;
  }

  Discovery found_;
  std::byte* data_ = nullptr;
  int file_ = -1;
};

TEST_F(CudaRecordingTest, ReplaysAreGraphsOfTheDriver) {
  const long launches = control().graph_launches;
  ASSERT_TRUE(record_and_replay());
  EXPECT_EQ(control().graph_launches, launches + 2);
  EXPECT_EQ(byte_on_device(0), 7);
  EXPECT_EQ(byte_on_device(kBytes / 2 - 1), 7);
  EXPECT_EQ(byte_on_device(kBytes / 2), 1);
}

TEST_F(CudaRecordingTest, EveryCallMayFail) {
  ASSERT_TRUE(record_and_replay());
  const long before = control().calls;
  ASSERT_TRUE(record_and_replay());
  const long calls = control().calls - before;
  ASSERT_GT(calls, 15);
  long reported = 0;
  for (long n = 1; n <= calls; ++n) {
    control().fail_code = 1;  // the device survives it
    control().fail_at = n;
    Status status = record_and_replay();
    control().fail_at = 0;
    if (!status) ++reported;
    EXPECT_TRUE(device().usable()) << n;
    EXPECT_EQ(control().graphs, 0) << n;
    EXPECT_EQ(control().graph_execs, 0) << n;
    EXPECT_EQ(control().streams, 0) << n;
    ASSERT_TRUE(record_and_replay()) << "after a failure of call " << n;
    EXPECT_EQ(byte_on_device(0), 7) << n;
  }
  EXPECT_GT(reported, 10);
}

TEST_F(CudaRecordingTest, AQueueThatIsNotJoinedSpoilsTheRecording) {
  auto a = queue(), b = queue();
  ASSERT_TRUE(a->begin_recording());
  auto fork = a->mark();
  ASSERT_TRUE(fork);
  ASSERT_TRUE(b->wait_for(**fork));
  ASSERT_TRUE(b->fill(data_, 7, 1, 16));
  EXPECT_EQ(static_cast<int>(a->end_recording().status().code()), 904);
  EXPECT_TRUE(a->fill(data_, 9, 1, 16));
  EXPECT_TRUE(a->synchronize());
  EXPECT_EQ(byte_on_device(0), 9);
  EXPECT_TRUE(device().usable());
}

TEST_F(CudaRecordingTest, TransfersBetweenTheSidesOfAnAddressAreNotRecorded) {
  auto a = queue();
  ASSERT_TRUE(a->begin_recording());
  EXPECT_EQ(a->upload(data_, data_, 4096).code(), StatusCode::not_supported);
  EXPECT_EQ(a->download(data_, data_, 4096).code(), StatusCode::not_supported);
  (void)a->end_recording();
}

TEST_F(CudaRecordingTest, RowsAreOneCallWhereTheDriverHasIt) {
  auto a = queue();
  std::vector<unsigned char> host(100 * 128, 3);
  const long copies = control().pitched_copies, fills = control().pitched_fills;
  const Box box{64, 100, 1};
  const BoxSide pageable{host.data(), 128, 0};
  ASSERT_TRUE(a->copy_box(CopyWay::to_device, {data_, 256, 0}, pageable, box));
  ASSERT_TRUE(a->copy_box(CopyWay::within, {data_ + (1 << 20), 64, 0}, {data_, 256, 0}, box));
  ASSERT_TRUE(a->copy_box(CopyWay::to_host, pageable, {data_, 256, 0}, box));
  EXPECT_EQ(control().pitched_copies, copies + 3);
  ASSERT_TRUE(a->fill_box({data_, 256, 256 * 100}, {64, 100, 3}, 5, 4));
  EXPECT_EQ(control().pitched_fills, fills + 3);  // slices
  // Slices that are not whole rows apart, and pitches that the driver does not take, go row by row.
  ASSERT_TRUE(a->copy_box(CopyWay::within, {data_ + (1 << 20), 64, 64 * 10 + 1},
                          {data_, 256, 256 * 10}, {64, 10, 2}));
  ASSERT_TRUE(a->fill_box({data_, 32, 0}, {64, 10, 1}, 5, 1));
  EXPECT_EQ(control().pitched_copies, copies + 3);
  EXPECT_EQ(control().pitched_fills, fills + 3);
  ASSERT_TRUE(a->synchronize());
}

}  // namespace
}  // namespace guda::backend
