// A progress bar on a terminal; nothing elsewhere.
#pragma once

#include <cstddef>
#include <mutex>
#include <string_view>

namespace guda::cli {

/// Thread safe. Drawn on standard error, erased by the destructor.
class Progress {
 public:
  explicit Progress(size_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// One more is done; `label` is shown behind the bar.
  void step(std::string_view label);
  /// Prints a line above the bar.
  void line(std::string_view text);

 private:
  void draw();
  void erase() const;

  std::mutex mutex_;
  size_t total_;
  size_t done_ = 0;
  std::string_view label_;
  bool terminal_;
};

}  // namespace guda::cli
