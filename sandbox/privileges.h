/* Giving up privilege, verified step by step; each failure is final.
 *
 * "While it still may": locking the securebits and dropping from the bounding
 * set need CAP_SETPCAP in the process's user namespace, changing ids CAP_SETUID
 * and CAP_SETGID. A step whose goal is already met is skipped, so that a
 * process that has nothing left to drop passes. All of it is for a process
 * with one thread: the raw calls reach no other. */
#ifndef WAFER_SANDBOX_PRIVILEGES_H
#define WAFER_SANDBOX_PRIVILEGES_H

#include "base/error.h"

#include <stddef.h>
#include <sys/types.h>

/* The securebits that are set and locked (capabilities(7)), a reason a row. */
struct privileges_bit {
  const char *name;
  unsigned bits;
  const char *reason;
};

extern const struct privileges_bit privileges_bits[];
extern const size_t privileges_bits_count;

/* Becomes uid and gid (real, effective, saved; file-system ids follow) with no
 * supplementary group and no capability in any set, bounding set included, and
 * with securebits locked so that no exec and no id change gives one back.
 *
 * Supplementary groups can stay in one case only: a user namespace in which
 * setgroups is denied (/proc/self/setgroups), as it must be where a plain user
 * maps only himself; the kernel forbids dropping them there, because a group
 * may also take access away.
 *
 * On failure the process is half-way and must exit. It ends not dumpable, see
 * privileges_set_dumpable. */
int privileges_drop(uid_t uid, gid_t gid, struct error **err);

/* For a sandbox's pid 1, which keeps the id that it was made with: gives up
 * every capability but those listed (numbers of linux/capability.h), locks the
 * securebits as above, and makes the kept ones ambient, so that they survive
 * an exec even with no_new_privs. Ids are not changed. */
int privileges_keep_only(const int *capabilities, size_t count,
                         struct error **err);

/* Sets no_new_privs (Linux 3.5): from here on no exec gains privilege by
 * setuid bits or file capabilities. Landlock and seccomp ask for it. */
int privileges_no_new(struct error **err);

/* Makes the process dumpable again. An id change clears the flag, and then
 * /proc/self belongs to root, so that a job could not open its own
 * /proc/self/fd. Safe only once nothing of the host's is left in its memory
 * that the job may not see: the job's processes may then ptrace and read each
 * other as far as other walls let them. */
int privileges_set_dumpable(struct error **err);

#endif
