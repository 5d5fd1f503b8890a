// Reads off a kernel's device IR what it does to memory.
#pragma once

#include "compiler/driver/access_summary.h"

namespace llvm {
class Function;
}

namespace guda::access {

/// `kernel`: device IR (docs/device_ir.md) after inlining and scalar optimisation, before state spaces are
/// lowered. Changes nothing.
AccessSummary analyze(llvm::Function& kernel);

}  // namespace guda::access
