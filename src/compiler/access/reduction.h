// Private copies of memory that blocks only combine values into.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "compiler/access/launch_access.h"

namespace guda::access {

/// The word that a copy filled with the operation's identity consists of; nothing when it is not the same everywhere.
std::optional<uint32_t> identity_word(const Reduction& reduction);

/// Fills a copy of the reduction's memory with the operation's identity.
void fill_identity(const Reduction& reduction, std::span<std::byte> copy);

/// into[i] = into[i] op from[i]. Neither needs to be aligned; `from` is as large as `into`.
void combine(const Reduction& reduction, std::span<std::byte> into, const std::byte* from);

}  // namespace guda::access
