// The C function of include/guda/memory.h.
#include "runtime/engines.h"

#include <guda/memory.h>

extern "C" __attribute__((visibility("default"))) int guda_memory_get_counters(
    guda_memory_counters* counters) {
  if (counters == nullptr) return static_cast<int>(guda::StatusCode::invalid_value);
  *counters = {};
  guda::runtime::Engines* engines = guda::runtime::Engines::active();
  if (engines == nullptr) return 0;
  const auto moved = engines->pool().statistics();
  counters->uploaded_bytes = moved.uploaded_bytes;
  counters->downloaded_bytes = moved.downloaded_bytes;
  counters->direct_bytes = moved.direct_bytes;
  counters->prefetched_bytes = moved.prefetched_bytes;
  counters->transfers = moved.transfers;
  counters->evictions = moved.evictions;
  return 0;
}
