// What one stream has handed to the home device (engines.h): a queue of the device, and how far it has come.
//
// Operations that run there count as issued when they have been handed over; whether they have finished is known
// when somebody asks. Numbers are the stream's tickets. Thread safe; only the thread that runs the stream's
// operations hands work over.
#pragma once

#include "backends/device.h"
#include "support/status.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace guda::runtime {

class DeviceTail {
 public:
  explicit DeviceTail(std::unique_ptr<backend::Queue> queue) : queue_(std::move(queue)) {}
  /// Waits for the work.
  ~DeviceTail() = default;
  DeviceTail(const DeviceTail&) = delete;
  DeviceTail& operator=(const DeviceTail&) = delete;

  /// The oldest operation that may not have finished; 0: all have.
  uint64_t first_open() const { return first_open_.load(std::memory_order_acquire); }
  bool finished(uint64_t ticket) const {
    const uint64_t open = first_open();
    return open == 0 || ticket < open;
  }

  using Report = std::function<void(int64_t nanoseconds)>;

  /// The right to hand one operation over; waiters wait for its end.
  class Turn {
   public:
    /// No turn: something is in the way.
    Turn() = default;
    explicit operator bool() const { return tail_ != nullptr; }
    /// `start` puts the work into the queue.
    template <typename Start>
    Status hand_over(Start&& start) {
      Status status = start(*tail_->queue_);
      lock_.unlock();
      return status;
    }
    /// The same, with the device's time for it reported when it is known to have finished.
    template <typename Start>
    Status hand_over_timed(Start&& start, Report report) {
      auto began = tail_->queue_->mark();
      Status status = start(*tail_->queue_);
      if (status && began) {
        if (auto ended = tail_->queue_->mark())
          tail_->samples_.push_back(
              {ticket_, std::move(*began), std::move(*ended), std::move(report)});
      }
      lock_.unlock();
      return status;
    }
    /// Waits until it has finished, after handing over.
    Status wait() { return tail_->wait(ticket_); }

   private:
    friend class DeviceTail;
    Turn(DeviceTail& tail, uint64_t ticket) : tail_(&tail), ticket_(ticket), lock_(tail.mutex_) {}
    DeviceTail* tail_ = nullptr;
    uint64_t ticket_ = 0;
    std::unique_lock<std::mutex> lock_;
  };
  /// Operation `ticket` will be handed over in the turn: from now on it is open.
  Turn announce(uint64_t ticket);
  /// Operation `ticket` is done when those before it are.
  void follow_own(uint64_t ticket);

  /// A mark behind operation `ticket`, the newest one; `timed`: that keeps the device's time. Errors: the device's.
  Result<std::shared_ptr<backend::Mark>> mark(uint64_t ticket, bool timed);
  /// Later work here starts after operation `ticket` of `other`; counts as this tail's operation `own`.
  Status follow(DeviceTail& other, uint64_t ticket, uint64_t own);

  /// Waits until operation `ticket` has finished. Errors: those of the work, once.
  Status wait(uint64_t ticket);
  Status wait_for_all() { return wait(~uint64_t{0}); }
  /// The same without waiting; empty when it has not finished.
  std::optional<Status> poll(uint64_t ticket);

 private:
  struct Marked {
    uint64_t ticket;
    std::shared_ptr<backend::Mark> mark;
  };
  struct Sample {
    uint64_t ticket;
    std::shared_ptr<backend::Mark> began, ended;
    Report report;
  };

  /// A mark behind `ticket`: one that is there, else a new one at the end.
  Result<Marked> cover(uint64_t ticket);
  Result<Marked> mark_end(bool timed);
  /// Everything up to `ticket` has finished. Returns the samples that are complete now, for report() without the lock.
  std::vector<Sample> finish(uint64_t ticket);
  static void report(const std::vector<Sample>& samples);

  std::unique_ptr<backend::Queue> queue_;
  std::atomic<uint64_t> first_open_{0};
  std::mutex mutex_;  // the queue, except for waiting, and all of the below
  uint64_t last_ = 0;  // newest operation handed over
  std::deque<Marked> marks_;  // in order; the open ones
  // More marks than this are not kept without looking whether the oldest have been reached.
  static constexpr size_t kManyMarks = 64;
  size_t many_ = kManyMarks;
  std::vector<Sample> samples_;
  Status failure_;  // of work that nobody has waited for
  std::deque<std::pair<uint64_t, uint64_t>>
      followed_;  // other tail's id, how far we have waited for it
  const uint64_t id_ = next_id_.fetch_add(1, std::memory_order_relaxed);
  static inline std::atomic<uint64_t> next_id_{1};
};

}  // namespace guda::runtime
