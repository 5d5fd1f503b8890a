// A device's own copy of the memory that the chunks of a work combine values into, and of which they see nothing.
//
// It starts with the operation's identity and gathers what the device's chunks contribute. Only when all of the work
// has succeeded are contributions combined with the contents in host memory, so a device that fails takes its
// contributions with it and its chunks are computed elsewhere: nothing counts twice.
#pragma once

#include "backends/device.h"
#include "compiler/access/reduction.h"
#include "memory/coherent_pool.h"
#include "support/status.h"

#include <cstddef>
#include <span>
#include <vector>

namespace guda::scheduler {

std::vector<memory::Range> ranges_of(std::span<const access::Reduction> reductions);

/// Used by one thread. The device's memory is the pool's again when its life ends.
class ReductionCopy {
 public:
  bool exists() const { return !reductions_.empty(); }
  /// Hands the identities over to `queue`. `reductions` must outlive this.
  Status create(memory::CoherentPool& pool, memory::Space space, backend::Queue& queue,
                std::span<const access::Reduction> reductions);
  /// What everything before it in the queue has contributed so far; waits for it. Of all ranges, one after the other.
  Result<std::vector<std::byte>> contributions(backend::Queue& queue) const;

 private:
  std::span<const access::Reduction> reductions_;
  memory::CoherentPool::Lease lease_;
};

/// Combines what contributions() returned with the contents in host memory.
void combine_on_host(std::span<const access::Reduction> reductions,
                     std::span<const std::byte> contributions);

}  // namespace guda::scheduler
