// What the scheduler asks the coherent pool: what would have to be moved before an engine could start.
#pragma once

#include "scheduler/engine_model.h"
#include "scheduler/work.h"

#include <cstdint>
#include <span>

namespace guda::scheduler {

/// Bytes of a range that an engine does not have in their latest version.
struct Missing {
  double bytes = 0;
  /// Where the latest version is; kNoEngine: in host memory.
  EngineIndex source = kNoEngine;
  /// It comes from there without a stay in host memory; so fast, 0 when that has not been seen yet.
  bool direct = false;
  double direct_bytes_per_ns = 0;
};

/// Implemented by the coherent pool. Thread safe; called on the launch path.
class Residency {
 public:
  virtual ~Residency() = default;

  virtual Missing missing(EngineIndex engine, const MemoryUse& use) const = 0;

  /// The same number as long as missing() gives the same answers for these ranges and every engine: decisions
  /// are kept under it. Different answers may, with small probability, have the same number.
  virtual uint64_t signature(std::span<const MemoryUse> uses) const = 0;
};

}  // namespace guda::scheduler
