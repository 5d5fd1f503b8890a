#include "memory/virtual_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <map>

namespace guda::memory {
namespace {

using Access = VirtualMemory::Access;
using Side = VirtualMemory::Side;

constexpr size_t kUnit = size_t{2} << 20;

/// What devices are told.
class Regions final : public RegionObserver {
 public:
  void region_added(std::byte* base, size_t size, int file, bool) override {
    EXPECT_TRUE(there.emplace(base, size).second);
    files[base] = file;
  }
  void region_removed(std::byte* base) override { EXPECT_EQ(there.erase(base), 1u); }
  void region_withdrawn(std::byte* base, size_t size) override {
    ASSERT_TRUE(there.contains(base));
    EXPECT_EQ(there[base], size);
    there.erase(base);
    ++withdrawn;
  }
  std::map<std::byte*, size_t> there;
  std::map<std::byte*, int> files;
  int withdrawn = 0;
};

class VirtualMemoryTest : public testing::Test {
 protected:
  std::byte* reserve(size_t units, std::byte* hint = nullptr) {
    auto base = memory_.reserve(units * kUnit, 0, hint);
    EXPECT_TRUE(base.is_ok()) << base.status().message();
    return base ? *base : nullptr;
  }
  VirtualMemory::Handle create(size_t units, bool exportable = false) {
    auto handle = memory_.create(units * kUnit, {false, -1, exportable});
    EXPECT_TRUE(handle.is_ok()) << handle.status().message();
    return handle ? *handle : 0;
  }
  void map(std::byte* base, size_t units, VirtualMemory::Handle handle, size_t offset = 0,
           Access access = Access::read_write) {
    Status mapped = memory_.map(base, units * kUnit, offset * kUnit, handle);
    EXPECT_TRUE(mapped) << mapped.message();
    Status set = memory_.set_access(base, units * kUnit, Side::device, access);
    EXPECT_TRUE(set) << set.message();
  }
  /// Everything goes and the heap is as before.
  void expect_clean() {
    EXPECT_EQ(heap_.used_bytes(), 0u);
    EXPECT_EQ(heap_.allocation_count(), 0u);
  }

  Heap heap_;
  VirtualMemory memory_{heap_};
};

StatusCode code(const Status& status) { return status.code(); }
template <typename T>
StatusCode code(const Result<T>& result) {
  return result.status().code();
}
constexpr StatusCode kInvalid = StatusCode::invalid_value;

TEST_F(VirtualMemoryTest, MappedMemoryIsAnAllocationOnceItMayBeUsed) {
  std::byte* base = reserve(4);
  auto handle = create(2);
  EXPECT_EQ(heap_.used_bytes(), 2 * kUnit);
  EXPECT_FALSE(heap_.in_bounds(base, 1));
  ASSERT_TRUE(memory_.map(base + kUnit, 2 * kUnit, 0, handle));
  EXPECT_FALSE(heap_.find(base + kUnit));
  EXPECT_FALSE(heap_.in_bounds(base + kUnit, 1));
  ASSERT_TRUE(memory_.set_access(base + kUnit, 2 * kUnit, Side::device, Access::read_write));
  auto found = heap_.find(base + kUnit + 100);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->base, base + kUnit);
  EXPECT_EQ(found->size, 2 * kUnit);
  EXPECT_EQ(found->kind, AllocationKind::mapped);
  std::memset(base + kUnit, 1, 2 * kUnit);
  ASSERT_TRUE(memory_.set_access(base + kUnit, 2 * kUnit, Side::device, Access::none));
  EXPECT_FALSE(heap_.find(base + kUnit));
  ASSERT_TRUE(memory_.unmap(base + kUnit, 2 * kUnit));
  ASSERT_TRUE(memory_.release(handle));
  ASSERT_TRUE(memory_.free(base, 4 * kUnit));
  EXPECT_TRUE(heap_.in_bounds(base, 1)) << "the program's own addresses again";
  expect_clean();
}

TEST_F(VirtualMemoryTest, ContiguousMappingsAreOneAllocation) {
  std::byte* base = reserve(6);
  auto handle = create(6);
  map(base, 1, handle, 0);
  map(base + 2 * kUnit, 1, handle, 2);
  EXPECT_FALSE(heap_.in_bounds(base, kUnit + 1));
  map(base + kUnit, 1, handle, 1);
  auto found = heap_.find(base + kUnit + 5);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->base, base);
  EXPECT_EQ(found->size, 3 * kUnit);
  EXPECT_TRUE(heap_.in_bounds(base, 3 * kUnit));
  EXPECT_EQ(heap_.allocation_count(), 1u);
  ASSERT_TRUE(memory_.unmap(base + kUnit, kUnit));
  EXPECT_EQ(heap_.find(base)->size, kUnit);
  EXPECT_EQ(heap_.find(base + 2 * kUnit)->size, kUnit);
  EXPECT_FALSE(heap_.find(base + kUnit));
}

TEST_F(VirtualMemoryTest, MemoryKeepsItsContentsFromAddressToAddress) {
  std::byte* one = reserve(1);
  std::byte* two = reserve(3);
  auto handle = create(1);
  map(one, 1, handle);
  one[17] = std::byte{42};
  ASSERT_TRUE(memory_.unmap(one, kUnit));
  map(two + kUnit, 1, handle);
  EXPECT_EQ(two[kUnit + 17], std::byte{42});
  // Once more, at the same time.
  map(one, 1, handle);
  two[kUnit + 18] = std::byte{43};
  EXPECT_EQ(one[18], std::byte{43});
}

TEST_F(VirtualMemoryTest, MemoryLivesAsLongAsHandleOrMapping) {
  std::byte* base = reserve(1);
  auto handle = create(1);
  map(base, 1, handle);
  ASSERT_TRUE(memory_.release(handle));
  EXPECT_EQ(code(memory_.release(handle)), kInvalid);
  EXPECT_EQ(heap_.used_bytes(), kUnit);
  base[5] = std::byte{9};
  auto again = memory_.retain(base + 100);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, handle);
  ASSERT_TRUE(memory_.unmap(base, kUnit));
  EXPECT_EQ(heap_.used_bytes(), kUnit);
  ASSERT_TRUE(memory_.release(*again));
  EXPECT_EQ(heap_.used_bytes(), 0u);
  EXPECT_EQ(code(memory_.retain(base)), kInvalid);
}

TEST_F(VirtualMemoryTest, NewMemoryIsEmptyEvenWhereOtherMemoryWas) {
  std::byte* base = reserve(1);
  for (int round = 0; round < 3; ++round) {
    auto handle = create(1);
    map(base, 1, handle);
    EXPECT_EQ(base[0], std::byte{0});
    std::memset(base, 0xff, kUnit);
    ASSERT_TRUE(memory_.unmap(base, kUnit));
    ASSERT_TRUE(memory_.release(handle));
  }
}

TEST_F(VirtualMemoryTest, MoreMemoryThanDescriptorsIsPossible) {
  constexpr size_t kMany = 3000;  // 1024 descriptors are a usual limit
  Heap heap(kMany * kUnit);
  VirtualMemory memory(heap);
  auto base = memory.reserve(kMany * kUnit, 0, nullptr);
  ASSERT_TRUE(base);
  for (size_t i = 0; i < kMany; ++i) {
    auto handle = memory.create(kUnit, {});
    ASSERT_TRUE(handle) << i << ": " << handle.status().message();
    ASSERT_TRUE(memory.map(*base + i * kUnit, kUnit, 0, *handle)) << i;
    ASSERT_TRUE(memory.release(*handle));
  }
  EXPECT_EQ(code(memory.create(kUnit, {})), StatusCode::out_of_memory);
  ASSERT_TRUE(memory.set_access(*base, kMany * kUnit, Side::device, Access::read_write));
  (*base)[2050 * kUnit] = std::byte{1};
  ASSERT_TRUE(memory.unmap(*base, kMany * kUnit));
  EXPECT_EQ(heap.used_bytes(), 0u);
}

TEST_F(VirtualMemoryTest, AHintIsFollowedBehindAReservation) {
  std::byte* base = reserve(2);
  std::byte* expected = base;
  size_t followed = 0;
  std::vector<std::pair<std::byte*, size_t>> all{{base, 2}};
  for (size_t units : {2, 1, 3, 1}) {
    expected = all.back().first + all.back().second * kUnit;
    all.emplace_back(reserve(units, expected), units);
    if (all.back().first == expected) ++followed;
    for (auto [start, length] : all) {
      EXPECT_FALSE(heap_.in_bounds(start, 1));
      if (start != all.back().first) {
        EXPECT_TRUE(start + length * kUnit <= all.back().first ||
                    all.back().first + units * kUnit <= start);
      }
    }
  }
  // Whatever the system's layout, memory works in all of them, in any order of freeing.
  auto handle = create(1);
  for (auto [start, length] : all) {
    map(start + (length - 1) * kUnit, 1, handle);
    start[length * kUnit - 1] = std::byte{1};
    ASSERT_TRUE(memory_.unmap(start + (length - 1) * kUnit, kUnit));
  }
  for (size_t i : {1, 0, 4, 2, 3})
    EXPECT_TRUE(memory_.free(all[i].first, all[i].second * kUnit)) << i;
  ASSERT_TRUE(memory_.release(handle));
  expect_clean();
  RecordProperty("followed", static_cast<int>(followed));
}

TEST_F(VirtualMemoryTest, FreeAddressesAreGivenAsWished) {
  std::byte* base = reserve(16);
  ASSERT_TRUE(memory_.free(base, 16 * kUnit));
  EXPECT_EQ(reserve(4, base + 4 * kUnit), base + 4 * kUnit);
  // Growing in place: the room behind is free, too.
  EXPECT_EQ(reserve(2, base + 8 * kUnit), base + 8 * kUnit);
  EXPECT_EQ(reserve(1, base + 10 * kUnit), base + 10 * kUnit);
  // Taken: elsewhere.
  EXPECT_NE(reserve(1, base + 5 * kUnit), base + 5 * kUnit);
}

TEST_F(VirtualMemoryTest, WrongArgumentsAreRefused) {
  std::byte* base = reserve(4);
  auto handle = create(2);
  EXPECT_EQ(code(memory_.reserve(0, 0, nullptr)), kInvalid);
  EXPECT_EQ(code(memory_.reserve(100, 0, nullptr)), kInvalid);
  EXPECT_EQ(code(memory_.reserve(kUnit, 3, nullptr)), kInvalid);
  EXPECT_EQ(code(memory_.reserve(kUnit, 0, base + 1)), kInvalid);
  EXPECT_EQ(code(memory_.reserve(~size_t{4095}, 0, nullptr)), StatusCode::out_of_memory);
  EXPECT_EQ(code(memory_.free(base, kUnit)), kInvalid);
  EXPECT_EQ(code(memory_.free(base + kUnit, 4 * kUnit)), kInvalid);
  EXPECT_EQ(code(memory_.create(0, {})), kInvalid);
  EXPECT_EQ(code(memory_.create(kUnit + 4096, {})), kInvalid);
  EXPECT_EQ(code(memory_.create(size_t{1} << 60, {})), StatusCode::out_of_memory);
  EXPECT_EQ(code(memory_.release(12345)), kInvalid);
  EXPECT_EQ(code(memory_.properties(12345)), kInvalid);
  EXPECT_EQ(code(memory_.map(base, 2 * kUnit, 0, 12345)), kInvalid);
  EXPECT_EQ(code(memory_.map(base, 3 * kUnit, 0, handle)), kInvalid) << "beyond the memory";
  EXPECT_EQ(code(memory_.map(base, kUnit, 2 * kUnit, handle)), kInvalid);
  EXPECT_EQ(code(memory_.map(base, kUnit, 4096, handle)), kInvalid);
  EXPECT_EQ(code(memory_.map(base + 4096, kUnit, 0, handle)), kInvalid);
  EXPECT_EQ(code(memory_.map(base, 0, 0, handle)), kInvalid);
  EXPECT_EQ(code(memory_.map(base + 3 * kUnit, 2 * kUnit, 0, handle)), kInvalid)
      << "beyond the reservation";
  EXPECT_EQ(code(memory_.map(base - kUnit, kUnit, 0, handle)), kInvalid);
  map(base, 2, handle);
  EXPECT_EQ(code(memory_.map(base + kUnit, kUnit, 0, handle)), kInvalid) << "mapped already";
  EXPECT_EQ(code(memory_.unmap(base, kUnit)), kInvalid) << "half of a mapping";
  EXPECT_EQ(code(memory_.unmap(base + kUnit, kUnit)), kInvalid);
  EXPECT_EQ(code(memory_.unmap(base, 3 * kUnit)), kInvalid);
  EXPECT_EQ(code(memory_.set_access(base, 3 * kUnit, Side::device, Access::read)), kInvalid);
  EXPECT_EQ(code(memory_.set_access(base, 2 * kUnit, Side::host, Access::read)), kInvalid);
  EXPECT_EQ(code(memory_.access(base + 2 * kUnit, Side::device)), kInvalid);
  EXPECT_EQ(code(memory_.free(base, 4 * kUnit)), kInvalid) << "in use";
  EXPECT_EQ(code(memory_.export_file(handle)), kInvalid) << "not asked for";
  EXPECT_EQ(code(memory_.import_file(0)), kInvalid);
  EXPECT_EQ(code(memory_.import_file(-1)), kInvalid);
}

TEST_F(VirtualMemoryTest, AnExportedFileIsTheSameMemory) {
  std::byte* one = reserve(1);
  std::byte* two = reserve(1);
  auto handle = create(1, true);
  map(one, 1, handle);
  one[3] = std::byte{7};
  auto file = memory_.export_file(handle);
  ASSERT_TRUE(file);
  auto imported = memory_.import_file(*file);
  ASSERT_TRUE(imported);
  close(*file);
  EXPECT_NE(*imported, handle);
  EXPECT_TRUE(memory_.properties(*imported)->exportable);
  map(two, 1, *imported);
  EXPECT_EQ(two[3], std::byte{7});
  ASSERT_TRUE(memory_.unmap(one, kUnit));
  ASSERT_TRUE(memory_.release(handle));
  two[4] = std::byte{8};
  EXPECT_EQ(two[3], std::byte{7});
}

TEST_F(VirtualMemoryTest, DevicesKnowWhatTheyCanHave) {
  static Regions regions;  // stays, as the heap's destructor does not care
  ASSERT_TRUE(heap_.observe_regions(regions, 4 << 20));
  const size_t unit = memory_.granularity();
  EXPECT_EQ(unit, size_t{4} << 20);
  auto base = *memory_.reserve(8 * unit, 0, nullptr);
  auto other = *memory_.reserve(8 * unit, 0, nullptr);
  auto handle = *memory_.create(2 * unit, {false, -1, true});
  auto access = [&](std::byte* at, size_t units, Access wanted) {
    ASSERT_TRUE(memory_.set_access(at, units * unit, Side::device, wanted));
  };
  ASSERT_TRUE(memory_.map(base, 2 * unit, 0, handle));
  EXPECT_TRUE(regions.there.empty()) << "nobody may use it yet";
  access(base, 2, Access::read_write);
  EXPECT_EQ(regions.there.size(), 1u);
  EXPECT_GE(regions.files[base], 0);
  EXPECT_FALSE(heap_.find(base)->host_only);
  // Read only: the host finds out who writes.
  access(base, 2, Access::read);
  EXPECT_TRUE(regions.there.empty());
  EXPECT_EQ(regions.withdrawn, 1);
  EXPECT_TRUE(heap_.find(base)->host_only);
  EXPECT_TRUE(heap_.find(base)->read_only);
  access(base, 2, Access::read_write);
  EXPECT_EQ(regions.there.size(), 1u);
  // The same bytes twice.
  ASSERT_TRUE(memory_.map(other, unit, unit, handle));
  EXPECT_TRUE(regions.there.empty());
  EXPECT_TRUE(heap_.find(base)->host_only);
  access(other, 1, Access::read_write);
  EXPECT_TRUE(regions.there.empty());
  ASSERT_TRUE(memory_.unmap(other, unit));
  EXPECT_EQ(regions.there.size(), 1u) << "alone again";
  EXPECT_FALSE(heap_.find(base)->host_only);
  // Different bytes of the same memory are no matter.
  ASSERT_TRUE(memory_.unmap(base, 2 * unit));
  EXPECT_TRUE(regions.there.empty());
  ASSERT_TRUE(memory_.map(base, unit, 0, handle));
  ASSERT_TRUE(memory_.map(other, unit, unit, handle));
  access(base, 1, Access::read_write);
  access(other, 1, Access::read_write);
  EXPECT_EQ(regions.there.size(), 2u);
  EXPECT_EQ(regions.files[other], -1) << "not the file's first page";
  // A neighbour that devices cannot have keeps work that may run into it on the host.
  auto neighbour = *memory_.create(unit, {true, -1, false});
  ASSERT_TRUE(memory_.map(other + unit, unit, 0, neighbour));
  access(other + unit, 1, Access::read_write);
  EXPECT_TRUE(heap_.find(other)->host_only);
  ASSERT_TRUE(memory_.unmap(other + unit, unit));
  EXPECT_FALSE(heap_.find(other)->host_only);
  // Other processes.
  auto file = memory_.export_file(handle);
  ASSERT_TRUE(file);
  close(*file);
  EXPECT_TRUE(regions.there.empty());
  EXPECT_TRUE(heap_.find(base)->host_only);
}

TEST_F(VirtualMemoryTest, SharedBlocksStayOnTheHostAndNothingNewComesBesideThem) {
  static Regions regions;
  ASSERT_TRUE(heap_.observe_regions(regions, 64 << 10));
  auto* one = static_cast<std::byte*>(*heap_.allocate(1000, AllocationKind::device));
  auto* two = static_cast<std::byte*>(*heap_.allocate(1000, AllocationKind::device));
  EXPECT_EQ(regions.there.size(), 1u);
  auto shared = heap_.share(one);
  ASSERT_TRUE(shared);
  EXPECT_TRUE(regions.there.empty());
  EXPECT_TRUE(heap_.find(one)->host_only);
  EXPECT_TRUE(heap_.find(two)->host_only) << "it is in the same pages";
  auto* three = static_cast<std::byte*>(*heap_.allocate(1000, AllocationKind::device));
  EXPECT_FALSE(heap_.find(three)->host_only);
  EXPECT_EQ(regions.there.size(), 1u);
  for (std::byte* each : {two, one, three})
    EXPECT_TRUE(heap_.release(each, kind_bit(AllocationKind::device)));
  // A block with pages of its own.
  auto* large = static_cast<std::byte*>(*heap_.allocate(8 << 20, AllocationKind::device));
  EXPECT_EQ(regions.there.size(), 2u);
  ASSERT_TRUE(heap_.share(large));
  ASSERT_TRUE(heap_.share(large)) << "as often as wanted";
  EXPECT_EQ(regions.there.size(), 1u);
  EXPECT_TRUE(heap_.find(large)->host_only);
}

}  // namespace
}  // namespace guda::memory
