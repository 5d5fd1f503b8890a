// Addresses of an access summary as formulas: for people, and for what can be said without arguments.
#pragma once

#include <functional>
#include <string>

#include "compiler/access/launch_access.h"

namespace guda::access {

/// Names the parameter at a byte offset of the parameter block.
using ParameterName = std::function<std::string(uint32_t offset)>;

/// "arg2 + 4*ntid.x*ctaid.x + 4*tid.x, where ctaid.x*ntid.x + tid.x < arg0", or "anywhere in arg2".
std::string describe(const AccessSummary& summary, const Access& access, const ParameterName& name);

/// What is known before a launch.
struct StaticVerdict {
  /// disjoint: proven, as long as pointers do not overlap and indices do not wrap (checked at launch). bounds and
  /// reduction: what a launch's arguments may lead to.
  Rung rung = Rung::refused;
  std::string reason;  // refused: why; bounds: what has to be checked
  int axis = 0;  // the slowest axis of the grid that the kernel looks at
};
StaticVerdict static_verdict(const AccessSummary& summary);

}  // namespace guda::access
