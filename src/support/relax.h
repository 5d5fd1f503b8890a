// For loops that wait a very short time without sleeping.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <chrono>

namespace guda {

inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

/// Until `condition` holds; false: it did not within `limit`.
template <typename Condition>
bool spin_until(std::chrono::nanoseconds limit, Condition&& condition) {
  if (condition()) return true;
  const auto end = std::chrono::steady_clock::now() + limit;
  do {
    for (int i = 0; i < 16; ++i) {  // looking costs less than asking for the time
      relax();
      if (condition()) return true;
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace guda
