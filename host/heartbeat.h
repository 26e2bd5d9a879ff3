/* The heartbeat: a run's last sign of life, for whoever finds its host dead.
 *
 * One line in the run's folder, written over in place and not forced to disk:
 *
 *   wafer-heartbeat 1 <released_ns> <seen_ns> <cpu_ns>\n
 *
 * in CLOCK_MONOTONIC nanoseconds, each 19 columns wide; cpu_ns is the cgroup's
 * count or -1. */
#ifndef WAFER_HOST_HEARTBEAT_H
#define WAFER_HOST_HEARTBEAT_H

#include "base/error.h"

#include <stdint.h>

struct heartbeat {
  int64_t released_ns;
  int64_t seen_ns;
  int64_t cpu_ns;
};

/* Writes the line for now. A full disk is no reason to end a run: failures
 * are let go. */
void heartbeat_write(int fd, int64_t released_ns, int64_t cpu_ns);

/* Reads it; an error (ENODATA, EINVAL) where there is none or it is damaged:
 * then *heartbeat is left alone. */
int heartbeat_read(int fd, struct heartbeat *heartbeat, struct error **err);

#endif
