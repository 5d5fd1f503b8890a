// Memory that a worker reuses from block to block: shared windows, local memory, warp frames and
// fiber stacks. Mapped lazily, guarded on both sides, never zeroed between uses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace guda::cpu {

inline constexpr size_t kPageSize = 4096;

/// Anonymous memory between two inaccessible pages. Not thread safe.
class GuardedRegion {
 public:
  GuardedRegion() = default;
  GuardedRegion(const GuardedRegion&) = delete;
  GuardedRegion& operator=(const GuardedRegion&) = delete;
  ~GuardedRegion() { release(); }

  /// At least `bytes` bytes, page aligned; the content of an earlier call is lost when it grows.
  /// Null when the system has no memory.
  std::byte* reserve(size_t bytes);
  std::byte* data() const { return data_; }
  size_t capacity() const { return capacity_; }
  /// True for addresses in the page before the region, where a stack overflows to.
  bool is_lower_guard(const void* address) const {
    const auto* byte = static_cast<const std::byte*>(address);
    return data_ != nullptr && byte < data_ && byte >= data_ - kPageSize;
  }

 private:
  void release();

  std::byte* data_ = nullptr;
  size_t capacity_ = 0;
};

/// Stacks of one size, each with a guard page below. Pages are touched only when used.
class StackPool {
 public:
  StackPool() = default;
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;
  ~StackPool() { release(); }

  /// Makes stacks of at least `bytes` usable bytes; drops smaller ones, so none may be in use
  /// unless they are large enough already.
  void set_stack_bytes(size_t bytes);
  /// Top of a free stack, 16-byte aligned; null when the system has no memory.
  void* acquire();
  void give_back(void* top) { free_.push_back(top); }
  size_t stack_bytes() const { return stride_ - kPageSize; }
  /// Lowest usable address of the stack with this top.
  void* bottom(void* top) const;
  /// All stacks are free again (after a fault abandoned them).
  void reclaim_all();
  /// Unmaps all but about `stacks` stacks. None may be in use.
  void trim(size_t stacks);
  /// True when the address lies in the guard page of one of the stacks.
  bool is_guard(const void* address) const;

 private:
  static constexpr size_t kStacksPerSlab = 32;
  struct Slab {
    std::byte* base;
    size_t stride;
  };

  void* top_of(const Slab& slab, size_t index) const;
  void release();

  size_t stride_ = 0;  // usable bytes + guard page
  std::vector<Slab> slabs_;
  std::vector<void*> free_;
};

}  // namespace guda::cpu
