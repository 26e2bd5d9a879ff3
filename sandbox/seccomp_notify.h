/* The host's end of a filter's listener: names and answers refused calls.
 *
 * The host polls the descriptor: POLLIN means that a call waits, POLLHUP
 * (Linux 5.9) that no process under the filter is left. Of a notification only
 * the call's number and the low halves of its argument registers are used: the
 * kernel wrote them, and on a filter that kills foreign architectures they have
 * one meaning. What an argument points to is the job's, and may change while it
 * is read; the host never looks. It always answers with an errno, that of the
 * filter without a listener, and never lets a call continue: whatever the host
 * makes of a call, it stays refused.
 *
 * A job can't load a filter of its own: once our listener is closed it could
 * add one, whose answer, as the newer filter's, would come before ours, and
 * let refused calls continue (linux/seccomp.h warns of it). */
#ifndef WAFER_SANDBOX_SECCOMP_NOTIFY_H
#define WAFER_SANDBOX_SECCOMP_NOTIFY_H

#include "base/error.h"
#include "sandbox/seccomp_explain.h"

struct seccomp_refusal {
  int number;
  const char *name; /* static; NULL: a number without one */
  uint32_t arguments[SECCOMP_ARGUMENTS_MAX];
  struct seccomp_verdict verdict; /* never SECCOMP_ALLOW */
};

/* Answers one waiting call, without blocking. Returns 1 and fills in *refusal,
 * 0 where none waits or the caller died meanwhile, or -1. */
int seccomp_notify_answer(int listener_fd, struct seccomp_refusal *refusal,
                          struct error **err);

/* The name of an x86_64 system call, or NULL where the policy was built
 * without knowing it. */
const char *seccomp_call_name(int number);

#endif
