/* Forking a sandbox off the zygote. */
#ifndef WAFER_RUNTIME_FORK_H
#define WAFER_RUNTIME_FORK_H

#include "base/error.h"

#include <sys/types.h>

/* Makes a keeper in new namespaces and, in them, a job that goes on in
 * job_main. `fds` are those of enum fork_fd and stay the caller's. Returns the
 * keeper's pid, with its pidfd, or -1. Does not return in the job. */
pid_t fork_sandbox(const int *fds, int *pidfd, struct error **err);

#endif
