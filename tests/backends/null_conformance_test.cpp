#include "backends/null/null_device.h"
#include "tests/backends/conformance.h"

namespace {
const bool added = [] {
  guda::backend::conformance::add_subject({.name = "null",
                                           .discover = guda::backend::discover_null,
                                           .expected_failures = {},
                                           .complete = false,
                                           .may_be_unsupported = {}});
  return true;
}();
}  // namespace
