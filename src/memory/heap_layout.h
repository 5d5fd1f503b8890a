// Sizes that the heap's source files share.
#pragma once

#include <cstddef>

namespace guda::memory {

inline constexpr size_t kPage = 4096;
inline constexpr size_t kHugePage = size_t{2} << 20;
inline constexpr size_t kGranule = 256;
inline constexpr size_t kChunk = size_t{32} << 20;
/// Of memory that a device shares: drivers pin all pages of a chunk at once, before anybody uses them.
inline constexpr size_t kSharedChunk = size_t{4} << 20;
/// From here on an allocation is a mapping of its own.
inline constexpr size_t kLarge = size_t{1} << 20;
/// Most bytes in mappings that are kept for the next allocation of their size.
inline constexpr size_t kMostKept = size_t{1} << 30;
/// Inaccessible bytes on either side of a mapping: a stray index is most often near.
inline constexpr size_t kGuard = size_t{1} << 20;

}  // namespace guda::memory
