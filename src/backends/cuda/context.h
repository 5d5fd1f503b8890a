// The primary context of one device: entered before every call, and the place where errors are judged.
#pragma once

#include "backends/cuda/driver.h"
#include "support/status.h"

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace guda::backend::cuda {

/// Taking the time costs several times what a record without it does (0.9 and 0.2 us on an H200).
enum class EventKind : uint8_t { timed, order };

/// Shared by the device and all that it handed out. Thread safe.
class Context {
 public:
  static Result<std::shared_ptr<Context>> create(std::shared_ptr<Driver> driver, int device);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Driver& driver() const { return *driver_; }
  const DriverApi& api() const { return driver_->api(); }
  int device() const { return device_; }
  ContextHandle handle() const { return handle_; }

  /// Makes the context the calling thread's. Nobody else changes it: the driver in our link namespace is ours.
  void enter() const {
    if (entered_ == handle_) return;
    driver_->libraries().enter_thread();
    (void)api().context_set_current(handle_);
    entered_ = handle_;
  }
  /// ok for 0, else the driver's error with `what` in front. A code after which a CUDA context is good for nothing
  /// (faults of kernels, lost hardware) makes lost() true; it stays so until the process ends: the driver refuses new
  /// contexts too (tried).
  Status check(DriverResult code, const char* what);
  Status check(DriverResult code, const std::string& what) { return check(code, what.c_str()); }
  bool lost() const { return lost_.load(std::memory_order_relaxed); }

  /// Events, used again and again.
  Result<EventHandle> take_event(EventKind kind);
  void give_event(EventHandle event, EventKind kind);

 private:
  Context(std::shared_ptr<Driver> driver, int device)
      : driver_(std::move(driver)), device_(device) {}

  static inline thread_local ContextHandle entered_ = nullptr;

  std::shared_ptr<Driver> driver_;
  int device_;
  ContextHandle handle_ = nullptr;
  std::atomic<bool> lost_{false};
  std::mutex mutex_;
  std::array<std::vector<EventHandle>, 2> free_events_;  // by EventKind
};

}  // namespace guda::backend::cuda
