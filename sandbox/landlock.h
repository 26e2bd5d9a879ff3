/* Landlock: file access by path, enforced by the kernel on a process that
 * needs no privilege to ask for it (Linux 5.13).
 *
 * It stands behind the mount namespace and the file modes: should a job find a
 * way to a file that its root does not show, Landlock still refuses. What the
 * running kernel's ABI knows is handled in full, so a right that no rule
 * grants is denied:
 *
 *   ABI 1, Linux 5.13   open, list, execute, make, remove
 *   ABI 2, Linux 5.19   link and rename to another folder (before: denied)
 *   ABI 3, Linux 6.2    truncate
 *   ABI 5, Linux 6.10   ioctl on devices
 *   ABI 6, Linux 6.12   scopes: no signal to and no abstract unix socket of a
 *                       process outside; a job's own children are inside
 *
 * ABI 4 (TCP ports) is left out, as the network namespace decides there, and
 * ABI 7 (audit) adds no right. Descriptors that were open before keep their
 * access. */
#ifndef WAFER_SANDBOX_LANDLOCK_H
#define WAFER_SANDBOX_LANDLOCK_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum landlock_access {
  LANDLOCK_READ,       /* read files, list folders: /etc, /proc */
  LANDLOCK_READ_EXEC,  /* and execute: /usr */
  LANDLOCK_DEVICE,     /* read and write what is there: /dev. No ioctl */
  LANDLOCK_READ_WRITE, /* and make, remove, rename, link, truncate, execute,
                          since scripts build helpers in /tmp and run them;
                          device nodes can't be made */
};

struct landlock_rule {
  const char *path; /* a file, or a folder with all below it */
  enum landlock_access access;
  bool optional; /* the rule is skipped where the path does not exist */
};

/* The rights of an access in words: "read list execute". */
struct landlock_text {
  char text[96];
};
struct landlock_text landlock_access_text(enum landlock_access access);

/* The kernel's Landlock ABI, 1 or more; or -1 where the kernel has none or it
 * is off (lsm= on the kernel's command line). */
int landlock_abi(struct error **err);

/* Restricts the calling thread and its future children to `rules`, for good.
 * Paths are resolved now, in the caller's mount namespace, links followed: it
 * must be the sandbox's own root by then. Needs no_new_privs or CAP_SYS_ADMIN.
 * On failure nothing is restricted. */
int landlock_apply(const struct landlock_rule *rules, size_t count,
                   struct error **err);

#endif
