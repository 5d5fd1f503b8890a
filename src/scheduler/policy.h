// What the user allows: GUDA_SPLIT, GUDA_DEVICES, and the same through include/guda/scheduler.h.
#pragma once

#include "support/status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace guda::scheduler {

enum class SplitMode : uint8_t { automatic, never, always };
std::string_view name_of(SplitMode mode);

/// Error invalid_value names what is not auto, never or always.
Result<SplitMode> parse_split_mode(std::string_view text);

/// A list such as "cpu,cuda:0,opencl": each entry a backend, or one device of it; order is preference.
class DeviceList {
 public:
  DeviceList() = default;

  /// Empty text: all devices, no preference. Error invalid_value names the entry that is not of this form.
  static Result<DeviceList> parse(std::string_view text);

  bool allows_all() const { return entries_.empty(); }
  /// Place in the list, 0 first; -1: not allowed. `id` is "cpu" or "cuda:1". 0 for all when the list is empty.
  int rank(std::string_view id) const;
  /// The list has this very device, or its backend.
  bool names(std::string_view id) const { return !entries_.empty() && rank(id) >= 0; }
  const std::vector<std::string>& entries() const { return entries_; }

 private:
  std::vector<std::string> entries_;
};

}  // namespace guda::scheduler
