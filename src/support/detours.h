// What keeps operations from their shortest way. All reasons stand in one word, so that the short way asks once.
#pragma once

#include <atomic>
#include <cstdint>

namespace guda {

enum class Detour : uint32_t {
  trace = 1,  // a trace is being taken (trace.h)
  engines = 2,  // there is more than the CPU (runtime/engines.h)
};

namespace detail {
inline constinit std::atomic<uint32_t> detours{0};
}

/// From now on, and for good. What the reason stands for has been set up before.
inline void add_detour(Detour reason) {
  detail::detours.fetch_or(static_cast<uint32_t>(reason), std::memory_order_release);
}
/// One load.
inline bool has_detour() { return detail::detours.load(std::memory_order_acquire) != 0; }

}  // namespace guda
