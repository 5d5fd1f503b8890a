// Which parts of a program can go to queues of their own, so that they run side by side.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace guda::runtime {

struct BranchedOperation {
  uint32_t branch = 0;
  /// Operations of other branches whose marks it waits for. Empty for the first of a branch: it waits for the start.
  std::vector<uint32_t> waits;
  bool marked = false;  // somebody waits for it
};

struct Branches {
  uint32_t count = 0;
  std::vector<BranchedOperation>
      operations;  // handed over in this order, each to the queue of its branch
  /// Operations that branch 0 waits for at the end, so that all are done when it is.
  std::vector<uint32_t> ends;
};

/// `after`: for each operation the earlier ones that it has to come after. A chain is one branch; with `most` branches in
/// use operations share them. Waits that follow from others are left out.
Branches plan_branches(std::span<const std::vector<uint32_t>> after, uint32_t most);

}  // namespace guda::runtime
