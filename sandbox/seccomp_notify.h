/* The host's end of a filter's listener: names and answers refused calls.
 *
 * The host polls the descriptor: POLLIN means that a call waits, POLLHUP
 * (Linux 5.9) that no process under the filter is left. Of a notification only
 * the call's number is used: the kernel wrote it, and on a filter that kills
 * foreign architectures it has one meaning. The arguments are the job's, and
 * may point to memory that changes while it is read; the host never looks. It
 * always answers EPERM, and never lets a call continue.
 *
 * A job can't load a filter of its own: once our listener is closed it could
 * add one, whose answer, as the newer filter's, would come before ours, and
 * let refused calls continue (linux/seccomp.h warns of it). */
#ifndef WAFER_SANDBOX_SECCOMP_NOTIFY_H
#define WAFER_SANDBOX_SECCOMP_NOTIFY_H

#include "base/error.h"

/* Answers one waiting call, without blocking. Returns 1 and sets *name to the
 * refused call's name (static storage), 0 where none waits or the caller died
 * meanwhile, or -1. */
int seccomp_notify_answer(int listener_fd, const char **name,
                          struct error **err);

/* The name of an x86_64 system call, or NULL where the policy was built
 * without knowing it. */
const char *seccomp_call_name(int number);

#endif
