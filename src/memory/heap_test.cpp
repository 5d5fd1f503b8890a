#include "memory/heap.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace guda::memory {
namespace {

constexpr uint32_t kDevice = kind_bit(AllocationKind::device);

void* allocate(Heap& heap, size_t size) {
  auto result = heap.allocate(size, AllocationKind::device);
  return result ? *result : nullptr;
}

TEST(Heap, EveryPointerIsAlignedTo256) {
  Heap heap;
  for (size_t size : {1ul, 255ul, 257ul, 4096ul, 1ul << 20, (3ul << 20) + 5}) {
    void* pointer = allocate(heap, size);
    ASSERT_NE(pointer, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(pointer) % 256, 0u);
    std::memset(pointer, 0x5a, size);
    EXPECT_TRUE(heap.release(pointer, kDevice).is_ok());
  }
  EXPECT_EQ(heap.used_bytes(), 0u);
}

TEST(Heap, AnyAddressInsideLeadsBackToTheAllocation) {
  Heap heap;
  auto* pointer = static_cast<std::byte*>(allocate(heap, 1000));
  auto found = heap.find(pointer + 999);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->base, pointer);
  EXPECT_EQ(found->size, 1000u);
  EXPECT_FALSE(heap.find(pointer + 1000).has_value());
  EXPECT_TRUE(heap.in_bounds(pointer + 10, 990));
  EXPECT_FALSE(heap.in_bounds(pointer + 10, 991));
}

TEST(Heap, BeyondTheLimitIsOutOfMemory) {
  Heap heap(1 << 20);
  EXPECT_EQ(heap.allocate(2 << 20, AllocationKind::device).status().code(),
            StatusCode::out_of_memory);
  EXPECT_EQ(heap.allocate(~size_t{0}, AllocationKind::device).status().code(),
            StatusCode::out_of_memory);
  void* pointer = allocate(heap, 1 << 19);
  ASSERT_NE(pointer, nullptr);
  EXPECT_EQ(heap.allocate((1 << 19) + 1, AllocationKind::device).status().code(),
            StatusCode::out_of_memory);
}

TEST(Heap, ReleaseRefusesForeignInnerAndTwice) {
  Heap heap;
  auto* pointer = static_cast<std::byte*>(allocate(heap, 1000));
  int mine = 0;
  EXPECT_EQ(heap.release(&mine, kDevice).code(), StatusCode::invalid_value);
  EXPECT_EQ(heap.release(pointer + 256, kDevice).code(), StatusCode::invalid_value);
  EXPECT_EQ(heap.release(pointer, kind_bit(AllocationKind::host)).code(),
            StatusCode::invalid_value);
  EXPECT_TRUE(heap.release(pointer, kDevice).is_ok());
  EXPECT_EQ(heap.release(pointer, kDevice).code(), StatusCode::invalid_value);
}

TEST(Heap, RegisteredMemoryIsKnownUntilUnregistered) {
  Heap heap;
  std::vector<char> mine(10000);
  EXPECT_TRUE(heap.add_registered(mine.data(), mine.size(), 0).is_ok());
  EXPECT_EQ(heap.add_registered(mine.data() + 5000, 100, 0).code(),
            StatusCode::host_memory_already_registered);
  EXPECT_EQ(heap.find(mine.data() + 9999)->kind, AllocationKind::registered);
  EXPECT_TRUE(heap.remove_registered(mine.data()).is_ok());
  EXPECT_EQ(heap.remove_registered(mine.data()).code(), StatusCode::host_memory_not_registered);
}

TEST(Heap, FreedMemoryIsOutOfBounds) {
  Heap heap;
  for (size_t size : {size_t{1000}, size_t{4} << 20}) {
    void* pointer = allocate(heap, size);
    EXPECT_TRUE(heap.in_bounds(pointer, size));
    ASSERT_TRUE(heap.release(pointer, kDevice).is_ok());
    EXPECT_FALSE(heap.in_bounds(pointer, 1));
  }
  int mine = 0;
  EXPECT_TRUE(heap.in_bounds(&mine, 4));
}

TEST(Heap, ReleasingAllLeavesOtherKinds) {
  Heap heap;
  allocate(heap, 1000);
  allocate(heap, 4 << 20);
  auto pinned = heap.allocate(1000, AllocationKind::host);
  heap.release_all(kDevice);
  EXPECT_EQ(heap.allocation_count(), 1u);
  EXPECT_TRUE(heap.release(*pinned, kind_bit(AllocationKind::host)).is_ok());
  EXPECT_EQ(heap.used_bytes(), 0u);
}

TEST(Heap, SharedMemoryIsSeenByAnotherProcess) {
  Heap heap;
  for (size_t size : {size_t{1000}, size_t{4} << 20}) {
    auto* pointer = static_cast<volatile char*>(allocate(heap, size));
    pointer[7] = 42;
    auto shared = heap.share(const_cast<char*>(pointer));
    ASSERT_TRUE(shared);
    EXPECT_EQ(pointer[7], 42);
    pid_t child = fork();
    if (child == 0) {
      Heap own;
      auto mine = own.import(*shared);
      auto* bytes = mine ? static_cast<volatile char*>(*mine) : nullptr;
      if (!bytes || bytes[7] != 42 || !own.in_bounds(*mine, size)) _exit(1);
      bytes[8] = 43;
      _exit(own.release(*mine, kind_bit(AllocationKind::imported)).is_ok() ? 0 : 2);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(pointer[8], 43);
    EXPECT_TRUE(heap.release(const_cast<char*>(pointer), kDevice).is_ok());
  }
}

TEST(HeapDeathTest, FreedLargeAllocationFaults) {
  Heap heap;
  auto* pointer = static_cast<volatile char*>(allocate(heap, 4 << 20));
  pointer[0] = 1;
  ASSERT_TRUE(heap.release(const_cast<char*>(pointer), kDevice).is_ok());
  EXPECT_DEATH(pointer[0] = 1, "");
  auto* again = static_cast<volatile char*>(allocate(heap, 4 << 20));
  again[0] = 1;
}

TEST(HeapDeathTest, RunningPastALargeAllocationFaults) {
  Heap heap;
  auto* pointer = static_cast<volatile char*>(allocate(heap, 4 << 20));
  EXPECT_DEATH(pointer[4 << 20] = 1, "");
  EXPECT_DEATH(pointer[-1] = 1, "");
}

TEST(Heap, RandomUseFromManyThreadsNeverOverlaps) {
  Heap heap;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&heap, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      std::vector<std::pair<unsigned char*, size_t>> held;
      for (int i = 0; i < 2000; ++i) {
        if (held.size() < 20 || random() % 2) {
          size_t size = 1 + random() % 5000;
          auto* pointer = static_cast<unsigned char*>(allocate(heap, size));
          ASSERT_NE(pointer, nullptr);
          std::memset(pointer, t + 1, size);
          held.emplace_back(pointer, size);
        } else {
          size_t pick = random() % held.size();
          auto [pointer, size] = held[pick];
          for (size_t k = 0; k < size; ++k) ASSERT_EQ(pointer[k], t + 1);
          ASSERT_TRUE(heap.release(pointer, kDevice).is_ok());
          held.erase(held.begin() + static_cast<long>(pick));
        }
      }
      for (auto& [pointer, size] : held) ASSERT_TRUE(heap.release(pointer, kDevice).is_ok());
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(heap.used_bytes(), 0u);
}

/// Shares memory of this process, and counts.
class SharingDevice final : public backend::Device {
 public:
  bool refuses = false;
  std::byte* neighbours = nullptr;  // where pieces lie side by side
  int calls = 0;
  std::map<void*, size_t> pieces, registered;

  const backend::DeviceInfo& info() const override { return info_; }
  bool usable() const override { return true; }
  Status map(void*, size_t, int) override { return {StatusCode::not_supported, "none"}; }
  Status unmap(void*, size_t) override { return {StatusCode::not_supported, "none"}; }
  Result<std::shared_ptr<backend::DeviceKernel>> load(const backend::KernelSource&) override {
    return Status(StatusCode::not_supported, "none");
  }
  Result<std::unique_ptr<backend::Queue>> create_queue() override {
    return Status(StatusCode::not_supported, "none");
  }
  Result<void*> allocate_shared(size_t bytes, backend::SharedKind) override {
    ++calls;
    if (refuses) return Status(StatusCode::out_of_memory, "full");
    void* memory = neighbours != nullptr ? neighbours : std::aligned_alloc(4096, bytes);
    if (neighbours != nullptr) neighbours += bytes;
    pieces[memory] = bytes;
    return memory;
  }
  Status free_shared(void* address) override {
    EXPECT_EQ(pieces.erase(address), 1u);
    if (neighbours == nullptr) std::free(address);
    return Status::ok();
  }
  Status register_host(void* address, size_t bytes) override {
    if (refuses) return {StatusCode::not_supported, "none"};
    registered[address] = bytes;
    return Status::ok();
  }
  Status unregister_host(void* address) override {
    EXPECT_EQ(registered.erase(address), 1u);
    return Status::ok();
  }

 private:
  backend::DeviceInfo info_;
};

TEST(Heap, PinnedAndManagedMemoryComesFromTheSharingDevice) {
  SharingDevice device;
  {
    Heap heap;
    heap.share_with(device);
    std::vector<void*> small;
    for (AllocationKind kind : {AllocationKind::host, AllocationKind::managed}) {
      for (int i = 0; i < 1000; ++i) {
        auto memory = heap.allocate(100, kind);
        ASSERT_TRUE(memory);
        EXPECT_EQ(heap.find(*memory)->shared_by, &device);
        std::memset(*memory, i, 100);
        small.push_back(*memory);
      }
    }
    EXPECT_EQ(device.calls, 2) << "one chunk for each kind";
    auto large = heap.allocate(3 << 20, AllocationKind::host);
    ASSERT_TRUE(large);
    EXPECT_EQ(device.pieces.count(*large), 1u);
    EXPECT_TRUE(heap.release(*large, kind_bit(AllocationKind::host)));
    EXPECT_EQ(device.pieces.size(), 2u);
    auto own = heap.allocate(100, AllocationKind::device);
    EXPECT_EQ(heap.find(*own)->shared_by, nullptr);
    for (void* each : small)
      EXPECT_TRUE(
          heap.release(each, kind_bit(AllocationKind::host) | kind_bit(AllocationKind::managed)));
    auto left = heap.allocate(5 << 20, AllocationKind::managed);
    EXPECT_TRUE(left);
    heap.release_all(kind_bit(AllocationKind::managed));
    EXPECT_EQ(device.pieces.size(), 2u);
    EXPECT_TRUE(heap.allocate(5 << 20, AllocationKind::managed));
  }
  EXPECT_TRUE(device.pieces.empty());
}

/// Two pieces of a device may be neighbours; a copy must not cross from one to the other.
TEST(Heap, BlocksLieInOnePieceOfTheSharingDevice) {
  std::vector<std::byte> memory(size_t{64} << 20);
  SharingDevice device;
  auto start = (reinterpret_cast<uintptr_t>(memory.data()) + 4095) & ~uintptr_t{4095};
  device.neighbours = reinterpret_cast<std::byte*>(start);
  Heap heap;
  heap.share_with(device);
  const size_t sizes[] = {700 << 10, 900 << 10, 300 << 10, 1000 << 10};
  for (int round = 0; round < 3; ++round) {
    std::vector<void*> taken;
    for (int i = 0; i < 24; ++i) {
      const size_t size = sizes[(i + round) % 4];
      auto block = heap.allocate(size, AllocationKind::host);
      ASSERT_TRUE(block);
      taken.push_back(*block);
      auto* first = static_cast<std::byte*>(*block);
      for (auto& [piece, bytes] : device.pieces)
        EXPECT_FALSE(first < piece && first + size > piece) << "across two pieces";
    }
    for (void* each : taken) EXPECT_TRUE(heap.release(each, kind_bit(AllocationKind::host)));
  }
}

TEST(Heap, WithoutHelpOfTheSharingDeviceMemoryIsTheHeapsOwn) {
  SharingDevice device;
  device.refuses = true;
  Heap heap;
  heap.share_with(device);
  for (size_t size : {size_t{100}, size_t{2} << 20}) {
    auto memory = heap.allocate(size, AllocationKind::managed);
    ASSERT_TRUE(memory);
    EXPECT_EQ(heap.find(*memory)->shared_by, nullptr);
    std::memset(*memory, 1, size);
    EXPECT_TRUE(heap.release(*memory, kind_bit(AllocationKind::managed)));
  }
  std::vector<char> mine(100);
  ASSERT_TRUE(heap.add_registered(mine.data(), mine.size(), 0));
  EXPECT_EQ(heap.find(mine.data())->shared_by, nullptr);
  EXPECT_TRUE(heap.remove_registered(mine.data()));
  EXPECT_EQ(heap.used_bytes(), 0u);
}

TEST(Heap, RegisteredMemoryIsAnnouncedToTheSharingDevice) {
  SharingDevice device;
  Heap heap;
  heap.share_with(device);
  std::vector<char> mine(1000);
  ASSERT_TRUE(heap.add_registered(mine.data() + 5, 100, 0));
  EXPECT_EQ(device.registered[mine.data() + 5], 100u);
  EXPECT_EQ(heap.find(mine.data() + 50)->shared_by, &device);
  EXPECT_FALSE(heap.add_registered(mine.data() + 50, 100, 0));
  EXPECT_EQ(device.registered.size(), 1u);
  EXPECT_TRUE(heap.remove_registered(mine.data() + 5));
  EXPECT_TRUE(device.registered.empty());
}

}  // namespace
}  // namespace guda::memory
