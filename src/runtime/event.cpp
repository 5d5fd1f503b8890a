#include "runtime/event.h"

#include <time.h>

#include <algorithm>
#include <unordered_map>

namespace guda::runtime {
namespace {

class MarkOperation final : public Operation {
 public:
  explicit MarkOperation(std::shared_ptr<EventMark> mark) : mark_(std::move(mark)) {}
  Status execute() override {
    mark_->nanoseconds.store(now_nanoseconds(), std::memory_order_relaxed);
    return Status::ok();
  }
  bool runs_after_error() const override { return true; }
  uint64_t expected_ns() const override { return 0; }

 private:
  std::shared_ptr<EventMark> mark_;
};

}  // namespace

int64_t now_nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

void Event::record(Stream& stream) {
  auto mark = std::make_shared<EventMark>();
  if (uint64_t ticket = stream.try_begin()) {
    mark->nanoseconds.store(now_nanoseconds(), std::memory_order_relaxed);
    stream.end(ticket);
  } else {
    // The ticket is known only after the operation is queued; nobody else sees the mark before.
    mark->stream = stream.shared_from_this();
    mark->ticket = stream.enqueue(std::make_unique<MarkOperation>(mark));
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

bool Event::complete() const {
  auto latest = mark();
  return !latest || latest->reached();
}

void Event::synchronize() {
  auto latest = mark();
  if (latest && latest->stream) latest->stream->wait(latest->ticket);
}

Result<float> Event::elapsed(const Event& start, const Event& end) {
  auto first = start.mark();
  auto last = end.mark();
  if (!first || !last || ((start.flags() | end.flags()) & kEventDisableTiming)) {
    return Status(StatusCode::invalid_handle, "event without a recorded time");
  }
  if (!first->reached() || !last->reached()) return Status(StatusCode::not_ready, "event is pending");
  int64_t nanoseconds = last->nanoseconds.load() - first->nanoseconds.load();
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
