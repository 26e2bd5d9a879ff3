/* Lock files of library sets: what exactly a set is made of.
 *
 * A lock file is a requirements file of pip's in which each package has one
 * version and its hashes, so that no index can give anything else:
 *
 *   # preload: numpy, pandas
 *   numpy==2.4.6 --hash=sha256:0f1e…
 *
 * The comment "preload:" names the modules that a warm zygote imports ahead. */
#ifndef WAFER_HOST_LIBRARY_LOCK_H
#define WAFER_HOST_LIBRARY_LOCK_H

#include "runtime/library_set.h"

enum { LIBRARY_LOCK_MAX_BYTES = 4 << 20 };

/* Makes one of what `pip install --report` says (format 1): the caller frees
 * it; "" where nothing is to be installed. EINVAL: a package there has no
 * version, or no SHA-256. */
int library_lock_from_report(const char *report, size_t count, char **lock,
                             struct error **err);

/* Adds the modules of its "preload:" comment, if it has one, to `set`. */
int library_lock_read_preload(const char *lock, struct library_set *set,
                              struct error **err);

/* Adds modules that are separated by commas, with blanks around or not. */
int library_lock_add_preload(const char *names, struct library_set *set,
                             struct error **err);

/* The lock file that comes with wafer, if there is one of this name. The caller
 * frees the path. */
char *library_lock_builtin(const char *name);

#endif
