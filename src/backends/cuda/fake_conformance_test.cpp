// The conformance suite over two devices of the fake driver: everything but what its C++ kernels cannot stand for. Built
// with SECOND_DEVICE, the one whose memory is not at the program's addresses is tested.
#include "backends/cuda/testing/open_fake.h"
#include "tests/backends/conformance.h"

#include <algorithm>

namespace {

guda::backend::Discovery discover() {
  guda::backend::cuda::testing::control().devices = 2;
  auto found = guda::backend::cuda::testing::discover_fake();
#ifdef SECOND_DEVICE
  std::reverse(found.devices.begin(), found.devices.end());
#endif
  return found;
}

constexpr const char* kOnlyReal = "the fake driver multiplies f32 and f64 only";

const bool added = [] {
  guda::backend::conformance::add_subject({
      .name = "cuda, fake driver",
      .discover = discover,
      .expected_failures = {{"multiplies_c32", kOnlyReal},
                            {"multiplies_c64", kOnlyReal},
                            {"multiplies_f16", kOnlyReal},
                            {"multiplies_f16_to_f32", kOnlyReal},
                            {"multiplies_bf16", kOnlyReal},
                            {"multiplies_bf16_to_f32", kOnlyReal},
                            {"multiplies_s8", kOnlyReal}},
      .complete = true,
#ifdef SECOND_DEVICE
      .may_be_unsupported = {"has_module_variables", "follows_stored_pointers"},
#else
      .may_be_unsupported = {"has_module_variables"},
#endif
  });
  return true;
}();

}  // namespace
