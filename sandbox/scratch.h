/* Scratch: a job's /tmp, on disk and with a hard cap.
 *
 * Real root gives each run a sparse ext4 image of exactly the size's scratch
 * on a loop device. The image has no name (O_TMPFILE) and the loop device
 * detaches itself at the last unmount (LO_FLAGS_AUTOCLEAR), so however a run
 * ends nothing is left to clean. A new image is a copy of the few non-empty
 * extents of a template, which mkfs.ext4 makes once (measured: 60 KiB of
 * metadata in 4 places for 20 GiB without a journal, resize inode or backups;
 * 3 ms by mkfs, 0.05 ms as a copy). There is no journal and no barrier: what a
 * job leaves in /tmp is thrown away, so it need not survive a crash.
 *
 * A plain user can't mount a loop device; for him this wall is missing. */
#ifndef WAFER_SANDBOX_SCRATCH_H
#define WAFER_SANDBOX_SCRATCH_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Makes a scratch file system of size_bytes, its template and image beneath
 * the directory `dir_fd`. Returns a descriptor of its detached mount (nosuid,
 * nodev; fsmount(2), Linux 5.2), or -1. The descriptor holds it alive. */
int scratch_create(int dir_fd, uint64_t size_bytes, struct error **err);

/* An empty folder of the job's own that each scratch begins with, mode 0700, to
 * be renamed into the first one that is needed. */
#define SCRATCH_SPARE ".spare"

/* Gives the scratch's root directory, and the spare, to the job. */
int scratch_give(int mount_fd, uid_t uid, gid_t gid, struct error **err);

/* How a scratch stands, seen from outside. Zeroed: there is none. */
struct scratch_usage {
  int64_t bytes_total; /* that files can have */
  int64_t bytes_free;
  int64_t files_free; /* inodes */
  /* Writes that came to nothing. The image is sparse: where the disk below it
   * is full (or fails), the job's own write has long succeeded by then, and
   * what it wrote reads as zeros or not at all. */
  int64_t faults;
};

/* Reads it; cheap enough for every second. */
int scratch_read_usage(int mount_fd, struct scratch_usage *usage,
                       struct error **err);

/* Whether this process may make one; *why (if not NULL) says what lacks. */
bool scratch_probe(const char **why);

#endif
