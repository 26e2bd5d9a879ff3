#include "config.h"

#include "runtime/launch.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void sandbox_close_far_ends(struct sandbox_far_ends *far)
{
  for (int i = 0; i < FORK_FD_COUNT; i++)
    fd_close(&far->fds[i]);
}

static int make_pipe(int *near, int *far, struct error **err)
{
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0)
    return error_errno(err, "make a pipe");
  *near = ends[0];
  *far = ends[1];
  return 0;
}

int sandbox_make_ends(struct sandbox *sandbox, struct sandbox_far_ends *far,
                      struct error **err)
{
  int job[2], keeper[2];
  if (fd_socket_pair(job, err) < 0)
    return -1;
  sandbox->job_fd = job[0];
  far->fds[FORK_FD_JOB] = job[1];
  if (fd_socket_pair(keeper, err) < 0)
    return -1;
  sandbox->keeper_fd = keeper[0];
  far->fds[FORK_FD_KEEPER] = keeper[1];
  /* The kernel then tells with each message who sent it, as a pid of ours. */
  int on = 1;
  if (setsockopt(sandbox->job_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
    return error_errno(err, "ask for credentials");
  if (make_pipe(&sandbox->stdout_fd, &far->fds[FORK_FD_STDOUT], err) < 0 ||
      make_pipe(&sandbox->stderr_fd, &far->fds[FORK_FD_STDERR], err) < 0 ||
      make_pipe(&sandbox->report_fd, &far->fds[FORK_FD_REPORT], err) < 0)
    return -1;
  return 0;
}

int sandbox_fork(struct zygote *zygote, struct sandbox *sandbox,
                 struct error **err)
{
  __attribute__((cleanup(sandbox_close_far_ends))) struct sandbox_far_ends far =
      SANDBOX_FAR_ENDS_INIT;
  if (sandbox_make_ends(sandbox, &far, err) < 0)
    return -1;
  struct message request = {.kind = MESSAGE_FORK, .fd_count = FORK_FD_COUNT};
  memcpy(request.fds, far.fds, sizeof far.fds);
  return message_send(zygote->command_fd, &request, err);
}

int sandbox_record(struct sandbox *sandbox, int result_fd, struct error **err)
{
  struct message record = {
      .kind = MESSAGE_RECORD, .fds = {result_fd}, .fd_count = 1};
  return message_send(sandbox->keeper_fd, &record, err);
}

int sandbox_take_forked(struct sandbox *sandbox, struct message *forked,
                        struct error **err)
{
  if (forked->fd_count != 1) {
    message_close(forked);
    return error_make(err, EPROTO, "FORKED came without a pidfd");
  }
  sandbox->keeper_pid = (pid_t)forked->value;
  sandbox->keeper_pidfd = forked->fds[0];
  forked->fd_count = 0;
  return 0;
}

int sandbox_await_hello(struct sandbox *sandbox, struct error **err)
{
  struct message hello;
  if (message_expect(sandbox->job_fd, MESSAGE_HELLO, &hello, err) < 0)
    return -1;
  message_close(&hello);
  sandbox->job_pid = hello.peer_pid;
  return 0;
}

int sandbox_await(struct zygote *zygote, struct sandbox *sandbox,
                  struct error **err)
{
  struct message forked;
  if (message_expect(zygote->command_fd, MESSAGE_FORKED, &forked, err) < 0 ||
      sandbox_take_forked(sandbox, &forked, err) < 0)
    return -1;
  return sandbox_await_hello(sandbox, err);
}

int sandbox_place(struct sandbox *sandbox, const struct sandbox_place *place,
                  struct error **err)
{
  if (namespace_map_ids(sandbox->job_pid, &place->ids, err) < 0)
    return -1;
  struct park park = {
      .own_ids = place->ids.own,
      .network = (uint8_t)place->network,
      .resolvers = (uint8_t)place->resolvers,
      .has_scratch = place->has_scratch,
      .cgroup_files = (uint8_t)place->cgroup_count,
      .rehearse = place->rehearse,
      .scratch_bytes = place->scratch_bytes,
  };
  if (place->network == NETWORK_EGRESS)
    snprintf(park.resolv_conf, sizeof park.resolv_conf, "%s",
             place->resolv_conf);
  struct message placed = {.kind = MESSAGE_PLACED};
  placed.text_count = sizeof park + place->tree_paths_count;
  if (placed.text_count >= sizeof placed.text)
    return error_make(err, E2BIG, "the paths to mount are too long");
  memcpy(placed.text, &park, sizeof park);
  if (place->tree_paths_count > 0)
    memcpy(placed.text + sizeof park, place->tree_paths,
           place->tree_paths_count);
  if (place->python_tree >= 0)
    placed.fds[placed.fd_count++] = place->python_tree;
  for (size_t i = 0; i < place->cgroup_count; i++)
    placed.fds[placed.fd_count++] = place->cgroup_fds[i];
  return message_send(sandbox->job_fd, &placed, err);
}

int sandbox_give_scratch(const struct sandbox *sandbox, int mount_fd,
                         struct error **err)
{
  struct message scratch = {
      .kind = MESSAGE_SCRATCH, .fds = {mount_fd}, .fd_count = 1};
  return message_send(sandbox->job_fd, &scratch, err);
}

int sandbox_await_network(struct sandbox *sandbox,
                          int handles[NETWORK_HANDLES_MAX], size_t *count,
                          struct error **err)
{
  struct message offer;
  if (message_expect(sandbox->job_fd, MESSAGE_NETWORK, &offer, err) < 0)
    return -1;
  if (offer.fd_count < NETWORK_HANDLE_RESOLVERS ||
      offer.fd_count > NETWORK_HANDLES_MAX) {
    message_close(&offer);
    return error_make(err, EPROTO, "NETWORK came without its descriptors");
  }
  *count = offer.fd_count;
  memcpy(handles, offer.fds, offer.fd_count * sizeof *handles);
  return 0;
}

int sandbox_hold(const struct sandbox *sandbox, const int *fds, size_t fd_count,
                 struct error **err)
{
  struct message hold = {.kind = MESSAGE_HOLD, .fd_count = fd_count};
  memcpy(hold.fds, fds, fd_count * sizeof *fds);
  return message_send(sandbox->keeper_fd, &hold, err);
}

int sandbox_await_parked(struct sandbox *sandbox,
                         char version[PYTHON_VERSION_SIZE], struct error **err)
{
  struct message parked;
  if (message_expect(sandbox->job_fd, MESSAGE_PARKED, &parked, err) < 0)
    return -1;
  message_close(&parked);
  message_copy_text(&parked, version, PYTHON_VERSION_SIZE);
  return 0;
}

int sandbox_release(struct sandbox *sandbox, const json_t *spec, const int *fds,
                    size_t fd_count, int64_t *released_ns, struct error **err)
{
  cleanup_free char *text = json_dumps(spec, JSON_COMPACT);
  cleanup_fd int text_fd =
      fd_sealed_memory("wafer-spec", text, strlen(text), err);
  explicit_bzero(text, strlen(text));
  if (text_fd < 0)
    return -1;
  struct message message = {.kind = MESSAGE_SPEC, .fd_count = 1 + fd_count};
  if (message.fd_count > FD_MESSAGE_MAX)
    return error_make(err, E2BIG,
                      "too many files, mounts and secrets (at most %d)",
                      FD_MESSAGE_MAX - 1);
  message.fds[0] = text_fd;
  memcpy(message.fds + 1, fds, fd_count * sizeof *fds);
  *released_ns = clock_monotonic_ns();
  struct message started;
  if (message_send(sandbox->job_fd, &message, err) < 0 ||
      message_expect(sandbox->job_fd, MESSAGE_STARTED, &started, err) < 0)
    return -1;
  if (started.fd_count != 1) {
    message_close(&started);
    return error_make(err, EPROTO, "STARTED came without a listener");
  }
  sandbox->listener_fd = started.fds[0];
  fd_close(&sandbox->job_fd);
  return 0;
}

/* DONE is taken first: a socket that is closed with a message unread resets the
 * other end, which then never sees what was sent to it (unix(7)). */
int sandbox_booked(const struct sandbox *sandbox, struct error **err)
{
  struct message done;
  if (message_expect(sandbox->keeper_fd, MESSAGE_DONE, &done, err) < 0)
    return -1;
  message_close(&done);
  launch_stand_back(sandbox->keeper_pid);
  return message_send_plain(sandbox->keeper_fd, MESSAGE_BOOKED, 0, err);
}

int sandbox_signal(const struct sandbox *sandbox, int signal_number,
                   struct error **err)
{
  return message_send_plain(sandbox->keeper_fd, MESSAGE_SIGNAL, signal_number,
                            err);
}

void sandbox_close(struct sandbox *sandbox)
{
  fd_close(&sandbox->keeper_fd);
  fd_close(&sandbox->keeper_pidfd);
  fd_close(&sandbox->job_fd);
  fd_close(&sandbox->stdout_fd);
  fd_close(&sandbox->stderr_fd);
  fd_close(&sandbox->report_fd);
  fd_close(&sandbox->listener_fd);
}
