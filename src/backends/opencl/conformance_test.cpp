// The conformance suite over the machine's first OpenCL device; skipped where there is none. The variable
// GUDA_TEST_OPENCL_BUFFERS=1 keeps a device with shared memory from using it.
#include "tests/backends/conformance.h"
#include "backends/opencl/opencl_device.h"

#include <cstdlib>

namespace {
const bool added = [] {
  guda::backend::conformance::add_subject(
      {.name = "opencl",
       .discover =
           [] {
             guda::backend::OpenclOptions options;
             options.shared_addresses = std::getenv("GUDA_TEST_OPENCL_BUFFERS") == nullptr;
             return guda::backend::discover_opencl(options);
           },
       .expected_failures = {},
       .may_be_unsupported = {}});
  return true;
}();
}  // namespace
