// A device that can do nothing: the template for a new backend, and a stand-in for one in tests.
#pragma once

#include "backends/device.h"

namespace guda::backend {

/// One null device. Always succeeds.
Discovery discover_null();

}  // namespace guda::backend
