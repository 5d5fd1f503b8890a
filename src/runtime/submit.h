// The one way for work onto a stream: inline, queued, or into a capture.
#pragma once

#include "runtime/context.h"
#include "runtime/engines.h"
#include "runtime/graph.h"
#include "runtime/operation.h"
#include "runtime/stream.h"

#include <memory>
#include <utility>

namespace guda::runtime {

/// Runs `operation` on the calling thread now when `inline_allowed` and the stream is idle, else queues
/// it. A capturing stream records it instead. A failure of execution becomes the context's sticky error;
/// the Status returned is only about submitting.
template <typename Op>
Status submit(Stream& stream, Op&& operation, bool inline_allowed) {
  using Concrete = std::decay_t<Op>;
  if (stream.capture()) {
    return capture_operation(stream, std::make_unique<Concrete>(std::forward<Op>(operation)));
  }
  if (inline_allowed) {
    if (uint64_t ticket = stream.try_begin()) {
      Status status = run_operation(operation);
      stream.end(ticket);
      if (!status) Context::instance().set_sticky_error(status);
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
  if (uint64_t ticket = stream.try_begin()) {
    Status status = run_operation(operation);
    stream.end(ticket);
    if (!status) Context::instance().set_sticky_error(status);
    return;
  }
  stream.wait(stream.enqueue(std::make_unique<Concrete>(std::forward<Op>(operation))));
}

}  // namespace guda::runtime
