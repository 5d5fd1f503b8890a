// The conformance suite over the machine's NVIDIA GPU; skipped where there is none.
#include "tests/backends/conformance.h"
#include "backends/cuda/cuda_device.h"

namespace {
const bool added = [] {
  guda::backend::conformance::add_subject(
      {.name = "cuda",
       .discover = [] { return guda::backend::discover_cuda(); },
       .expected_failures = {},
       .complete = true,
       .may_be_unsupported = {}});
  return true;
}();
}  // namespace
