// The suite's own test device: memory operations only, and a subject for the suite itself.
#include "tests/backends/conformance.h"
#include "tests/backends/memory_device.h"

namespace {

guda::backend::Discovery discover() {
  guda::backend::Discovery found;
  for (uint32_t i = 0; i < 2; ++i) {
    auto device = std::make_unique<guda::backend::MemoryDevice>(uint64_t{1} << 30, i);
    device->peers = true;
    found.devices.push_back(std::move(device));
  }
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
