// The CPU engine: in host memory, or, built with EMULATED, with memory of its own.
#include "backends/cpu/cpu_device.h"
#include "runtime/engines.h"
#include "tests/backends/conformance.h"

#include <cstdlib>

namespace {

using guda::backend::Discovery;
using namespace guda::backend::conformance;

#ifdef EMULATED
constexpr const char* kName = "emulated";
Discovery discover() {
  setenv("GUDA_EMULATED_DEVICES", "2", 1);
  return guda::backend::discover_emulated();
}
// Its memory is at other addresses than the program's; the CPU engine does not have a BLAS in it.
const std::vector<std::string> kMayBeUnsupported = {"follows_stored_pointers", "multiplies_"};
#else
constexpr const char* kName = "cpu";
Discovery discover() {
  Discovery found;
  found.devices.push_back(guda::backend::make_cpu_device());
  return found;
}
const std::vector<std::string> kMayBeUnsupported = {"transfers_whole_and_in_part",
                                                    "transfers_other_host_memory",
                                                    "transfers_rows",
                                                    "recordings_",
                                                    "refuses_bad_ranges",
                                                    "maps_again_at_the_same_place",
                                                    "too_much_memory",
                                                    "reaches_",
                                                    "gives_back_shared_memory_once",
                                                    "samples_arrays",
                                                    "stores_to_surfaces",
                                                    "samples_memory",
                                                    "refuses_impossible_textures",
                                                    "multiplies_"};
#endif

const bool added = [] {
  guda::runtime::Engines::start();  // provides the loader of CPU kernels
  add_subject({.name = kName,
               .discover = discover,
               .expected_failures = {},
               .complete = true,
               .may_be_unsupported = kMayBeUnsupported});
  return true;
}();

}  // namespace
