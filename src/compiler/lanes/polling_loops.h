// Loops that may wait for another thread: their end depends on memory that others write.
#pragma once

#include <llvm/ADT/SmallVector.h>

namespace llvm {
class BasicBlock;
class Function;
}  // namespace llvm

namespace guda::lanes {

/// Blocks whose terminator closes such a loop (sources of back edges). A loop polls when one of its
/// exits depends, through values or branches inside the loop, on a volatile or atomic load, on an
/// atomic that can fail to make progress alone (a compare-exchange against a value from outside the
/// loop, an exchange, an idempotent update), or when it sleeps. Retry loops around a
/// compare-exchange with a value just read end by themselves and are left alone.
llvm::SmallVector<llvm::BasicBlock*, 4> polling_latches(llvm::Function& function);

}  // namespace guda::lanes
