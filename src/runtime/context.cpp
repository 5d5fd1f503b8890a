#include "runtime/context.h"

#include "runtime/device.h"
#include "runtime/event.h"
#include "runtime/stream.h"
#include "support/log.h"
#include "support/options.h"

#include <pthread.h>

namespace guda::runtime {
namespace {

enum class State : int { absent, ready, forked };
std::atomic<State> state{State::absent};
std::atomic<Context*> the_context{nullptr};

// Threads, locks and queues of the parent do not exist in the child: every call there fails, as with
// a driver.
void after_fork_in_child() {
  if (state.load(std::memory_order_relaxed) == State::ready) state.store(State::forked);
}

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

Error Context::enter_ignoring_faults() {
  switch (state.load(std::memory_order_acquire)) {
    case State::ready: return kSuccess;
    case State::forked: return static_cast<Error>(StatusCode::not_initialized);
    case State::absent: break;
  }
  if (device_count() == 0) return static_cast<Error>(StatusCode::no_device);
  static std::once_flag once;
  std::call_once(once, [] {
    pthread_atfork(nullptr, nullptr, after_fork_in_child);
    instance();
    state.store(State::ready, std::memory_order_release);
    log(LogPart::runtime, LogLevel::debug, "device: {}, {} multiprocessors", device_properties().name,
        device_properties().multiprocessors);
  });
  return kSuccess;
}

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
  if (index >= limits_.size()) return {static_cast<StatusCode>(kErrorUnsupportedLimit), "no such limit"};
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
  sticky_.store(kSuccess);
  return kSuccess;
}

}  // namespace guda::runtime
