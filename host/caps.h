/* The caps of a job: what it ran into, and what its user is told then.
 *
 * A cap that a job met and got over is no reason of anything: the record
 * counts it. Only where a run failed is it looked for which cap may have made
 * it fail: first by what the kernel counted, then by what the exception that
 * ended it says of itself. caps.c is the table of them.
 *
 * Two caps aren't in it, since wafer itself acts on them: memory in a cgroup,
 * and the timeout (explain.c). The log's is met without failing: summary.c. */
#ifndef WAFER_HOST_CAPS_H
#define WAFER_HOST_CAPS_H

#include "jobs/run.h"
#include "sandbox/scratch.h"

/* How a run ended, as far as caps go. */
struct caps_end {
  const struct run *run; /* its usage, exception and signal */
  const struct size *size;
  const struct scratch_usage *scratch; /* zeroed: /tmp was in memory */
  bool has_cgroup;
  bool own_ids; /* the job had its user's own id */
};

/* What is said of a cap; the caller frees text. */
struct caps_finding {
  enum reason_kind kind; /* REASON_NONE: as it was without the cap */
  char *text;            /* a part of a sentence */
};

/* Finds the cap that a failed run met. False where there was none. */
bool caps_find(const struct caps_end *end, struct caps_finding *finding);

/* ", or take --max-capacity 1", where there is a larger size; else "". Static.
 */
const char *caps_larger_size(const struct size *size);

#endif
