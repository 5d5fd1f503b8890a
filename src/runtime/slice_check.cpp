#include "runtime/slice_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <vector>

#include "compiler/access/launch_access.h"
#include "compiler/access/reduction.h"
#include "memory/heap.h"
#include "runtime/module/module.h"
#include "support/log.h"
#include "support/merge_ranges.h"
#include "support/options.h"

namespace guda::runtime {
namespace {

using access::ByteRange;
using access::ByteSet;
using memory::Allocation;
using memory::AllocationKind;

constexpr size_t kMostBytes = size_t{512} << 20;  // of all memory together; more is not checked
constexpr size_t kManyBytes = size_t{32} << 20;   // one check per kernel is enough
constexpr int kMostChecks = 6;                    // per kernel
constexpr std::byte kGarbage{0xA5};

/// The contents of all device memory.
class MemoryImage {
 public:
  explicit MemoryImage(const std::vector<Allocation>& allocations) : allocations_(allocations) {
    for (const Allocation& allocation : allocations)
      copies_.emplace_back(allocation.base, allocation.base + allocation.size);
  }
  void restore() const {
    for (size_t i = 0; i < allocations_.size(); ++i)
      std::memcpy(allocations_[i].base, copies_[i].data(), copies_[i].size());
  }
  /// Copies the range between memory and this image, as far as it is memory.
  void load(const ByteRange& range) {
    each_piece(range, [](std::byte* memory, std::byte* copy, size_t bytes) {
      std::memcpy(copy, memory, bytes);
    });
  }
  void store(const ByteRange& range) {
    each_piece(range, [](std::byte* memory, std::byte* copy, size_t bytes) {
      std::memcpy(memory, copy, bytes);
    });
  }
  /// The image's byte at an address of memory; null when it has none.
  std::byte* at(uint64_t address) {
    for (size_t i = 0; i < allocations_.size(); ++i) {
      const auto base = reinterpret_cast<uintptr_t>(allocations_[i].base);
      if (address >= base && address < base + copies_[i].size())
        return copies_[i].data() + (address - base);
    }
    return nullptr;
  }
  /// Ranges of memory that differ from the image.
  std::vector<ByteRange> differences() const {
    constexpr size_t kStep = 256;  // compared at once
    std::vector<ByteRange> result;
    for (size_t i = 0; i < allocations_.size(); ++i) {
      const auto base = reinterpret_cast<uintptr_t>(allocations_[i].base);
      const std::byte* memory = allocations_[i].base;
      const std::vector<std::byte>& copy = copies_[i];
      for (size_t at = 0; at < copy.size(); ++at) {
        if (at % kStep == 0 && at + kStep <= copy.size() &&
            std::memcmp(memory + at, copy.data() + at, kStep) == 0) {
          at += kStep - 1;
          continue;
        }
        if (memory[at] == copy[at]) continue;
        if (!result.empty() && result.back().end == base + at) {
          ++result.back().end;
        } else {
          result.push_back({base + at, base + at + 1});
        }
      }
    }
    return result;
  }

 private:
  template <typename Visit>
  void each_piece(const ByteRange& range, Visit&& visit) {
    for (size_t i = 0; i < allocations_.size(); ++i) {
      const auto base = reinterpret_cast<uintptr_t>(allocations_[i].base);
      const uint64_t begin = std::max<uint64_t>(range.begin, base);
      const uint64_t end = std::min<uint64_t>(range.end, base + copies_[i].size());
      if (begin < end)
        visit(allocations_[i].base + (begin - base), copies_[i].data() + (begin - base),
              end - begin);
    }
  }

  const std::vector<Allocation>& allocations_;
  std::vector<std::vector<std::byte>> copies_;
};

/// Merged: what a slice changes may run from one array into its neighbour.
std::vector<ByteRange> ranges_of(const std::vector<ByteSet>& sets) {
  std::vector<ByteRange> all;
  for (const ByteSet& set : sets) set.append_ranges(all);
  return merge_ranges(std::move(all));
}

bool inside(const ByteRange& range, const std::vector<ByteRange>& sorted) {
  const auto after = std::upper_bound(
      sorted.begin(), sorted.end(), range.begin,
      [](uint64_t address, const ByteRange& other) { return address < other.begin; });
  return after != sorted.begin() && range.end <= std::prev(after)->end;
}

bool meet(const std::vector<ByteRange>& a, const std::vector<ByteRange>& b) {
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i].begin < b[j].end && b[j].begin < a[i].end) return true;
    a[i].end <= b[j].end ? ++i : ++j;
  }
  return false;
}

class SliceCheck {
 public:
  SliceCheck(Kernel& kernel, const cpu::LaunchDescription& launch,
             access::AccessEvaluator& evaluator)
      : kernel_(kernel), launch_(launch), evaluator_(evaluator) {
    arguments_.params = launch.params;
    arguments_.grid = launch.grid;
    arguments_.block = launch.block;
    arguments_.cooperative = launch.cooperative;
    for (const std::string& name : evaluator.summary().variables) {
      const auto variable = kernel.module().find_variable(name);
      variables_.push_back(variable ? variable->address : nullptr);
    }
    arguments_.variables = variables_;
    // Allocations come and go between launches.
    static uint64_t generation = 0;
    arguments_.generation = ++generation;
  }

  Status run(std::mt19937& random, int& checks) {
    const auto find = [](uint64_t address) {
      const auto found = memory::Heap::instance().find(reinterpret_cast<const void*>(address));
      if (!found) return ByteRange{};
      const auto base = reinterpret_cast<uintptr_t>(found->base);
      return ByteRange{base, base + found->size};
    };
    const auto access = evaluator_.evaluate(arguments_, find);
    for (const Allocation& allocation : memory::Heap::instance().allocations())
      if (!allocation.read_only) allocations_.push_back(allocation);
    size_t total = 0;
    for (const Allocation& allocation : allocations_) total += allocation.size;
    if (total > kMostBytes) return cpu::Executor::instance().run(launch_);
    checks += total > kManyBytes ? kMostChecks : 1;

    MemoryImage before(allocations_);
    if (Status status = cpu::Executor::instance().run(launch_); !status) return status;
    if (!access->everything && (evaluator_.summary().flags & access::kSurfaceStores) == 0) {
      const std::vector<ByteRange> claimed = ranges_of(access->writes);
      for (const ByteRange& changed : before.differences())
        if (!inside(changed, claimed)) return differs("writes outside of its set", changed);
    }
    if (!access->splittable()) {
      log(LogPart::runtime, LogLevel::info, "slice check: {} is not split: {}", kernel_.name(),
          access->reason);
      return Status::ok();
    }
    MemoryImage whole(allocations_);
    const Status status = run_slices(*access, find, before, whole, random);
    whole.restore();
    return status;
  }

 private:
  struct Slice {
    uint32_t first, count;
  };

  uint32_t& component(kernel::Dim3& dim, int axis) const {
    return axis == 0 ? dim.x : axis == 1 ? dim.y : dim.z;
  }

  std::vector<Slice> random_slices(uint32_t blocks, std::mt19937& random) const {
    const uint32_t most = std::min<uint32_t>(blocks, 7);
    const uint32_t wanted = std::uniform_int_distribution<uint32_t>(2, most)(random);
    std::vector<uint32_t> cuts{0, blocks};
    while (cuts.size() < wanted + 1) {
      const uint32_t cut = std::uniform_int_distribution<uint32_t>(1, blocks - 1)(random);
      if (std::find(cuts.begin(), cuts.end(), cut) == cuts.end()) cuts.push_back(cut);
    }
    std::sort(cuts.begin(), cuts.end());
    std::vector<Slice> slices;
    for (size_t i = 0; i + 1 < cuts.size(); ++i) slices.push_back({cuts[i], cuts[i + 1] - cuts[i]});
    std::shuffle(slices.begin(), slices.end(), random);
    return slices;
  }

  Status run_slices(const access::LaunchAccess& access, const access::FindAllocation& find,
                    MemoryImage& before, MemoryImage& whole, std::mt19937& random) {
    kernel::Dim3 grid = launch_.grid;
    const std::vector<Slice> slices = random_slices(component(grid, access.axis), random);
    MemoryImage result = before;
    std::vector<std::vector<ByteRange>> earlier;
    uint64_t exact = 0;
    for (const Slice& slice : slices) {
      const auto sets = evaluator_.slice(arguments_, find, access, slice.first, slice.count);
      const std::vector<ByteRange> reads = ranges_of(sets.reads), writes = ranges_of(sets.writes);
      for (const auto& other : earlier)
        if (meet(other, writes)) return differs("write sets of slices meet", writes.front());
      earlier.push_back(writes);
      prepare(access, sets, reads, before);
      const MemoryImage at_start(allocations_);
      cpu::LaunchDescription part = launch_;
      part.blocks = launch_.grid;
      component(part.block_offset, access.axis) = slice.first;
      component(part.blocks, access.axis) = slice.count;
      if (Status status = cpu::Executor::instance().run(part); !status) return status;
      std::vector<ByteRange> allowed = writes;
      for (const access::Reduction& reduction : access.reductions)
        allowed.push_back(reduction.range);
      allowed = merge_ranges(std::move(allowed));
      for (const ByteRange& changed : at_start.differences())
        if (!inside(changed, allowed)) return differs("a slice writes outside of its set", changed);
      for (const ByteRange& range : writes) result.load(range);
      for (const ByteSet& set : sets.writes)
        if (set.complete) ++exact;
      for (const access::Reduction& reduction : access.reductions) {
        std::byte* sum = result.at(reduction.range.begin);
        const auto* part_sum = reinterpret_cast<const std::byte*>(reduction.range.begin);
        if (sum != nullptr)
          access::combine(reduction, {sum, reduction.range.end - reduction.range.begin}, part_sum);
      }
    }
    result.restore();
    if (const auto wrong = whole.differences(); !wrong.empty())
      return differs("slices give another result", wrong.front());
    log(LogPart::runtime, LogLevel::info,
        "slice check: {} agrees in {} slices ({}{}, {} complete sets)", kernel_.name(),
        slices.size(), to_string(access.rung), access.writes.empty() ? ", no writes" : "", exact);
    return Status::ok();
  }

  /// Memory as an engine would have it that was given what the slice reads, and nothing else: writes that cover
  /// every byte need no old contents.
  void prepare(const access::LaunchAccess& access, const access::SliceAccess& sets,
               const std::vector<ByteRange>& reads, MemoryImage& before) {
    if (access.textures) {
      before.restore();
    } else {
      for (const Allocation& allocation : allocations_)
        std::fill_n(allocation.base, allocation.size, kGarbage);
      for (const ByteRange& range : reads) before.store(range);
      for (const ByteSet& set : sets.writes) {
        if (set.complete) continue;
        std::vector<ByteRange> ranges;
        set.append_ranges(ranges);
        for (const ByteRange& range : ranges) before.store(range);
      }
    }
    for (const access::Reduction& reduction : access.reductions)
      access::fill_identity(reduction, {reinterpret_cast<std::byte*>(reduction.range.begin),
                                        reduction.range.end - reduction.range.begin});
  }

  Status differs(std::string_view what, const ByteRange& range) const {
    std::string message = fmt::format("slice check: {} {}: bytes {:#x} to {:#x}", kernel_.name(),
                                      what, range.begin, range.end);
    log(LogPart::runtime, LogLevel::error, "{}", message);
    return {StatusCode::launch_failed, std::move(message)};
  }

  Kernel& kernel_;
  const cpu::LaunchDescription& launch_;
  access::AccessEvaluator& evaluator_;
  access::LaunchArguments arguments_;
  std::vector<void*> variables_;
  std::vector<Allocation> allocations_;
};

}  // namespace

bool slice_check_enabled() {
  static const bool enabled = option_flag(Option::slice_check);
  return enabled;
}

Status run_with_slice_check(Kernel& kernel, const cpu::LaunchDescription& launch) {
  static std::mutex one_at_a_time;
  static std::map<Kernel*, int> checks;
  static std::mt19937 random(20260801);
  const std::lock_guard lock(one_at_a_time);
  auto evaluator = kernel.access({launch.block.x, launch.block.y, launch.block.z});
  if (!evaluator) {
    log(LogPart::runtime, LogLevel::warn, "slice check: {}", evaluator.status().message());
    return cpu::Executor::instance().run(launch);
  }
  int& done = checks[&kernel];
  if (done >= kMostChecks) return cpu::Executor::instance().run(launch);
  return SliceCheck(kernel, launch, **evaluator).run(random, done);
}

}  // namespace guda::runtime
