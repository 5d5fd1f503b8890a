// The conformance suite over the machine's NVIDIA GPUs; skipped where there is none. Built with SECOND_DEVICE, the one
// whose memory is not at the program's addresses is tested.
#include "tests/backends/conformance.h"
#include "backends/cuda/cuda_device.h"

namespace {

guda::backend::Discovery discover() {
  auto found = guda::backend::discover_cuda();
#ifdef SECOND_DEVICE
  if (found.devices.size() < 2) {
    found.devices.clear();
    found.note = "there is no second one";
  } else {
    std::swap(found.devices[0], found.devices[1]);
  }
#endif
  return found;
}

const bool added = [] {
  guda::backend::conformance::add_subject({
      .name = "cuda",
      .discover = discover,
      .expected_failures = {},
      .complete = true,
#ifdef SECOND_DEVICE
      .may_be_unsupported = {"follows_stored_pointers", "samples_memory"},
#else
      .may_be_unsupported = {},
#endif
  });
  return true;
}();

}  // namespace
