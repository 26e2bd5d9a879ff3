/* A plain user's way to a cgroup of his own on v2, where nobody delegated one
 * to him: his systemd user manager, which has some, makes a scope that is his
 * (org.freedesktop.systemd1(5), StartTransientUnit with Delegate=yes).
 *
 * It is asked by a small program, wafer-scope, so that nobody who needs none of
 * it loads libsystemd. The scope ends with the last process in it. */
#ifndef WAFER_SANDBOX_CGROUP_SCOPE_H
#define WAFER_SANDBOX_CGROUP_SCOPE_H

#include "base/error.h"

/* Moves the caller into such a scope where that gives him the cgroup that he
 * lacks: 1. 0 where he lacks none, or has no user manager: then nothing is
 * changed, and cgroup_probe says what is missing. To be called before any
 * process is started that is to stand there, too. */
int cgroup_join_scope(struct error **err);

#endif
