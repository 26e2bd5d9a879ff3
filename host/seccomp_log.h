/* What --seccomp-log gathers: the calls that the policy didn't allow, by kind.
 *
 * A kind is a number and those arguments that the policy looks at. A job
 * decides how many there are, so beyond SECCOMP_LOG_MAX they count as one. */
#ifndef WAFER_HOST_SECCOMP_LOG_H
#define WAFER_HOST_SECCOMP_LOG_H

#include "jobs/run.h"
#include "sandbox/seccomp_notify.h"

enum { SECCOMP_LOG_MAX = 128 };

struct seccomp_log_row {
  struct seccomp_refusal refusal;
  int64_t count;
};

/* Zeroed memory is an empty one, and there is nothing to release. */
struct seccomp_log {
  struct seccomp_log_row rows[SECCOMP_LOG_MAX];
  size_t row_count;
  int64_t others;
};

void seccomp_log_add(struct seccomp_log *log,
                     const struct seccomp_refusal *refusal);

/* Fills in the run's own, what a script is most likely to miss first: refused,
 * absent, quiet. */
void seccomp_log_finish(const struct seccomp_log *log, struct run *run);

/* Prints the run's own to stderr: a line that says how many, and one a kind. */
void seccomp_log_print(const struct run *run);

#endif
