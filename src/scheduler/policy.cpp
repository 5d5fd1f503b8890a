#include "scheduler/policy.h"

#include <fmt/format.h>

#include <algorithm>

namespace guda::scheduler {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 6 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// "cpu" and "cpu:0" are the same device.
bool matches(std::string_view entry, std::string_view id) {
  if (entry == id) return true;
  const size_t colon = id.find(':');
  if (entry.find(':') == std::string_view::npos) return entry == id.substr(0, colon);
  return colon == std::string_view::npos && entry.ends_with(":0") &&
         entry.substr(0, entry.size() - 2) == id;
}

}  // namespace

std::string_view name_of(SplitMode mode) {
  switch (mode) {
    case SplitMode::automatic: return "auto";
    case SplitMode::never: return "never";
    case SplitMode::always: return "always";
  }
  return "?";
}

Result<SplitMode> parse_split_mode(std::string_view text) {
  for (const SplitMode mode : {SplitMode::automatic, SplitMode::never, SplitMode::always}) {
    if (text == name_of(mode)) return mode;
  }
  return Status(StatusCode::invalid_value,
                fmt::format("GUDA_SPLIT={}: auto, never or always", text));
}

Result<DeviceList> DeviceList::parse(std::string_view text) {
  DeviceList list;
  text = trimmed(text);
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view entry = trimmed(text.substr(0, comma));
    const size_t colon = entry.find(':');
    if (!is_name(entry.substr(0, colon)) ||
        (colon != std::string_view::npos && !is_number(entry.substr(colon + 1)))) {
      return Status(
          StatusCode::invalid_value,
          fmt::format("device list: {:?} is not a backend such as cuda or a device such as cuda:0",
                      entry));
    }
    list.entries_.emplace_back(entry);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return list;
}

int DeviceList::rank(std::string_view id) const {
  if (entries_.empty()) return 0;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (matches(entries_[i], id)) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace guda::scheduler
