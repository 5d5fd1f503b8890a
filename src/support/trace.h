// A trace of what the process did, for Perfetto and chrome://tracing (GUDA_TRACE=file, or guda trace).
//
// Spans lie on tracks: one for each engine and one for each host thread that runs work. The file is a JSON array
// that is valid also when the process ends without warning.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace guda::trace {

namespace detail {
extern std::atomic<bool> on;
}

/// Reads GUDA_TRACE; once, before the first operation.
void start();
/// One relaxed load.
inline bool enabled() { return detail::on.load(std::memory_order_relaxed); }

/// CLOCK_MONOTONIC.
int64_t now_ns();

/// A finished span. `arguments` is the inside of a JSON object, such as "\"bytes\": 5"; may be empty.
void span(std::string_view track, std::string_view name, std::string_view category,
          int64_t start_ns, int64_t end_ns, std::string_view arguments = {});
/// A moment.
void instant(std::string_view track, std::string_view name, std::string_view category,
             std::string_view arguments = {});
/// "thread 1234", the calling one.
std::string thread_track();
/// Text as it stands in JSON strings.
std::string escaped(std::string_view text);
/// Writes what is in memory; also done at exit.
void flush();

}  // namespace guda::trace
