/* What Landlock lets a job do with files, as data: a reason a row.
 *
 * The rows are what a job is restricted to (runtime/job.c) and what `wafer
 * doctor --explain` prints. Whatever no row grants is denied, of all that the
 * kernel's ABI knows (landlock.h). */
#ifndef WAFER_SANDBOX_LANDLOCK_TABLE_H
#define WAFER_SANDBOX_LANDLOCK_TABLE_H

#include "sandbox/landlock.h"

struct landlock_row {
  struct landlock_rule rule;
  const char *reason;
};

/* Of every job. */
extern const struct landlock_row landlock_rows[];
extern const size_t landlock_rows_count;
enum { LANDLOCK_ROWS_MAX = 16 };

/* Of what a run mounts: the path is the mount's. */
extern const struct landlock_row landlock_mount_ro;
extern const struct landlock_row landlock_mount_rw;

/* Fills in the rules of every job; returns how many, at most
 * LANDLOCK_ROWS_MAX. */
size_t landlock_rules_of_all(struct landlock_rule *rules);

/* The rule of a mount at `path`. */
struct landlock_rule landlock_rule_of_mount(const char *path, bool read_only);

#endif
