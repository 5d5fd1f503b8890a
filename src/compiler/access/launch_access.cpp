#include "compiler/access/launch_access.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <optional>
#include <tuple>

#include "compiler/access/node_values.h"
#include "compiler/access/symbolic_form.h"

namespace guda::access {
namespace {

uint32_t component(const kernel::Dim3& dim, int axis) {
  return axis == 0 ? dim.x : axis == 1 ? dim.y : dim.z;
}

int slowest_axis(const kernel::Dim3& grid) { return grid.z > 1 ? 2 : grid.y > 1 ? 1 : 0; }

bool overlap(const ByteRange& a, const ByteRange& b) { return a.begin < b.end && b.begin < a.end; }

/// One access with a launch's numbers.
struct Placed {
  size_t index = 0;
  const Access* access = nullptr;
  ByteRange hull;  // within the root's allocation
  // Where the address is a sum: window + step * block + multiples of the outer terms.
  bool linear = false;
  int64_t step = 0;  // of neighbouring blocks
  int64_t low = 0, high = 0;  // of the window's bytes [low, high)
  int64_t span_low = 0, span_high = 0;  // of all blocks' windows together
  int64_t outer_base = 0;  // least value of the outer terms
  int64_t outer = 0;  // greatest common divisor of their coefficients; 0: there are none
  uint32_t outer_terms = 0;
  bool dense = false;         // every byte of the hull is accessed
  bool window_dense = false;  // every byte of the windows, up to the hull's end
};

/// Places accesses; the same for a whole launch and for a slice.
class Placement {
 public:
  Placement(const AccessSummary& summary, std::span<const uint8_t> dependence,
            const LaunchArguments& arguments, const FindAllocation& find, int axis, uint32_t first,
            uint32_t count, std::span<const int64_t> steps = {})
      : summary_(summary),
        arguments_(arguments),
        find_(find),
        steps_(steps),
        values_(summary, dependence, arguments, axis, first, count) {}

  /// Empty when the access never happens. `lost` when nothing bounds it.
  std::optional<Placed> place(size_t index, bool& lost) const {
    const Access& access = summary_.accesses[index];
    Placed placed;
    placed.index = index;
    placed.access = &access;
    const ByteRange allocation = root_allocation(access);
    lost = false;
    const Value* value = access.address >= 0 ? &values_[access.address] : nullptr;
    if (value != nullptr && value->empty) return std::nullopt;
    if (value == nullptr || !value->known || value->low < 0) {
      lost = allocation.empty();
      placed.hull = allocation;
      return placed;
    }
    placed.hull = {static_cast<uint64_t>(value->low),
                   static_cast<uint64_t>(value->high) + access.bytes};
    if (overlap(placed.hull, allocation)) {
      placed.hull.begin = std::max(placed.hull.begin, allocation.begin);
      placed.hull.end = std::min(placed.hull.end, allocation.end);
    }
    make_linear(*value, placed);
    return placed;
  }

 private:
  ByteRange root_allocation(const Access& access) const {
    if (!find_ || access.root == Root::none) return {};
    uint64_t address = 0;
    if (access.root == Root::parameter) {
      if (access.root_index + sizeof address > arguments_.params.size()) return {};
      std::memcpy(&address, arguments_.params.data() + access.root_index, sizeof address);
    } else if (access.root_index < arguments_.variables.size()) {
      address = reinterpret_cast<uintptr_t>(arguments_.variables[access.root_index]);
    }
    return address != 0 ? find_(address) : ByteRange{};
  }

  void make_linear(const Value& value, Placed& placed) const {
    const auto sum = values_.expand(value);
    if (!sum) return;
    const int32_t block = values_.block_index();
    placed.step = block >= 0 ? sum->coefficient_of(block) : 0;
    // In a slice a guard may leave nothing of the block index; its windows are the launch's all the same.
    if (placed.index < steps_.size()) placed.step = steps_[placed.index];
    const int64_t step = std::abs(placed.step);
    const auto is_outer = [&](const Term& term) {
      return step != 0 && term.atom != block && std::abs(term.coefficient) > step;
    };
    for (const Term& term : sum->all()) {
      if (!is_outer(term)) continue;
      placed.outer = std::gcd(placed.outer, term.coefficient);
      ++placed.outer_terms;
      const Interval range = values_.range(term.atom);
      placed.outer_base += std::min(term.coefficient * range.low, term.coefficient * range.high);
    }
    const Value window = values_.without(
        *sum, [&](const Term& term) { return term.atom == block || is_outer(term); });
    const auto range = values_.bounds(window);
    const auto span = values_.bounds(values_.without(*sum, is_outer));
    if (!range || !span) return;
    placed.low = range->low;
    placed.high = range->high + access_bytes(placed);
    placed.span_low = span->low;
    placed.span_high = span->high + access_bytes(placed);
    // What guards say about the whole sum may be tighter than what they say about its parts.
    const auto guarded = values_.bounds(values_.without(value, is_outer));
    const bool same_outer = std::count_if(value.all().begin(), value.all().end(), is_outer) ==
                            std::count_if(sum->all().begin(), sum->all().end(), is_outer);
    if (guarded && same_outer) {
      placed.span_low = std::max(placed.span_low, guarded->low);
      placed.span_high = std::min(placed.span_high, guarded->high + access_bytes(placed));
    }
    placed.linear = true;
    if (!placed.access->complete || !value.exact) return;
    std::vector<int32_t> used;
    placed.dense = covers_all(value, access_bytes(placed), used);
    used.clear();
    const bool is_counter = value.count == 1 && values_.is_loop_value(value.terms[0].atom);
    const bool counted = std::all_of(sum->all().begin(), sum->all().end(), [&](const Term& term) {
      return !is_outer(term) || values_.takes_all_values(term.atom, is_counter);
    });
    placed.window_dense =
        counted && covers_all(values_.without(*sum, is_outer), access_bytes(placed), used);
  }

  static int64_t access_bytes(const Placed& placed) { return placed.access->bytes; }

  /// The sum, with `bytes` at each of its values, leaves nothing out between its least and its largest: each
  /// quantity takes all values of its range whatever the others do, and no step is larger than what smaller ones
  /// cover. `used` collects the independent quantities.
  bool covers_all(const Value& sum, int64_t bytes, std::vector<int32_t>& used,
                  bool in_loop_value = false) const {
    std::vector<Term> terms(sum.all().begin(), sum.all().end());
    for (const Term& term : terms) {
      if (values_.takes_all_values(term.atom, in_loop_value)) {
        if (std::find(used.begin(), used.end(), term.atom) != used.end()) return false;
        used.push_back(term.atom);
        continue;
      }
      const Value* definition = values_.definition(term.atom);
      if (definition == nullptr ||
          !covers_all(*definition, 1, used, values_.is_loop_value(term.atom)))
        return false;
    }
    std::sort(terms.begin(), terms.end(), [](const Term& a, const Term& b) {
      return std::abs(a.coefficient) < std::abs(b.coefficient);
    });
    int64_t covered = bytes;
    for (const Term& term : terms) {
      const int64_t step = std::abs(term.coefficient);
      if (step > covered) return false;
      const Interval range = values_.range(term.atom);
      covered += step * (range.high - range.low);
    }
    return true;
  }

  const AccessSummary& summary_;
  const LaunchArguments& arguments_;
  const FindAllocation& find_;
  std::span<const int64_t> steps_;  // of the whole launch's accesses, in a slice
  NodeValues values_;
};

/// Accesses whose memory overlaps, at least one of them a write.
struct Cluster {
  std::vector<const Placed*> members;
  ByteRange range;
};

std::vector<Cluster> cluster_by_overlap(const std::vector<Placed>& placed) {
  std::vector<const Placed*> sorted;
  for (const Placed& one : placed)
    if (!one.hull.empty()) sorted.push_back(&one);
  std::sort(sorted.begin(), sorted.end(),
            [](const Placed* a, const Placed* b) { return a->hull.begin < b->hull.begin; });
  std::vector<Cluster> clusters;
  for (const Placed* one : sorted) {
    if (clusters.empty() || one->hull.begin >= clusters.back().range.end)
      clusters.push_back({{}, one->hull});
    clusters.back().members.push_back(one);
    clusters.back().range.end = std::max(clusters.back().range.end, one->hull.end);
  }
  std::erase_if(clusters, [](const Cluster& cluster) {
    return std::all_of(cluster.members.begin(), cluster.members.end(),
                       [](const Placed* one) { return one->access->kind == AccessKind::read; });
  });
  return clusters;
}

/// Windows of a cluster repeat with this period; 0: they do not repeat.
int64_t common_outer(const Cluster& cluster) {
  int64_t outer = 0;
  for (const Placed* one : cluster.members) outer = std::gcd(outer, one->outer);
  return outer;
}

int64_t nearest_residue(int64_t distance, int64_t period) {
  if (period == 0) return distance;
  int64_t rest = distance % period;
  if (rest > period / 2) rest -= period;
  if (rest < -(period / 2)) rest += period;
  return rest;
}

/// Why different blocks may meet in the cluster; empty: they do not.
std::string why_blocks_meet(const Cluster& cluster) {
  const Placed& front = *cluster.members.front();
  const int64_t outer = common_outer(cluster);
  int64_t low = 0, high = 0, span_low = 0, span_high = 0;
  bool first = true;
  for (const Placed* one : cluster.members) {
    const bool is_read = one->access->kind == AccessKind::read;
    if (!one->linear)
      return is_read
                 ? "reads what another block may write, at an address that is not linear in the "
                   "block index"
                 : "writes at an address that is not linear in the block index";
    if (one->step == 0)
      return is_read ? "every block reads what one block writes" : "blocks write the same memory";
    if (one->step != front.step)
      return "accesses to the same memory move differently with the block index";
    const int64_t moved =
        nearest_residue(one->low + one->outer_base - front.low - front.outer_base, outer);
    const int64_t end = moved + one->high - one->low;
    const int64_t span_begin = moved + one->span_low - one->low;
    const int64_t span_end = moved + one->span_high - one->low;
    low = first ? moved : std::min(low, moved);
    high = first ? end : std::max(high, end);
    span_low = first ? span_begin : std::min(span_low, span_begin);
    span_high = first ? span_end : std::max(span_high, span_end);
    first = false;
  }
  if (high - low > std::abs(front.step)) return "neighbouring blocks touch the same memory";
  if (outer != 0 && span_high - span_low > outer)
    return "blocks touch the same memory in different rounds";
  return {};
}

/// The reduction that the cluster is; nothing when it is none.
std::optional<Reduction> as_reduction(const Cluster& cluster) {
  const Access& front = *cluster.members.front()->access;
  for (const Placed* one : cluster.members) {
    const Access& access = *one->access;
    if (access.kind != AccessKind::atomic || access.combine == Combine::none ||
        access.combine != front.combine || access.bytes != front.bytes)
      return std::nullopt;
  }
  if (front.bytes != 4 && front.bytes != 8) return std::nullopt;
  // Whole elements: bounds may be wider than the places that are met.
  ByteRange elements = cluster.range;
  elements.begin = (elements.begin + front.bytes - 1) / front.bytes * front.bytes;
  elements.end = elements.end / front.bytes * front.bytes;
  if (elements.empty()) return std::nullopt;
  return Reduction{elements, front.combine, front.bytes};
}

struct Refusal {
  uint32_t flag;
  const char* reason;
};

constexpr Refusal kRefusals[] = {
    {kTruncated, "too large to be analysed"},
    {kSynchronizesGrid, "synchronises the grid"},
    {kReturningAtomics, "uses the old value of an atomic operation"},
    {kSystemAtomics, "atomic operations of system scope"},
    {kFloatAtomics, "floating-point atomic operations, whose result depends on their order"},
    {kOrderedAccesses, "volatile or ordered accesses, with which blocks may talk to each other"},
    {kPolls, "waits for memory to change"},
    {kCallsOut, "recursive calls"},
    {kAllocates, "device malloc"},
    {kPrints, "printf"},
    {kSurfaceStores, "surface stores"},
    {kHardwareRegisters, "reads clocks or multiprocessor numbers"},
    {kFollowsPointers, "follows pointers in memory"},
    {kUnknownAddresses, "addresses that could not be followed"},
};

/// Sorted, overlapping and adjacent ones merged; sets with a stride stay as they are.
void merge(std::vector<ByteSet>& sets) {
  std::sort(sets.begin(), sets.end(), [](const ByteSet& a, const ByteSet& b) {
    return std::tie(a.stride, a.begin, a.end) < std::tie(b.stride, b.begin, b.end);
  });
  std::vector<ByteSet> merged;
  for (const ByteSet& set : sets) {
    if (set.begin >= set.end) continue;
    if (merged.empty() || merged.back().stride != set.stride) {
      merged.push_back(set);
      continue;
    }
    ByteSet& last = merged.back();
    if (set.stride != 0) {
      if (set.begin == last.begin && set.end == last.end && set.window == last.window) {
        last.complete = last.complete || set.complete;
      } else {
        merged.push_back(set);
      }
      continue;
    }
    if (set.begin > last.end || (set.begin == last.end && set.complete != last.complete)) {
      merged.push_back(set);
      continue;
    }
    if (set.end <= last.end) {
      // Inside: as complete as the larger one, or more when it is the same.
      last.complete =
          last.complete || (set.complete && set.begin == last.begin && set.end == last.end);
    } else if (last.begin == set.begin) {
      last = set;
    } else {
      last.complete = last.complete && set.complete;
      last.end = set.end;
    }
    last.window = last.end - last.begin;
  }
  sets = std::move(merged);
}

ByteSet contiguous(const Placed& placed, bool complete) {
  const ByteRange& hull = placed.hull;
  return {hull.begin, hull.end, hull.end - hull.begin,
          0,          complete, static_cast<int32_t>(placed.index)};
}

/// The bytes of a slice's access: windows where the launch's cluster repeats, else everything between.
ByteSet set_of(const Placed& placed, int64_t outer) {
  const bool complete = placed.linear && placed.dense;
  const int64_t window = placed.span_high - placed.span_low;
  if (!placed.linear) return contiguous(placed, false);
  if (outer == 0 || window >= outer) {
    ByteSet set = contiguous(placed, complete);
    if (placed.outer == 0) {
      set.begin = std::max(set.begin, static_cast<uint64_t>(placed.span_low));
      set.end = std::min(set.end, static_cast<uint64_t>(placed.span_high));
      set.window = set.begin < set.end ? set.end - set.begin : 0;
    }
    return set;
  }
  ByteSet set;
  set.access = static_cast<int32_t>(placed.index);
  set.begin = static_cast<uint64_t>(placed.span_low + placed.outer_base);
  set.window = static_cast<uint64_t>(window);
  set.stride = static_cast<uint64_t>(outer);
  set.end = placed.hull.end;
  set.complete = placed.window_dense && placed.outer == outer && placed.outer_terms == 1 &&
                 set.begin >= placed.hull.begin;
  // Guards may cut whole windows off in front.
  while (set.begin + set.window <= placed.hull.begin) set.begin += set.stride;
  if (set.begin + set.window >= set.end) {
    set.stride = 0;
    set.window = set.end - set.begin;
  }
  return set;
}

}  // namespace

std::string_view to_string(Rung rung) {
  switch (rung) {
    case Rung::disjoint: return "disjoint";
    case Rung::bounds: return "bounds";
    case Rung::reduction: return "reduction";
    case Rung::refused: return "refused";
  }
  return "refused";
}

const char* static_refusal(const AccessSummary& summary) {
  for (const Refusal& refusal : kRefusals)
    if ((summary.flags & refusal.flag) != 0) return refusal.reason;
  return nullptr;
}

uint64_t ByteSet::pieces() const {
  if (begin >= end) return 0;
  return stride == 0 ? 1 : (end - begin + stride - 1) / stride;
}

void ByteSet::append_ranges(std::vector<ByteRange>& out) const {
  if (stride == 0) {
    if (begin < end) out.push_back({begin, end});
    return;
  }
  for (uint64_t at = begin; at < end; at += stride) out.push_back({at, std::min(at + window, end)});
}

struct AccessEvaluator::Remembered {
  std::vector<std::byte> params;
  kernel::Dim3 grid, block;
  bool cooperative;
  uint64_t generation;
  std::shared_ptr<const LaunchAccess> result;
};

AccessEvaluator::AccessEvaluator(AccessSummary summary)
    : summary_(std::move(summary)), dependence_(block_dependence(summary_)) {
  for (const Node& node : summary_.nodes) {
    if (node.op != Op::parameter) continue;
    const auto end = static_cast<size_t>(node.value) + node.bits / 8;
    if (argument_bytes_.size() < end) argument_bytes_.resize(end);
    std::fill(argument_bytes_.begin() + node.value,
              argument_bytes_.begin() + static_cast<ptrdiff_t>(end), true);
  }
  for (const uint32_t offset : summary_.pointers) {
    if (argument_bytes_.size() < offset + 8) argument_bytes_.resize(offset + 8);
    std::fill_n(argument_bytes_.begin() + offset, 8, true);
  }
  const StaticVerdict verdict = static_verdict(summary_);
  if (verdict.rung == Rung::disjoint) proven_axis_ = verdict.axis;
}

AccessEvaluator::~AccessEvaluator() = default;

std::shared_ptr<const LaunchAccess> AccessEvaluator::evaluate(const LaunchArguments& arguments,
                                                              const FindAllocation& find) {
  const auto same_dim = [](const kernel::Dim3& a, const kernel::Dim3& b) {
    return a.x == b.x && a.y == b.y && a.z == b.z;
  };
  const auto same_params = [&](const std::vector<std::byte>& params) {
    const size_t size = std::min(argument_bytes_.size(), arguments.params.size());
    if (params.size() != size) return false;
    for (size_t i = 0; i < size; ++i)
      if (argument_bytes_[i] && params[i] != arguments.params[i]) return false;
    return true;
  };
  {
    const std::lock_guard lock(mutex_);
    for (const Remembered& known : remembered_) {
      if (known.generation == arguments.generation && known.cooperative == arguments.cooperative &&
          same_dim(known.grid, arguments.grid) && same_dim(known.block, arguments.block) &&
          same_params(known.params))
        return known.result;
    }
  }
  auto result = std::make_shared<const LaunchAccess>(compute(arguments, find));
  constexpr size_t kMostRemembered = 8;
  const size_t size = std::min(argument_bytes_.size(), arguments.params.size());
  Remembered entry{
      {arguments.params.begin(), arguments.params.begin() + static_cast<ptrdiff_t>(size)},
      arguments.grid,
      arguments.block,
      arguments.cooperative,
      arguments.generation,
      result};
  const std::lock_guard lock(mutex_);
  if (remembered_.size() < kMostRemembered) {
    remembered_.push_back(std::move(entry));
  } else {
    remembered_[next_] = std::move(entry);
    next_ = (next_ + 1) % kMostRemembered;
  }
  return result;
}

LaunchAccess AccessEvaluator::compute(const LaunchArguments& arguments,
                                      const FindAllocation& find) const {
  LaunchAccess launch;
  launch.axis = slowest_axis(arguments.grid);
  launch.textures = (summary_.flags & (kTextures | kSurfaceStores)) != 0;
  launch.everything = (summary_.flags & (kFollowsPointers | kUnknownAddresses | kCallsOut |
                                         kAllocates | kTruncated)) != 0;
  const uint32_t blocks = component(arguments.grid, launch.axis);
  const Placement placement(summary_, dependence_, arguments, find, launch.axis, 0, blocks);
  launch.periods.assign(summary_.accesses.size(), 0);
  launch.steps.assign(summary_.accesses.size(), 0);
  std::vector<Placed> placed;
  for (size_t i = 0; i < summary_.accesses.size(); ++i) {
    bool lost = false;
    auto one = placement.place(i, lost);
    if (!one) continue;
    if (lost) {
      launch.everything = true;
      continue;
    }
    launch.steps[i] = one->step;
    placed.push_back(*one);
  }
  for (const Placed& one : placed) {
    const AccessKind kind = one.access->kind;
    if (kind != AccessKind::write) launch.reads.push_back(contiguous(one, false));
    if (kind != AccessKind::read)
      launch.writes.push_back(
          contiguous(one, kind == AccessKind::write && one.linear && one.dense));
  }
  merge(launch.reads);
  merge(launch.writes);

  const auto refuse = [&](std::string why) {
    launch.rung = Rung::refused;
    launch.reason = std::move(why);
    launch.reductions.clear();
    return launch;
  };
  if (arguments.cooperative) return refuse("cooperative launch");
  if (const char* why = static_refusal(summary_)) return refuse(why);
  if (launch.everything) return refuse("memory that is not part of an allocation");
  if (blocks == 1) return refuse("one block");
  launch.rung = proven_axis_ == launch.axis || !summary_.writes() ? Rung::disjoint : Rung::bounds;
  for (const Cluster& cluster : cluster_by_overlap(placed)) {
    for (const Placed* one : cluster.members) launch.periods[one->index] = common_outer(cluster);
    const std::string why = why_blocks_meet(cluster);
    if (why.empty()) continue;
    const auto reduction = as_reduction(cluster);
    if (!reduction) return refuse(why);
    launch.rung = Rung::reduction;
    launch.reductions.push_back(*reduction);
  }
  return launch;
}

SliceAccess AccessEvaluator::slice(const LaunchArguments& arguments, const FindAllocation& find,
                                   const LaunchAccess& launch, uint32_t first,
                                   uint32_t count) const {
  SliceAccess slice;
  const uint32_t blocks = component(arguments.grid, launch.axis);
  if (count == 0 || first >= blocks || !launch.splittable()) return slice;
  const Placement part(summary_, dependence_, arguments, find, launch.axis, first,
                       std::min(count, blocks - first), launch.steps);
  bool lost = false;
  for (size_t i = 0; i < summary_.accesses.size(); ++i) {
    const auto one = part.place(i, lost);
    if (!one || lost || one->hull.empty()) continue;
    const bool reduced = std::any_of(
        launch.reductions.begin(), launch.reductions.end(),
        [&](const Reduction& reduction) { return overlap(reduction.range, one->hull); });
    if (reduced) continue;
    const ByteSet set = set_of(*one, launch.periods[i]);
    if (one->access->kind != AccessKind::write) slice.reads.push_back(set);
    if (one->access->kind != AccessKind::read) slice.writes.push_back(set);
    if (one->access->kind == AccessKind::atomic) slice.writes.back().complete = false;
  }
  for (ByteSet& read : slice.reads) read.complete = false;
  merge(slice.reads);
  merge(slice.writes);
  return slice;
}

}  // namespace guda::access
