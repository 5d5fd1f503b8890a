// Streams: queues of operations that run in order, asynchronously to the host.
//
// Whoever needs progress makes it. Operations wait in the stream's queue; the queue is drained by one
// thread at a time: a thread that synchronises (it helps instead of sleeping), or a runner thread
// (runners.h) that enqueue() wakes. Short work on an idle stream skips the queue: try_begin() claims
// the stream, the caller runs the work itself, end() completes it.
//
// Order between streams is kept by dependencies (stream, ticket). The legacy default stream and the
// blocking streams depend on each other as CUDA says.
//
// An operation is issued when it has run, or has been handed to the home device (engines.h), which works on it on its
// own; then the stream's device tail knows whether it has finished. Without devices both are the same.
//
// Ownership: shared_ptr; a destroyed stream lives until its queue is empty. All methods are thread
// safe.
#pragma once

#include "runtime/device_tail.h"
#include "runtime/operation.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace guda::runtime {

class Capture;
struct Upcoming;
struct UpcomingWork;

enum class StreamKind : uint8_t { legacy, per_thread, created };

class Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(StreamKind kind, uint32_t flags, int priority);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  StreamKind kind() const { return kind_; }
  uint32_t flags() const { return flags_; }
  int priority() const { return priority_; }
  uint64_t id() const { return id_; }
  /// Ordered with the legacy default stream.
  bool blocking() const { return (flags_ & 1u) == 0; }

  /// Appends an operation; wakes a runner when nobody is draining. Returns its ticket. `after`: extra
  /// dependencies besides those of the default stream.
  uint64_t enqueue(std::unique_ptr<Operation> operation, std::vector<Dependency> after = {});
  /// Claims an idle stream: nothing queued, nothing running, no open dependency (all of it may still be under way on
  /// the home device). Returns the ticket of the work that the caller now runs itself, or 0.
  uint64_t try_begin();
  /// Completes what try_begin() started.
  void end(uint64_t ticket);
  /// Leaves it to whoever drains the queue.
  void defer(uint64_t ticket, std::unique_ptr<Operation> operation);
  /// Makes all later operations wait for `dependency`.
  void wait_for(Dependency dependency);

  /// Everything enqueued so far is done.
  bool idle() const { return completed() == enqueued(); }
  uint64_t enqueued() const { return enqueued_.load(std::memory_order_acquire); }
  uint64_t issued() const { return issued_.load(std::memory_order_acquire); }
  uint64_t completed() const {
    const uint64_t issued = this->issued();  // before the tail's state: that only gets less open
    const DeviceTail* tail = this->tail();
    if (tail == nullptr) [[likely]]
      return issued;
    const uint64_t open = tail->first_open();
    return open == 0 || open > issued ? issued : open - 1;
  }
  /// Blocks until `ticket` is done; runs queued operations on this thread when nobody else does.
  void wait(uint64_t ticket) {
    if (issued() >= ticket && tail() == nullptr) [[likely]]
      return;
    wait_open(ticket);
  }
  void synchronize() { wait(enqueued()); }
  /// Whether `ticket` is done; asks the device.
  bool poll(uint64_t ticket);

  /// Null before the first work for the home device.
  DeviceTail* tail() const {
#ifdef GUDA_WITHOUT_ENGINES
    return nullptr;
#else
    return tail_.load(std::memory_order_acquire);
#endif
  }
  std::shared_ptr<DeviceTail> shared_tail() const { return owned_tail_; }
  /// By the thread that runs the stream's operations.
  void set_tail(std::shared_ptr<DeviceTail> tail);
  /// Makes device work from now on wait for what the default stream's rules say, as operation `ticket`. For work that
  /// try_begin() let in: queued operations have got dependencies.
  void follow_default_streams(uint64_t ticket);

  /// Waits a little (about a millisecond) for work that does not depend on the host, running it on this
  /// thread when nobody does. True when the stream is idle now.
  bool settle();

  /// What runs and what is queued behind it, as far as it does not wait for other streams (prefetch.h).
  UpcomingWork upcoming() const;

  /// Runner threads only: runs what is runnable, then returns.
  void drain();

  /// Stream capture (graph.h); null: none.
  const std::shared_ptr<Capture>& capture() const { return capture_; }
  void set_capture(std::shared_ptr<Capture> capture) { capture_ = std::move(capture); }

 private:
  struct Entry {
    std::unique_ptr<Operation> operation;
    uint64_t ticket;
    std::vector<Dependency> dependencies;
    uint32_t engine;  // that the enqueuing thread wishes; scheduler::kNoEngine: whichever is best
    std::shared_ptr<const Upcoming> upcoming = {};  // null unless there is a prefetcher
  };
  struct Dependent {
    uint64_t ticket;
    std::weak_ptr<Stream> stream;
  };

  // Runs queued entries while this thread owns the stream (draining_ is set); gives it up when the
  // queue is empty, `until` is reached or the head has an open dependency, which is then returned.
  Dependency run_queue(std::unique_lock<std::mutex>& lock, uint64_t until);
  void wait_issued(uint64_t ticket);
  void wait_open(uint64_t ticket);
  // Failures of work on the device become the context's error.
  void report(const Status& status) const;
  void collect_default_stream_dependencies(std::vector<Dependency>& out) const;
  bool default_stream_dependencies_open() const;
  void run(Operation& operation, uint64_t ticket);
  // Device work of this stream will wait for an issued dependency.
  void follow(const Dependency& dependency, uint64_t ticket);
  void complete(std::unique_lock<std::mutex>& lock, uint64_t ticket);
  // False when `ticket` is already complete.
  bool add_dependent(uint64_t ticket, const std::shared_ptr<Stream>& stream);
  void wake();

  const StreamKind kind_;
  const uint32_t flags_;
  const int priority_;
  const uint64_t id_;

  std::atomic<uint64_t> enqueued_{0};
  std::atomic<uint64_t> issued_{0};
  std::atomic<DeviceTail*> tail_{nullptr};
  std::shared_ptr<DeviceTail> owned_tail_;  // what tail_ points to
  int waiting_hosts_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable progress_;
  std::deque<Entry> queue_;
  std::shared_ptr<const Upcoming> running_;  // what run_queue() runs
  std::vector<Dependent> dependents_;
  bool draining_ = false;
  bool wake_pending_ = false;
  std::shared_ptr<Capture> capture_;
};

/// Handle values that are not addresses (driver_types.h).
inline constexpr uintptr_t kLegacyStreamHandle = 1;
inline constexpr uintptr_t kPerThreadStreamHandle = 2;

/// All streams of the process.
class StreamTable {
 public:
  static StreamTable& instance();

  const std::shared_ptr<Stream>& legacy() const { return legacy_; }
  /// The calling thread's own default stream, made on first use.
  const std::shared_ptr<Stream>& per_thread();
  std::shared_ptr<Stream> create(uint32_t flags, int priority);
  /// Forgets the handle; its queue still runs to the end. False: no such stream.
  bool destroy(Stream* stream);
  /// Resolves a cudaStream_t (0 is the legacy stream, or the calling thread's when
  /// `per_thread_default`). Null: not a stream. The pointer stays valid while the handle does.
  Stream* find(void* handle, bool per_thread_default = false);

  /// Waits until every stream is idle.
  void synchronize_all();
  bool all_idle() const;
  /// settle() for all non-blocking streams.
  void settle_non_blocking();
  bool has_blocking() const { return any_blocking_.load(std::memory_order_acquire); }
  /// Blocking streams, for the legacy stream's dependencies. Snapshot.
  std::shared_ptr<const std::vector<std::shared_ptr<Stream>>> blocking() const;
  /// Drops all created streams (cudaDeviceReset).
  void reset();

 private:
  StreamTable();
  friend struct ThreadStream;
  void remove_per_thread(const std::shared_ptr<Stream>& stream);
  void rebuild_snapshot();

  std::shared_ptr<Stream> legacy_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Stream>> streams_;  // created and per-thread
  std::shared_ptr<const std::vector<std::shared_ptr<Stream>>> blocking_;
  std::atomic<uint64_t> epoch_{1};  // changes when a handle goes away
  std::atomic<bool> any_blocking_{false};  // blocking_ is not empty
  std::atomic<bool> any_non_blocking_{false};
};

}  // namespace guda::runtime
