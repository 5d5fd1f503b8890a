// Addresses that a kernel gives away as data.
#pragma once

#include <cstdint>
#include <span>

namespace llvm {
class Function;
}

namespace guda::access {

/// The kernel writes to memory, or passes on, a number that depends on where memory lies: on one of the parameters at
/// these offsets (those that it uses as addresses) or on the address of a module variable. Differences within one
/// allocation and the bits below a page's size do not count. A device that has memory at addresses of its own would
/// leave its addresses where the program looks for the program's. Errs towards true.
bool gives_addresses_away(llvm::Function& kernel, std::span<const uint32_t> pointer_offsets);

}  // namespace guda::access
