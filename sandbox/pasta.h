/* A network by pasta(1), Debian's package passt: a process of the user's that
 * turns the packets of a sandbox into sockets of its own. It needs neither root
 * nor a change to the machine.
 *
 * Who starts it has to be the user namespace's owner. It joins that namespace,
 * which makes the kernel forget what signal it was to get at its parent's end
 * (prctl(2), PR_SET_PDEATHSIG). So its life hangs on a pipe: once nobody holds
 * the writing end any more, the kernel sends it SIGKILL, on behalf of the
 * reading end (fcntl(2), F_SETSIG), as long as somebody holds that. */
#ifndef WAFER_SANDBOX_PASTA_H
#define WAFER_SANDBOX_PASTA_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct pasta {
  pid_t pid;    /* 0: none */
  int life_fd;  /* the writing end: the host's, and nobody else's */
  int death_fd; /* the reading end: to be held by somebody who outlives the
                   host; see keeper.c */
};

#define PASTA_INIT                                                             \
  {                                                                            \
    .life_fd = -1, .death_fd = -1                                              \
  }

/* Starts it as `uid` and `gid` for the network namespace, and returns once the
 * network is there. */
int pasta_start(struct pasta *pasta, int namespace_fd, uid_t uid, gid_t gid,
                struct error **err);

/* Ends it, and doesn't wait: the last of its namespaces takes 50 ms to go, in
 * the kernel, for grace periods. */
void pasta_stop(struct pasta *pasta);

/* Whether it is installed and can work; `why` and `fix` are set to texts where
 * not. */
bool pasta_probe(const char **why, const char **fix);

#endif
