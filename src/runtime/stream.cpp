#include "runtime/stream.h"

#include "runtime/context.h"
#include "runtime/engines.h"
#include "runtime/prefetch.h"
#include "runtime/runners.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <chrono>

namespace guda::runtime {
namespace {

/// A host thread polls this long before it sleeps: most operations that somebody else has just begun
/// end sooner than a sleeping thread wakes.
constexpr auto kSpin = std::chrono::microseconds(5);

/// So many queued operations are looked at for what they will read: operands of work further back only take memory.
constexpr size_t kAhead = 16;

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

std::atomic<uint64_t> next_stream_id{1};

/// Carries only dependencies (Stream::wait_for).
class EmptyOperation final : public Operation {
 public:
  Status execute() override { return Status::ok(); }
  OperationKind operation_kind() const override { return OperationKind::nothing; }
  uint64_t expected_ns() const override { return 0; }
  bool follow_device_work(Stream&, uint64_t) override { return true; }
};

uint32_t wished_engine() {
  return Engines::active() ? scheduler::Scheduler::forced_engine() : scheduler::kNoEngine;
}

/// While an operation runs on a thread that may not be the one which enqueued it: that one's wish counts.
class EngineWish {
 public:
  explicit EngineWish(uint32_t engine) : before_(wished_engine()), changed_(engine != before_) {
    if (changed_) [[unlikely]]
      scheduler::Scheduler::force_engine(engine);
  }
  ~EngineWish() {
    if (changed_) [[unlikely]]
      scheduler::Scheduler::force_engine(before_);
  }
  EngineWish(const EngineWish&) = delete;
  EngineWish& operator=(const EngineWish&) = delete;

 private:
  uint32_t before_;
  bool changed_;
};

}  // namespace

bool Dependency::issued() const { return !stream || stream->issued() >= ticket; }
bool Dependency::satisfied() const { return !stream || stream->completed() >= ticket; }

Stream::Stream(StreamKind kind, uint32_t flags, int priority)
    : kind_(kind), flags_(flags), priority_(priority), id_(next_stream_id.fetch_add(1)) {}

Stream::~Stream() = default;

void Stream::collect_default_stream_dependencies(std::vector<Dependency>& out) const {
  auto& table = StreamTable::instance();
  if (kind_ == StreamKind::legacy) {
    if (!table.has_blocking()) return;
    const auto blocking = table.blocking();  // keeps the streams while the loop runs
    for (auto& stream : *blocking) {
      uint64_t ticket = stream->enqueued();
      if (stream->completed() < ticket) out.push_back({stream, ticket});
    }
  } else if (blocking()) {
    uint64_t ticket = table.legacy()->enqueued();
    if (table.legacy()->completed() < ticket) out.push_back({table.legacy(), ticket});
  }
}

bool Stream::default_stream_dependencies_open() const {
  auto& table = StreamTable::instance();
  if (kind_ == StreamKind::legacy) {
    if (!table.has_blocking()) return false;
    auto blocking = table.blocking();
    return std::any_of(blocking->begin(), blocking->end(),
                       [](auto& stream) { return stream->issued() != stream->enqueued(); });
  }
  return blocking() && table.legacy()->issued() != table.legacy()->enqueued();
}

void Stream::set_tail(std::shared_ptr<DeviceTail> tail) {
  owned_tail_ = std::move(tail);
  tail_.store(owned_tail_.get(), std::memory_order_release);
}

void Stream::report(const Status& status) const {
  if (status) return;
  if (Engines* engines = Engines::active()) engines->home_failed(status);
  Context::instance().set_sticky_error(status);
}

void Stream::follow(const Dependency& dependency, uint64_t ticket) {
  DeviceTail* theirs = dependency.stream ? dependency.stream->tail() : nullptr;
  if (theirs == nullptr || theirs->finished(dependency.ticket)) return;
  Engines* engines = Engines::active();
  DeviceTail* ours = engines ? engines->open_tail(*this) : nullptr;
  if (ours == nullptr) {
    dependency.stream->wait(dependency.ticket);
  } else if (ours != theirs) {
    report(ours->follow(*theirs, dependency.ticket, ticket));
  }
}

void Stream::follow_default_streams(uint64_t ticket) {
  auto& table = StreamTable::instance();
  auto follow_all = [&](const std::shared_ptr<Stream>& stream) {
    if (DeviceTail* theirs = stream->tail(); theirs != nullptr && theirs->first_open() != 0)
      follow({stream, stream->issued()}, ticket);
  };
  if (kind_ == StreamKind::legacy) {
    if (!table.has_blocking()) return;
    const auto blocking = table.blocking();
    for (auto& stream : *blocking) follow_all(stream);
  } else if (blocking()) {
    follow_all(table.legacy());
  }
}

uint64_t Stream::enqueue(std::unique_ptr<Operation> operation, std::vector<Dependency> after) {
  collect_default_stream_dependencies(after);
  Prefetcher* prefetcher = Engines::prefetcher();
  std::shared_ptr<const Upcoming> upcoming;
  if (prefetcher != nullptr) [[unlikely]]
    upcoming = Engines::active()->upcoming(*operation);
  const bool wanting = upcoming && !upcoming->wanted.empty();
  std::unique_lock lock(mutex_);
  uint64_t ticket = enqueued_.load(std::memory_order_relaxed) + 1;
  queue_.push_back(
      {std::move(operation), ticket, std::move(after), wished_engine(), std::move(upcoming)});
  enqueued_.store(ticket, std::memory_order_release);
  bool first = !draining_ && queue_.size() == 1;
  const bool behind = running_ != nullptr && wanting;
  lock.unlock();
  if (behind && prefetcher != nullptr) prefetcher->look(shared_from_this());
  // Entries behind the first are reached by whoever drains it, or waits for its dependency.
  if (first) Runners::instance().schedule(shared_from_this());
  return ticket;
}

uint64_t Stream::try_begin() {
  if (issued() != enqueued() || default_stream_dependencies_open()) return 0;
  std::unique_lock lock(mutex_);
  if (draining_ || !queue_.empty()) return 0;
  draining_ = true;
  uint64_t ticket = enqueued_.load(std::memory_order_relaxed) + 1;
  enqueued_.store(ticket, std::memory_order_release);
  return ticket;
}

void Stream::end(uint64_t ticket) {
  std::unique_lock lock(mutex_);
  complete(lock, ticket);
  draining_ = false;
  wake_pending_ = false;
  bool more = !queue_.empty();
  lock.unlock();
  if (more) Runners::instance().schedule(shared_from_this());
}

void Stream::defer(uint64_t ticket, std::unique_ptr<Operation> operation) {
  std::unique_lock lock(mutex_);
  queue_.push_front({std::move(operation), ticket, {}, wished_engine(), {}});
  draining_ = false;
  wake_pending_ = false;
  lock.unlock();
  Runners::instance().schedule(shared_from_this());
}

void Stream::wait_for(Dependency dependency) {
  if (dependency.stream.get() == this || dependency.satisfied()) return;
  if (dependency.stream->issued() >= dependency.ticket) {
    if (const uint64_t ticket = try_begin()) {
      follow(dependency, ticket);
      end(ticket);
      return;
    }
  }
  std::vector<Dependency> after;
  after.push_back(std::move(dependency));
  enqueue(std::make_unique<EmptyOperation>(), std::move(after));
}

void Stream::wait_open(uint64_t ticket) {
  wait_issued(ticket);
  if (DeviceTail* tail = this->tail()) report(tail->wait(ticket));
}

bool Stream::poll(uint64_t ticket) {
  if (issued() < ticket) return false;
  DeviceTail* tail = this->tail();
  if (tail == nullptr) return true;
  auto status = tail->poll(ticket);
  if (status) report(*status);
  return status.has_value();
}

void Stream::wait_issued(uint64_t ticket) {
  if (issued() >= ticket) return;
  std::unique_lock lock(mutex_);
  bool spun = false;
  while (issued() < ticket) {
    if (!draining_) {
      draining_ = true;
      Dependency open = run_queue(lock, ticket);
      if (open.stream) {
        lock.unlock();
        open.stream->wait_issued(open.ticket);
        lock.lock();
      }
      continue;
    }
    if (!spun) {
      spun = true;
      lock.unlock();
      auto deadline = std::chrono::steady_clock::now() + kSpin;
      while (issued() < ticket && std::chrono::steady_clock::now() < deadline) {
        for (int i = 0; i < 8; ++i) relax();
      }
      lock.lock();
      continue;
    }
    ++waiting_hosts_;
    progress_.wait(lock);
    --waiting_hosts_;
  }
}

UpcomingWork Stream::upcoming() const {
  UpcomingWork work;
  std::unique_lock lock(mutex_);
  if (draining_ && !running_) return work;  // nobody knows what runs
  if (running_) {
    work.operations.push_back(running_);
    work.running = 1;
  }
  for (const Entry& entry : queue_) {
    const bool waits =
        std::any_of(entry.dependencies.begin(), entry.dependencies.end(),
                    [](const Dependency& dependency) { return !dependency.satisfied(); });
    if (waits || !entry.upcoming || work.operations.size() > kAhead) break;
    work.operations.push_back(entry.upcoming);
  }
  return work;
}

bool Stream::settle() {
  constexpr auto kPatience = std::chrono::milliseconds(1);
  uint64_t ticket = enqueued();
  if (issued() >= ticket) return true;
  auto deadline = std::chrono::steady_clock::now() + kPatience;
  std::unique_lock lock(mutex_);
  while (issued() < ticket) {
    if (draining_) {
      ++waiting_hosts_;
      auto woken = progress_.wait_until(lock, deadline);
      --waiting_hosts_;
      if (woken == std::cv_status::timeout) return issued() >= ticket;
      continue;
    }
    const Entry& head = queue_.front();
    auto open = [](const Dependency& dependency) { return !dependency.issued(); };
    constexpr uint64_t kLong = std::chrono::nanoseconds(kPatience).count();
    if (std::any_of(head.dependencies.begin(), head.dependencies.end(), open) ||
        head.operation->expected_ns() > kLong) {
      return false;
    }
    draining_ = true;
    run_queue(lock, head.ticket);
  }
  return true;
}

void Stream::drain() {
  std::unique_lock lock(mutex_);
  if (draining_) return;
  draining_ = true;
  run_queue(lock, ~uint64_t{0});
}

void Stream::run(Operation& operation, uint64_t ticket) {
  auto& context = Context::instance();
  if (context.sticky_error() != kSuccess && !operation.runs_after_error()) return;
  if (Status status = run_operation(operation, *this, ticket); !status)
    context.set_sticky_error(status);
}

Dependency Stream::run_queue(std::unique_lock<std::mutex>& lock, uint64_t until) {
  while (!queue_.empty() && issued() < until) {
    auto& dependencies = queue_.front().dependencies;  // stays put: only the owner pops
    if (!dependencies.empty()) {
      Dependency open = dependencies.back();
      if (open.issued()) {
        dependencies.pop_back();
        if (open.satisfied()) continue;
        const uint64_t ticket = queue_.front().ticket;
        lock.unlock();
        follow(open, ticket);
        lock.lock();
        continue;
      }
      lock.unlock();
      bool waiting = open.stream->add_dependent(open.ticket, shared_from_this());
      lock.lock();
      if (!waiting) continue;
      if (wake_pending_) {  // it completed while we still owned the stream
        wake_pending_ = false;
        continue;
      }
      draining_ = false;
      // A host thread that sleeps can do better: run what we wait for.
      if (waiting_hosts_ > 0) progress_.notify_all();
      return open;
    }
    Entry entry = std::move(queue_.front());
    queue_.pop_front();
    running_ = entry.upcoming;
    const bool wanting =
        running_ != nullptr &&
        std::any_of(queue_.begin(), queue_.begin() + std::min(queue_.size(), kAhead),
                    [](const Entry& e) { return e.upcoming && !e.upcoming->wanted.empty(); });
    lock.unlock();
    if (wanting) [[unlikely]] {
      if (Prefetcher* prefetcher = Engines::prefetcher()) prefetcher->look(shared_from_this());
    }
    {
      const EngineWish wish(entry.engine);
      run(*entry.operation, entry.ticket);
    }
    entry.operation.reset();
    lock.lock();
    running_ = nullptr;
    complete(lock, entry.ticket);
  }
  draining_ = false;
  wake_pending_ = false;
  if (!queue_.empty()) Runners::instance().schedule(shared_from_this());
  return {};
}

void Stream::complete(std::unique_lock<std::mutex>& lock, uint64_t ticket) {
  issued_.store(ticket, std::memory_order_release);
  if (waiting_hosts_ > 0) progress_.notify_all();
  if (dependents_.empty()) return;
  std::vector<std::shared_ptr<Stream>> ready;
  std::erase_if(dependents_, [&](Dependent& dependent) {
    if (dependent.ticket > ticket) return false;
    if (auto stream = dependent.stream.lock()) ready.push_back(std::move(stream));
    return true;
  });
  if (ready.empty()) return;
  lock.unlock();  // wake() takes the other stream's lock
  for (auto& stream : ready) stream->wake();
  lock.lock();
}

bool Stream::add_dependent(uint64_t ticket, const std::shared_ptr<Stream>& stream) {
  std::unique_lock lock(mutex_);
  if (issued() >= ticket) return false;
  dependents_.push_back({ticket, stream});
  return true;
}

void Stream::wake() {
  std::unique_lock lock(mutex_);
  if (queue_.empty()) return;
  if (draining_) {
    wake_pending_ = true;
    return;
  }
  lock.unlock();
  Runners::instance().schedule(shared_from_this());
}

// ---------------------------------------------------------------------------------------------------

/// Takes the thread's default stream out of the table when the thread ends.
struct ThreadStream {
  std::shared_ptr<Stream> stream;
  ~ThreadStream() {
    if (stream) StreamTable::instance().remove_per_thread(stream);
  }
};

namespace {
thread_local ThreadStream thread_stream;
struct FoundHandle {
  void* handle = nullptr;
  uint64_t epoch = 0;
};
thread_local FoundHandle last_found;
}  // namespace

StreamTable::StreamTable()
    : legacy_(std::make_shared<Stream>(StreamKind::legacy, 0, 0)),
      blocking_(std::make_shared<const std::vector<std::shared_ptr<Stream>>>()) {}

StreamTable& StreamTable::instance() {
  static StreamTable* table = new StreamTable;  // runner threads outlive static objects
  return *table;
}

const std::shared_ptr<Stream>& StreamTable::per_thread() {
  if (!thread_stream.stream) {
    thread_stream.stream = std::make_shared<Stream>(StreamKind::per_thread, 0, 0);
    std::unique_lock lock(mutex_);
    streams_.push_back(thread_stream.stream);
    rebuild_snapshot();
  }
  return thread_stream.stream;
}

std::shared_ptr<Stream> StreamTable::create(uint32_t flags, int priority) {
  auto stream = std::make_shared<Stream>(StreamKind::created, flags, priority);
  std::unique_lock lock(mutex_);
  streams_.push_back(stream);
  rebuild_snapshot();
  return stream;
}

void StreamTable::rebuild_snapshot() {
  auto blocking = std::make_shared<std::vector<std::shared_ptr<Stream>>>();
  for (auto& stream : streams_) {
    if (stream->blocking()) blocking->push_back(stream);
  }
  any_blocking_.store(!blocking->empty(), std::memory_order_release);
  any_non_blocking_.store(blocking->size() < streams_.size(), std::memory_order_release);
  blocking_ = std::move(blocking);
}

std::shared_ptr<const std::vector<std::shared_ptr<Stream>>> StreamTable::blocking() const {
  std::unique_lock lock(mutex_);
  return blocking_;
}

bool StreamTable::destroy(Stream* stream) {
  std::shared_ptr<Stream> keep;
  std::unique_lock lock(mutex_);
  auto found = std::find_if(streams_.begin(), streams_.end(), [&](auto& candidate) {
    return candidate.get() == stream && candidate->kind() == StreamKind::created;
  });
  if (found == streams_.end()) return false;
  keep = std::move(*found);
  streams_.erase(found);
  epoch_.fetch_add(1, std::memory_order_release);
  rebuild_snapshot();
  lock.unlock();
  // Its remaining work must stay ordered before later default-stream work, which no longer sees it.
  if (keep->blocking() && !keep->idle()) legacy_->wait_for({keep, keep->enqueued()});
  return true;
}

void StreamTable::remove_per_thread(const std::shared_ptr<Stream>& stream) {
  std::unique_lock lock(mutex_);
  std::erase(streams_, stream);
  rebuild_snapshot();
}

Stream* StreamTable::find(void* handle, bool per_thread_default) {
  auto value = reinterpret_cast<uintptr_t>(handle);
  if (value == 0) return per_thread_default ? per_thread().get() : legacy_.get();
  if (value == kLegacyStreamHandle) return legacy_.get();
  if (value == kPerThreadStreamHandle) return per_thread().get();
  uint64_t epoch = epoch_.load(std::memory_order_acquire);
  if (last_found.handle == handle && last_found.epoch == epoch) return static_cast<Stream*>(handle);
  std::unique_lock lock(mutex_);
  for (auto& stream : streams_) {
    if (stream.get() != handle || stream->kind() != StreamKind::created) continue;
    last_found = {handle, epoch};
    return stream.get();
  }
  return nullptr;
}

bool StreamTable::all_idle() const {
  if (!legacy_->idle()) return false;
  std::unique_lock lock(mutex_);
  return std::all_of(streams_.begin(), streams_.end(), [](auto& stream) { return stream->idle(); });
}

void StreamTable::settle_non_blocking() {
  if (!any_non_blocking_.load(std::memory_order_acquire)) return;
  std::unique_lock lock(mutex_);
  std::vector<std::shared_ptr<Stream>> busy;
  for (auto& stream : streams_) {
    if (!stream->blocking() && !stream->idle()) busy.push_back(stream);
  }
  lock.unlock();
  for (auto& stream : busy) stream->settle();
}

void StreamTable::synchronize_all() {
  legacy_->synchronize();
  std::unique_lock lock(mutex_);
  if (streams_.empty()) return;
  auto streams = streams_;
  lock.unlock();
  for (auto& stream : streams) stream->synchronize();
}

void StreamTable::reset() {
  std::unique_lock lock(mutex_);
  std::erase_if(streams_, [](auto& stream) { return stream->kind() == StreamKind::created; });
  epoch_.fetch_add(1, std::memory_order_release);
  rebuild_snapshot();
}

}  // namespace guda::runtime
