#include "runtime/program_branches.h"

#include <algorithm>
#include <functional>

namespace guda::runtime {
namespace {

/// For each branch how many operations of the program, counted to its last one there, are known to be done.
using Clock = std::vector<uint32_t>;

void join(Clock& clock, const Clock& other) {
  for (size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], other[i]);
}

class Planner {
 public:
  Planner(std::span<const std::vector<uint32_t>> after, uint32_t most)
      : after_(after), most_(std::max(most, 1u)), now_(most_, Clock(most_, 0)), last_(most_, 0) {
    plan_.operations.resize(after.size());
  }

  Branches run() && {
    for (uint32_t i = 0; i < after_.size(); ++i) place(i);
    std::vector<uint32_t> open;
    for (uint32_t branch = 1; branch < plan_.count; ++branch) open.push_back(last_[branch]);
    plan_.ends = wait_for(0, std::move(open));
    return std::move(plan_);
  }

 private:
  void place(uint32_t index) {
    const uint32_t branch = branch_of(index);
    BranchedOperation& operation = plan_.operations[index];
    operation.branch = branch;
    operation.waits = wait_for(branch, after_[index]);
    now_[branch][branch] = index + 1;
    last_[branch] = index;
    done_.push_back(now_[branch]);
  }

  uint32_t branch_of(uint32_t index) {
    for (uint32_t before : after_[index]) {
      const uint32_t branch = plan_.operations[before].branch;
      if (last_[branch] == before) return branch;
    }
    if (plan_.count < most_) return plan_.count++;
    return static_cast<uint32_t>(std::min_element(last_.begin(), last_.end()) - last_.begin());
  }

  /// What of `wanted` the branch does not know to be done; from now on it does.
  std::vector<uint32_t> wait_for(uint32_t branch, std::vector<uint32_t> wanted) {
    std::sort(wanted.begin(), wanted.end(), std::greater<>());  // later ones imply earlier ones
    std::vector<uint32_t> waits;
    for (uint32_t each : wanted) {
      BranchedOperation& operation = plan_.operations[each];
      if (operation.branch == branch || now_[branch][operation.branch] > each) continue;
      operation.marked = true;
      waits.push_back(each);
      join(now_[branch], done_[each]);
    }
    return waits;
  }

  std::span<const std::vector<uint32_t>> after_;
  const uint32_t most_;
  Branches plan_;
  std::vector<Clock> now_;  // of each branch
  std::vector<Clock> done_;  // of each operation, when it is done
  std::vector<uint32_t> last_;  // operation of each branch
};

}  // namespace

Branches plan_branches(std::span<const std::vector<uint32_t>> after, uint32_t most) {
  return Planner(after, most).run();
}

}  // namespace guda::runtime
