#include "backends/discovery.h"

#include "backends/cpu/cpu_device.h"
#include "backends/cuda/cuda_device.h"
#include "backends/opencl/opencl_device.h"
#include "support/log.h"
#include "support/options.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace guda::backend {
namespace {

bool never() { return false; }

/// The driver's device files are there: of Linux, or of Windows underneath.
bool has_nvidia_device() {
  return access("/dev/nvidiactl", F_OK) == 0 || access("/dev/dxg", F_OK) == 0 ||
         !option_value(Option::cuda_driver).empty();
}
Discovery find_cuda() { return discover_cuda(); }

constexpr Backend kBackends[] = {
    {"cuda", find_cuda, has_nvidia_device},
    {"opencl", discover_opencl, opencl_is_likely},
    {"emulated", discover_emulated, never},
};

/// "cuda:1" -> ("cuda", 1); no number: -1; neither: empty name.
std::pair<std::string_view, int> parse(std::string_view item) {
  size_t colon = item.find(':');
  if (colon == std::string_view::npos) return {item, -1};
  int ordinal = -1;
  const char* end = item.data() + item.size();
  auto [rest, error] = std::from_chars(item.data() + colon + 1, end, ordinal);
  if (error != std::errc{} || rest != end || ordinal < 0) return {{}, -1};
  return {item.substr(0, colon), ordinal};
}

}  // namespace

std::span<const Backend> backends() { return kBackends; }

std::vector<Choice> choose_engines(std::string_view list) {
  std::vector<Choice> chosen;
  std::map<std::string_view, Discovery> found;
  bool cpu = false;
  auto take = [&](const Backend& backend, int ordinal, bool by_name) {
    auto [entry, fresh] = found.try_emplace(backend.name);
    if (fresh) entry->second = backend.discover();
    bool any = false;
    for (auto& device : entry->second.devices) {
      if (!device || (ordinal >= 0 && device->info().ordinal != static_cast<uint32_t>(ordinal)))
        continue;
      any = true;
      if (!by_name && device->info().host_cores) continue;
      chosen.push_back({device->info().id(), std::move(device)});
    }
    return any;
  };
  if (list.empty()) {
    for (const Backend& backend : kBackends) {
      if (backend.likely()) take(backend, -1, false);
    }
  }
  for (size_t at = 0; at < list.size();) {
    size_t comma = std::min(list.find(',', at), list.size());
    std::string_view item = list.substr(at, comma - at);
    at = comma + 1;
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (item.empty()) continue;
    if (item == "cpu") {
      if (!cpu) chosen.push_back({"cpu", nullptr});
      cpu = true;
      continue;
    }
    auto [name, ordinal] = parse(item);
    auto backend = std::find_if(std::begin(kBackends), std::end(kBackends),
                                [&](const Backend& each) { return each.name == name; });
    if (backend == std::end(kBackends)) {
      log(LogPart::scheduler, LogLevel::warn, "GUDA_DEVICES: there is no engine {}", item);
    } else if (!take(*backend, ordinal, true)) {
      const std::string& note = found[backend->name].note;
      log(LogPart::scheduler, LogLevel::warn, "GUDA_DEVICES: no device {}{}{}", item,
          note.empty() ? "" : ": ", note);
    }
  }
  if (!cpu) chosen.push_back({"cpu", nullptr});
  return chosen;
}

}  // namespace guda::backend
