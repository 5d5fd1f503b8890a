// The conformance suite over the machine's first OpenCL device; skipped where there is none. The variable
// GUDA_TEST_OPENCL_BUFFERS=1 keeps a device with shared memory from using it, GUDA_TEST_OPENCL_SUB_GROUPS=0 one with
// sub-groups, and GUDA_TEST_OPENCL_GEMM=cpu or gpu chooses the kernels for matrix products.
#include "tests/backends/conformance.h"
#include "backends/opencl/opencl_device.h"

#include <cstdlib>
#include <string_view>

namespace {
const bool added = [] {
  guda::backend::conformance::add_subject(
      {.name = "opencl",
       .discover =
           [] {
             guda::backend::OpenclOptions options;
             options.shared_addresses = std::getenv("GUDA_TEST_OPENCL_BUFFERS") == nullptr;
             const char* sub_groups = std::getenv("GUDA_TEST_OPENCL_SUB_GROUPS");
             options.sub_groups = sub_groups == nullptr || std::string_view(sub_groups) != "0";
             if (const char* gemm = std::getenv("GUDA_TEST_OPENCL_GEMM"))
               options.gemm = std::string_view(gemm) == "gpu" ? guda::backend::OpenclGemm::for_gpus
                                                              : guda::backend::OpenclGemm::for_cpus;
             return guda::backend::discover_opencl(options);
           },
       .expected_failures = {},
       .may_be_unsupported = {}});
  return true;
}();
}  // namespace
