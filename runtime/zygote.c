/* The zygote: a warm interpreter that turns into jobs by forking.
 *
 * A program of its own, started by the host with exec, as a uid that owns
 * nothing, with one thread and no handle of the host's but its command socket.
 * It imports only wafer's own bootstrap and what the operator named of a
 * library set; a job's code runs in its sandbox.
 * Cold, it forks before it has an interpreter: see protocol.h.
 *
 *   wafer-zygote     descriptors: 0 /dev/null, 2 the host's stderr,
 *                    and those of zygote_fds.h */
#include "config.h"

#include "base/fd.h"
#include "runtime/fork.h"
#include "runtime/protocol.h"
#include "runtime/python.h"
#include "runtime/zygote_fds.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
/* A job leaves by way of the interpreter, which frees little at its end; and
 * its crashes are its own: they are told by their signal. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
  return "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:"
         "handle_sigill=0:handle_abort=0";
}
#endif

/* fork copies the calling thread alone: with a second one the child could find
 * a lock that nobody will release. */
static int check_single_threaded(struct error **err)
{
  DIR *tasks = opendir("/proc/self/task");
  if (tasks == NULL)
    return error_errno(err, "count the zygote's threads");
  int count = 0;
  for (struct dirent *entry = readdir(tasks); entry != NULL;
       entry = readdir(tasks))
    count += entry->d_name[0] != '.';
  closedir(tasks);
  if (count != 1)
    return error_make(err, EBUSY, "the zygote has %d threads", count);
  return 0;
}

static int serve_fork(struct message *request, struct error **err)
{
  if (request->fd_count != FORK_FD_COUNT)
    return error_make(err, EPROTO, "FORK came with %zu descriptors",
                      request->fd_count);
  if (check_single_threaded(err) < 0)
    return -1;
  cleanup_fd int pidfd = -1;
  pid_t keeper = fork_sandbox(request->fds, &pidfd, err);
  if (keeper < 0)
    return -1;
  struct message reply = {
      .kind = MESSAGE_FORKED, .value = keeper, .fds = {pidfd}, .fd_count = 1};
  return message_send(ZYGOTE_COMMAND_FD, &reply, err);
}

static int announce(const char *module, struct error **err)
{
  struct message loading = {.kind = MESSAGE_LOADING};
  loading.text_count = strnlen(module, sizeof loading.text - 1);
  memcpy(loading.text, module, loading.text_count);
  return message_send(ZYGOTE_COMMAND_FD, &loading, err);
}

/* Imports what START asks for: the operator named it. */
static int preload(const struct message *start, struct error **err)
{
  const char *packages = start->text;
  size_t at = strlen(packages) + 1;
  while (at < start->text_count) {
    const char *module = start->text + at;
    if (announce(module, err) < 0 || python_preload(packages, module, err) < 0)
      return -1;
    if (check_single_threaded(err) < 0)
      return error_wrap(err, "import %s starts threads, which no fork copies",
                        module);
    at += strlen(module) + 1;
  }
  return python_freeze(err);
}

static int serve_start(const struct message *start, struct error **err)
{
  if (!python_is_started() && python_start(err) < 0)
    return -1;
  if (start->text_count > 0 && preload(start, err) < 0)
    return -1;
  struct message ready = {.kind = MESSAGE_READY};
  int length = snprintf(ready.text, sizeof ready.text, "%s", python_version());
  ready.text_count = (size_t)length;
  return message_send(ZYGOTE_COMMAND_FD, &ready, err);
}

static int serve_one(struct message *request, struct error **err)
{
  switch (request->kind) {
  case MESSAGE_START:
    return serve_start(request, err);
  case MESSAGE_FORK:
    return serve_fork(request, err);
  case MESSAGE_KEEP:
    request->fd_count = 0; /* the descriptor stays open, unnamed */
    return 0;
  default:
    return error_make(err, EPROTO, "a zygote knows no message %d",
                      request->kind);
  }
}

/* Answers one request; 0 at the end of the host. */
static int serve(struct error **err)
{
  struct message request;
  int got = message_receive(ZYGOTE_COMMAND_FD, &request, err);
  if (got <= 0)
    return got;
  cleanup_error struct error *failure = NULL;
  int result = serve_one(&request, &failure);
  message_close(&request);
  if (result == 0)
    return 1;
  struct message reply = {.kind = MESSAGE_FAILED, .value = failure->code};
  reply.text_count = strnlen(failure->text, sizeof reply.text - 1);
  memcpy(reply.text, failure->text, reply.text_count);
  return message_send(ZYGOTE_COMMAND_FD, &reply, err) < 0 ? -1 : 1;
}

/* Dead keepers are the kernel's to bury: their outcome is in their record. */
static void ignore_children(void)
{
  struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
  sigaction(SIGCHLD, &action, NULL);
}

int main(void)
{
  cleanup_error struct error *err = NULL;
  ignore_children();
  int result = 1;
  while (result > 0)
    result = serve(&err);
  /* A host that went away before it heard an answer is no failure of ours. */
  if (result == 0 || err->code == EPIPE || err->code == ECONNRESET)
    return 0;
  fprintf(stderr, "wafer-zygote: %s\n", err->text);
  return 1;
}
