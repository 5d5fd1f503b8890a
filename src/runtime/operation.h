// One piece of asynchronous work: what a stream's queue and a graph's nodes hold.
#pragma once

#include "support/status.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace guda::backend {
struct GemmProblem;
class LibraryCall;
}  // namespace guda::backend

namespace guda::runtime {

class Stream;
struct Program;

/// The moment when `stream` has finished its operation number `ticket`.
struct Dependency {
  std::shared_ptr<Stream> stream;
  uint64_t ticket = 0;

  /// It has been handed to a device, if it has not finished.
  bool issued() const;
  bool satisfied() const;
};

/// What an operation needs when there are several engines (engines.h).
enum class OperationKind : uint8_t {
  host_memory,  // works on device memory with host code: library calls
  nothing,      // touches no device memory: marks, waits, host functions
  kernel,
  copy,
  fill,
  program,  // a list of operations
  gemm,  // a matrix product: gemm() describes it
};

/// Device memory that an operation uses.
struct MemoryUse {
  const void* start;
  size_t bytes;
  bool written;
};

class Operation {
 public:
  virtual ~Operation() = default;
  /// Runs to completion on the calling thread. A failure becomes the context's sticky error.
  virtual Status execute() = 0;
  /// For traces.
  virtual std::string_view label() const { return "library call"; }
  /// Valid until the operation is changed or destroyed.
  virtual const backend::GemmProblem* gemm() { return nullptr; }
  /// Of kind `program`: what it consists of.
  virtual Program* program() const { return nullptr; }
  /// Of kind `host_memory`: what it uses of the device's memory; empty: perhaps everything.
  virtual std::optional<std::span<const MemoryUse>> memory_uses() const { return std::nullopt; }
  /// Of kind `host_memory`: the same work as a call of the vendor's library, for devices that have it. Null: none.
  virtual backend::LibraryCall* library_call() { return nullptr; }
  virtual OperationKind operation_kind() const { return OperationKind::host_memory; }
  /// When earlier work of the stream is on a device that has not finished it (device_tail.h): does the operation's part
  /// without waiting for that work; `ticket` is its own. False: it has to wait.
  virtual bool follow_device_work(Stream& stream, uint64_t ticket) {
    (void)stream;
    (void)ticket;
    return false;
  }
  /// A copy for another launch of the same graph; null when it cannot be repeated.
  virtual std::unique_ptr<Operation> clone() const { return nullptr; }
  /// Time that it needs, as far as known (0: not known); kMayWait when it can wait for something that a host
  /// thread does.
  virtual uint64_t expected_ns() const { return kMayWait; }
  static constexpr uint64_t kMayWait = ~uint64_t{0};
  /// Host callbacks also run after a sticky error (cudaStreamAddCallback reports it).
  virtual bool runs_after_error() const { return false; }
};

}  // namespace guda::runtime
