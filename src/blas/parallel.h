// Dividing memory-bound work among threads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace guda::blas {

/// Calls body(begin, end) for ranges that together make [0, n), possibly at the same time on several
/// threads; each element stands for `bytes` of memory traffic. Little work stays on the calling thread.
template <class Body>
void for_ranges(int64_t n, size_t bytes, Body body) {
  static_cast<void>(bytes);
  body(int64_t{0}, n);
}

}  // namespace guda::blas
