/* A run's scratch, made in a thread of its own while the host does the rest.
 *
 * Mounting one waits for a disk and for workers of the kernel's that need a
 * processor: 1.4 ms at best, up to 7 where both are busy (2 CPUs). Nothing else
 * of a run has to wait with it: the sandbox takes its scratch last.
 *
 *   scratch_maker_start → scratch_maker_finish → scratch_maker_release */
#ifndef WAFER_HOST_SCRATCH_MAKER_H
#define WAFER_HOST_SCRATCH_MAKER_H

#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Zeroed, it makes nothing. Not to be moved once started. */
struct scratch_maker {
  bool is_running;
  pthread_t thread;
  uint64_t size_bytes;
  int fd;
  struct error *err;
};

/* Begins to make one below home_state_dir (sandbox/scratch.h). */
int scratch_maker_start(struct scratch_maker *maker, uint64_t size_bytes,
                        struct error **err);

/* Waits for it; returns the detached mount, the caller's, or -1. Called once,
 * after a start. */
int scratch_maker_finish(struct scratch_maker *maker, struct error **err);

/* Makes one without a thread: the detached mount, the caller's, or -1. */
int scratch_maker_make(uint64_t size_bytes, struct error **err);

/* Waits for one that was started and never finished, and lets go of it. */
void scratch_maker_release(struct scratch_maker *maker);

#endif
