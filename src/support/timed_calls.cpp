#include "support/timed_calls.h"

#include "support/options.h"
#include "support/relax.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace guda {
namespace {

struct Outcome {
  std::mutex mutex;
  std::condition_variable known;
  std::optional<Status> status;
  std::atomic<bool> ready{false};  // for who looks without the lock
};

/// Sleeping and waking cost more than the shortest calls take.
constexpr auto kSpin = std::chrono::microseconds(20);

Status timeout() { return {StatusCode::launch_timeout, "no answer within the time limit"}; }

}  // namespace

Status TimedCalls::run(std::chrono::nanoseconds limit, std::function<Status()> call,
                       const std::function<bool()>& excused) {
  if (hung()) return timeout();
  auto outcome = std::make_shared<Outcome>();
  auto shared = std::make_shared<std::function<Status()>>(std::move(call));
  const bool started = thread_.run([outcome, shared] {
    Status status = (*shared)();
    *shared = nullptr;  // what it holds is released before the caller goes on
    const std::lock_guard lock(outcome->mutex);
    outcome->status = std::move(status);
    outcome->ready.store(true, std::memory_order_release);
    outcome->known.notify_one();
  });
  if (!started) return (*shared)();
  (void)spin_until(kSpin, [&] { return outcome->ready.load(std::memory_order_acquire); });
  std::unique_lock lock(outcome->mutex);
  const auto answered = [&] { return outcome->status.has_value(); };
  // The whole process may have been stopped meanwhile: its threads get a little time to say so.
  while (!outcome->known.wait_for(lock, limit, answered) &&
         !outcome->known.wait_for(lock, limit / 4, answered)) {
    lock.unlock();
    if (!excused || !excused()) {
      hung_.store(true, std::memory_order_release);
      thread_.abandon();
      return timeout();
    }
    lock.lock();
  }
  return *std::move(outcome->status);
}

TimeLimit TimeLimit::of_process() {
  TimeLimit limit;
  if (const int64_t milliseconds = option_integer(Option::device_limit); milliseconds > 0)
    limit.least = std::chrono::milliseconds(milliseconds);
  return limit;
}

}  // namespace guda
