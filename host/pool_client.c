#include "config.h"

#include "host/pool_client.h"

#include "base/clock.h"
#include "base/fd.h"
#include "jobs/home.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

int pool_socket_path(char **path, struct error **err)
{
  cleanup_free char *dir = NULL;
  if (home_runtime_dir(&dir, err) < 0)
    return -1;
  *path = xasprintf("%s/serve.sock", dir);
  return 0;
}

int pool_socket_address(const char *path, struct sockaddr_un *address,
                        struct error **err)
{
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address->sun_path)
    return error_make(
        err, ENAMETOOLONG,
        "the socket's path %s is longer than the %zu bytes that a "
        "socket may have; give --socket a shorter one",
        path, sizeof address->sun_path - 1);
  memcpy(address->sun_path, path, strlen(path) + 1);
  return 0;
}

static int open_connection(const char *path, struct error **err)
{
  struct sockaddr_un address;
  struct timeval patience = {.tv_sec = POOL_PATIENCE_MS / 1000};
  uid_t uid;
  if (pool_socket_address(path, &address, err) < 0)
    return -1;
  cleanup_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
      connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
    return error_errno(err, "connect to %s", path);
  if (fd_peer_uid(fd, &uid, err) < 0)
    return -1;
  if (uid != geteuid())
    return error_make(err, EPERM, "%s is another user's", path);
  return steal_fd(&fd);
}

static int connect_to(struct pool_client *client, const char *path,
                      struct error **err)
{
  cleanup_free char *usual = NULL, *state_dir = NULL;
  struct pool_welcome ours;
  struct message welcome;
  if (path == NULL && pool_socket_path(&usual, err) < 0)
    return -1;
  client->fd = open_connection(path != NULL ? path : usual, err);
  if (client->fd < 0 || home_state_dir(&state_dir, err) < 0 ||
      pool_welcome_make(state_dir, 0, &ours, err) < 0 ||
      message_expect(client->fd, MESSAGE_WELCOME, &welcome, err) < 0)
    return -1;
  message_close(&welcome);
  if (pool_get_welcome(&welcome, &client->welcome, err) < 0)
    return -1;
  if (!pool_welcome_fits(&ours, &client->welcome))
    return error_make(err, EPROTO, "the server is of another store or program");
  return 0;
}

void pool_connect(struct pool_client *client, const char *path)
{
  cleanup_error struct error *ignored = NULL;
  if (connect_to(client, path, &ignored) < 0)
    pool_hang_up(client);
}

/* Sends TAKE and waits for what comes of it. */
static int ask(const struct pool_client *client, const struct pool_want *want,
               struct message *answer, struct error **err)
{
  struct message take = {.kind = MESSAGE_TAKE};
  pool_put_want(&take, want);
  if (message_send(client->fd, &take, err) < 0)
    return -1;
  int got = message_receive(client->fd, answer, err);
  if (got == 0)
    return error_make(err, EPIPE, "the server hung up");
  return got < 0 ? -1 : 0;
}

bool pool_take(struct pool_client *client, const struct pool_want *want,
               struct cell *cell)
{
  cleanup_error struct error *ignored = NULL;
  struct message answer;
  if (client->fd < 0)
    return false;
  if (ask(client, want, &answer, &ignored) < 0) {
    pool_hang_up(client);
    return false;
  }
  bool taken = answer.kind == MESSAGE_TAKEN &&
               pool_get_cell(&answer, cell, &ignored) == 0;
  message_close(&answer);
  if (taken || answer.kind != MESSAGE_EMPTY)
    pool_hang_up(client);
  return taken;
}

bool pool_zygote(struct pool_client *client, struct pool_want *want,
                 struct zygote *zygote)
{
  cleanup_error struct error *ignored = NULL;
  struct message answer;
  if (client->fd < 0)
    return false;
  want->parked = false;
  bool asked = ask(client, want, &answer, &ignored) == 0;
  if (asked)
    message_close(&answer);
  if (!asked || answer.kind != MESSAGE_EMPTY || answer.value <= 0) {
    pool_hang_up(client);
    return false;
  }
  zygote->pid = (pid_t)answer.value;
  zygote->command_fd = steal_fd(&client->fd);
  return true;
}

void pool_hang_up(struct pool_client *client)
{
  fd_close(&client->fd);
}
