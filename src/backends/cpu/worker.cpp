#include "backends/cpu/worker.h"

#include <algorithm>
#include <atomic>
#include <string_view>

#include "backends/cpu/fault_handler.h"
#include "backends/cpu/fiber_scheduler.h"
#include "support/log.h"

namespace guda::cpu {
namespace {

// Initial-exec: the fault handler reads it, and the general model may allocate on first use.
[[gnu::tls_model("initial-exec")]] thread_local Worker* t_worker = nullptr;

struct WorkerOwner {
  std::unique_ptr<Worker> worker = std::make_unique<Worker>();
  WorkerOwner() { t_worker = worker.get(); }
  ~WorkerOwner() { t_worker = nullptr; }
};

std::atomic<size_t> g_stack_limit{1024};  // CUDA's default

std::string_view describe(StatusCode code) {
  switch (code) {
    case StatusCode::illegal_address: return "illegal memory access";
    case StatusCode::misaligned_address: return "misaligned address";
    case StatusCode::illegal_instruction: return "illegal instruction";
    case StatusCode::hardware_stack_error: return "stack overflow";
    case StatusCode::not_supported: return "operation not supported";
    case StatusCode::launch_failed: return "trap";
    default: return "error";
  }
}

}  // namespace

size_t stack_limit() { return g_stack_limit.load(std::memory_order_relaxed); }
void set_stack_limit(size_t bytes) { g_stack_limit.store(bytes, std::memory_order_relaxed); }

Worker& this_worker() {
  thread_local const WorkerOwner owner;
  return *owner.worker;
}

Worker* current_worker() { return t_worker; }

Worker::Worker() { ensure_signal_stack(); }
Worker::~Worker() = default;

char* Worker::text() { return reinterpret_cast<char*>(text_.reserve(kTextBytes)); }

bool Worker::is_stack_guard(const void* address) const {
  return kernel_stack_.is_lower_guard(address) ||
         (fiber_scheduler_ != nullptr && fiber_scheduler_->is_stack_guard(address));
}

bool Worker::prepare() {
  const kernel::KernelInfo& kernel = launch->kernel();
  const Launch::Mode mode = launch->mode();
  if (mode == Launch::Mode::fibers) {
    if (fiber_scheduler_ == nullptr) fiber_scheduler_ = std::make_unique<FiberScheduler>(*this);
    return true;
  }
  const size_t shared_bytes = launch->shared_bytes();
  if (shared_bytes > 0 && shared_.reserve(shared_bytes) == nullptr) return false;
  if (mode == Launch::Mode::threads) {
    const size_t bytes = std::max<size_t>(1 << 20, 2 * stack_limit() + kernel.local_bytes + 65536);
    return kernel_stack_.reserve(bytes) != nullptr;
  }
  const uint32_t lanes = std::max(1u, kernel.lanes);
  const size_t calls = (launch->block_threads() + lanes - 1) / lanes;
  const size_t local_lanes = mode == Launch::Mode::blocks ? lanes : calls * lanes;
  const size_t local_bytes = local_lanes * kernel.local_bytes;
  if (local_bytes > 0 && local_.reserve(local_bytes) == nullptr) return false;
  if (mode == Launch::Mode::warps) {
    // Frames, then the regions and barriers of warps that go separate ways.
    const size_t bytes = calls * (size_t{kernel.frame_bytes} + sizeof(kernel::WarpProgress));
    if (frames_.reserve(bytes) == nullptr) return false;
  }
  return true;
}

void Worker::execute(Launch& new_launch, bool (*may_leave)(void*), void* argument) {
  launch = &new_launch;
  executed_ = 0;
  range_ = {};
  next_thread_ = 0;
  if (!prepare()) {
    launch->fail(
        {StatusCode::out_of_memory,
         fmt::format("kernel {}: no memory for the blocks' working memory", launch->name())});
    return;
  }
  block_state_ = {};
  block_state_.launch = &launch->state();
  block_state_.worker = index;
  block_state_.workers = worker_total;
  block_state_.shared = shared_.data();
  block_state_.local = local_.data();
  for (;;) {
    if (range_.begin >= range_.end && !launch->take(&range_)) break;
    fault.kind = FaultRecord::Kind::none;
    in_kernel = true;
    int left = 0;
    if (launch->mode() == Launch::Mode::threads) {
      begin_stack(kernel_stack_identity_, kernel_stack_.data(), kernel_stack_.capacity(), false);
      before_switch(thread_stack, kernel_stack_identity_);
      left = guda_guarded_call(
          &guard, kernel_stack_.data() + kernel_stack_.capacity(),
          [](void* self) { static_cast<Worker*>(self)->run_range_on_kernel_stack(); }, this);
      if (left == 0) after_switch(thread_stack);
    } else {
      left = guda_guarded_call(
          &guard, nullptr, [](void* self) { static_cast<Worker*>(self)->run_range(); }, this);
    }
    in_kernel = false;
    if (left != 0) {
      after_unwind(thread_stack);
      if (fault.kind == FaultRecord::Kind::next_thread) continue;
      report_fault();
      if (fibers != nullptr) fibers->abandon();
      break;
    }
    if (range_.begin >= range_.end && may_leave != nullptr && may_leave(argument)) break;
  }
  block = nullptr;
  thread = nullptr;
}

void Worker::run_range_on_kernel_stack() {
  after_switch(kernel_stack_identity_, &thread_stack);
  run_range();
  before_switch(kernel_stack_identity_, thread_stack, true);
}

void Worker::run_range() {
  const kernel::KernelInfo& kernel = launch->kernel();
  if (launch->mode() == Launch::Mode::fibers) {
    fiber_scheduler_->run(*launch, range_);
    executed_ += fiber_scheduler_->finished_blocks();
    if (launch->failed()) range_ = {};
    return;
  }
  block = &block_state_;
  const kernel::Dim3& extent = launch->extent();
  const kernel::Dim3& offset = launch->state().block_offset;
  if (next_thread_ == 0) block_state_.index = launch->block_index(range_.begin);
  while (range_.begin < range_.end) {
    switch (launch->mode()) {
      case Launch::Mode::blocks: kernel.run_block(&launch->state(), &block_state_); break;
      case Launch::Mode::warps: run_warps(kernel); break;
      default: run_threads(kernel); break;
    }
    ++executed_;
    ++range_.begin;
    kernel::Dim3& position = block_state_.index;
    if (++position.x == extent.x + offset.x) {
      position.x = offset.x;
      if (++position.y == extent.y + offset.y) {
        position.y = offset.y;
        ++position.z;
      }
    }
    if (launch->failed()) range_ = {};
  }
}

void Worker::run_threads(const kernel::KernelInfo& kernel) {
  const kernel::Dim3& shape = launch->state().block;
  kernel::ThreadState state{};
  state.block = &block_state_;
  state.launch = &launch->state();
  thread = &state;
  const uint32_t first = next_thread_;
  const uint32_t threads = launch->block_threads();
  kernel::Dim3 position{first % shape.x, first / shape.x % shape.y, first / shape.x / shape.y};
  for (uint32_t t = first; t < threads; ++t) {
    state.index = position;
    state.linear = t;
    state.lane = t % 32;
    state.warp = t / 32;
    next_thread_ = t + 1;
    kernel.run_thread(&state);
    if (++position.x == shape.x) {
      position.x = 0;
      if (++position.y == shape.y) {
        position.y = 0;
        ++position.z;
      }
    }
  }
  next_thread_ = 0;
  thread = nullptr;
}

// The common case: all warps meet at the same barrier each time, so one loop per region will do.
void Worker::run_warps(const kernel::KernelInfo& kernel) {
  const uint32_t warps = (launch->block_threads() + kernel.lanes - 1) / kernel.lanes;
  uint32_t region = 0;
  do {
    region = kernel.run_warps(&launch->state(), &block_state_, frames_.data(),
                              warp_progress(kernel, warps), region, 0, warps);
    if (region == kernel::kWarpsApart) {
      run_warps_unequal(kernel, warps);
      return;
    }
  } while (region != kernel::kWarpDone);
}

kernel::WarpProgress* Worker::warp_progress(const kernel::KernelInfo& kernel, uint32_t warps) {
  return reinterpret_cast<kernel::WarpProgress*>(frames_.data() +
                                                 size_t{warps} * kernel.frame_bytes);
}

// Warps wait at different barriers, for counted barriers, or have ended early: barriers are arrival
// counters, and warps that have ended count as arrived.
void Worker::run_warps_unequal(const kernel::KernelInfo& kernel, uint32_t warps) {
  kernel::WarpProgress* progress = warp_progress(kernel, warps);
  for (;;) {
    uint32_t alive = 0;
    bool released = false;
    for (uint32_t w = 0; w < warps; ++w) alive += progress[w].region != kernel::kWarpDone ? 1 : 0;
    if (alive == 0) return;
    for (uint32_t w = 0; w < warps; ++w) {
      if (progress[w].region == kernel::kWarpDone || progress[w].released != 0) continue;
      const uint64_t id = progress[w].wait >> 32;
      const auto count = static_cast<uint32_t>(progress[w].wait);
      uint32_t arrived = 0;
      for (uint32_t other = 0; other < warps; ++other) {
        if (progress[other].region != kernel::kWarpDone && progress[other].released == 0 &&
            progress[other].wait >> 32 == id) {
          ++arrived;
        }
      }
      const bool all = count == 0 || count >= warps * kernel.lanes;
      const uint32_t ended = warps - alive;
      if (all ? arrived < alive : (arrived + ended) * kernel.lanes < count) continue;
      released = true;
      for (uint32_t other = 0; other < warps; ++other) {
        if (progress[other].region != kernel::kWarpDone && progress[other].wait >> 32 == id) {
          progress[other].released = 1;
        }
      }
    }
    if (!released) {
      std::string message =
          fmt::format("kernel {}: deadlock: warps wait at different barriers", launch->name());
      log(LogPart::cpu, LogLevel::error, "{}", message);
      launch->fail({StatusCode::launch_failed, std::move(message)});
      return;
    }
    for (uint32_t w = 0; w < warps; ++w) {
      if (progress[w].released == 0) continue;
      kernel.run_warps(&launch->state(), &block_state_, frames_.data(), progress,
                       progress[w].region, w, w + 1);
    }
  }
}

void Worker::report_fault() {
  if (launch->failed()) return;
  std::string where;
  if (block != nullptr) {
    where = fmt::format(" in block ({},{},{})", block->index.x, block->index.y, block->index.z);
    if (thread != nullptr) {
      where +=
          fmt::format(", thread ({},{},{})", thread->index.x, thread->index.y, thread->index.z);
    }
  }
  std::string what(describe(fault.code));
  if (fault.kind == FaultRecord::Kind::signal) what += fmt::format(" at {:#x}", fault.address);
  std::string message = fmt::format("kernel {}: {}{}", launch->name(), what, where);
  log(LogPart::cpu, LogLevel::error, "{}", message);
  launch->fail({fault.code, std::move(message)});
}

}  // namespace guda::cpu
