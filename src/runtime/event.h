// Events: a mark in a stream, with the time when it was reached.
#pragma once

#include "runtime/operation.h"
#include "runtime/stream.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace guda::runtime {

/// One cudaEventRecord. `nanoseconds` is 0 until the stream reaches it.
struct EventMark {
  std::shared_ptr<Stream> stream;      // null: reached at once, no dependency
  uint64_t ticket = 0;
  std::atomic<int64_t> nanoseconds{0};
  std::shared_ptr<backend::Mark>
      device;  // when the home device has the time; set before `ticket` is issued

  bool reached() const { return !stream || stream->completed() >= ticket || stream->poll(ticket); }
  /// Of a mark that has been reached; 0 when nobody knows.
  int64_t time() const;
};

enum EventFlags : uint32_t {
  kEventBlockingSync = 1,
  kEventDisableTiming = 2,
  kEventInterprocess = 4,
};

/// What an event shares with other processes: how often it was recorded, and the last record that a
/// stream has reached.
struct SharedMark {
  std::atomic<uint64_t> recorded{0};
  std::atomic<uint64_t> reached{0};
};

class Capture;
struct GraphNode;

/// Where an event stands in a capture (graph.h).
struct CapturedMark {
  std::shared_ptr<Capture> capture;
  std::vector<GraphNode*> nodes;
};

class Event {
 public:
  explicit Event(uint32_t flags) : flags_(flags) {}
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  uint32_t flags() const { return flags_; }
  /// Where other processes find the event. Errors: operating_system.
  struct Shared {
    int process = 0;
    int descriptor = -1;
  };
  Result<Shared> share();
  /// Attaches this (new) event to another process's. Errors: operating_system.
  Status attach(const Shared& shared);
  /// Makes later work of the stream wait for the latest record, whichever process made it.
  void make_wait(Stream& stream) const;

  /// Marks the stream's present end.
  void record(Stream& stream);
  /// The latest record; null before the first.
  std::shared_ptr<EventMark> mark() const;
  void set_mark(std::shared_ptr<EventMark> mark);
  /// Set by a record in a capturing stream; null after any other record.
  std::shared_ptr<CapturedMark> captured() const;
  void set_captured(std::shared_ptr<CapturedMark> captured);

  /// ok, or not_ready. An event never recorded is complete.
  bool complete() const;
  void synchronize();
  /// Milliseconds between two records; invalid_handle when unrecorded or without timing, not_ready
  /// when pending.
  static Result<float> elapsed(const Event& start, const Event& end);

 private:
  const uint32_t flags_;
  mutable std::mutex mutex_;
  std::shared_ptr<EventMark> mark_;
  std::shared_ptr<CapturedMark> captured_;
  std::shared_ptr<SharedMark> shared_;  // null: this process's only
  int shared_descriptor_ = -1;
};

/// Live cudaEvent_t handles.
class EventTable {
 public:
  static EventTable& instance();
  Event* create(uint32_t flags);
  bool destroy(Event* event);
  /// Null: not an event.
  std::shared_ptr<Event> find(void* handle) const;
  void reset();

 private:
  struct State;
  EventTable();
  State* state_;
};

/// CLOCK_MONOTONIC.
int64_t now_nanoseconds();

}  // namespace guda::runtime
