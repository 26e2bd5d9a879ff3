#include "config.h"

#include "runtime/fork.h"

#include "base/fd.h"
#include "runtime/job.h"
#include "runtime/protocol.h"
#include "runtime/python.h"
#include "runtime/zygote_fds.h"
#include "sandbox/namespace.h"
#include "sandbox/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Shared by the zygote and the keeper while the one waits for the other. */
struct fork_state {
  const int *fds;
  const char *failed_step; /* set by the keeper where it can't go on */
  int failed_errno;
};

/* A CLONE_VM child has no rseq area, and what it forks inherits that, while
 * glibc still believes in the one registered at start: sched_getcpu would read
 * a stale number from it. */
static void register_rseq(void)
{
  if (__rseq_size == 0)
    return;
  char *area = (char *)__builtin_thread_pointer() + __rseq_offset;
  /* The kernel knows one length for this area, whatever part of it glibc
   * uses: 32 bytes, sizeof (struct rseq) in Linux 4.18. */
  syscall(SYS_rseq, area, 32, 0, RSEQ_SIG);
}

static void fail(struct fork_state *state, const char *step)
{
  state->failed_step = step;
  state->failed_errno = errno;
  _exit(125);
}

/* Puts the socket at 3, which is the zygote's own: so both that are needed go
 * above all others first. */
static int arrange_keeper_fds(const struct fork_state *state, int *program)
{
  enum { ABOVE = 64 };
  int socket_fd = fcntl(state->fds[FORK_FD_KEEPER], F_DUPFD, ABOVE);
  *program = fcntl(ZYGOTE_KEEPER_FD, F_DUPFD_CLOEXEC, ABOVE);
  if (socket_fd < 0 || *program < 0 || dup2(0, 1) < 0 || dup2(0, 2) < 0 ||
      dup2(socket_fd, 3) < 0)
    return -1;
  /* All others vanish at the exec. */
  return close_range(4, ~0U, CLOSE_RANGE_CLOEXEC);
}

static void become_keeper(struct fork_state *state, pid_t job)
{
  static const int kept[] = {CAP_KILL};
  struct error *err = NULL;
  int program = -1;
  char job_pid[16];
  snprintf(job_pid, sizeof job_pid, "%d", job);
  const char *argv[] = {"wafer-keeper", job_pid, NULL};
  const char *environment[] = {NULL};
  if (privileges_keep_only(kept, ARRAY_LENGTH(kept), &err) < 0)
    fail(state, "drop the keeper's privileges");
  if (arrange_keeper_fds(state, &program) < 0)
    fail(state, "arrange the keeper's descriptors");
  syscall(SYS_execveat, program, "", argv, environment, AT_EMPTY_PATH);
  fail(state, "start the keeper");
}

/* Runs in the new namespaces, on the zygote's memory and stack. The fork is
 * libc's, and CPython's hooks go around it, since the job may run the
 * zygote's interpreter on. */
static void enter_namespaces(void *argument)
{
  struct fork_state *state = argument;
  pid_t job = fork();
  if (job < 0)
    fail(state, "fork the job");
  if (job > 0)
    become_keeper(state, job);
  register_rseq();
  python_after_fork_child();
  job_main(state->fds);
}

pid_t fork_sandbox(const int *fds, int *pidfd, struct error **err)
{
  struct fork_state state = {.fds = fds};
  python_before_fork();
  pid_t keeper =
      namespace_vfork(NAMESPACE_FLAGS, pidfd, enter_namespaces, &state);
  int failure = errno;
  python_after_fork_parent();
  if (keeper < 0) {
    errno = failure;
    return error_errno(err, "make the sandbox's namespaces");
  }
  if (state.failed_step == NULL)
    return keeper;
  errno = state.failed_errno;
  fd_close(pidfd);
  return error_errno(err, "%s", state.failed_step);
}
