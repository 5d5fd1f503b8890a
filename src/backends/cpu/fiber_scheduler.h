// Runs the threads of blocks as fibers of one worker: barriers, cross-lane operations, and loops
// that wait for other threads. Exact and slow; the oracle for the SIMD tiers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backends/cpu/block_memory.h"
#include "backends/cpu/launch.h"
#include "backends/cpu/sanitizer_stacks.h"
#include "backends/cpu/warp_ops.h"
#include "compiler/driver/kernel_abi.h"

namespace guda::cpu {

class Worker;

/// Used by one worker only.
///
/// Lanes of a warp run lowest first, each until it blocks, yields or ends; warps and blocks take
/// turns. Cooperative grids keep every block resident. Other kernels have one block at a time,
/// unless that block only waits: then the next one joins it.
class FiberScheduler {
 public:
  explicit FiberScheduler(Worker& worker);
  ~FiberScheduler();
  FiberScheduler(const FiberScheduler&) = delete;
  FiberScheduler& operator=(const FiberScheduler&) = delete;

  /// Runs the blocks of `range`, and further ones from the launch where waiting blocks need
  /// company. Called inside a guarded call; returns when none of its blocks is left.
  void run(Launch& launch, BlockRange& range);

  /// Forgets all blocks, after a fault unwound run().
  void abandon();

  uint64_t finished_blocks() const { return finished_blocks_; }
  bool is_stack_guard(const void* address) const { return stacks_.is_guard(address); }

  // Services, called on a fiber.
  uint32_t barrier(kernel::ThreadState* thread, kernel::BarrierOp op, uint32_t id, uint32_t count,
                   uint32_t predicate);
  uint64_t warp_op(kernel::ThreadState* thread, kernel::WarpOp op, uint32_t mask, uint64_t a,
                   uint32_t b, uint32_t c, uint32_t* predicate);
  void yield();
  [[noreturn]] void exit_thread();

 private:
  static constexpr uint32_t kMaxWarps = 32;
  static constexpr uint32_t kBarriers = 16;

  struct ResidentBlock;
  struct Warp;

  struct Fiber {
    kernel::ThreadState state;  // first: services get its address
    void* stack_pointer;        // null: not started
    void* stack_top;
    ResidentBlock* block;
    Warp* warp;
    uint32_t bit;  // 1 << lane
    kernel::BarrierOp barrier_op;
    uint32_t barrier_result;
    [[no_unique_address]] StackIdentity stack;
  };

  // Lanes that have met at one cross-lane operation.
  struct Rendezvous {
    kernel::WarpOp op;
    uint32_t members;
    uint32_t arrived;
  };

  struct Warp {
    Fiber* fibers;
    uint32_t alive;
    uint32_t runnable;
    uint32_t yielded;  // runnable, but had their turn
    uint32_t at_activemask;
    uint32_t rendezvous_count;
    std::array<Rendezvous, kWarpSize> rendezvous;
    std::array<LaneOperands, kWarpSize> operands;
    std::array<LaneResult, kWarpSize> results;
  };

  struct Barrier {
    uint32_t expected;       // threads; 0: all of the block
    uint32_t arrived_alive;  // arrived and not exited
    uint32_t repeated;       // arrivals of threads that had arrived before
    uint32_t popcount;
    bool all;
    bool any;
    std::array<uint32_t, kMaxWarps> arrived;
    std::array<uint32_t, kMaxWarps> waiting;
  };

  struct ResidentBlock {
    kernel::BlockState state;
    GuardedRegion shared;
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    uint32_t alive;
    uint32_t active_barriers;  // bit per barrier that somebody waits at or has arrived at
    std::array<Barrier, kBarriers> barriers;
  };

  static void fiber_main(void* fiber);

  bool admit(uint64_t block);
  bool take_another();
  void retire(size_t position);
  /// Runs the warp until no lane can go on before others have had their turn.
  void visit(Warp& warp);
  void switch_from(Fiber& fiber, Fiber& next);
  void switch_to_scheduler(Fiber& fiber, bool ends);
  /// Leaves the current fiber, for another lane of its warp or for the scheduler.
  void suspend(Fiber& fiber);
  bool start(Fiber& fiber);
  bool release_activemask(Warp& warp);
  void complete_rendezvous(Warp& warp, uint32_t number);
  void complete_ready_rendezvous(Warp& warp);
  bool barrier_is_complete(const ResidentBlock& block, const Barrier& barrier,
                           bool count_exited_warps) const;
  void release_barrier(ResidentBlock& block, uint32_t id);
  void thread_ended(Fiber& fiber);
  /// Nothing can run: lets divergent cross-lane operations go on with the lanes that have come, as
  /// hardware does; false when that does not help.
  bool resolve_deadlock();
  void report_deadlock();

  Worker& worker_;
  Launch* launch_ = nullptr;
  BlockRange* range_ = nullptr;
  StackPool stacks_;
  std::vector<std::unique_ptr<ResidentBlock>> resident_;
  std::vector<std::unique_ptr<ResidentBlock>> spare_;
  Fiber* current_ = nullptr;
  Fiber* ended_ = nullptr;  // its stack is free once we are off it
  void* scheduler_stack_ = nullptr;
  uint32_t turn_budget_ = 0;  // lane switches before other warps get their turn
  uint64_t events_ = 0;  // arrivals and ends: signs of progress
  uint64_t finished_blocks_ = 0;
};

}  // namespace guda::cpu
