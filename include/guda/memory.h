/* What moves between host memory and the memories of engines.
 *
 * In libguda.so. May be called from any thread. Returns 0 or a cudaError_t's value: 1 (invalid value). With a CPU
 * alone nothing moves. */
#ifndef GUDA_MEMORY_H
#define GUDA_MEMORY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct guda_memory_counters {
  uint64_t uploaded_bytes;   /* from the host to engines */
  uint64_t
      downloaded_bytes; /* to the host, so that others may read it; results of launches that helped do not count */
  uint64_t direct_bytes; /* from engine to engine */
  uint64_t prefetched_bytes; /* of those uploaded, before somebody asked for them */
  uint64_t transfers;
  uint64_t evictions; /* of engines' copies, to make room */
};

int guda_memory_get_counters(struct guda_memory_counters* counters);

#ifdef __cplusplus
}
#endif

#endif
