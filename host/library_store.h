/* Changing the library sets: one process at a time, by a lock.
 *
 *   SETS/.lock   held while a set is built, chosen or removed
 *   SETS/.work   what a build needs and nobody after it
 *
 * A build makes the set's own folder, whose manifest it writes last; then one
 * rename changes the choice. So whatever ends a build, the old set stays
 * chosen; and what isn't chosen and nobody has open is swept away by the next
 * that takes the lock: half-built folders and replaced sets.
 *
 * Real root's SETS is open for all to read, since a zygote, which has no right
 * to anything, imports from there: 0755, and the state folder 0711. */
#ifndef WAFER_HOST_LIBRARY_STORE_H
#define WAFER_HOST_LIBRARY_STORE_H

#include "runtime/library_set.h"

struct library_store {
  char *dir; /* absolute, without links */
  int dir_fd;
  int lock_fd;
};

#define LIBRARY_STORE_INIT                                                     \
  {                                                                            \
    .dir_fd = -1, .lock_fd = -1                                                \
  }

#define LIBRARY_STORE_WORK ".work"

/* Makes SETS where it is missing, waits for the lock (and says so on stderr,
 * where that takes a while), and sweeps. */
int library_store_open(struct library_store *store, struct error **err);

/* Lets the lock go. */
void library_store_release(struct library_store *store);
#define cleanup_library_store __attribute__((cleanup(library_store_release)))

/* The name of a set's folder: NAME-HEX. The caller frees it. */
char *library_store_folder(const char *name, const char *lock_sha256);

/* Writes the manifest into the set's folder, with all that is in that on disk
 * before. */
int library_store_finish(const struct library_store *store, const char *folder,
                         const struct library_set *set, struct error **err);

/* Removes what is left of builds and what isn't chosen any more, but for what
 * somebody has open, or can't be removed now. */
void library_store_sweep(const struct library_store *store);

/* Makes `folder` what NAME chooses, durably. */
int library_store_choose(const struct library_store *store, const char *name,
                         const char *folder, struct error **err);

/* Removes NAME. *in_use: a run still has it open, and its folder goes later.
 * ENOENT: there is none. */
int library_store_remove(const struct library_store *store, const char *name,
                         bool *in_use, struct error **err);

/* Removes SETS/`entry` and all in it; nothing there is fine. */
int library_store_remove_tree(const struct library_store *store,
                              const char *entry, struct error **err);

#endif
