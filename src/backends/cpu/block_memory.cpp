#include "backends/cpu/block_memory.h"

#include <sys/mman.h>

#include <algorithm>

namespace guda::cpu {
namespace {

size_t round_to_pages(size_t bytes) { return (bytes + kPageSize - 1) / kPageSize * kPageSize; }

std::byte* map(size_t bytes, int protection) {
  void* memory =
      mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
}

// Guard pages made by mprotect split the mapping, and a process may have only 65530 of them; newer
// kernels (6.13) can mark guard pages inside a mapping. Without either the stack has no guard.
void protect_page(std::byte* page) {
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
  if (madvise(page, kPageSize, MADV_GUARD_INSTALL) == 0) return;
  [[maybe_unused]] const int failed = mprotect(page, kPageSize, PROT_NONE);
}

}  // namespace

std::byte* GuardedRegion::reserve(size_t bytes) {
  if (bytes <= capacity_) return data_;
  release();
  const size_t size = round_to_pages(bytes);
  std::byte* base = map(size + 2 * kPageSize, PROT_NONE);
  if (base == nullptr) return nullptr;
  if (mprotect(base + kPageSize, size, PROT_READ | PROT_WRITE) != 0) {
    munmap(base, size + 2 * kPageSize);
    return nullptr;
  }
  data_ = base + kPageSize;
  capacity_ = size;
  return data_;
}

void GuardedRegion::release() {
  if (data_ == nullptr) return;
  munmap(data_ - kPageSize, capacity_ + 2 * kPageSize);
  data_ = nullptr;
  capacity_ = 0;
}

void StackPool::set_stack_bytes(size_t bytes) {
  const size_t stride = round_to_pages(bytes) + kPageSize;
  if (stride <= stride_) return;
  release();
  stride_ = stride;
}

void* StackPool::top_of(const Slab& slab, size_t index) const {
  // Tops at equal offsets within a page would share a few cache sets; spread them.
  return slab.base + (index + 1) * slab.stride - (index % 16) * 192;
}

void* StackPool::acquire() {
  if (free_.empty()) {
    std::byte* base = map(kStacksPerSlab * stride_, PROT_READ | PROT_WRITE);
    if (base == nullptr) return nullptr;
    const Slab slab{base, stride_};
    slabs_.push_back(slab);
    free_.reserve(slabs_.size() * kStacksPerSlab);
    for (size_t i = kStacksPerSlab; i-- > 0;) {
      protect_page(base + i * stride_);
      free_.push_back(top_of(slab, i));
    }
  }
  void* top = free_.back();
  free_.pop_back();
  return top;
}

void StackPool::reclaim_all() {
  free_.clear();
  for (const Slab& slab : slabs_) {
    for (size_t i = kStacksPerSlab; i-- > 0;) free_.push_back(top_of(slab, i));
  }
}

void* StackPool::bottom(void* top) const {
  const auto* byte = static_cast<const std::byte*>(top);
  for (const Slab& slab : slabs_) {
    if (byte <= slab.base || byte > slab.base + kStacksPerSlab * slab.stride) continue;
    const size_t index = (static_cast<size_t>(byte - slab.base) - 1) / slab.stride;
    return slab.base + index * slab.stride + kPageSize;
  }
  return nullptr;
}

void StackPool::trim(size_t stacks) {
  const size_t keep = (stacks + kStacksPerSlab - 1) / kStacksPerSlab;
  if (slabs_.size() <= keep) return;
  for (size_t i = keep; i < slabs_.size(); ++i) {
    munmap(slabs_[i].base, kStacksPerSlab * slabs_[i].stride);
  }
  slabs_.resize(keep);
  reclaim_all();
}

bool StackPool::is_guard(const void* address) const {
  const auto* byte = static_cast<const std::byte*>(address);
  return std::any_of(slabs_.begin(), slabs_.end(), [&](const Slab& slab) {
    return byte >= slab.base && byte < slab.base + kStacksPerSlab * slab.stride &&
           static_cast<size_t>(byte - slab.base) % slab.stride < kPageSize;
  });
}

void StackPool::release() {
  for (const Slab& slab : slabs_) munmap(slab.base, kStacksPerSlab * slab.stride);
  slabs_.clear();
  free_.clear();
}

}  // namespace guda::cpu
