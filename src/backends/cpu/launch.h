// One kernel launch while it executes: what is shared by the workers that take part.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "backends/cpu/executor.h"
#include "compiler/driver/kernel_abi.h"
#include "support/status.h"

namespace guda::cpu {

/// Blocks [begin, end) in launch order (x fastest).
struct BlockRange {
  uint64_t begin = 0;
  uint64_t end = 0;
};

/// Lives on the stack of the thread that called Executor::run. Thread safe where not said
/// otherwise.
class Launch {
 public:
  Launch(const LaunchDescription& description, uint32_t workers);

  /// How the kernel has to be executed.
  enum class Mode { blocks, warps, threads, fibers };

  const kernel::LaunchState& state() const { return state_; }
  const kernel::KernelInfo& kernel() const { return *kernel_; }
  const char* name() const { return kernel_->name != nullptr ? kernel_->name : "?"; }
  Mode mode() const { return mode_; }
  bool cooperative() const { return cooperative_; }
  const TextureTables* textures() const { return textures_; }
  bool polls() const { return (kernel_->flags & kernel::kPollsMemory) != 0; }
  uint32_t block_threads() const { return block_threads_; }
  uint32_t warps() const { return (block_threads_ + 31) / 32; }
  uint64_t blocks() const { return blocks_; }
  /// Blocks that run, per axis; less than the grid's in a slice.
  const kernel::Dim3& extent() const { return extent_; }
  size_t shared_bytes() const {
    return size_t{state_.static_shared_bytes} + state_.dynamic_shared_bytes;
  }

  /// Takes the next blocks, always in ascending order: kernels whose blocks wait for earlier ones
  /// (single-pass scans) rely on it. False when none are left or the launch has failed.
  bool take(BlockRange* range);
  bool exhausted() const { return ticket_.load(std::memory_order_relaxed) >= blocks_; }

  /// Index of a block, for BlockState.
  kernel::Dim3 block_index(uint64_t linear) const;

  /// Records the first error and stops the hand-out of blocks.
  void fail(Status status);
  bool failed() const { return failed_.load(std::memory_order_relaxed); }
  /// After all workers have left.
  Status take_status() { return std::move(status_); }

  // Bookkeeping of the executor.
  std::atomic<uint32_t> helpers{0};  // workers inside, besides the caller
  std::atomic<uint32_t> wake_budget{0};  // sleepers that still may be woken for this launch
  uint32_t max_helpers = 0;

 private:
  const kernel::KernelInfo* kernel_;
  kernel::LaunchState state_{};
  uint32_t grid_workspace_[2] = {sizeof(grid_workspace_), 0};
  std::vector<std::byte> aligned_params_;
  Mode mode_;
  bool cooperative_;
  const TextureTables* textures_;
  uint32_t block_threads_;
  uint32_t workers_;
  kernel::Dim3 extent_;
  uint64_t blocks_;
  std::atomic<bool> failed_{false};
  std::mutex status_mutex_;
  Status status_;
  alignas(64) std::atomic<uint64_t> ticket_{0};
};

}  // namespace guda::cpu
