// Which devices this process uses: GUDA_DEVICES against what the backends find.
#pragma once

#include "backends/device.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace guda::backend {

/// One way to find devices.
struct Backend {
  std::string_view name;
  Discovery (*discover)();
  /// Looked for when GUDA_DEVICES is empty. Must be quick on a machine without the hardware.
  bool (*likely)();
};

/// All backends of this build, best first; the CPU engine is not one of them.
std::span<const Backend> backends();

/// An engine in order of preference: a device, or the CPU engine (null).
struct Choice {
  std::string id;  // "cuda:0", "cpu"
  std::unique_ptr<Device> device;
};

/// Engines that `list` ("cuda:0,cpu"; a backend without number means all of its devices) names, or all when it is
/// empty: devices first, the CPU last. The CPU engine is always there, last when it is not named. What is named and
/// not found is reported once in the log.
std::vector<Choice> choose_engines(std::string_view list);

}  // namespace guda::backend
