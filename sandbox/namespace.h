/* Namespaces: making a process in new ones, and mapping its ids.
 *
 * A sandbox's first process is made by namespace_vfork: a raw clone with
 * CLONE_VM | CLONE_VFORK, so that no page table of a large parent is copied.
 * The parent stands still until the child execs or ends. */
#ifndef WAFER_SANDBOX_NAMESPACE_H
#define WAFER_SANDBOX_NAMESPACE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Every namespace that a sandbox has of its own from its first moment. The
 * cgroup namespace comes later, once the job is in its cgroup: its root is
 * where a process stands when it unshares. So does the network's, which takes
 * 1 ms to make and isn't needed so soon. */
enum {
  NAMESPACE_FLAGS = 0x10000000   /* CLONE_NEWUSER */
                    | 0x20000000 /* CLONE_NEWPID */
                    | 0x00020000 /* CLONE_NEWNS */
                    | 0x08000000 /* CLONE_NEWIPC */
                    | 0x04000000 /* CLONE_NEWUTS */
};

/* The namespaces of a sandbox, a reason a row. */
struct namespace_row {
  const char *name; /* as in /proc/self/ns */
  unsigned flag;    /* CLONE_NEW… */
  const char *reason;
};

extern const struct namespace_row namespace_rows[];
extern const size_t namespace_rows_count;

/* Runs `child` (argument) in a new process with `flags`, on the caller's own
 * stack and memory, and waits until it execs or ends. `child` must not return.
 * *pidfd is close-on-exec. Returns the child's pid, or -1 with errno set.
 *
 * Linux keeps the parent suspended (clone(2), CLONE_VFORK), so the frames below
 * the caller's belong to the child meanwhile. */
pid_t namespace_vfork(unsigned long flags, int *pidfd,
                      void (*child)(void *argument), void *argument);

/* The ids of a sandbox, as the host sees them. */
struct namespace_ids {
  uid_t root_uid; /* the sandbox's root; owns what is mounted in it */
  gid_t root_gid;
  uid_t job_uid; /* the job */
  gid_t job_gid;
  bool own; /* a plain user without subordinate ids: the job is the caller
               himself, and there is no root in the sandbox */
};

/* The ids inside. */
enum { NAMESPACE_ROOT_ID = 0, NAMESPACE_JOB_ID = 1000 };

/* Ids for real root to give away: a pair for each process id, so that no two
 * sandboxes and no zygote on a machine share one while they live. The base is
 * in the range that systemd's table of uids leaves unused
 * (systemd.io/UIDS-GIDS: 1879048192 to 2147352575). */
enum { NAMESPACE_UID_BASE = 0x70000000 };
struct namespace_ids namespace_ids_of_pid(pid_t pid);

/* Ids of a plain user: two subordinate ids (subuid(5)) picked by `pid`, or his
 * own where `own` is asked for. Fails where he has no range of two or more. */
int namespace_ids_of_user(pid_t pid, bool own, struct namespace_ids *ids,
                          struct error **err);

/* Writes the maps of the user namespace of `pid`: directly as real root or
 * for one's own ids, else by newuidmap(1) and newgidmap(1). */
int namespace_map_ids(pid_t pid, const struct namespace_ids *ids,
                      struct error **err);

/* A descriptor of a user namespace that maps `fs_uid` and `fs_gid` on a file
 * system to `uid` and `gid`: for mount_setattr (2), MOUNT_ATTR_IDMAP. Needs
 * real root. Returns the descriptor or -1. */
int namespace_for_idmap(uid_t fs_uid, gid_t fs_gid, uid_t uid, gid_t gid,
                        struct error **err);

/* Whether a plain user has newuidmap, newgidmap and subordinate ids; `why` (if
 * not NULL) is set to a sentence where not. */
bool namespace_has_subordinate_ids(const char **why);

/* Tries to make each of NAMESPACE_FLAGS and a network namespace, in a child.
 * 0, or -1 with the reason. */
int namespace_probe(struct error **err);

#endif
