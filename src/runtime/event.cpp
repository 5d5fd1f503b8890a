#include "runtime/event.h"

#include "runtime/engines.h"
#include "runtime/submit.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <new>
#include <string>
#include <unordered_map>

namespace guda::runtime {
namespace {

class MarkOperation final : public Operation {
 public:
  MarkOperation(std::shared_ptr<EventMark> mark, bool timed, std::shared_ptr<SharedMark> shared,
                uint64_t record)
      : mark_(std::move(mark)), shared_(std::move(shared)), record_(record), timed_(timed) {}
  OperationKind operation_kind() const override { return OperationKind::nothing; }
  Status execute() override {
    mark_->nanoseconds.store(now_nanoseconds(), std::memory_order_relaxed);
    if (shared_) reach(*shared_, record_);
    return Status::ok();
  }
  static void reach(SharedMark& shared, uint64_t record) {
    uint64_t before = shared.reached.load();
    while (before < record && !shared.reached.compare_exchange_weak(before, record)) {
    }
  }
  bool runs_after_error() const override { return true; }
  uint64_t expected_ns() const override { return 0; }
  bool follow_device_work(Stream& stream, uint64_t ticket) override {
    if (shared_) return false;  // other processes cannot ask the device
    Engines* engines = Engines::active();
    DeviceTail* tail = engines ? engines->open_tail(stream) : nullptr;
    if (tail == nullptr) return false;
    auto made = tail->mark(ticket, timed_);
    if (!made) return false;
    mark_->device = std::move(*made);
    return true;
  }

 private:
  std::shared_ptr<EventMark> mark_;
  std::shared_ptr<SharedMark> shared_;
  uint64_t record_;
  bool timed_;
};

/// Other processes cannot wake us: look often at first, then now and then.
void wait_for_process(const SharedMark& shared, uint64_t record) {
  for (int round = 0; shared.reached.load(std::memory_order_acquire) < record; ++round) {
    if (round < 100) {
      sched_yield();
    } else {
      timespec pause{0, 50000};
      nanosleep(&pause, nullptr);
    }
  }
}

class WaitForProcess final : public Operation {
 public:
  WaitForProcess(std::shared_ptr<SharedMark> shared, uint64_t record)
      : shared_(std::move(shared)), record_(record) {}
  OperationKind operation_kind() const override { return OperationKind::nothing; }
  Status execute() override {
    wait_for_process(*shared_, record_);
    return Status::ok();
  }

 private:
  std::shared_ptr<SharedMark> shared_;
  uint64_t record_;
};

/// The page of a shared event; unmapped with its last user.
std::shared_ptr<SharedMark> map_shared(int descriptor, bool fresh) {
  void* page = mmap(nullptr, sizeof(SharedMark), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (page == MAP_FAILED) return nullptr;
  auto* mark = fresh ? new (page) SharedMark : static_cast<SharedMark*>(page);
  return {mark, [](SharedMark* mapped) { munmap(mapped, sizeof(SharedMark)); }};
}

}  // namespace

Result<Event::Shared> Event::share() {
  std::unique_lock lock(mutex_);
  if (!shared_) {
    int descriptor = memfd_create("guda-event", MFD_CLOEXEC);
    if (descriptor < 0 || ftruncate(descriptor, sizeof(SharedMark)) != 0) {
      return Status(StatusCode::operating_system, "no shared memory for an event");
    }
    shared_ = map_shared(descriptor, true);
    if (!shared_) return Status(StatusCode::operating_system, "no shared memory for an event");
    shared_descriptor_ = descriptor;  // stays open: that is how others find it
  }
  if (shared_descriptor_ < 0)
    return Status(StatusCode::invalid_value, "the event belongs to another process");
  return Shared{getpid(), shared_descriptor_};
}

Status Event::attach(const Shared& shared) {
  std::string path =
      "/proc/" + std::to_string(shared.process) + "/fd/" + std::to_string(shared.descriptor);
  int descriptor = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return {StatusCode::operating_system, "cannot open " + path};
  auto mark = map_shared(descriptor, false);
  close(descriptor);
  if (!mark) return {StatusCode::operating_system, "cannot map " + path};
  std::unique_lock lock(mutex_);
  shared_ = std::move(mark);
  return Status::ok();
}

Event::~Event() {
  if (shared_descriptor_ >= 0) close(shared_descriptor_);
}

void Event::make_wait(Stream& stream) const {
  std::unique_lock lock(mutex_);
  auto latest = mark_;
  auto shared = shared_;
  lock.unlock();
  if (shared) {
    if (uint64_t record = shared->recorded.load(); shared->reached.load() < record) {
      stream.enqueue(std::make_unique<WaitForProcess>(std::move(shared), record));
    }
  } else if (latest && latest->stream) {
    stream.wait_for({latest->stream, latest->ticket});
  }
}

int64_t now_nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

void Event::record(Stream& stream) {
  auto mark = std::make_shared<EventMark>();
  const bool timed = (flags_ & kEventDisableTiming) == 0;
  std::shared_ptr<SharedMark> shared;
  if (flags_ & kEventInterprocess) {
    std::unique_lock lock(mutex_);
    shared = shared_;
  }
  uint64_t record = shared ? shared->recorded.fetch_add(1) + 1 : 0;
  if (uint64_t ticket = stream.try_begin()) {
    MarkOperation operation(mark, timed, shared, record);
    (void)run_begun(stream, operation, ticket, true);
    if (mark->device) [[unlikely]] {
      mark->stream = stream.shared_from_this();
      mark->ticket = ticket;
    }
  } else {
    // The ticket is known only after the operation is queued; nobody else sees the mark before.
    mark->stream = stream.shared_from_this();
    mark->ticket =
        stream.enqueue(std::make_unique<MarkOperation>(mark, timed, std::move(shared), record));
  }
  set_mark(std::move(mark));
}

std::shared_ptr<EventMark> Event::mark() const {
  std::unique_lock lock(mutex_);
  return mark_;
}

void Event::set_mark(std::shared_ptr<EventMark> mark) {
  std::unique_lock lock(mutex_);
  mark_.swap(mark);
  captured_.reset();
}

std::shared_ptr<CapturedMark> Event::captured() const {
  std::unique_lock lock(mutex_);
  return captured_;
}

void Event::set_captured(std::shared_ptr<CapturedMark> captured) {
  std::unique_lock lock(mutex_);
  captured_.swap(captured);
}

int64_t EventMark::time() const {
  if (!device) return nanoseconds.load();
  const Engines* engines = Engines::active();
  return engines ? engines->time_of(*device) : 0;
}

bool Event::complete() const {
  if (flags_ & kEventInterprocess) {
    std::unique_lock lock(mutex_);
    if (shared_) return shared_->reached.load() >= shared_->recorded.load();
  }
  auto latest = mark();
  return !latest || latest->reached();
}

void Event::synchronize() {
  auto latest = mark();
  std::shared_ptr<SharedMark> shared;
  if (flags_ & kEventInterprocess) {
    std::unique_lock lock(mutex_);
    shared = shared_;
  }
  uint64_t record = shared ? shared->recorded.load() : 0;
  if (latest && latest->stream) latest->stream->wait(latest->ticket);
  if (shared) wait_for_process(*shared, record);
}

Result<float> Event::elapsed(const Event& start, const Event& end) {
  auto first = start.mark();
  auto last = end.mark();
  if (!first || !last || ((start.flags() | end.flags()) & kEventDisableTiming)) {
    return Status(StatusCode::invalid_handle, "event without a recorded time");
  }
  if (!first->reached() || !last->reached())
    return Status(StatusCode::not_ready, "event is pending");
  int64_t nanoseconds = 0;
  std::optional<int64_t> device;
  if (first->device && last->device) device = last->device->since(*first->device);
  nanoseconds = device ? *device : last->time() - first->time();
  return static_cast<float>(static_cast<double>(nanoseconds) * 1e-6);
}

struct EventTable::State {
  mutable std::mutex mutex;
  std::unordered_map<void*, std::shared_ptr<Event>> events;
};

EventTable::EventTable() : state_(new State) {}

EventTable& EventTable::instance() {
  static EventTable* table = new EventTable;
  return *table;
}

Event* EventTable::create(uint32_t flags) {
  auto event = std::make_shared<Event>(flags);
  std::unique_lock lock(state_->mutex);
  state_->events.emplace(event.get(), event);
  return event.get();
}

bool EventTable::destroy(Event* event) {
  std::unique_lock lock(state_->mutex);
  return state_->events.erase(event) != 0;
}

std::shared_ptr<Event> EventTable::find(void* handle) const {
  std::unique_lock lock(state_->mutex);
  auto found = state_->events.find(handle);
  return found == state_->events.end() ? nullptr : found->second;
}

void EventTable::reset() {
  std::unique_lock lock(state_->mutex);
  state_->events.clear();
}

}  // namespace guda::runtime
