/* The system-call filter: the last wall that a job raises before it runs.
 *
 * The policy is seccomp_table.h; seccomp_gen.c compiles it when the project is
 * built, so that loading it is a single seccomp (2) and nothing of libseccomp
 * is in the process. There are three forms of one policy: a job gets the same
 * errno of the same call in each, and an allowed call never waits. */
#ifndef WAFER_SANDBOX_SECCOMP_H
#define WAFER_SANDBOX_SECCOMP_H

#include "base/error.h"

#include <stdbool.h>

enum seccomp_form {
  SECCOMP_ALONE,    /* the kernel answers what isn't allowed */
  SECCOMP_LISTENED, /* a refused call waits until the host has answered it,
                       which is how the host learns of it (seccomp_notify.h) */
  SECCOMP_LOGGED,   /* so does any other that isn't allowed: quiet, absent and
                       unknown ones */
};

/* Loads the filter into the calling thread, for good: it must be the only
 * thread, and have no_new_privs set (privileges_no_new) or CAP_SYS_ADMIN.
 * Children inherit the filter, and exec keeps it.
 *
 * In the forms with a listener (Linux 5.0), *listener_fd becomes a
 * close-on-exec descriptor that the caller owns: it sends it to the host
 * (sendmsg is allowed) and closes its own copy, because a job that held it
 * could answer its own refused calls. Until the host reads, a refused call
 * waits; once no copy of the descriptor is open, refused calls give ENOSYS.
 * There can be one listener in a process's chain of filters: EBUSY.
 * SECCOMP_ALONE doesn't touch *listener_fd. */
int seccomp_load(enum seccomp_form form, int *listener_fd, struct error **err);

/* Whether this kernel has what the filter needs: 0, or -1 with the reason.
 * *listener says if it also can name refused calls. Changes nothing. */
int seccomp_probe(bool *listener, struct error **err);

#endif
