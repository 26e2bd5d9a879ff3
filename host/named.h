/* Opening what the caller of `wafer run` names: script, libraries, variables,
 * secrets, mounts, the report.
 *
 * A name may lead through a folder that a job could write, one that was mounted
 * :rw for it. What it planted there must neither keep wafer waiting nor have
 * wafer, which may be root, open a file that the job could not reach. So:
 *
 *   - A FIFO that has a name is refused. What a shell passes as <(…) has none:
 *     it comes through /dev/fd.
 *   - A symbolic link is followed as ever if it is root's or the caller's own;
 *     a link of anybody else's leads to his own files alone.
 *   - What is to be written may not be a link itself.
 *
 * A link in a folder of root's or the caller's own that was mounted :rw can't
 * be told from his own: see docs/SECURITY.md. */
#ifndef WAFER_HOST_NAMED_H
#define WAFER_HOST_NAMED_H

#include "base/fd.h"

/* Opens it to read. Returns the descriptor, or -1; errors name the path. */
int named_open(const char *path, struct error **err);

/* Opens it to write; where it isn't there, makes it, with mode 0644. It may not
 * be a link itself (ELOOP), whose ever, unless it is in /dev. */
int named_create(const char *path, struct error **err);

/* Finds a file or folder without opening it (O_PATH). */
int named_find(const char *path, struct error **err);

/* Opens it to read, and reads it as fd_read_all does. */
int named_read(const char *path, size_t max_bytes, char **bytes, size_t *count,
               struct error **err);

#endif
