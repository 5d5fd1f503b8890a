// The conformance suite over the fake driver: everything but what its C++ kernels cannot stand for.
#include "backends/cuda/testing/open_fake.h"
#include "tests/backends/conformance.h"

namespace {
const bool added = [] {
  guda::backend::conformance::add_subject({.name = "cuda, fake driver",
                                           .discover = guda::backend::cuda::testing::discover_fake,
                                           .expected_failures = {},
                                           .complete = true,
                                           .may_be_unsupported = {"has_module_variables"}});
  return true;
}();
}  // namespace
