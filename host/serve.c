/* One event loop; every event has a function below, named when_…. */
#include "config.h"

#include "host/serve.h"

#include "base/fd.h"
#include "host/library_sets.h"
#include "host/pool.h"
#include "host/pool_client.h"
#include "host/recover.h"
#include "host/walls.h"
#include "jobs/home.h"
#include "sandbox/cgroup_scope.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
  CLIENTS_MAX = 256,
  BACKLOG = 128,
  /* A client that says nothing for so long is hung up on. */
  SILENCE_S = 10,
};

#define LOCK_NAME "serve.lock"

static const int end_signals[] = {SIGINT, SIGTERM, SIGHUP};

struct client {
  struct server *server;
  struct client *next;
  int fd;
  struct event *event;
  struct forker *forker; /* of the set that it asked for */
};

struct server {
  const struct serve_options *options;
  char *state_dir;
  struct store *store; /* see open_store */
  struct pool_welcome welcome;
  struct text_list library_sets;
  struct event_base *loop;
  struct pool *pool;
  struct client *clients;
  int client_count;
  int lock_fd;
  int socket_fd;
  struct event *listener;
  struct event *signals[ARRAY_LENGTH(end_signals)];
};

static void hang_up(struct client *client)
{
  struct server *server = client->server;
  struct client **link = &server->clients;
  while (*link != client)
    link = &(*link)->next;
  *link = client->next;
  server->client_count--;
  if (client->forker != NULL)
    forker_cancel(client->forker, client);
  event_free(client->event);
  fd_close(&client->fd);
  free(client);
}

/* The cell is the client's from here on: no copy of anything stays. */
static int hand_over(struct client *client, const struct pool_want *want,
                     struct cell *cell)
{
  cleanup_error struct error *ignored = NULL;
  struct message taken = {.kind = MESSAGE_TAKEN};
  pool_put_cell(&taken, cell);
  if (message_send(client->fd, &taken, &ignored) < 0) {
    pool_push(client->server->pool, want, cell);
    return -1;
  }
  cgroup_forget(cell->cgroup);
  cell_close(cell);
  return 0;
}

static int serve_take(struct client *client, const struct message *request,
                      struct error **err)
{
  struct pool *pool = client->server->pool;
  struct pool_want want;
  struct cell cell;
  if (pool_get_want(request, &want, err) < 0)
    return -1;
  if (want.parked && pool_pop(pool, &want, &cell))
    return hand_over(client, &want, &cell);
  client->forker = pool_forker(pool, &want);
  pid_t zygote = client->forker != NULL ? forker_pid(client->forker) : 0;
  return message_send_plain(client->fd, MESSAGE_EMPTY, zygote, err);
}

/* The zygote's answer goes on as it is, and that was all. */
static void when_forked(void *argument, struct message *answer)
{
  struct client *client = argument;
  cleanup_error struct error *ignored = NULL;
  if (answer != NULL)
    message_send(client->fd, answer, &ignored);
  hang_up(client);
}

static int serve_fork(struct client *client, const struct message *request,
                      struct error **err)
{
  if (client->forker == NULL || request->fd_count != FORK_FD_COUNT)
    return error_make(err, EPROTO, "FORK came unasked for");
  return forker_fork(client->forker, request->fds, when_forked, client, err);
}

static int serve_one(struct client *client, struct error **err)
{
  struct message request;
  int got = message_receive(client->fd, &request, err);
  if (got <= 0)
    return -1;
  int result;
  if (request.kind == MESSAGE_TAKE)
    result = serve_take(client, &request, err);
  else if (request.kind == MESSAGE_FORK)
    result = serve_fork(client, &request, err);
  else
    result =
        error_make(err, EPROTO, "a server knows no message %d", request.kind);
  message_close(&request);
  return result;
}

static void when_client(evutil_socket_t fd, short what, void *argument)
{
  (void)fd;
  struct client *client = argument;
  cleanup_error struct error *ignored = NULL;
  if (what & EV_TIMEOUT || serve_one(client, &ignored) < 0)
    hang_up(client);
}

/* Only the server's own user is served. Who else gets here is told. */
static int check_peer(int fd, struct error **err)
{
  uid_t uid;
  if (fd_peer_uid(fd, &uid, err) < 0)
    return -1;
  if (uid == geteuid())
    return 0;
  return error_make(err, EPERM,
                    "this server is uid %u's and serves nobody else; start "
                    "\"wafer serve\" as uid %u",
                    geteuid(), uid);
}

static void refuse(int fd, const struct error *failure)
{
  cleanup_error struct error *ignored = NULL;
  struct message failed = {.kind = MESSAGE_FAILED, .value = failure->code};
  failed.text_count = strnlen(failure->text, sizeof failed.text - 1);
  memcpy(failed.text, failure->text, failed.text_count);
  message_send(fd, &failed, &ignored);
}

static void add_client(struct server *server, int fd)
{
  static const struct timeval silence = {.tv_sec = SILENCE_S};
  cleanup_error struct error *ignored = NULL;
  struct message welcome = {.kind = MESSAGE_WELCOME};
  struct client *client = xcalloc(1, sizeof *client);
  client->server = server;
  client->fd = fd;
  client->event =
      event_new(server->loop, fd, EV_READ | EV_PERSIST, when_client, client);
  event_add(client->event, &silence);
  client->next = server->clients;
  server->clients = client;
  server->client_count++;
  pool_put_welcome(&welcome, &server->welcome);
  if (message_send(fd, &welcome, &ignored) < 0)
    hang_up(client);
}

static void when_connected(evutil_socket_t listener, short what, void *argument)
{
  (void)what;
  struct server *server = argument;
  cleanup_error struct error *failure = NULL;
  cleanup_fd int fd =
      accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0 || server->client_count == CLIENTS_MAX)
    return;
  if (check_peer(fd, &failure) < 0)
    refuse(fd, failure);
  else
    add_client(server, steal_fd(&fd));
}

static void when_signal(evutil_socket_t number, short what, void *argument)
{
  (void)number;
  (void)what;
  event_base_loopbreak(((struct server *)argument)->loop);
}

/* Held as long as the server lives: its kernel lets go of it. */
static int lock_store(struct server *server, struct error **err)
{
  cleanup_fd int dir = home_make_dir(server->state_dir, err);
  if (dir < 0)
    return -1;
  server->lock_fd =
      openat(dir, LOCK_NAME,
             O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
  if (server->lock_fd < 0)
    return error_errno(err, "open %s/" LOCK_NAME, server->state_dir);
  if (flock(server->lock_fd, LOCK_EX | LOCK_NB) == 0)
    return 0;
  if (errno != EWOULDBLOCK)
    return error_errno(err, "lock %s/" LOCK_NAME, server->state_dir);
  return error_make(err, EBUSY,
                    "another wafer serve has the store %s; end that one first",
                    server->state_dir);
}

/* As long as somebody has it open, whoever opens it next finds an index of its
 * log in shared memory: else each run would read the whole log to make one
 * (SQLite's WAL mode; 1 to 3 ms of a run). */
static int open_store(struct server *server, struct error **err)
{
  if (store_open(server->state_dir, STORE_WRITE, &server->store, err) < 0 ||
      recover_dead_runs(server->store, err) < 0)
    return -1;
  lease_sweep(server->state_dir);
  return 0;
}

/* What a killed server left is replaced; the socket of one that lives, which is
 * of another store then, is not. */
static int clear_path(const char *path, const struct sockaddr_un *address,
                      struct error **err)
{
  struct stat status;
  if (lstat(path, &status) < 0 && errno == ENOENT)
    return 0;
  if (!S_ISSOCK(status.st_mode))
    return error_make(err, EEXIST, "%s is there and is no socket; remove it",
                      path);
  cleanup_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
    return error_make(err, EADDRINUSE,
                      "a wafer serve of another store listens at %s; give "
                      "this one another --socket",
                      path);
  if (unlink(path) < 0)
    return error_errno(err, "remove %s, which a killed server left", path);
  return 0;
}

static int make_folder_of(const char *path, struct error **err)
{
  cleanup_free char *dir = xstrdup(path);
  char *slash = strrchr(dir, '/');
  if (slash == NULL)
    return 0;
  slash[slash == dir] = '\0';
  cleanup_fd int fd = home_make_dir(dir, err);
  return fd < 0 ? -1 : 0;
}

static int listen_at(struct server *server, struct error **err)
{
  const char *path = server->options->socket_path;
  struct sockaddr_un address;
  if (pool_socket_address(path, &address, err) < 0 ||
      make_folder_of(path, err) < 0 || clear_path(path, &address, err) < 0)
    return -1;
  server->socket_fd =
      socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  mode_t kept = umask(0177);
  int bound = server->socket_fd < 0
                  ? -1
                  : bind(server->socket_fd, (struct sockaddr *)&address,
                         sizeof address);
  umask(kept);
  if (bound < 0 || listen(server->socket_fd, BACKLOG) < 0)
    return error_errno(err, "listen at %s", path);
  return 0;
}

static void no_log(int severity, const char *text)
{
  (void)severity;
  (void)text;
}

static void make_loop(struct server *server)
{
  struct event_config *config = event_config_new();
  event_set_log_callback(no_log);
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
  server->loop = event_base_new_with_config(config);
  event_config_free(config);
}

static void start_events(struct server *server)
{
  server->listener = event_new(server->loop, server->socket_fd,
                               EV_READ | EV_PERSIST, when_connected, server);
  event_add(server->listener, NULL);
  for (size_t i = 0; i < ARRAY_LENGTH(end_signals); i++) {
    server->signals[i] =
        evsignal_new(server->loop, end_signals[i], when_signal, server);
    event_add(server->signals[i], NULL);
  }
}

static void stop_events(struct server *server)
{
  struct client *next;
  for (struct client *client = server->clients; client != NULL; client = next) {
    next = client->next;
    hang_up(client);
  }
  event_free(server->listener);
  for (size_t i = 0; i < ARRAY_LENGTH(end_signals); i++)
    event_free(server->signals[i]);
}

static int run(struct server *server, struct error **err)
{
  const struct serve_options *options = server->options;
  const struct pool_options pool = {
      .state_dir = server->state_dir,
      .missing = server->welcome.missing,
      .library_sets = &server->library_sets,
      .size = options->pool_size,
      .memory_bytes = options->pool_memory_bytes,
  };
  make_loop(server);
  server->pool = pool_new(server->loop, &pool, err);
  if (server->pool != NULL) {
    start_events(server);
    fprintf(stderr, "wafer: serving at %s\n", options->socket_path);
    event_base_dispatch(server->loop);
    stop_events(server);
    pool_free(server->pool);
  }
  event_base_free(server->loop);
  unlink(options->socket_path);
  return server->pool != NULL ? 0 : -1;
}

/* Where systemd gives no scope the wall is missing; runs may do without it. */
static unsigned find_missing(void)
{
  cleanup_error struct error *err = NULL;
  if (cgroup_join_scope(&err) < 0)
    fprintf(stderr, "wafer: %s\n", err->text);
  return walls_missing();
}

static int add_library_set(struct server *server, const char *name,
                           struct error **err)
{
  cleanup_library_set struct library_set set = {0};
  if (library_sets_choose(name, &set, err) < 0)
    return -1;
  text_list_add(&server->library_sets, name);
  return 0;
}

/* Those that are asked for, each of which must be there; or all there are, with
 * the standard library in any case. */
static int find_library_sets(struct server *server, struct error **err)
{
  const struct text_list *asked = &server->options->library_sets;
  bool has_none = false;
  for (size_t i = 0; i < asked->count; i++)
    if (add_library_set(server, asked->items[i], err) < 0)
      return -1;
  if (asked->count > 0)
    return 0;
  if (library_sets_list(&server->library_sets, err) < 0)
    return -1;
  for (size_t i = 0; i < server->library_sets.count; i++)
    if (strcmp(server->library_sets.items[i], LIBRARY_SET_NONE) == 0)
      has_none = true;
  if (!has_none)
    text_list_add(&server->library_sets, LIBRARY_SET_NONE);
  return 0;
}

static void release_server(struct server *server)
{
  text_list_release(&server->library_sets);
  fd_close(&server->socket_fd);
  store_close(server->store);
  fd_close(&server->lock_fd);
  free(server->state_dir);
}

int serve(const struct serve_options *options, struct error **err)
{
  __attribute__((cleanup(release_server))) struct server server = {
      .options = options, .lock_fd = -1, .socket_fd = -1};
  signal(SIGPIPE, SIG_IGN);
  /* Its few threads need no heaps of their own. */
  mallopt(M_ARENA_MAX, 1);
  unsigned missing = find_missing();
  if (walls_require(missing, ~0U, err) < 0 ||
      home_state_dir(&server.state_dir, err) < 0 ||
      find_library_sets(&server, err) < 0 || lock_store(&server, err) < 0 ||
      open_store(&server, err) < 0 ||
      pool_welcome_make(server.state_dir, missing, &server.welcome, err) < 0 ||
      listen_at(&server, err) < 0)
    return -1;
  return run(&server, err);
}
