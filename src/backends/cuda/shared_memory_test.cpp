// Memory that the program and devices reach at one address, over the fake driver.
#include "backends/cuda/cuda_device.h"
#include "backends/cuda/testing/open_fake.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

namespace guda::backend {
namespace {

using cuda::testing::control;
using cuda::testing::discover_fake;

class CudaSharedMemoryTest : public testing::Test {
 protected:
  void SetUp() override { find(); }
  void find() {
    found_.devices.clear();
    found_ = discover_fake();
    ASSERT_FALSE(found_.devices.empty()) << found_.note;
    control().pinned_copies = control().pageable_copies = 0;
  }
  void TearDown() override {
    control().fail_at = 0;
    control().fail_function[0] = 0;
    control().devices = 1;
    control().concurrent_managed = control().one_address = true;
    found_.devices.clear();
    EXPECT_EQ(control().registered, 0);
    EXPECT_EQ(control().host_buffers, 0);
    EXPECT_EQ(control().managed, 0);
    EXPECT_EQ(control().contexts, 0);
  }
  static void fail(const char* function, int code) {
    std::strcpy(control().fail_function, function);
    control().fail_code = code;
    control().fail_at = 1;
  }
  Device& device(size_t index = 0) { return *found_.devices[index]; }

  Discovery found_;
};

/// A range that the device has mapped and the host can use.
class Mapped {
 public:
  Mapped(Device& device, size_t bytes) : device_(device), bytes_(bytes) {
    static size_t used = device.address_space().size() / 4 * 3;  // addresses are not used twice
    data_ = device.address_space().data() + used;
    used += bytes;
    EXPECT_NE(
        mmap(data_, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
        MAP_FAILED);
    EXPECT_TRUE(device.map(data_, bytes));
  }
  ~Mapped() {
    EXPECT_TRUE(device_.unmap(data_, bytes_));
    mmap(data_, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  std::byte* data() const { return data_; }

 private:
  Device& device_;
  size_t bytes_;
  std::byte* data_;
};

TEST_F(CudaSharedMemoryTest, CopiesWithPinnedMemoryGoStraightThere) {
  constexpr size_t kBytes = size_t{4} << 20;
  Mapped mapped(device(), kBytes);
  auto pinned = device().allocate_shared(kBytes, SharedKind::pinned);
  ASSERT_TRUE(pinned) << pinned.status().message();
  auto* words = static_cast<uint32_t*>(*pinned);
  std::iota(words, words + kBytes / 4, 1u);
  auto queue = std::move(*device().create_queue());
  ASSERT_TRUE(queue->upload(mapped.data(), words, kBytes));
  std::fill(words, words + kBytes / 4, 0u);
  ASSERT_TRUE(queue->download(words + 1, mapped.data() + 4, kBytes - 4));
  EXPECT_EQ(words[0], 0u);
  EXPECT_EQ(words[kBytes / 4 - 1], kBytes / 4);
  EXPECT_EQ(control().pinned_copies, 2) << "one copy each way";
  EXPECT_EQ(control().pageable_copies, 0);
  EXPECT_TRUE(device().free_shared(*pinned));
}

TEST_F(CudaSharedMemoryTest, CopiesDoNotCrossTheEdgesOfRegisteredMemory) {
  constexpr size_t kBytes = size_t{4} << 20;
  Mapped mapped(device(), kBytes);
  std::vector<uint32_t> own(kBytes / 4), back(kBytes / 4);
  std::iota(own.begin(), own.end(), 5u);
  // Not on pages, and side by side.
  std::byte* start = reinterpret_cast<std::byte*>(own.data());
  ASSERT_TRUE(device().register_host(start + 100012, 1000000));
  ASSERT_TRUE(device().register_host(start + 1100012, 8000));
  auto queue = std::move(*device().create_queue());
  ASSERT_TRUE(queue->upload(mapped.data(), own.data(), kBytes));
  EXPECT_GE(control().pinned_copies, 2);
  ASSERT_TRUE(queue->download(back.data(), mapped.data(), kBytes));
  EXPECT_EQ(own, back);
  std::fill(own.begin(), own.end(), 0u);
  ASSERT_TRUE(queue->download(own.data(), mapped.data(), kBytes));
  EXPECT_EQ(own, back);
  control().pinned_copies = control().pageable_copies = 0;
  ASSERT_TRUE(queue->upload(mapped.data(), start + 200000, 500000));
  EXPECT_EQ(control().pinned_copies, 1) << "one copy within the piece";
  EXPECT_TRUE(device().unregister_host(start + 100012));
  EXPECT_TRUE(device().unregister_host(start + 1100012));
  control().pinned_copies = control().pageable_copies = 0;
  ASSERT_TRUE(queue->upload(mapped.data(), own.data(), kBytes));
  EXPECT_EQ(control().pageable_copies, 1) << "no edges are left";
}

TEST_F(CudaSharedMemoryTest, GivesBackOnlyWhatItGave) {
  int mine = 0;
  EXPECT_EQ(device().free_shared(&mine).code(), StatusCode::invalid_value);
  EXPECT_EQ(device().unregister_host(&mine).code(), StatusCode::invalid_value);
  auto pinned = device().allocate_shared(4096, SharedKind::pinned);
  auto managed = device().allocate_shared(4096, SharedKind::managed);
  ASSERT_TRUE(pinned);
  ASSERT_TRUE(managed);
  EXPECT_EQ(control().managed, 1);
  EXPECT_FALSE(device().unregister_host(*pinned));
  EXPECT_TRUE(device().free_shared(*pinned));
  EXPECT_FALSE(device().free_shared(*pinned));
  EXPECT_TRUE(device().free_shared(*managed));
  EXPECT_EQ(control().managed, 0);
  // What is left goes with the last device.
  EXPECT_TRUE(device().allocate_shared(4096, SharedKind::managed));
  EXPECT_TRUE(device().register_host(&mine, sizeof mine));
}

TEST_F(CudaSharedMemoryTest, FailuresOfTheDriverAreNoFaultsOfTheDevice) {
  std::vector<int> mine(100);
  fail("cuMemHostAlloc", 2);
  EXPECT_EQ(device().allocate_shared(4096, SharedKind::pinned).status().code(),
            StatusCode::out_of_memory);
  fail("cuMemAllocManaged", 2);
  EXPECT_EQ(device().allocate_shared(4096, SharedKind::managed).status().code(),
            StatusCode::out_of_memory);
  fail("cuMemHostRegister_v2", 1);
  EXPECT_EQ(device().register_host(mine.data(), 400).code(), StatusCode::not_supported);
  fail("cuMemHostGetDevicePointer_v2", 1);
  EXPECT_EQ(device().register_host(mine.data(), 400).code(), StatusCode::not_supported);
  EXPECT_EQ(control().registered, 0);
  EXPECT_TRUE(device().usable());
  EXPECT_TRUE(device().register_host(mine.data(), 400));
}

TEST_F(CudaSharedMemoryTest, OtherAddressesOnDevicesAreRefused) {
  control().one_address = false;
  std::vector<int> mine(100);
  EXPECT_EQ(device().allocate_shared(4096, SharedKind::pinned).status().code(),
            StatusCode::not_supported);
  EXPECT_EQ(device().register_host(mine.data(), 400).code(), StatusCode::not_supported);
  EXPECT_EQ(control().host_buffers, 0);
  EXPECT_EQ(control().registered, 0);
}

TEST_F(CudaSharedMemoryTest, ManagedMemoryNeedsAHostThatMayUseItMeanwhile) {
  control().concurrent_managed = false;
  find();
  EXPECT_EQ(device().allocate_shared(4096, SharedKind::managed).status().code(),
            StatusCode::not_supported);
  EXPECT_TRUE(device().allocate_shared(4096, SharedKind::pinned));
}

TEST_F(CudaSharedMemoryTest, HintsGoToTheDriver) {
  auto managed = device().allocate_shared(8192, SharedKind::managed);
  ASSERT_TRUE(managed);
  auto queue = std::move(*device().create_queue());
  control().prefetches_home = control().prefetches_to_device = control().advices = 0;
  EXPECT_TRUE(queue->prefetch(*managed, 8192, false));
  EXPECT_TRUE(queue->prefetch(*managed, 100, true));
  EXPECT_EQ(control().prefetches_to_device, 1);
  EXPECT_EQ(control().prefetches_home, 1);
  EXPECT_TRUE(device().advise(*managed, 8192, 3, true));
  EXPECT_EQ(control().advices, 1);
  EXPECT_FALSE(device().advise(*managed, 8192, 9, true));
  EXPECT_TRUE(device().usable());
}

TEST_F(CudaSharedMemoryTest, AllDevicesReachWhatOneGave) {
  control().devices = 2;
  find();
  ASSERT_EQ(found_.devices.size(), 2u);
  constexpr size_t kBytes = size_t{2} << 20;
  for (SharedKind kind : {SharedKind::pinned, SharedKind::managed}) {
    auto shared = device(0).allocate_shared(kBytes, kind);
    ASSERT_TRUE(shared);
    std::memset(*shared, 3, kBytes);
    Mapped mapped(device(1), kBytes);
    auto queue = std::move(*device(1).create_queue());
    ASSERT_TRUE(queue->copy(mapped.data(), *shared, kBytes)) << "as an address of the device's";
    ASSERT_TRUE(queue->fill(*shared, 7, 1, 100));
    ASSERT_TRUE(queue->download(static_cast<std::byte*>(*shared) + 50, mapped.data(), 50));
    EXPECT_EQ(static_cast<char*>(*shared)[49], 7);
    EXPECT_EQ(static_cast<char*>(*shared)[50], 3);
    EXPECT_TRUE(device(1).free_shared(*shared)) << "whichever is asked";
  }
}

}  // namespace
}  // namespace guda::backend
