/* The reserve: 1 MiB of disk set aside, to be given back when it is full.
 *
 * A file of allocated blocks (fallocate(2)) in the store's folder. What ends a
 * run gives it back so that the end can still be recorded; another process
 * could take the room first, so this makes a loss unlikely, not impossible. */
#ifndef WAFER_JOBS_RESERVE_H
#define WAFER_JOBS_RESERVE_H

#include "base/error.h"

enum { RESERVE_BYTES = 1 << 20 };
#define RESERVE_FILE "reserve"

/* Makes it where it is missing or was given back; all of it or nothing. */
int reserve_make(int dir_fd, struct error **err);

/* Gives its room back to the file system. */
int reserve_release(int dir_fd, struct error **err);

#endif
