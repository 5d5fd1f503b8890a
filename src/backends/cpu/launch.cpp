#include "backends/cpu/launch.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/services.h"
#include "backends/cpu/texture_table.h"

namespace guda::cpu {
namespace {

constexpr size_t kParamAlignment = 64;
constexpr uint64_t kMaxChunk = 64;

Launch::Mode choose_mode(const kernel::KernelInfo& kernel) {
  if (kernel.run_block != nullptr) return Launch::Mode::blocks;
  if (kernel.run_warps != nullptr) return Launch::Mode::warps;
  const uint32_t needs_fibers = kernel::kUsesBarrier | kernel::kUsesWarpOps | kernel::kPollsMemory;
  return (kernel.flags & needs_fibers) != 0 ? Launch::Mode::fibers : Launch::Mode::threads;
}

}  // namespace

Launch::Launch(const LaunchDescription& description, uint32_t workers)
    : kernel_(description.kernel),
      mode_(choose_mode(*description.kernel)),
      cooperative_(description.cooperative),
      textures_(description.textures != nullptr ? description.textures : host_textures()),
      block_threads_(description.block.x * description.block.y * description.block.z),
      workers_(workers),
      extent_(description.blocks.x != 0 ? description.blocks : description.grid),
      blocks_(uint64_t{extent_.x} * extent_.y * extent_.z) {
  const std::byte* params = description.params.data();
  const bool aligned = reinterpret_cast<uintptr_t>(params) % kParamAlignment == 0;
  if (!aligned || description.params.size() < kernel_->param_bytes) {
    // Vectors of bytes are not aligned enough: leave room to shift.
    const size_t bytes = std::max<size_t>(description.params.size(), kernel_->param_bytes);
    aligned_params_.resize(bytes + kParamAlignment);
    const auto address = reinterpret_cast<uintptr_t>(aligned_params_.data());
    std::byte* target = aligned_params_.data() + (kParamAlignment - address % kParamAlignment);
    if (!description.params.empty()) std::memcpy(target, params, description.params.size());
    params = target;
  }
  state_.params = params;
  state_.symbols = description.symbols;
  state_.services = services();
  state_.grid = description.grid;
  state_.block = description.block;
  state_.block_offset = description.block_offset;
  state_.dynamic_shared_bytes = description.dynamic_shared_bytes;
  state_.static_shared_bytes = kernel_->static_shared_bytes;
  state_.grid_id = description.grid_id;
  state_.owner = this;
  state_.grid_workspace = cooperative_ ? grid_workspace_ : nullptr;
}

bool Launch::take(BlockRange* range) {
  if (failed()) return false;
  const uint64_t seen = ticket_.load(std::memory_order_relaxed);
  if (seen >= blocks_) return false;
  // Guided: large chunks while much is left, single blocks at the end. Blocks that may wait for
  // each other are handed out one by one.
  uint64_t chunk = 1;
  if (!cooperative_ && !polls()) {
    chunk = std::clamp<uint64_t>((blocks_ - seen) / (8 * uint64_t{workers_}), 1, kMaxChunk);
  }
  const uint64_t begin = ticket_.fetch_add(chunk, std::memory_order_relaxed);
  if (begin >= blocks_) return false;
  *range = {begin, std::min(begin + chunk, blocks_)};
  return true;
}

kernel::Dim3 Launch::block_index(uint64_t linear) const {
  const kernel::Dim3& offset = state_.block_offset;
  const uint64_t row = linear / extent_.x;
  return {static_cast<uint32_t>(linear % extent_.x) + offset.x,
          static_cast<uint32_t>(row % extent_.y) + offset.y,
          static_cast<uint32_t>(row / extent_.y) + offset.z};
}

void Launch::fail(Status status) {
  const std::lock_guard lock(status_mutex_);
  if (failed()) return;
  status_ = std::move(status);
  failed_.store(true, std::memory_order_release);
}

}  // namespace guda::cpu
