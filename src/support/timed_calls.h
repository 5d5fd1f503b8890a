// Calls that may never return, such as those into a device's driver, and a caller that gives up on them.
#pragma once

#include "support/engine_thread.h"
#include "support/status.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>

namespace guda {

/// Runs calls on a thread of its own. What a call uses must belong to it: after its limit it is left behind, and may
/// go on at any time. One call at a time; hung() from any thread. The destructor does not wait for a call that hangs.
class TimedCalls {
 public:
  /// `name`: of the thread.
  explicit TimedCalls(const char* name) : thread_(name) {}

  /// What the call returns; launch_timeout, also for all later calls, when it has not returned within its limit. Each
  /// time the limit passes `excused`, if given, is asked whether something else keeps the call: then it gets the same
  /// time again. Without threads in the system the call is made here, without a limit.
  Status run(std::chrono::nanoseconds limit, std::function<Status()> call,
             const std::function<bool()>& excused = {});
  /// A call has not returned within its limit.
  bool hung() const { return hung_.load(std::memory_order_acquire); }

 private:
  EngineThread thread_;
  std::atomic<bool> hung_{false};
};

/// How long a device may take for something: a multiple of what was predicted, and never less than `least`.
struct TimeLimit {
  double multiple = 20;
  std::chrono::nanoseconds least = std::chrono::seconds(5);

  std::chrono::nanoseconds of(double predicted_ns) const {
    const double longest = 1e18;
    const double wanted = multiple * predicted_ns;
    // Also when nothing sensible was predicted.
    if (!(wanted < longest)) return std::chrono::nanoseconds(static_cast<int64_t>(longest));
    return std::max(least, std::chrono::nanoseconds(static_cast<int64_t>(wanted)));
  }
  /// As GUDA_DEVICE_LIMIT says.
  static TimeLimit of_process();
};

}  // namespace guda
