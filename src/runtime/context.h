// The device's primary context: lazy initialisation, sticky errors, device-wide settings.
//
// enter() is the first thing every API call that needs the device does; it costs a few loads once
// the context exists. Nothing is created before the first such call.
#pragma once

#include "runtime/error.h"
#include "support/status.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <string>

namespace guda::runtime {

enum class Limit : int {
  stack_size = 0,
  printf_fifo_size = 1,
  malloc_heap_size = 2,
  sync_depth = 3,
  pending_launch_count = 4,
  max_l2_fetch_granularity = 5,
  persisting_l2_cache_size = 6,
};

class Context {
 public:
  /// Makes sure the context exists. kSuccess; 100 without a visible device; 3 in a child forked
  /// after first use; else the context's sticky error.
  static Error enter();
  /// Same, but ignores a sticky error (calls that must work after a fault: reset, names, last error).
  static Error enter_ignoring_faults();
  static Context& instance();
  static bool exists();
  /// The driver API's way in: makes the context exist, but current only where the program says so. Errors
  /// as enter_ignoring_faults().
  static Error create_for_driver();
  /// The runtime API has been used: threads that chose no context work in this one.
  static bool current_by_default();

  /// First error of a kernel wins; all later calls report it.
  void set_sticky_error(const Status& status);
  Error sticky_error() const { return sticky_.load(std::memory_order_acquire); }
  std::string sticky_message() const;

  Result<size_t> limit(Limit limit) const;
  Status set_limit(Limit limit, size_t value);

  unsigned device_flags() const { return device_flags_; }
  void set_device_flags(unsigned flags) { device_flags_ = flags; }

  /// Waits for all streams. Returns the sticky error, if any.
  Error synchronize();
  /// cudaDeviceReset: waits, then drops streams, events and allocations, and clears the sticky error.
  Error reset();

  /// CUDA_LAUNCH_BLOCKING.
  bool launch_blocking() const { return launch_blocking_; }

 private:
  Context();

  std::atomic<Error> sticky_{0};
  mutable std::mutex mutex_;
  std::string sticky_message_;
  std::array<size_t, 7> limits_{1024, 1048576, 8388608, 2, 2048, 128, 0};
  unsigned device_flags_ = 0;
  bool launch_blocking_ = false;
};

/// While one lives, runtime API functions called on this thread work for the driver API: they do not make
/// the context current.
class DriverCall {
 public:
  DriverCall();
  ~DriverCall();
  DriverCall(const DriverCall&) = delete;
  DriverCall& operator=(const DriverCall&) = delete;
};

}  // namespace guda::runtime
