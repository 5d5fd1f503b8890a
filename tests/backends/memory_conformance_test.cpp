// The suite's own test device: memory operations only, and a subject for the suite itself.
#include "tests/backends/conformance.h"
#include "tests/backends/memory_device.h"

namespace {

guda::backend::Discovery discover() {
  guda::backend::Discovery found;
  found.devices.push_back(std::make_unique<guda::backend::MemoryDevice>());
  return found;
}

const bool added = [] {
  guda::backend::conformance::add_subject({.name = "memory",
                                           .discover = discover,
                                           .expected_failures = {},
                                           .complete = false,
                                           .may_be_unsupported = {}});
  return true;
}();

}  // namespace
