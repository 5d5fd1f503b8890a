/* Where GUDA runs work, and what it decided: the same as GUDA_SPLIT and GUDA_DEVICES, at run time.
 *
 * In libguda.so. All functions may be called from any thread, before the first CUDA call too. They return 0 or a
 * cudaError_t's value: 1 (invalid value), 101 (no such engine). With a CPU alone there is one engine, "cpu",
 * and nothing to decide. */
#ifndef GUDA_SCHEDULER_H
#define GUDA_SCHEDULER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum guda_split_mode {
  GUDA_SPLIT_AUTO = 0,   /* when it pays */
  GUDA_SPLIT_NEVER = 1,  /* every launch and product on one engine */
  GUDA_SPLIT_ALWAYS = 2  /* whatever may be split is, on all engines; for tests */
};

struct guda_engine {
  char id[32];          /* "cpu", "cuda:0", as GUDA_DEVICES names it */
  char name[128];       /* the product's */
  int quarantined;      /* it failed and gets no more work */
  uint64_t placed;      /* launches and products that it ran whole */
  uint64_t split_parts; /* its parts of split ones */
  uint64_t failures;
};

struct guda_scheduler_counters {
  uint64_t decisions;
  uint64_t repeated; /* of those, answered from memory */
  uint64_t splits;
  uint64_t explored;            /* run to learn how fast an engine is */
  uint64_t refused_indivisible; /* not split because the work cannot be */
  uint64_t refused_forbidden;   /* because the user forbade it */
  uint64_t refused_small;       /* because it is too small to cut */
  uint64_t refused_gain;        /* because it would gain too little */
  uint64_t refused_uncertain;   /* because the gain is within the prediction's uncertainty */
  uint64_t predictions;         /* predicted times that were compared with the measured */
  double median_error;          /* their median error, as a part of the measured time */
};

int guda_scheduler_engine_count(int* count);
/* Error 101: no engine has this number. */
int guda_scheduler_engine(int index, struct guda_engine* engine);

/* For the whole process; as GUDA_SPLIT. */
int guda_scheduler_set_split(enum guda_split_mode mode);
int guda_scheduler_get_split(enum guda_split_mode* mode);

/* For the whole process: a list such as "cuda:0,cpu", as GUDA_DEVICES; engines that are not in it get no work,
 * the order is preference. Null or empty: all engines. Error 1: not such a list; nothing is changed. */
int guda_scheduler_set_devices(const char* list);

/* The calling thread's launches and products go to this engine as far as it can run them; -1: to whichever is
 * best. Error 101: no engine has this number. */
int guda_scheduler_force_engine(int index);

/* Lets an engine work again that was quarantined. */
int guda_scheduler_release_engine(int index);

int guda_scheduler_get_counters(struct guda_scheduler_counters* counters);

/* Why the calling thread's last launch or product ran where it ran: one line. Cut to `bytes`, zero included;
 * empty when nothing was decided yet. */
int guda_scheduler_explain_last(char* text, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
