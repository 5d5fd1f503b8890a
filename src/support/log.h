// One-line log messages on standard error, filtered by GUDA_LOG.
//
// GUDA_LOG=warn, or per part: GUDA_LOG=warn,compiler=debug. Parts: runtime, memory, module,
// compiler, cpu, scheduler, blas, cli. Default: warn.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace guda {

enum class LogLevel { error, warn, info, debug, trace };
enum class LogPart { runtime, memory, module, compiler, cpu, scheduler, blas, cli };

/// True when a message of this level would be printed. Cheap: one load after the first call.
bool log_enabled(LogPart part, LogLevel level);

/// Prints "guda: <level>: <part>: <text>\n" with one write(2). Thread safe.
void log_write(LogPart part, LogLevel level, std::string_view text);

template <typename... Args>
void log(LogPart part, LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(part, level))
    log_write(part, level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace guda
