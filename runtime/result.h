/* The result record: what a sandbox's pid 1 writes when all in it is dead.
 *
 * One line of text in a file that the host made and no job can reach, written
 * with fdatasync(2) before the keeper ends, so that the outcome of a run is
 * known even when the host and the zygote are gone:
 *
 *   wafer-result 1 <how> <value> <ended_ns> <cpu_us> <max_rss_kib> <cause>\n
 *
 * how is "exited" or "killed"; value the exit status or the signal of the job's
 * first process; ended_ns the CLOCK_MONOTONIC time of the last process's death;
 * cpu_us and max_rss_kib are of wait4(2), over all that were reaped; cause is
 * "job" or, where the host went away first, "host". */
#ifndef WAFER_RUNTIME_RESULT_H
#define WAFER_RUNTIME_RESULT_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { RESULT_MAX_BYTES = 256 };

struct result {
  bool killed; /* value is a signal, else an exit status */
  bool host_gone;
  int value;
  int64_t ended_ns;
  int64_t cpu_us;
  int64_t max_rss_kib;
};

/* Writes the line; forcing it to disk is the caller's. */
int result_write(int fd, const struct result *result, struct error **err);

/* Parses a whole record, just as result_write writes it. Anything else is an
 * error (EINVAL), an empty text (ENODATA) too: the keeper didn't come to write.
 * Then *result is left alone. */
int result_parse(const char *text, size_t count, struct result *result,
                 struct error **err);

#endif
