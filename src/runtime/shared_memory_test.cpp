// What is sent to devices, and what is not because they reach it: on the emulated device, with and without memory that
// it shares (CMakeLists.txt runs both).
#include "memory/heap.h"
#include "runtime/add_kernel.h"
#include "runtime/copy.h"
#include "runtime/engines.h"
#include "runtime/launch.h"
#include "support/options.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace guda::runtime {
namespace {

using memory::AllocationKind;
using memory::Heap;

constexpr int kCount = 1000;

class SharedMemoryTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    Engines::start();
    ASSERT_NE(Engines::active(), nullptr) << "GUDA_DEVICES must name the emulated device";
    auto kernel = load_add_kernel();
    ASSERT_TRUE(kernel) << kernel.status().message();
    add_ = *kernel;
  }
  static bool shares() { return option_flag(Option::emulated_shared_memory); }

  /// to[i] += from[i], to its end.
  static void add(int* to, const int* from) {
    int count = kCount;
    void* arguments[] = {&to, &from, &count};
    LaunchConfiguration configuration;
    configuration.grid = {(kCount + 127) / 128, 1, 1};
    configuration.block = {128, 1, 1};
    auto operation = prepare_launch(*add_, configuration, arguments);
    ASSERT_TRUE(operation) << operation.status().message();
    Status status = run_operation(**operation);
    ASSERT_TRUE(status) << status.message();
  }
  static uint64_t sent_bytes() {
    auto statistics = Engines::active()->pool().statistics();
    return statistics.uploaded_bytes + statistics.downloaded_bytes;
  }
  static uint64_t launches_on_device() {
    for (const LiveEngine& engine : live_page().engines) {
      if (std::string_view(engine.id) == "emulated:0") return engine.launches;
    }
    return 0;
  }
  static int* allocate(AllocationKind kind, size_t count = kCount) {
    auto memory = Heap::instance().allocate(count * sizeof(int), kind);
    EXPECT_TRUE(memory);
    return static_cast<int*>(*memory);
  }
  static void expect_sums(const int* to) {
    for (int i = 0; i < kCount; ++i) ASSERT_EQ(to[i], 2 * i + 100) << i;
  }
  static void fill(int* to, int* from) {
    std::iota(to, to + kCount, 0);
    std::iota(from, from + kCount, 100);
  }

  static Kernel* add_;
};
Kernel* SharedMemoryTest::add_ = nullptr;

TEST_F(SharedMemoryTest, PinnedAndManagedMemoryIsSentOnlyToDevicesThatDoNotReachIt) {
  for (AllocationKind kind : {AllocationKind::host, AllocationKind::managed}) {
    for (size_t count : {size_t{kCount}, size_t{1} << 20}) {  // of a chunk, and a piece of its own
      int *to = allocate(kind, count), *from = allocate(kind, count);
      EXPECT_EQ(Heap::instance().find(to)->shared_by != nullptr, shares());
      const uint64_t sent = sent_bytes(), launches = launches_on_device();
      fill(to, from);
      add(to, from);
      expect_sums(to);
      to[0] = 1;  // the program's own writes count, too
      add(from, to);
      EXPECT_EQ(from[0], 101);
      EXPECT_EQ(launches_on_device(), launches + 2);
      EXPECT_EQ(sent_bytes() == sent, shares());
      for (int* each : {to, from}) EXPECT_TRUE(Heap::instance().release(each, kind_bit(kind)));
    }
  }
}

TEST_F(SharedMemoryTest, RegisteredMemoryIsReachedOrKeepsKernelsOnTheCpu) {
  std::vector<int> to(kCount + 10), from(kCount + 10);
  fill(&to[3], &from[5]);
  const uint64_t launches = launches_on_device();
  ASSERT_TRUE(Heap::instance().add_registered(&to[3], kCount * sizeof(int), 0));
  ASSERT_TRUE(Heap::instance().add_registered(&from[5], kCount * sizeof(int), 0));
  add(&to[3], &from[5]);
  expect_sums(&to[3]);
  EXPECT_EQ(launches_on_device(), launches + (shares() ? 1 : 0));
  EXPECT_TRUE(Heap::instance().remove_registered(&to[3]));
  EXPECT_TRUE(Heap::instance().remove_registered(&from[5]));
  EXPECT_EQ(Heap::instance().remove_registered(&from[5]).code(),
            StatusCode::host_memory_not_registered);
}

TEST_F(SharedMemoryTest, DeviceMemoryStaysCoherentBesideIt) {
  int *device = allocate(AllocationKind::device), *host = allocate(AllocationKind::host);
  std::vector<int> start(kCount);
  std::iota(start.begin(), start.end(), 0);
  auto side = [](int* data) {
    return CopySide{reinterpret_cast<std::byte*>(data), kCount * sizeof(int), 0};
  };
  auto copy_now = [&](int* to, int* from) {
    CopyOperation operation(side(to), side(from), {kCount * sizeof(int), 1, 1},
                            CopyKind::unspecified);
    Status status = run_operation(operation);
    ASSERT_TRUE(status) << status.message();
  };
  copy_now(device, start.data());
  std::iota(host, host + kCount, 100);
  add(device, host);
  copy_now(host, device);
  expect_sums(host);
  add(host, device);
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(host[i], 2 * (2 * i + 100)) << i;
  EXPECT_TRUE(Heap::instance().release(device, kind_bit(AllocationKind::device)));
  EXPECT_TRUE(Heap::instance().release(host, kind_bit(AllocationKind::host)));
}

}  // namespace
}  // namespace guda::runtime
