#include "backends/cpu/fiber_scheduler.h"

#include <sched.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <string>

#include "backends/cpu/context_switch.h"
#include "backends/cpu/worker.h"
#include "support/log.h"

namespace guda::cpu {
namespace {

using kernel::BarrierOp;
using kernel::WarpOp;
using Clock = std::chrono::steady_clock;

constexpr uint32_t kTurnBudget = 100'000;
// How long the resident blocks may do nothing but poll before the next block joins them. Most wait
// for an earlier block, which another worker has; company helps only those that wait for a later
// one.
constexpr auto kIdleBeforeCompany = std::chrono::microseconds(500);
// The same for kernels whose polling loops contain barriers or cross-lane operations, so that there
// is always some progress.
constexpr auto kPollingBeforeCompany = std::chrono::milliseconds(50);
constexpr size_t kSpareBlocks = 16;
#if defined(__SANITIZE_THREAD__)
constexpr uint32_t kMaxResidentFibers = 2 * 1024;  // of the 8128 that ThreadSanitizer can have
#else
constexpr uint32_t kMaxResidentFibers = 32 * 1024;
#endif

size_t stack_bytes(const Launch& launch) {
  return std::max<size_t>(64 * 1024, 2 * stack_limit() + launch.kernel().local_bytes + 32 * 1024);
}

}  // namespace

FiberScheduler::FiberScheduler(Worker& worker) : worker_(worker) {}
FiberScheduler::~FiberScheduler() = default;

void FiberScheduler::fiber_main(void* argument) {
  auto* fiber = static_cast<Fiber*>(argument);
  FiberScheduler* self = current_worker()->fibers;
  after_switch(fiber->stack, &self->worker_.thread_stack);
  self->launch_->kernel().run_thread(&fiber->state);
  self->exit_thread();
}

void FiberScheduler::run(Launch& launch, BlockRange& range) {
  launch_ = &launch;
  range_ = &range;
  finished_blocks_ = 0;
  stacks_.set_stack_bytes(stack_bytes(launch));
  worker_.fibers = this;
  uint32_t idle_rounds = 0;
  Clock::time_point idle_since;
  Clock::time_point polling_since{};
  for (;;) {
    if (resident_.empty()) {
      if (range.begin >= range.end || launch.failed()) break;
      if (!admit(range.begin++)) break;
      idle_rounds = 0;
      polling_since = {};
    }
    const uint64_t events_before = events_;
    bool waiting = false;  // somebody is runnable and polls
    for (size_t b = 0; b < resident_.size();) {
      ResidentBlock& block = *resident_[b];
      worker_.block = &block.state;
      for (Warp& warp : block.warps) {
        if (warp.runnable != 0 || warp.at_activemask != 0) visit(warp);
        waiting |= warp.runnable != 0;
      }
      if (block.alive == 0) {
        retire(b);
      } else {
        ++b;
      }
    }
    if (launch.failed()) {
      // Somebody else's fault: what our blocks wait for may never come.
      abandon();
      break;
    }
    if (resident_.empty()) continue;
    if (launch.cooperative() && take_another()) continue;
    if (!waiting) {
      idle_rounds = 0;
      if (events_ == events_before && !resolve_deadlock()) {
        report_deadlock();
        abandon();
        break;
      }
      continue;
    }
    if (events_ != events_before) {
      idle_rounds = 0;
      if (!launch.polls()) continue;
      const Clock::time_point now = Clock::now();
      if (polling_since == Clock::time_point{}) polling_since = now;
      if (now - polling_since > kPollingBeforeCompany && take_another()) polling_since = now;
      continue;
    }
    if (idle_rounds++ == 0) idle_since = Clock::now();
    if (idle_rounds < 16) continue;
    const Clock::time_point now = Clock::now();
    if (now - idle_since > kIdleBeforeCompany && take_another()) {
      idle_since = now;
    } else {
      // What we wait for is another thread's work: let it have the core.
      sched_yield();
    }
  }
  worker_.fibers = nullptr;
  if (spare_.size() > kSpareBlocks) {
    // Many blocks were resident at once: do not keep their memory for ever.
    spare_.resize(kSpareBlocks);
    stacks_.trim(kSpareBlocks * kMaxWarps * kWarpSize);
  }
}

bool FiberScheduler::take_another() {
  if (!launch_->cooperative() &&
      (resident_.size() + 1) * launch_->block_threads() > kMaxResidentFibers) {
    return false;
  }
  if (range_->begin >= range_->end && !launch_->take(range_)) return false;
  return admit(range_->begin++);
}

bool FiberScheduler::admit(uint64_t number) {
  if (spare_.empty()) spare_.push_back(std::make_unique<ResidentBlock>());
  std::unique_ptr<ResidentBlock> block = std::move(spare_.back());
  spare_.pop_back();
  const kernel::LaunchState& launch = launch_->state();
  const size_t shared_bytes = launch_->shared_bytes();
  if (shared_bytes > 0 && block->shared.reserve(shared_bytes) == nullptr) {
    launch_->fail({StatusCode::out_of_memory,
                   fmt::format("kernel {}: no memory for {} bytes of shared memory",
                               launch_->name(), shared_bytes)});
    return false;
  }
  block->state = {};
  block->state.launch = &launch;
  block->state.index = launch_->block_index(number);
  block->state.worker = worker_.index;
  block->state.workers = worker_.worker_total;
  block->state.shared = block->shared.data();
  const uint32_t threads = launch_->block_threads();
  block->fibers.resize(threads);
  block->warps.resize(launch_->warps());
  block->alive = threads;
  block->active_barriers = 0;
  kernel::Dim3 index{0, 0, 0};
  for (uint32_t t = 0; t < threads; ++t) {
    Fiber& fiber = block->fibers[t];
    fiber = {};
    fiber.state.block = &block->state;
    fiber.state.launch = &launch;
    fiber.state.index = index;
    fiber.state.linear = t;
    fiber.state.lane = t % kWarpSize;
    fiber.state.warp = t / kWarpSize;
    fiber.block = block.get();
    fiber.warp = &block->warps[t / kWarpSize];
    fiber.bit = 1u << (t % kWarpSize);
    if (++index.x == launch.block.x) {
      index.x = 0;
      if (++index.y == launch.block.y) {
        index.y = 0;
        ++index.z;
      }
    }
  }
  for (uint32_t w = 0; w < block->warps.size(); ++w) {
    Warp& warp = block->warps[w];
    const uint32_t lanes = std::min(kWarpSize, threads - w * kWarpSize);
    warp.fibers = &block->fibers[size_t{w} * kWarpSize];
    warp.alive = lanes == kWarpSize ? ~0u : (1u << lanes) - 1;
    warp.runnable = warp.alive;
    warp.yielded = 0;
    warp.at_activemask = 0;
    warp.rendezvous_count = 0;
  }
  resident_.push_back(std::move(block));
  return true;
}

void FiberScheduler::retire(size_t position) {
  spare_.push_back(std::move(resident_[position]));
  resident_.erase(resident_.begin() + static_cast<std::ptrdiff_t>(position));
  ++finished_blocks_;
}

void FiberScheduler::abandon() {
  while (!resident_.empty()) {
    for (Fiber& fiber : resident_.back()->fibers) end_stack(fiber.stack);
    spare_.push_back(std::move(resident_.back()));
    resident_.pop_back();
  }
  stacks_.reclaim_all();
  current_ = nullptr;
  ended_ = nullptr;
  worker_.fibers = nullptr;
}

void FiberScheduler::visit(Warp& warp) {
  warp.yielded = 0;
  turn_budget_ = kTurnBudget;
  for (;;) {
    const uint32_t ready = warp.runnable & ~warp.yielded;
    if (ready == 0) {
      if (warp.at_activemask != 0 && release_activemask(warp)) continue;
      return;
    }
    if (turn_budget_ == 0) return;
    --turn_budget_;
    Fiber& fiber = warp.fibers[std::countr_zero(ready)];
    if (fiber.stack_pointer == nullptr && !start(fiber)) return;
    current_ = &fiber;
    worker_.thread = &fiber.state;
    before_switch(worker_.thread_stack, fiber.stack);
    guda_switch_stack(&scheduler_stack_, fiber.stack_pointer);
    after_switch(worker_.thread_stack);
    if (ended_ != nullptr) {
      end_stack(ended_->stack);
      stacks_.give_back(ended_->stack_top);
      ended_ = nullptr;
    }
  }
}

bool FiberScheduler::start(Fiber& fiber) {
  fiber.stack_top = stacks_.acquire();
  if (fiber.stack_top == nullptr) {
    launch_->fail({StatusCode::out_of_memory,
                   fmt::format("kernel {}: no memory for thread stacks", launch_->name())});
    return false;
  }
  begin_stack(fiber.stack, stacks_.bottom(fiber.stack_top), stacks_.stack_bytes(), true);
  fiber.stack_pointer = prepare_stack(fiber.stack_top, &FiberScheduler::fiber_main, &fiber);
  return true;
}

void FiberScheduler::suspend(Fiber& fiber) {
  Warp& warp = *fiber.warp;
  const uint32_t ready = warp.runnable & ~warp.yielded;
  if (ready != 0 && turn_budget_ != 0) {
    Fiber& next = warp.fibers[std::countr_zero(ready)];
    if (next.stack_pointer != nullptr || start(next)) {
      --turn_budget_;
      if (&next == &fiber) return;
      switch_from(fiber, next);
      return;
    }
  }
  switch_to_scheduler(fiber, false);
}

void FiberScheduler::switch_from(Fiber& fiber, Fiber& next) {
  current_ = &next;
  worker_.thread = &next.state;
  before_switch(fiber.stack, next.stack);
  guda_switch_stack(&fiber.stack_pointer, next.stack_pointer);
  after_switch(fiber.stack);
}

void FiberScheduler::switch_to_scheduler(Fiber& fiber, bool ends) {
  before_switch(fiber.stack, worker_.thread_stack, ends);
  guda_switch_stack(&fiber.stack_pointer, scheduler_stack_);
  after_switch(fiber.stack);
}

void FiberScheduler::yield() {
  Fiber& fiber = *current_;
  fiber.warp->yielded |= fiber.bit;
  suspend(fiber);
}

void FiberScheduler::exit_thread() {
  Fiber& fiber = *current_;
  thread_ended(fiber);
  ended_ = &fiber;
  switch_to_scheduler(fiber, true);
  __builtin_unreachable();
}

void FiberScheduler::thread_ended(Fiber& fiber) {
  ++events_;
  ResidentBlock& block = *fiber.block;
  Warp& warp = *fiber.warp;
  warp.alive &= ~fiber.bit;
  warp.runnable &= ~fiber.bit;
  --block.alive;
  if (warp.rendezvous_count != 0) complete_ready_rendezvous(warp);
  for (uint32_t active = block.active_barriers; active != 0; active &= active - 1) {
    const auto id = static_cast<uint32_t>(std::countr_zero(active));
    Barrier& barrier = block.barriers[id];
    if ((barrier.arrived[fiber.state.warp] & fiber.bit) != 0) --barrier.arrived_alive;
    if (barrier_is_complete(block, barrier, false)) release_barrier(block, id);
  }
}

uint32_t FiberScheduler::barrier(kernel::ThreadState* thread, BarrierOp op, uint32_t id,
                                 uint32_t count, uint32_t predicate) {
  auto& fiber = *reinterpret_cast<Fiber*>(thread);
  ResidentBlock& block = *fiber.block;
  ++events_;
  if (id >= kBarriers) {
    worker_.fault.kind = FaultRecord::Kind::service;
    worker_.fault.code = StatusCode::illegal_instruction;
    guda_unwind(&worker_.guard);
  }
  Barrier& barrier = block.barriers[id];
  const auto warps = static_cast<uint32_t>(block.warps.size());
  if ((block.active_barriers >> id & 1) == 0) {
    block.active_barriers |= 1u << id;
    barrier.expected = count >= warps * kWarpSize ? 0 : count;
    barrier.arrived_alive = 0;
    barrier.repeated = 0;
    barrier.popcount = 0;
    barrier.all = true;
    barrier.any = false;
    std::fill_n(barrier.arrived.begin(), warps, 0);
    std::fill_n(barrier.waiting.begin(), warps, 0);
  }
  uint32_t& arrived = barrier.arrived[thread->warp];
  if ((arrived & fiber.bit) != 0) {
    ++barrier.repeated;
  } else {
    arrived |= fiber.bit;
    ++barrier.arrived_alive;
  }
  barrier.popcount += predicate != 0 ? 1 : 0;
  barrier.all &= predicate != 0;
  barrier.any |= predicate != 0;
  fiber.barrier_op = op;
  if (op != BarrierOp::arrive) barrier.waiting[thread->warp] |= fiber.bit;
  if (barrier_is_complete(block, barrier, false)) {
    release_barrier(block, id);
    return fiber.barrier_result;
  }
  if (op == BarrierOp::arrive) return 0;
  fiber.warp->runnable &= ~fiber.bit;
  suspend(fiber);
  return fiber.barrier_result;
}

bool FiberScheduler::barrier_is_complete(const ResidentBlock& block, const Barrier& barrier,
                                         bool count_exited_warps) const {
  if (barrier.expected == 0) return barrier.arrived_alive == block.alive;
  // Explicit counts are counts of warps times 32: a warp's missing and exited lanes count with it.
  uint32_t threads = barrier.repeated;
  for (size_t w = 0; w < block.warps.size(); ++w) {
    const uint32_t arrived = barrier.arrived[w];
    const uint32_t alive = block.warps[w].alive;
    if (arrived == 0) {
      if (count_exited_warps && alive == 0) threads += kWarpSize;
      continue;
    }
    threads += (alive & ~arrived) == 0 ? kWarpSize : static_cast<uint32_t>(std::popcount(arrived));
  }
  return threads >= barrier.expected;
}

void FiberScheduler::release_barrier(ResidentBlock& block, uint32_t id) {
  Barrier& barrier = block.barriers[id];
  block.active_barriers &= ~(1u << id);
  for (size_t w = 0; w < block.warps.size(); ++w) {
    Warp& warp = block.warps[w];
    const uint32_t waiting = barrier.waiting[w];
    for (uint32_t lanes = waiting; lanes != 0; lanes &= lanes - 1) {
      Fiber& fiber = warp.fibers[std::countr_zero(lanes)];
      switch (fiber.barrier_op) {
        case BarrierOp::red_popc: fiber.barrier_result = barrier.popcount; break;
        case BarrierOp::red_and: fiber.barrier_result = barrier.all ? 1 : 0; break;
        case BarrierOp::red_or: fiber.barrier_result = barrier.any ? 1 : 0; break;
        default: fiber.barrier_result = 0; break;
      }
    }
    warp.runnable |= waiting;
  }
}

uint64_t FiberScheduler::warp_op(kernel::ThreadState* thread, WarpOp op, uint32_t mask, uint64_t a,
                                 uint32_t b, uint32_t c, uint32_t* predicate) {
  auto& fiber = *reinterpret_cast<Fiber*>(thread);
  Warp& warp = *fiber.warp;
  const uint32_t lane = thread->lane;
  ++events_;
  warp.operands[lane] = {a, b, c};
  if (op == WarpOp::activemask) {
    // Lanes that come to the same call are together; wait until all others have gone as far as they
    // can. `a` names the call.
    warp.at_activemask |= fiber.bit;
    warp.runnable &= ~fiber.bit;
    if (warp.at_activemask == warp.alive) release_activemask(warp);
    if ((warp.runnable & fiber.bit) == 0) suspend(fiber);
    return warp.results[lane].value;
  }
  if ((mask & fiber.bit) == 0) mask = fiber.bit;  // undefined by the ISA: the lane is on its own
  uint32_t number = 0;
  while (number < warp.rendezvous_count &&
         (warp.rendezvous[number].op != op || warp.rendezvous[number].members != mask)) {
    ++number;
  }
  if (number == warp.rendezvous_count) {
    warp.rendezvous[warp.rendezvous_count++] = {op, mask, 0};
  }
  Rendezvous& meeting = warp.rendezvous[number];
  meeting.arrived |= fiber.bit;
  warp.runnable &= ~fiber.bit;
  if ((mask & warp.alive & ~meeting.arrived) == 0) {
    complete_rendezvous(warp, number);
  } else {
    suspend(fiber);
  }
  if (predicate != nullptr) *predicate = warp.results[lane].predicate;
  return warp.results[lane].value;
}

void FiberScheduler::complete_rendezvous(Warp& warp, uint32_t number) {
  const Rendezvous meeting = warp.rendezvous[number];
  warp.rendezvous[number] = warp.rendezvous[--warp.rendezvous_count];
  evaluate_warp_op(meeting.op, meeting.arrived, warp.operands.data(), warp.results.data());
  warp.runnable |= meeting.arrived;
}

void FiberScheduler::complete_ready_rendezvous(Warp& warp) {
  for (uint32_t number = 0; number < warp.rendezvous_count;) {
    const Rendezvous& meeting = warp.rendezvous[number];
    if ((meeting.members & warp.alive & ~meeting.arrived) == 0) {
      complete_rendezvous(warp, number);
    } else {
      ++number;
    }
  }
}

bool FiberScheduler::release_activemask(Warp& warp) {
  const uint64_t call = warp.operands[std::countr_zero(warp.at_activemask)].a;
  uint32_t together = 0;
  for (uint32_t lanes = warp.at_activemask; lanes != 0; lanes &= lanes - 1) {
    if (warp.operands[std::countr_zero(lanes)].a == call) together |= lanes & (0u - lanes);
  }
  evaluate_warp_op(WarpOp::activemask, together, warp.operands.data(), warp.results.data());
  warp.at_activemask &= ~together;
  warp.runnable |= together;
  return true;
}

bool FiberScheduler::resolve_deadlock() {
  bool resolved = false;
  for (auto& block : resident_) {
    for (Warp& warp : block->warps) {
      if (warp.rendezvous_count == 0) continue;
      // The meeting of the lowest lane goes first, as the scheduler prefers low lanes everywhere.
      uint32_t lowest = 0;
      for (uint32_t number = 1; number < warp.rendezvous_count; ++number) {
        if (std::countr_zero(warp.rendezvous[number].arrived) <
            std::countr_zero(warp.rendezvous[lowest].arrived)) {
          lowest = number;
        }
      }
      complete_rendezvous(warp, lowest);
      resolved = true;
    }
    if (resolved) continue;
    for (uint32_t active = block->active_barriers; active != 0; active &= active - 1) {
      const auto id = static_cast<uint32_t>(std::countr_zero(active));
      if (!barrier_is_complete(*block, block->barriers[id], true)) continue;
      release_barrier(*block, id);
      resolved = true;
    }
  }
  return resolved;
}

void FiberScheduler::report_deadlock() {
  const ResidentBlock& block = *resident_.front();
  std::string where;
  for (uint32_t active = block.active_barriers; active != 0; active &= active - 1) {
    const auto id = static_cast<uint32_t>(std::countr_zero(active));
    const Barrier& barrier = block.barriers[id];
    where +=
        fmt::format("{}barrier {} has {} of {} threads", where.empty() ? "" : ", ", id,
                    barrier.arrived_alive, barrier.expected != 0 ? barrier.expected : block.alive);
  }
  const kernel::Dim3& index = block.state.index;
  std::string message =
      fmt::format("kernel {}: deadlock: no thread of block ({},{},{}) can go on; {}",
                  launch_->name(), index.x, index.y, index.z, where);
  log(LogPart::cpu, LogLevel::error, "{}", message);
  launch_->fail({StatusCode::launch_failed, std::move(message)});
}

}  // namespace guda::cpu
