#include "runtime/memory_order.h"

#include <algorithm>

namespace guda::runtime {
namespace {

using memory::Range;

std::vector<Range> granules(std::span<const Range> ranges) {
  constexpr uintptr_t kGranule = memory::CoherentPool::kGranule;
  std::vector<Range> whole;
  whole.reserve(ranges.size());
  for (Range range : ranges) {
    if (range.empty()) continue;
    whole.push_back(
        {range.begin / kGranule * kGranule, (range.end + kGranule - 1) / kGranule * kGranule});
  }
  return whole;
}

bool overlap(const std::vector<Range>& a, const std::vector<Range>& b) {
  return std::any_of(a.begin(), a.end(), [&](Range x) {
    return std::any_of(b.begin(), b.end(),
                       [&](Range y) { return x.begin < y.end && y.begin < x.end; });
  });
}

}  // namespace

bool MemoryOrder::conflict(const Entry& a, const Entry& b) {
  if (a.space == b.space && a.space != kSeveral) return false;
  return overlap(a.writes, b.writes) || overlap(a.writes, b.reads) || overlap(a.reads, b.writes);
}

bool MemoryOrder::clear(memory::Space space, std::span<const Range> reads,
                        std::span<const Range> writes) const {
  if (idle()) return true;
  const Entry entry{space, granules(reads), granules(writes)};
  std::unique_lock lock(mutex_);
  return std::none_of(entries_.begin(), entries_.end(),
                      [&](const Entry& other) { return conflict(other, entry); });
}

std::optional<MemoryOrder::Turn> MemoryOrder::take(memory::Space space,
                                                   std::span<const Range> reads,
                                                   std::span<const Range> writes) {
  Entry entry{space, granules(reads), granules(writes)};
  std::unique_lock lock(mutex_);
  if (std::any_of(entries_.begin(), entries_.end(),
                  [&](const Entry& other) { return conflict(other, entry); }))
    return std::nullopt;
  auto mine = entries_.insert(entries_.end(), std::move(entry));
  entry_count_.fetch_add(1, std::memory_order_release);
  return Turn(*this, mine);
}

MemoryOrder::Turn MemoryOrder::wait(memory::Space space, std::span<const Range> reads,
                                    std::span<const Range> writes) {
  Entry entry{space, granules(reads), granules(writes)};
  std::unique_lock lock(mutex_);
  auto mine = entries_.insert(entries_.end(), std::move(entry));
  entry_count_.fetch_add(1, std::memory_order_release);
  ended_.wait(lock, [&] {
    return std::none_of(entries_.begin(), mine,
                        [&](const Entry& earlier) { return conflict(earlier, *mine); });
  });
  return Turn(*this, mine);
}

void MemoryOrder::Turn::end() {
  if (order_ == nullptr) return;
  {
    std::unique_lock lock(order_->mutex_);
    order_->entries_.erase(entry_);
    order_->entry_count_.fetch_sub(1, std::memory_order_release);
  }
  order_->ended_.notify_all();
  order_ = nullptr;
}

}  // namespace guda::runtime
