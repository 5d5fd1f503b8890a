#include "support/trace.h"

#include "support/detours.h"
#include "support/log.h"
#include "support/options.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>

namespace guda::trace {

std::atomic<bool> detail::on{false};

namespace {

constexpr size_t kFlushBytes = 1 << 18;

struct Writer {
  std::mutex mutex;
  int file = -1;
  std::string text;
  std::map<std::string, int, std::less<>> tracks;

  /// Number of the track; names it in the file the first time.
  int number_of(std::string_view track) {
    auto found = tracks.find(track);
    if (found != tracks.end()) return found->second;
    const int number = static_cast<int>(tracks.size()) + 1;
    tracks.emplace(track, number);
    fmt::format_to(
        std::back_inserter(text),
        "{{\"ph\": \"M\", \"name\": \"thread_name\", \"pid\": {}, \"tid\": {}, \"args\": "
        "{{\"name\": \"{}\"}}}},\n",
        getpid(), number, escaped(track));
    return number;
  }

  void write_out() {
    for (size_t at = 0; at < text.size();) {
      const ssize_t written = write(file, text.data() + at, text.size() - at);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) break;  // a full disk costs the trace, not the program
      at += static_cast<size_t>(written);
    }
    text.clear();
  }
};

Writer& writer() {
  static auto* made = new Writer;  // used until the process ends
  return *made;
}

double microseconds(int64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-3; }

}  // namespace

int64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

void start() {
  static std::once_flag once;
  std::call_once(once, [] {
    const std::string path = option_value(Option::trace);
    if (path.empty()) return;
    Writer& out = writer();
    out.file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (out.file < 0) {
      log(LogPart::runtime, LogLevel::warn, "GUDA_TRACE: cannot write {}: {}", path,
          std::strerror(errno));
      return;
    }
    out.text = "[\n";
    detail::on.store(true, std::memory_order_release);
    add_detour(Detour::trace);
    std::atexit(flush);
  });
}

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      safe += '\\';
      safe += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      safe += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      safe += c;
    }
  }
  return safe;
}

void span(std::string_view track, std::string_view name, std::string_view category,
          int64_t start_ns, int64_t end_ns, std::string_view arguments) {
  Writer& out = writer();
  const std::lock_guard lock(out.mutex);
  const int number = out.number_of(track);
  fmt::format_to(std::back_inserter(out.text),
                 "{{\"ph\": \"X\", \"name\": \"{}\", \"cat\": \"{}\", \"pid\": {}, \"tid\": {}, "
                 "\"ts\": {:.3f}, "
                 "\"dur\": {:.3f}, \"args\": {{{}}}}},\n",
                 escaped(name), category, getpid(), number, microseconds(start_ns),
                 microseconds(end_ns - start_ns), arguments);
  if (out.text.size() > kFlushBytes) out.write_out();
}

void instant(std::string_view track, std::string_view name, std::string_view category,
             std::string_view arguments) {
  Writer& out = writer();
  const std::lock_guard lock(out.mutex);
  const int number = out.number_of(track);
  fmt::format_to(
      std::back_inserter(out.text),
      "{{\"ph\": \"i\", \"s\": \"t\", \"name\": \"{}\", \"cat\": \"{}\", \"pid\": {}, \"tid\": {}, "
      "\"ts\": {:.3f}, \"args\": {{{}}}}},\n",
      escaped(name), category, getpid(), number, microseconds(now_ns()), arguments);
  if (out.text.size() > kFlushBytes) out.write_out();
}

std::string thread_track() { return fmt::format("thread {}", gettid()); }

void flush() {
  Writer& out = writer();
  const std::lock_guard lock(out.mutex);
  if (out.file >= 0) out.write_out();
}

}  // namespace guda::trace
