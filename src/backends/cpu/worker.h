// A thread that takes part in launches: its memory, what it is executing, and how it leaves a
// kernel that faults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "backends/cpu/block_memory.h"
#include "backends/cpu/context_switch.h"
#include "backends/cpu/launch.h"
#include "backends/cpu/sanitizer_stacks.h"
#include "compiler/driver/kernel_abi.h"

namespace guda::cpu {

class FiberScheduler;

/// Why a guarded call was left. Written by signal handlers and services: plain data only.
struct FaultRecord {
  enum class Kind : uint32_t { none, signal, service, next_thread };
  Kind kind = Kind::none;
  StatusCode code = StatusCode::ok;
  uintptr_t address = 0;
  bool stack_overflow = false;
};

/// Owned by one thread (this_worker) and used by that thread only.
class Worker {
 public:
  Worker();
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Executes blocks of the launch until none are left, or, when `may_leave` says so between two
  /// chunks, until then. Errors are recorded in the launch.
  void execute(Launch& launch, bool (*may_leave)(void*), void* argument);

  /// Blocks executed by the last execute().
  uint64_t executed_blocks() const { return executed_; }

  uint32_t index = 0;         // %smid
  uint32_t worker_total = 1;  // %nsmid

  // What is being executed, for services and the fault handler.
  bool in_kernel = false;  // inside a guarded call
  GuardPoint guard;
  FaultRecord fault;
  Launch* launch = nullptr;
  const kernel::BlockState* block = nullptr;
  const kernel::ThreadState* thread = nullptr;  // tier C
  FiberScheduler* fibers = nullptr;             // set while fibers run

  StackIdentity thread_stack;  // the thread's own

  bool is_stack_guard(const void* address) const;
  /// Scratch of `kTextBytes` for formatting, so that a fault in the middle leaks nothing.
  static constexpr size_t kTextBytes = 64 * 1024;
  char* text();

 private:
  bool prepare();
  void run_range();
  void run_range_on_kernel_stack();
  void run_warps(const kernel::KernelInfo& kernel);
  void run_warps_unequal(const kernel::KernelInfo& kernel, uint32_t warps);
  kernel::WarpProgress* warp_progress(const kernel::KernelInfo& kernel, uint32_t warps);
  void run_threads(const kernel::KernelInfo& kernel);
  void report_fault();

  GuardedRegion shared_;
  GuardedRegion local_;
  GuardedRegion frames_;
  GuardedRegion text_;
  GuardedRegion kernel_stack_;  // of threads that run one after the other
  StackIdentity kernel_stack_identity_;
  std::unique_ptr<FiberScheduler> fiber_scheduler_;

  BlockRange range_;          // rest of the current chunk
  uint32_t next_thread_ = 0;  // resume point after a thread was left by exit or assert
  uint64_t executed_ = 0;
  kernel::BlockState block_state_{};
};

/// The calling thread's worker; created on first use, released when the thread ends.
Worker& this_worker();
/// The same without creating: null on threads that never ran a kernel. Safe in signal handlers.
Worker* current_worker();

}  // namespace guda::cpu
