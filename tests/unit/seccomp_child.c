#include "config.h"

#include "tests/unit/seccomp_child.h"

#include "base/fd.h"
#include "sandbox/privileges.h"
#include "sandbox/seccomp_notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { QUIET_TIMEOUT_MS = 60000 };

void load_or_exit(enum seccomp_form form, int socket_fd)
{
  struct error *err = NULL;
  int listener_fd = -1;
  if (privileges_no_new(&err) < 0 || seccomp_load(form, &listener_fd, &err) < 0)
    _exit(CHILD_BROKEN);
  if (form == SECCOMP_ALONE)
    return;
  char byte = 'x';
  struct fd_message message = {
      .bytes = &byte, .count = 1, .fds = {listener_fd}, .fd_count = 1};
  if (fd_send(socket_fd, &message, &err) < 0)
    _exit(CHILD_BROKEN);
  close(listener_fd);
}

int take_listener(int socket_fd)
{
  struct error *err = NULL;
  char byte;
  struct fd_message message = {.bytes = &byte, .count = 1};
  assert_int_equal(fd_receive(socket_fd, &message, &err), 1);
  assert_int_equal(message.fd_count, 1);
  return message.fds[0];
}

/* Answers until no process is left under the filter. */
static void supervise(int listener_fd, struct outcome *outcome)
{
  for (;;) {
    struct pollfd event = {.fd = listener_fd, .events = POLLIN};
    assert_int_equal(poll(&event, 1, QUIET_TIMEOUT_MS), 1);
    if (!(event.revents & POLLIN))
      return;
    struct error *err = NULL;
    struct seccomp_refusal refusal;
    int answered = seccomp_notify_answer(listener_fd, &refusal, &err);
    assert_true(answered >= 0);
    if (answered == 1 && outcome->refused_count < REFUSED_MAX)
      outcome->refused[outcome->refused_count++] =
          refusal.name != NULL ? refusal.name : "unknown";
  }
}

static struct outcome run_listened(enum seccomp_form form,
                                   child_function *function,
                                   const void *argument)
{
  struct outcome outcome = {0};
  int pair[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair),
                   0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    load_or_exit(form, pair[1]);
    function(argument);
    _exit(CHILD_BROKEN);
  }
  close(pair[1]);
  int listener_fd = take_listener(pair[0]);
  supervise(listener_fd, &outcome);
  close(listener_fd);
  close(pair[0]);
  assert_int_equal(waitpid(child, &outcome.status, 0), child);
  return outcome;
}

struct outcome run_supervised(child_function *function, const void *argument)
{
  return run_listened(SECCOMP_LISTENED, function, argument);
}

struct outcome run_logged(child_function *function, const void *argument)
{
  return run_listened(SECCOMP_LOGGED, function, argument);
}

struct outcome run_alone(child_function *function, const void *argument)
{
  struct outcome outcome = {0};
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    load_or_exit(SECCOMP_ALONE, -1);
    function(argument);
    _exit(CHILD_BROKEN);
  }
  assert_int_equal(waitpid(child, &outcome.status, 0), child);
  return outcome;
}
