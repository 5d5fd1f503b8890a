// For tests of the coherent pool: host memory, and a pool with two devices.
#pragma once

#include "memory/coherent_pool.h"
#include "tests/backends/memory_device.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstring>

namespace guda::memory {

using backend::MemoryDevice;

inline constexpr size_t kGranule = CoherentPool::kGranule;

/// Host memory of a few granules.
class Memory {
 public:
  explicit Memory(size_t granules) : size_(granules * kGranule) {
    data_ = static_cast<std::byte*>(
        mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  }
  ~Memory() { munmap(data_, size_); }
  std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  Range bytes(size_t offset, size_t count) const { return Range::of(data_ + offset, count); }
  Range all() const { return bytes(0, size_); }

 private:
  std::byte* data_;
  size_t size_;
};

class CoherentPoolTest : public testing::Test {
 protected:
  CoherentPoolTest() : first_(8 * kGranule), second_(64 * kGranule, 1) {
    a_ = pool_.add_device(first_);
    b_ = pool_.add_device(second_);
  }
  void add(const Memory& memory) { pool_.add_region(memory.data(), memory.size(), -1); }
  /// Work on a device that writes `value` into a range that it may read as well.
  void write(Space space, MemoryDevice& device, Range range, int value) {
    auto lease = pool_.acquire(space, {&range, 1});
    ASSERT_TRUE(lease) << lease.status().message();
    std::memset(device.at(reinterpret_cast<void*>(range.begin)), value, range.bytes());
    pool_.commit(space, {&range, 1});
  }

  MemoryDevice first_, second_;
  CoherentPool pool_;
  Space a_ = 0, b_ = 0;
};

}  // namespace guda::memory
