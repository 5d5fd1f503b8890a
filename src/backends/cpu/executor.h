// The CPU engine: runs the blocks of a launch on all cores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "compiler/driver/kernel_abi.h"
#include "support/status.h"

namespace guda::cpu {

struct TextureTables;

/// A checked launch: dimensions are within the device's limits, `params` is packed as
/// KernelInfo::param_bytes says. Everything it points to must stay alive until run() returns.
struct LaunchDescription {
  const kernel::KernelInfo* kernel = nullptr;
  std::span<const std::byte> params;
  void* const* symbols = nullptr;  // KernelInfo::symbol_count addresses
  kernel::Dim3 grid{1, 1, 1};
  kernel::Dim3 block{1, 1, 1};
  /// A slice: blocks block_offset <= index < block_offset + blocks, of a launch whose %nctaid is `grid`.
  kernel::Dim3 block_offset{0, 0, 0};
  kernel::Dim3 blocks{0, 0, 0};  // zeros: as many as `grid`
  uint32_t dynamic_shared_bytes = 0;
  bool cooperative = false;  // all blocks resident at once
  uint64_t grid_id = 0;
  /// What texture handles stand for; null: what host_textures() says.
  const TextureTables* textures = nullptr;
};

/// One per process, created by the first launch; no thread exists before. Thread safe.
class Executor {
 public:
  static Executor& instance();

  /// Runs the launch to its end; the calling thread takes part. Launches from several threads share
  /// the workers fairly. Errors: illegal_address, misaligned_address, illegal_instruction,
  /// hardware_stack_error, device_assert, launch_failed (trap, deadlock), out_of_memory (no memory
  /// for shared windows or stacks), not_initialized (in a forked child).
  Status run(const LaunchDescription& launch);

  /// Expected time of the launch on one core, from earlier launches of the same kernel; 0: unknown.
  /// Callers may run launches of a few microseconds on their own thread.
  uint64_t predicted_ns(const LaunchDescription& launch) const;

  /// Threads that take part in a launch, the caller included.
  uint32_t workers() const;

  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

 private:
  Executor();
  ~Executor() = delete;  // lives as long as the process: workers may still run at exit

  struct State;
  State* state_;
};

/// Number of workers an Executor has or would have: GUDA_NUM_THREADS, else the cores this process
/// may use. Creates nothing.
uint32_t worker_count();

/// Prints what kernels have printed so far. Called at synchronisation.
void flush_printf();

/// cudaLimitStackSize: bytes of stack that a device thread may use. Takes effect with the next
/// launch.
void set_stack_limit(size_t bytes);
size_t stack_limit();

/// cudaLimitMallocHeapSize. Error illegal_state once a kernel has allocated.
Status set_malloc_heap_limit(size_t bytes);
size_t malloc_heap_limit();

}  // namespace guda::cpu
