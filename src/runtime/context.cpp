#include "runtime/context.h"

#include "runtime/engines.h"

#include "memory/heap.h"
#include "memory/pool.h"
#include "runtime/device.h"
#include "runtime/event.h"
#include "runtime/stream.h"
#include "support/log.h"
#include "support/options.h"

#include <pthread.h>

namespace guda::runtime {
namespace {

// created: by the driver API only; ready: the runtime API is in use.
enum class State : int { absent, created, ready, forked };
std::atomic<State> state{State::absent};
std::atomic<Context*> the_context{nullptr};

// Threads, locks and queues of the parent do not exist in the child: every call there fails, as with
// a driver.
void after_fork_in_child() {
  if (state.load(std::memory_order_relaxed) != State::absent) state.store(State::forked);
}

thread_local int driver_calls = 0;

}  // namespace

Context::Context() : launch_blocking_(option_flag(Option::cuda_launch_blocking)) {}

Context& Context::instance() {
  static Context* context = [] {
    auto* made = new Context;  // never destroyed: runner threads use it until the process ends
    the_context.store(made, std::memory_order_release);
    return made;
  }();
  return *context;
}

bool Context::exists() { return state.load(std::memory_order_acquire) != State::absent; }

Error Context::create_for_driver() {
  switch (state.load(std::memory_order_acquire)) {
    case State::created:
    case State::ready: return kSuccess;
    case State::forked: return static_cast<Error>(StatusCode::not_initialized);
    case State::absent: break;
  }
  if (device_count() == 0) return static_cast<Error>(StatusCode::no_device);
  static std::once_flag once;
  std::call_once(once, [] {
    pthread_atfork(nullptr, nullptr, after_fork_in_child);
    trace::start();
    Engines::start();
    instance();
    state.store(State::created, std::memory_order_release);
    // Reading the properties takes longer than all the rest, so not for a line that nobody sees.
    if (log_enabled(LogPart::runtime, LogLevel::debug))
      log(LogPart::runtime, LogLevel::debug, "device: {}, {} multiprocessors",
          device_properties().name, device_properties().multiprocessors);
  });
  return kSuccess;
}

Error Context::enter_ignoring_faults() {
  if (state.load(std::memory_order_acquire) == State::ready) return kSuccess;
  if (Error error = create_for_driver()) return error;
  State created = State::created;
  if (driver_calls == 0)
    state.compare_exchange_strong(created, State::ready, std::memory_order_acq_rel);
  return kSuccess;
}

bool Context::current_by_default() { return state.load(std::memory_order_acquire) == State::ready; }

DriverCall::DriverCall() { ++driver_calls; }
DriverCall::~DriverCall() { --driver_calls; }

Error Context::enter() {
  if (Error error = enter_ignoring_faults()) return error;
  return the_context.load(std::memory_order_acquire)->sticky_error();
}

void Context::set_sticky_error(const Status& status) {
  Error none = kSuccess;
  if (!sticky_.compare_exchange_strong(none, static_cast<Error>(status.code()))) return;
  log(LogPart::runtime, LogLevel::error, "{}: {}", error_name(static_cast<Error>(status.code())),
      status.message());
  std::unique_lock lock(mutex_);
  sticky_message_ = status.message();
}

std::string Context::sticky_message() const {
  std::unique_lock lock(mutex_);
  return sticky_message_;
}

Result<size_t> Context::limit(Limit limit) const {
  auto index = static_cast<size_t>(limit);
  if (index >= limits_.size()) {
    return Status(static_cast<StatusCode>(kErrorUnsupportedLimit), "no such limit");
  }
  std::unique_lock lock(mutex_);
  return limits_[index];
}

Status Context::set_limit(Limit limit, size_t value) {
  auto index = static_cast<size_t>(limit);
  if (index >= limits_.size())
    return {static_cast<StatusCode>(kErrorUnsupportedLimit), "no such limit"};
  std::unique_lock lock(mutex_);
  limits_[index] = value;
  return Status::ok();
}

Error Context::synchronize() {
  StreamTable::instance().synchronize_all();
  return sticky_error();
}

Error Context::reset() {
  synchronize();
  StreamTable::instance().reset();
  EventTable::instance().reset();
  memory::MemoryPool::default_pool().trim(0);
  memory::Heap::instance().release_all(memory::kind_bit(memory::AllocationKind::device));
  sticky_.store(kSuccess);
  return kSuccess;
}

}  // namespace guda::runtime
