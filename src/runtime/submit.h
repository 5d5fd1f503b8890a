// The one way for work onto a stream: inline, queued, or into a capture.
#pragma once

#include "runtime/context.h"
#include "runtime/engines.h"
#include "runtime/graph.h"
#include "runtime/operation.h"
#include "runtime/stream.h"
#include "support/detours.h"

#include <memory>
#include <utility>

namespace guda::runtime {

/// run_begun() with several engines, or a trace; out of line, so that the way of a CPU alone is short.
bool run_begun_with_detour(Stream& stream, Operation& operation, uint64_t ticket, bool here);

/// Work that try_begin() let in, on this thread.
inline void run_begun_here(Stream& stream, Operation& operation, uint64_t ticket) {
  const Status status = operation.execute();
  stream.end(ticket);
  if (!status) [[unlikely]]
    Context::instance().set_sticky_error(status);
}

/// Work that try_begin() let in: to the home device, or on this thread when `here`. False: neither.
inline bool run_begun(Stream& stream, Operation& operation, uint64_t ticket, bool here) {
  if (has_detour()) [[unlikely]]
    return run_begun_with_detour(stream, operation, ticket, here);
  run_begun_here(stream, operation, ticket);
  return true;
}

/// Runs `operation` on the calling thread now when `inline_allowed` and the stream is idle, hands it to the home device
/// when there is one that takes it, else queues it. A capturing stream records it instead. A failure of execution
/// becomes the context's sticky error; the Status returned is only about submitting.
template <typename Op>
Status submit(Stream& stream, Op&& operation, bool inline_allowed) {
  using Concrete = std::decay_t<Op>;
  if (stream.capture()) {
    return capture_operation(stream, std::make_unique<Concrete>(std::forward<Op>(operation)));
  }
  if (inline_allowed || Engines::with_home() != nullptr) {
    if (uint64_t ticket = stream.try_begin()) {
      if (!run_begun(stream, operation, ticket, inline_allowed))
        stream.defer(ticket, std::make_unique<Concrete>(std::forward<Op>(operation)));
      return Status::ok();
    }
  }
  stream.enqueue(std::make_unique<Concrete>(std::forward<Op>(operation)));
  return Status::ok();
}

/// Same, and returns when it is done. Not for capturing streams.
template <typename Op>
void submit_and_wait(Stream& stream, Op&& operation) {
  using Concrete = std::decay_t<Op>;
  uint64_t ticket = stream.try_begin();
  if (ticket != 0) {
    if (!has_detour()) [[likely]] {
      run_begun_here(stream, operation, ticket);
      return;
    }
    (void)run_begun_with_detour(stream, operation, ticket, true);
  } else {
    ticket = stream.enqueue(std::make_unique<Concrete>(std::forward<Op>(operation)));
  }
  stream.wait(ticket);
}

}  // namespace guda::runtime
