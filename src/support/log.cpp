#include "support/log.h"

#include <unistd.h>

#include <array>
#include <string>

#include "support/options.h"

namespace guda {
namespace {

constexpr std::array<std::string_view, 5> kLevels = {"error", "warn", "info", "debug", "trace"};
constexpr std::array<std::string_view, 8> kParts = {"runtime", "memory",    "module", "compiler",
                                                    "cpu",     "scheduler", "blas",   "cli"};

struct Filter {
  std::array<LogLevel, kParts.size()> level;

  Filter() {
    level.fill(LogLevel::warn);
    const std::string value = option_value(Option::log);
    std::string_view rest = value;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      const std::string_view item = rest.substr(0, comma);
      rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
      const size_t equals = item.find('=');
      const std::string_view name =
          equals == std::string_view::npos ? item : item.substr(equals + 1);
      for (size_t l = 0; l < kLevels.size(); ++l) {
        if (kLevels[l] != name) continue;
        for (size_t p = 0; p < kParts.size(); ++p) {
          if (equals == std::string_view::npos || kParts[p] == item.substr(0, equals)) {
            level[p] = static_cast<LogLevel>(l);
          }
        }
      }
    }
  }
};

}  // namespace

bool log_enabled(LogPart part, LogLevel level) {
  static const Filter filter;
  return level <= filter.level[static_cast<size_t>(part)];
}

void log_write(LogPart part, LogLevel level, std::string_view text) {
  const std::string line = fmt::format("guda: {}: {}: {}\n", kLevels[static_cast<size_t>(level)],
                                       kParts[static_cast<size_t>(part)], text);
  // A short write to standard error has no remedy.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace guda
