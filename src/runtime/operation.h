// One piece of asynchronous work: what a stream's queue and a graph's nodes hold.
#pragma once

#include "support/status.h"

#include <cstdint>
#include <memory>

namespace guda::runtime {

class Stream;

/// The moment when `stream` has finished its operation number `ticket`.
struct Dependency {
  std::shared_ptr<Stream> stream;
  uint64_t ticket = 0;

  bool satisfied() const;
};

class Operation {
 public:
  virtual ~Operation() = default;
  /// Runs to completion on the calling thread. A failure becomes the context's sticky error.
  virtual Status execute() = 0;
  /// A copy for another launch of the same graph; null when it cannot be repeated.
  virtual std::unique_ptr<Operation> clone() const { return nullptr; }
  /// Host callbacks also run after a sticky error (cudaStreamAddCallback reports it).
  virtual bool runs_after_error() const { return false; }
};

}  // namespace guda::runtime
