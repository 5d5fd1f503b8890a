#include "tools/guda/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace guda::cli {

Progress::Progress(size_t total) : total_(total), terminal_(isatty(STDERR_FILENO) != 0) {
  if (terminal_) draw();
}

Progress::~Progress() { erase(); }

void Progress::erase() const {
  if (terminal_) fmt::print(stderr, "\r\033[K");
}

void Progress::step(std::string_view label) {
  const std::lock_guard lock(mutex_);
  ++done_;
  label_ = label;
  if (terminal_) draw();
}

void Progress::line(std::string_view text) {
  const std::lock_guard lock(mutex_);
  erase();
  fmt::print(stderr, "{}\n", text);
  if (terminal_) draw();
}

void Progress::draw() {
  winsize size{};
  const size_t columns =
      ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
  constexpr size_t kBar = 24;
  const size_t filled = total_ == 0 ? kBar : kBar * done_ / total_;
  std::string text = fmt::format("[{}{}] {}/{} {}", std::string(filled, '#'),
                                 std::string(kBar - filled, '.'), done_, total_, label_);
  if (text.size() >= columns) text.resize(columns - 1);
  fmt::print(stderr, "\r\033[K{}", text);
  std::fflush(stderr);
}

}  // namespace guda::cli
