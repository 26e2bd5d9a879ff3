#include "config.h"

#include "sandbox/cgroup_scope.h"

#include "base/fd.h"
#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCOPE_PROGRAM LIBEXECDIR "/wafer-scope"

enum { ANSWER_MAX_BYTES = 512 };

/* Whether a user manager listens. Where nobody logged in (cron, sudo -u) the
 * variable isn't set; the folder is pam_systemd(8)'s. */
static bool has_manager(void)
{
  const char *runtime = getenv("XDG_RUNTIME_DIR");
  cleanup_free char *usual = xasprintf("/run/user/%u", getuid());
  cleanup_free char *socket =
      xasprintf("%s/systemd/private", runtime != NULL ? runtime : usual);
  return access(socket, W_OK) == 0;
}

static bool lacks_scope(void)
{
  __attribute__((cleanup(cgroup_probe_release))) struct cgroup_probe probe = {
      0};
  cgroup_probe(NULL, &probe);
  return probe.scope_would_do;
}

/* Starts the program for this process, with its answer, an error's text, to
 * `answer_fd`. */
static pid_t start_program(int answer_fd, struct error **err)
{
  char pid[16];
  snprintf(pid, sizeof pid, "%d", getpid());
  const char *argv[] = {SCOPE_PROGRAM, pid, NULL};
  pid_t child = vfork();
  if (child == 0) {
    if (dup2(answer_fd, STDOUT_FILENO) >= 0)
      execv(SCOPE_PROGRAM, (char **)argv);
    _exit(127);
  }
  if (child < 0)
    error_errno(err, "start " SCOPE_PROGRAM);
  return child;
}

static int run_program(struct error **err)
{
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0)
    return error_errno(err, "make a pipe");
  cleanup_fd int reader = ends[0];
  cleanup_fd int writer = ends[1];
  pid_t child = start_program(writer, err);
  if (child < 0)
    return -1;
  fd_close(&writer);
  cleanup_error struct error *unread = NULL;
  cleanup_free char *answer = NULL;
  size_t count = 0;
  fd_read_all(reader, ANSWER_MAX_BYTES, &answer, &count, &unread);
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return error_errno(err, "wait for " SCOPE_PROGRAM);
  if (status == 0)
    return 0;
  if (answer != NULL && count > 0)
    return error_make(err, EPERM, "%s", answer);
  return error_make(err, EPERM, SCOPE_PROGRAM " failed (status %d)",
                    WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

int cgroup_join_scope(struct error **err)
{
  if (geteuid() == 0 || !has_manager() || !lacks_scope())
    return 0;
  if (run_program(err) < 0)
    return error_wrap(err, "ask systemd for a scope");
  return 1;
}
