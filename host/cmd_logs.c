/* wafer logs: the output that was kept of a run, as it was but for secrets. */
#include "config.h"

#include "base/clock.h"
#include "base/fd.h"
#include "host/books.h"
#include "host/options.h"
#include "host/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 200, COPY_BYTES = 65536 };

enum {
  STREAM_OUTPUT,
  STREAM_ERROR,
  STREAM_COUNT,
};

struct logs_options {
  bool follow;
  bool left_out[STREAM_COUNT];
};

static int take_follow(void *target, const char *value, struct error **err)
{
  (void)value;
  (void)err;
  ((struct logs_options *)target)->follow = true;
  return 0;
}

static int take_stream(void *target, const char *value, struct error **err)
{
  struct logs_options *asked = target;
  bool both = strcmp(value, "both") == 0;
  bool output = both || strcmp(value, "output") == 0;
  bool error = both || strcmp(value, "error") == 0;
  if (!output && !error)
    return error_make(err, EINVAL,
                      "there is no stream \"%s\": give output, error or both",
                      value);
  asked->left_out[STREAM_OUTPUT] = !output;
  asked->left_out[STREAM_ERROR] = !error;
  return 0;
}

static const struct option_row options[] = {
    {"follow", NULL, "go on until the run has ended", take_follow},
    {"stream", "STREAM", "output, error or both (the default)", take_stream},
};

/* A stream's kept file and where it goes. */
struct log {
  const char *name;
  int to_fd;
  int from_fd; /* -1: it isn't there (yet) */
  bool left_out;
};

struct logs {
  struct store *store;
  struct run run;
  struct log streams[STREAM_COUNT];
};

static void release_logs(struct logs *logs)
{
  for (size_t i = 0; i < STREAM_COUNT; i++)
    fd_close(&logs->streams[i].from_fd);
  run_release(&logs->run);
  store_close(logs->store);
}

/* 1: it is open; 0: there is no such file. */
static int open_log(const struct logs *logs, struct log *log,
                    struct error **err)
{
  if (log->from_fd >= 0)
    return 1;
  cleanup_error struct error *failure = NULL;
  cleanup_fd int dir =
      store_run_dir(logs->store, logs->run.id, logs->run.attempt, &failure);
  if (dir >= 0)
    log->from_fd = fd_open_beneath(dir, log->name, O_RDONLY, 0, &failure);
  if (log->from_fd >= 0)
    return 1;
  if (failure->code == ENOENT)
    return 0;
  *err = steal_pointer(&failure);
  return -1;
}

/* Copies up to the end that the file has now. EPIPE: the reader is gone. */
static int copy_log(const struct log *log, struct error **err)
{
  char bytes[COPY_BYTES];
  for (;;) {
    ssize_t count = read(log->from_fd, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return error_errno(err, "read the kept %s", log->name);
    if (count == 0)
      return 0;
    if (fd_write_all(log->to_fd, bytes, (size_t)count, err) < 0)
      return -1;
  }
}

static int copy_logs(struct logs *logs, struct error **err)
{
  for (size_t i = 0; i < STREAM_COUNT; i++) {
    struct log *log = &logs->streams[i];
    int opened = log->left_out ? 0 : open_log(logs, log, err);
    if (opened < 0 || (opened > 0 && copy_log(log, err) < 0))
      return -1;
  }
  return 0;
}

/* The record as it is now. A run whose wafer is killed while we follow it is
 * booked by us: nobody else may come to do it. */
static int refresh(struct logs *logs, struct error **err)
{
  bool owned = process_lives(&logs->run.owner);
  if (!owned && books_settle(logs->store, err) < 0)
    return -1;
  cleanup_run struct run now;
  run_init(&now);
  if (store_get_run(logs->store, logs->run.id, &now, err) < 0)
    return -1;
  logs->run.state = now.state;
  logs->run.log_truncated = now.log_truncated;
  if (!owned && !state_is_final(now.state))
    return error_make(err, ESRCH,
                      "the wafer of the run %s was killed: nothing more comes",
                      now.id);
  return 0;
}

/* The state is read before the files: once it is final nothing is added, so
 * that what is copied after that is all. */
static int follow(struct logs *logs, struct error **err)
{
  static const struct timespec pause = {.tv_nsec = POLL_MS * NS_PER_MS};
  for (;;) {
    bool ended = state_is_final(logs->run.state);
    if (copy_logs(logs, err) < 0)
      return -1;
    if (ended)
      return 0;
    nanosleep(&pause, NULL);
    if (refresh(logs, err) < 0)
      return -1;
  }
}

/* A run that came to its end knows whether it wrote something. */
static bool was_silent(const struct run *run)
{
  return state_is_final(run->state) && run->state != STATE_ERROR &&
         run->stdout_bytes == 0 && run->stderr_bytes == 0;
}

/* Where the whole log isn't there, silence would say that nothing was written.
 */
static void remark(const struct logs *logs)
{
  bool kept = was_silent(&logs->run);
  for (size_t i = 0; i < STREAM_COUNT; i++)
    kept = kept || logs->streams[i].left_out || logs->streams[i].from_fd >= 0;
  if (!kept)
    fprintf(stderr, "wafer: no output of the run %s is kept; its state is %s\n",
            logs->run.id, state_name(logs->run.state));
  if (logs->run.log_truncated)
    fputs("wafer: the script wrote more than was kept\n", stderr);
}

static int run_logs(void *target, const struct command_line *line,
                    struct error **err)
{
  const struct logs_options *asked = target;
  __attribute__((cleanup(release_logs))) struct logs logs = {
      .streams = {{"stdout", STDOUT_FILENO, -1, asked->left_out[0]},
                  {"stderr", STDERR_FILENO, -1, asked->left_out[1]}},
  };
  run_init(&logs.run);
  if (books_open(&logs.store, err) < 0 ||
      store_get_run(logs.store, line->words[0], &logs.run, err) < 0)
    return -1;
  signal(SIGPIPE, SIG_IGN);
  int result = asked->follow ? follow(&logs, err) : copy_logs(&logs, err);
  if (result < 0 && (*err)->code == EPIPE) {
    error_clear(err);
    return 0;
  }
  if (result == 0)
    remark(&logs);
  return result;
}

const struct command command_logs = {
    .name = "logs",
    .usage = "RUN [--follow] [--stream output|error|both]",
    .summary = "Print the output that was kept of a run",
    .options = options,
    .option_count = ARRAY_LENGTH(options),
    .words_min = 1,
    .words_max = 1,
    .target_bytes = sizeof(struct logs_options),
    .run = run_logs,
};
