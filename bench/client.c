/* The start of a run as a client of `wafer serve` sees it: for bench/run.
 *
 *   bench/client [OPTION OF wafer run]...
 *
 * A line on standard input names scripts, with tabs between them. They are run
 * at once, a thread each, in sandboxes of the server; then standard output has
 * a line for each:
 *
 *   WAY REQUEST_NS TAKE_NS
 *
 * WAY is "parked" or "pool" (host/execute.h). The times end when the first byte
 * of the script's output has been read here; they begin before connect(2), and
 * when TAKE is sent (host/pool_message.h).
 *
 * Between the two it does what `wafer run` does, by the same functions. Left
 * out is what is no part of a start: a process of its own, and the record on
 * disk. It isn't the server's program, whatever the two would make of that
 * (pool_welcome_fits): it has to be of the same build. */
#include "config.h"

#include "base/clock.h"
#include "base/fd.h"
#include "host/execute.h"
#include "host/options.h"
#include "host/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { WORKERS_MAX = 64, PATIENCE_MS = 60000 };

struct worker {
  pthread_t thread;
  pthread_barrier_t *together;
  char *socket_path;
  struct request request;
  struct execution execution;
  int64_t began_ns;
  int64_t first_byte_ns;
  struct error *err; /* NULL: all went well */
};

static int connect_to_server(struct worker *self, struct error **err)
{
  struct pool_client *client = &self->execution.server;
  struct sockaddr_un address;
  struct message welcome;
  if (pool_socket_address(self->socket_path, &address, err) < 0)
    return -1;
  client->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (client->fd < 0 ||
      connect(client->fd, (struct sockaddr *)&address, sizeof address) < 0)
    return error_errno(err, "connect to %s", self->socket_path);
  if (message_expect(client->fd, MESSAGE_WELCOME, &welcome, err) < 0)
    return -1;
  message_close(&welcome);
  return pool_get_welcome(&welcome, &client->welcome, err);
}

static int release_job(struct worker *self, struct error **err)
{
  struct cell *cell = &self->execution.cell;
  struct spec_bundle bundle = {0};
  int64_t released_ns;
  int result = spec_make(&self->request, &cell->ids,
                         !(cell->missing & 1U << WALL_LANDLOCK),
                         cgroup_limits(cell->cgroup), &bundle, err);
  if (result == 0)
    result = sandbox_release(&cell->sandbox, bundle.json, bundle.fds,
                             bundle.fd_count, &released_ns, err);
  spec_bundle_release(&bundle);
  return result;
}

static int await_first_byte(struct worker *self, struct error **err)
{
  char byte;
  struct pollfd output = {.fd = self->execution.cell.sandbox.stdout_fd,
                          .events = POLLIN};
  if (poll(&output, 1, PATIENCE_MS) <= 0 || read(output.fd, &byte, 1) != 1)
    return error_make(err, EPIPE, "the script %s wrote nothing",
                      self->request.script_path);
  self->first_byte_ns = clock_monotonic_ns();
  return 0;
}

/* All that is timed. */
static int start_one(struct worker *self, struct error **err)
{
  self->began_ns = clock_monotonic_ns();
  if (connect_to_server(self, err) < 0)
    return -1;
  self->execution.way = START_PARKED; /* or else what EMPTY leads to */
  if (start_finish(&self->execution, err) < 0 || release_job(self, err) < 0 ||
      await_first_byte(self, err) < 0)
    return -1;
  if (self->execution.way == START_ALONE)
    return error_make(err, ENOENT, "the server at %s had no zygote to fork",
                      self->socket_path);
  return 0;
}

/* Whoever is ready first waits for the others, and so does who is through:
 * nobody ends a sandbox while others still start. */
static void *work(void *argument)
{
  struct worker *self = argument;
  pthread_barrier_wait(self->together);
  start_one(self, &self->err);
  pthread_barrier_wait(self->together);
  return NULL;
}

static int read_options(struct worker *self, int argc, char **argv,
                        struct error **err)
{
  cleanup_command_line struct command_line line = {0};
  if (options_parse(command_run.options, command_run.option_count, argc, argv,
                    &self->request, &line, err) < 0)
    return -1;
  if (line.word_count > 0)
    return error_make(err, EINVAL, "scripts are named on standard input");
  if (self->request.size == NULL)
    self->request.size = size_default();
  if (self->request.socket_path != NULL)
    self->socket_path = xstrdup(self->request.socket_path);
  else if (pool_socket_path(&self->socket_path, err) < 0)
    return -1;
  return request_choose_libraries(&self->request, err);
}

/* The files that a run has are made ahead, as `wafer run` makes them. */
static int prepare(struct worker *self, struct store *store, char *script,
                   struct error **err)
{
  struct execution *execution = &self->execution;
  execution->store = store;
  if (request_open_script(&self->request, script, err) < 0 ||
      run_new_id(&execution->run, err) < 0)
    return -1;
  execution->run_dir = store_run_dir(store, execution->run.id, 0, err);
  if (execution->run_dir < 0)
    return -1;
  execution->result_fd = openat(execution->run_dir, "result",
                                O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (execution->result_fd < 0)
    return error_errno(err, "make a result file");
  return 0;
}

static void init(struct worker *self, pthread_barrier_t *together)
{
  *self = (struct worker){
      .together = together,
      .execution = EXECUTION_INIT,
  };
  self->execution.request = &self->request;
  run_init(&self->execution.run);
}

static void finish(struct worker *self)
{
  struct execution *execution = &self->execution;
  cleanup_error struct error *err = NULL;
  cell_kill(&execution->cell);
  if (cgroup_destroy(steal_pointer(&execution->cell.cgroup), &err) < 0)
    fprintf(stderr, "bench/client: %s\n", err->text);
  cell_close(&execution->cell);
  scratch_maker_release(&execution->scratch);
  zygote_stop(&execution->zygote);
  pool_hang_up(&execution->server);
  fd_close(&execution->run_dir);
  fd_close(&execution->result_fd);
  run_release(&execution->run);
  request_release(&self->request);
  free(self->socket_path);
  error_clear(&self->err);
}

static void report(const struct worker *self)
{
  printf("%s %lld %lld\n", start_way_name(self->execution.way),
         (long long)(self->first_byte_ns - self->began_ns),
         (long long)(self->first_byte_ns - self->execution.asked_ns));
}

static int run_workers(struct worker *workers, unsigned count,
                       struct error **err)
{
  for (unsigned i = 0; i < count; i++)
    if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
      perror("bench/client: start a thread");
      _exit(EXIT_WAFER); /* the others wait for it */
    }
  for (unsigned i = 0; i < count; i++)
    pthread_join(workers[i].thread, NULL);
  for (unsigned i = 0; i < count; i++)
    if (workers[i].err != NULL)
      return error_make(err, workers[i].err->code, "%s", workers[i].err->text);
  for (unsigned i = 0; i < count; i++)
    report(&workers[i]);
  return 0;
}

static int play_round(char *line, struct store *store, int argc, char **argv,
                      struct error **err)
{
  static struct worker workers[WORKERS_MAX];
  pthread_barrier_t together;
  unsigned count = 0;
  int result = 0;
  char *rest = line, *script;
  while (result == 0 && count < WORKERS_MAX &&
         (script = strsep(&rest, "\t")) != NULL) {
    struct worker *worker = &workers[count++];
    init(worker, &together);
    result = read_options(worker, argc, argv, err);
    if (result == 0)
      result = prepare(worker, store, script, err);
  }
  pthread_barrier_init(&together, NULL, count);
  if (result == 0)
    result = run_workers(workers, count, err);
  pthread_barrier_destroy(&together);
  for (unsigned i = 0; i < count; i++)
    finish(&workers[i]);
  return result;
}

static int play(int argc, char **argv, struct error **err)
{
  cleanup_store struct store *store = NULL;
  cleanup_free char *line = NULL;
  size_t size = 0;
  ssize_t length;
  if (store_open(NULL, STORE_WRITE, &store, err) < 0)
    return -1;
  while ((length = getline(&line, &size, stdin)) > 0) {
    line[length - (line[length - 1] == '\n')] = '\0';
    if (play_round(line, store, argc, argv, err) < 0)
      return -1;
    fflush(stdout);
  }
  return 0;
}

int main(int argc, char **argv)
{
  cleanup_error struct error *err = NULL;
  signal(SIGPIPE, SIG_IGN);
  if (play(argc - 1, argv + 1, &err) == 0)
    return 0;
  fprintf(stderr, "bench/client: %s\n", err->text);
  return EXIT_WAFER;
}
