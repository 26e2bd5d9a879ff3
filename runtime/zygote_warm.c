/* Making a zygote warm, seen from the host: START … READY of protocol.h. */
#include "config.h"

#include "base/clock.h"
#include "base/fd.h"
#include "runtime/launch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static int add_text(struct message *message, const char *text,
                    struct error **err)
{
  size_t length = strlen(text) + 1;
  if (length >= sizeof message->text - message->text_count)
    return error_make(err, E2BIG,
                      "the names of the modules to import are too long");
  memcpy(message->text + message->text_count, text, length);
  message->text_count += length;
  return 0;
}

int zygote_warm_begin(struct zygote *zygote, const struct library_set *set,
                      struct error **err)
{
  struct message start = {.kind = MESSAGE_START};
  if (set != NULL && set->dir != NULL) {
    cleanup_free char *packages = library_set_packages(set);
    if (add_text(&start, packages, err) < 0)
      return -1;
    for (size_t i = 0; i < set->preload_count; i++)
      if (add_text(&start, set->preload[i], err) < 0)
        return -1;
  }
  return message_send(zygote->command_fd, &start, err);
}

static const char *what_was_done(const struct zygote_warming *warming)
{
  return warming->module[0] != '\0' ? warming->module : "the interpreter";
}

/* It is gone without a word: a module that crashes takes it along. */
static int explain_end(struct zygote *zygote,
                       const struct zygote_warming *warming, struct error **err)
{
  int status = 0;
  pid_t pid = zygote->pid;
  zygote_stop(zygote);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    continue;
  const char *module = what_was_done(warming);
  if (WIFSIGNALED(status))
    return error_make(err, EPIPE, "loading %s crashed: signal %d (%s)", module,
                      WTERMSIG(status), strsignal(WTERMSIG(status)));
  return error_make(err, EPIPE, "loading %s ended the process: exit status %d",
                    module, WEXITSTATUS(status));
}

int zygote_warm_step(struct zygote *zygote, struct zygote_warming *warming,
                     struct error **err)
{
  struct message answer;
  int got = message_receive(zygote->command_fd, &answer, err);
  if (got == 0)
    return explain_end(zygote, warming, err);
  if (got < 0)
    return error_wrap(err, "load %s", what_was_done(warming));
  message_close(&answer);
  switch (answer.kind) {
  case MESSAGE_LOADING:
    message_copy_text(&answer, warming->module, sizeof warming->module);
    return 0;
  case MESSAGE_READY:
    message_copy_text(&answer, warming->version, sizeof warming->version);
    return 1;
  case MESSAGE_FAILED:
    return error_make(err, (int)answer.value, "%s", answer.text);
  default:
    return error_make(err, EPROTO, "message %d came in place of READY",
                      answer.kind);
  }
}

/* Whether an answer comes before the deadline. */
static int await_answer(struct zygote *zygote,
                        const struct zygote_warming *warming,
                        int64_t deadline_ns, struct error **err)
{
  struct pollfd answer = {.fd = zygote->command_fd, .events = POLLIN};
  for (;;) {
    int64_t left_ns = deadline_ns - clock_monotonic_ns();
    int ready =
        left_ns <= 0 ? 0 : poll(&answer, 1, (int)(left_ns / NS_PER_MS) + 1);
    if (ready > 0)
      return 0;
    if (ready < 0 && errno != EINTR)
      return error_errno(err, "wait for the zygote");
    if (ready == 0 && left_ns <= 0)
      break;
  }
  kill(zygote->pid, SIGKILL);
  zygote_end(zygote);
  return error_make(err, ETIMEDOUT, "loading %s hangs: it was ended after %d s",
                    what_was_done(warming), ZYGOTE_WARM_DEADLINE_MS / 1000);
}

int zygote_warm(struct zygote *zygote, const struct library_set *set,
                char version[PYTHON_VERSION_SIZE], struct error **err)
{
  struct zygote_warming warming = {0};
  int64_t deadline_ns =
      clock_monotonic_ns() + (int64_t)ZYGOTE_WARM_DEADLINE_MS * NS_PER_MS;
  if (zygote_warm_begin(zygote, set, err) < 0)
    return -1;
  int ready = 0;
  while (ready == 0) {
    if (await_answer(zygote, &warming, deadline_ns, err) < 0)
      return -1;
    ready = zygote_warm_step(zygote, &warming, err);
  }
  memcpy(version, warming.version, sizeof warming.version);
  return ready < 0 ? -1 : 0;
}
