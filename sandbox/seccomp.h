/* The system-call filter: the last wall that a job raises before it runs.
 *
 * The policy is seccomp_table.h; seccomp_gen.c compiles it when the project is
 * built, so that loading it is a single seccomp (2) and nothing of libseccomp
 * is in the process. There are two forms of one policy: with a listener, a
 * refused call waits until the host has answered it (seccomp_notify.h), which
 * is how the host learns its name; without, the kernel answers EPERM itself.
 * Allowed calls never wait in either. */
#ifndef WAFER_SANDBOX_SECCOMP_H
#define WAFER_SANDBOX_SECCOMP_H

#include "base/error.h"

#include <stdbool.h>

/* Loads the filter into the calling thread, for good: it must be the only
 * thread, and have no_new_privs set (privileges_no_new) or CAP_SYS_ADMIN.
 * Children inherit the filter, and exec keeps it.
 *
 * With with_listener (Linux 5.0), *listener_fd becomes a close-on-exec
 * descriptor that the caller owns: it sends it to the host (sendmsg is
 * allowed) and closes its own copy, because a job that held it could answer
 * its own refused calls. Until the host reads, a refused call waits; once no
 * copy of the descriptor is open, refused calls give ENOSYS. There can be one
 * listener in a process's chain of filters: EBUSY. Without with_listener,
 * *listener_fd is not touched. */
int seccomp_load(bool with_listener, int *listener_fd, struct error **err);

/* Whether this kernel has what the filter needs: 0, or -1 with the reason.
 * *listener says if it also can name refused calls. Changes nothing. */
int seccomp_probe(bool *listener, struct error **err);

#endif
