// The coherent pool's answers to the scheduler's questions.
#pragma once

#include "memory/coherent_pool.h"
#include "scheduler/residency.h"

#include <algorithm>
#include <array>

namespace guda::scheduler {

class PoolResidency final : public Residency {
 public:
  /// `spaces[i]`: engine i's memory in the pool.
  PoolResidency(const memory::CoherentPool& pool, std::span<const memory::Space> spaces)
      : pool_(pool) {
    count_ = std::min(spaces.size(), kMaxEngines);
    std::copy_n(spaces.begin(), count_, spaces_.begin());
  }

  Missing missing(EngineIndex engine, const MemoryUse& use) const override {
    const memory::Range range = memory::Range::of(use.address, use.bytes);
    Missing answer;
    answer.bytes = static_cast<double>(pool_.missing_bytes(spaces_[engine], {&range, 1}));
    if (answer.bytes <= 0) return answer;
    // What the host lacks comes from the device that has most of it.
    if (static_cast<double>(pool_.missing_bytes(memory::kHostSpace, {&range, 1})) <
        answer.bytes / 2)
      return answer;
    double least = answer.bytes;
    for (EngineIndex other = 0; other < count_; ++other) {
      if (other == engine || spaces_[other] == memory::kHostSpace) continue;
      const auto lacks = static_cast<double>(pool_.missing_bytes(spaces_[other], {&range, 1}));
      if (lacks < least) {
        least = lacks;
        answer.source = other;
      }
    }
    if (answer.source != kNoEngine && pool_.direct(spaces_[engine], spaces_[answer.source])) {
      answer.direct = true;
      answer.direct_bytes_per_ns = pool_.direct_rate(spaces_[engine]);
    }
    return answer;
  }

  uint64_t signature(std::span<const MemoryUse> uses) const override {
    uint64_t hash = 0;
    for (const MemoryUse& use : uses) {
      const memory::Range range = memory::Range::of(use.address, use.bytes);
      for (size_t i = 0; i < count_; ++i) {
        const size_t bytes = pool_.missing_bytes(spaces_[i], {&range, 1});
        hash = (hash ^ bytes) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
      }
    }
    return hash;
  }

 private:
  const memory::CoherentPool& pool_;
  std::array<memory::Space, kMaxEngines> spaces_{};
  size_t count_ = 0;
};

}  // namespace guda::scheduler
