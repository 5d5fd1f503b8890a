// A kernel's accesses with the arguments of one launch: which bytes it reads and writes, and whether its
// blocks may be divided among engines.
//
// No LLVM. An evaluation takes some microseconds and is remembered for the launch's arguments; asking again
// takes a fraction of one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/driver/access_summary.h"
#include "compiler/driver/kernel_abi.h"

namespace guda::access {

struct ByteRange {
  uint64_t begin = 0, end = 0;
  bool empty() const { return begin >= end; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

/// `window` bytes at begin, begin + stride, begin + 2 * stride, ..., all below `end`. Contiguous:
/// stride 0, window = end - begin.
struct ByteSet {
  uint64_t begin = 0, end = 0;
  uint64_t window = 0, stride = 0;
  bool complete = false;  // writes: every byte of it is written
  int32_t access = -1;  // first access of the summary that it stands for

  ByteRange hull() const { return {begin, end}; }
  /// Number of separate ranges.
  uint64_t pieces() const;
  void append_ranges(std::vector<ByteRange>& out) const;
};

/// Memory in which every block combines values into, and into nothing else: engines work on copies that start
/// with the operation's identity, which are combined afterwards.
struct Reduction {
  ByteRange range;
  Combine combine = Combine::none;
  uint32_t element_bytes = 4;
};

/// The ladder of the design, best first.
enum class Rung : uint8_t {
  disjoint,  // blocks write disjoint memory whatever the arguments, pointers apart
  bounds,  // ... with these arguments
  reduction,  // ... but for commutative integer reductions
  refused,
};
std::string_view to_string(Rung rung);

struct LaunchArguments {
  std::span<const std::byte> params;  // packed
  std::span<void* const> variables;  // addresses of AccessSummary::variables
  kernel::Dim3 grid{1, 1, 1};
  kernel::Dim3 block{1, 1, 1};
  bool cooperative = false;
  uint64_t generation = 0;  // changes whenever allocations do
};

/// Bounds of the allocation that holds an address; an empty range when there is none.
using FindAllocation = std::function<ByteRange(uint64_t address)>;

struct LaunchAccess {
  Rung rung = Rung::refused;
  std::string reason;  // of a refusal
  int axis = 0;  // of the grid along which slices are cut: the slowest that has more than one block
  /// May touch memory that is not listed (followed pointers, device malloc).
  bool everything = false;
  bool textures =
      false;  // reads or writes through textures and surfaces, too, which is not listed either
  std::vector<ByteSet> reads, writes;  // of the whole launch; atomics are in both
  std::vector<Reduction> reductions;  // their memory is in reads and writes, too
  /// For each access of the summary, the distance at which its blocks' windows repeat; 0: they do not.
  std::vector<int64_t> periods;
  /// And how far it moves from one block to the next along the axis.
  std::vector<int64_t> steps;

  bool splittable() const { return rung != Rung::refused; }
};

struct SliceAccess {
  std::vector<ByteSet> reads, writes;  // without the launch's reductions
};

/// Why no launch of the kernel may be divided, whatever its arguments; null: arguments decide.
const char* static_refusal(const AccessSummary& summary);

class AccessEvaluator {
 public:
  explicit AccessEvaluator(AccessSummary summary);
  ~AccessEvaluator();
  AccessEvaluator(const AccessEvaluator&) = delete;
  AccessEvaluator& operator=(const AccessEvaluator&) = delete;

  const AccessSummary& summary() const { return summary_; }

  /// Sets and verdict of a launch. Thread safe. The result is remembered for the same arguments.
  std::shared_ptr<const LaunchAccess> evaluate(const LaunchArguments& arguments,
                                               const FindAllocation& find);

  /// What blocks first <= index < first + count along `launch.axis` read and write; the writes of different
  /// slices are disjoint, byte for byte. `launch` must be splittable and of the same arguments.
  SliceAccess slice(const LaunchArguments& arguments, const FindAllocation& find,
                    const LaunchAccess& launch, uint32_t first, uint32_t count) const;

 private:
  struct Remembered;
  LaunchAccess compute(const LaunchArguments& arguments, const FindAllocation& find) const;

  AccessSummary summary_;
  std::vector<uint8_t> dependence_;  // of nodes on block indices
  std::vector<bool> argument_bytes_;  // bytes of the parameter block that matter
  int proven_axis_ = -1;  // along which blocks are disjoint whatever the arguments
  std::mutex mutex_;
  std::vector<Remembered> remembered_;
  size_t next_ = 0;
};

}  // namespace guda::access
