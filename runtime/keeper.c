/* The keeper: pid 1 of a sandbox, and the parent of its job.
 *
 * It is a static program that the zygote's vforked child turns into, outside
 * the job's cgroup, with CAP_KILL in the sandbox's user namespace and nothing
 * else. It reaps, passes signals on, and when the job's first process is dead
 * kills what is left, waits for it, writes the result record and ends, with the
 * record on disk unless the host has booked the run by then. When its
 * host goes away it does the same at once: its end of the socket is closed.
 *
 *   wafer-keeper JOB_PID      descriptor 3: the host's socket */
#include "config.h"

#include "base/clock.h"
#include "base/fd.h"
#include "runtime/protocol.h"
#include "runtime/result.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOST_FD = 3 };

struct keeper {
  pid_t job;
  bool job_is_dead;
  int status; /* of the job, by wait4 */
  bool host_gone;
  int result_fd; /* -1: the host hasn't sent it yet */
};

/* Reaps whoever is dead; kills the rest once the job is. Returns whether
 * anybody lives. */
static bool reap(struct keeper *keeper)
{
  for (;;) {
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR)
      continue;
    if (pid <= 0)
      return pid == 0;
    if (pid != keeper->job)
      continue;
    keeper->job_is_dead = true;
    keeper->status = status;
    kill(-1, SIGKILL);
  }
}

/* A signal goes to the job's process group, as from a terminal; before it has
 * made one, to the job. The stack signal is the job's first process's alone:
 * its children don't know it and would die of it. */
static void pass_on(const struct keeper *keeper, int signal_number)
{
  if (signal_number == SIGKILL)
    kill(-1, SIGKILL);
  else if (signal_number == JOB_STACK_SIGNAL)
    kill(keeper->job, signal_number);
  else if (kill(-keeper->job, signal_number) < 0)
    kill(keeper->job, signal_number);
}

static void hear_host(struct keeper *keeper)
{
  cleanup_error struct error *err = NULL;
  struct message message;
  int got = message_receive(HOST_FD, &message, &err);
  if (got > 0 && message.kind == MESSAGE_SIGNAL) {
    pass_on(keeper, (int)message.value);
  } else if (got > 0 && message.kind == MESSAGE_RECORD &&
             message.fd_count == 1) {
    keeper->result_fd = message.fds[0];
    return;
  } else if (got > 0 && message.kind == MESSAGE_HOLD) {
    return; /* they stay open, unnamed */
  }
  if (got > 0)
    message_close(&message);
  if (got != 0)
    return;
  keeper->host_gone = true;
  kill(-1, SIGKILL);
}

static void keep(struct keeper *keeper, int signal_fd)
{
  struct pollfd polled[] = {{.fd = signal_fd, .events = POLLIN},
                            {.fd = HOST_FD, .events = POLLIN}};
  while (reap(keeper)) {
    if (poll(polled, keeper->host_gone ? 1 : 2, -1) < 0)
      continue;
    if (polled[0].revents != 0) {
      struct signalfd_siginfo info;
      (void)!read(signal_fd, &info, sizeof info);
    }
    if (!keeper->host_gone && polled[1].revents != 0)
      hear_host(keeper);
  }
}

/* Waits for the host to say so, or to end. */
static bool is_booked(void)
{
  for (;;) {
    cleanup_error struct error *err = NULL;
    struct message message;
    int got = message_receive(HOST_FD, &message, &err);
    if (got > 0)
      message_close(&message);
    if (got <= 0 || message.kind == MESSAGE_BOOKED)
      return got > 0;
  }
}

static int write_result(const struct keeper *keeper)
{
  struct rusage usage;
  getrusage(RUSAGE_CHILDREN, &usage);
  struct result result = {
      .killed = WIFSIGNALED(keeper->status),
      .value = WIFSIGNALED(keeper->status) ? WTERMSIG(keeper->status)
                                           : WEXITSTATUS(keeper->status),
      .ended_ns = clock_monotonic_ns(),
      .cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL +
                usage.ru_utime.tv_usec + usage.ru_stime.tv_usec,
      .max_rss_kib = usage.ru_maxrss,
      .host_gone = keeper->host_gone,
  };
  cleanup_error struct error *err = NULL, *no_host = NULL;
  if (result_write(keeper->result_fd, &result, &err) < 0)
    return -1;
  message_send_plain(HOST_FD, MESSAGE_DONE, 0, &no_host);
  return is_booked() ? 0 : fdatasync(keeper->result_fd);
}

int main(int argc, char **argv)
{
  if (argc != 2)
    return 125;
  /* The job may have the keeper's uid (a plain user's own): keep it out. */
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  struct keeper keeper = {.job = (pid_t)strtol(argv[1], NULL, 10),
                          .result_fd = -1};
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  int signal_fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signal_fd < 0)
    return 125;
  keep(&keeper, signal_fd);
  return write_result(&keeper) < 0 ? 125 : 0;
}
