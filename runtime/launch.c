#include "config.h"

#include "runtime/launch.h"

#include "base/clock.h"
#include "base/fd.h"
#include "runtime/zygote_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ZYGOTE_PROGRAM LIBEXECDIR "/wafer-zygote"
#define KEEPER_PROGRAM LIBEXECDIR "/wafer-keeper"
#define PYTHON_MODULE  LIBEXECDIR "/wafer-python.so"
#define PYTHON_DIR     PKGDATADIR "/python"

const char *launch_python_dir(void)
{
  return PYTHON_DIR;
}

static int open_part(const char *path, int flags, struct error **err)
{
  int fd = open(path, flags | O_CLOEXEC);
  if (fd < 0)
    return error_errno(err, "open %s (is wafer installed whole?)", path);
  return fd;
}

static int make_pair(int ends[2], struct error **err)
{
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    return error_errno(err, "make a socket pair");
  return 0;
}

/* What the zygote is made of, as descriptors: its uid need not be able to
 * reach any of it by path (a checkout in root's home, say). */
struct parts {
  int program;
  int command; /* the zygote's end */
  int keeper;
  int python; /* read by the dynamic linker, not just executed: no O_PATH */
  int null;
};

static void close_parts(struct parts *parts)
{
  fd_close(&parts->program);
  fd_close(&parts->command);
  fd_close(&parts->keeper);
  fd_close(&parts->python);
  fd_close(&parts->null);
}

static int open_parts(struct parts *parts, struct error **err)
{
  parts->program = open_part(ZYGOTE_PROGRAM, O_PATH, err);
  if (parts->program < 0)
    return -1;
  parts->keeper = open_part(KEEPER_PROGRAM, O_PATH, err);
  if (parts->keeper < 0)
    return -1;
  parts->python = open_part(PYTHON_MODULE, O_RDONLY, err);
  if (parts->python < 0)
    return -1;
  parts->null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (parts->null < 0)
    return error_errno(err, "open /dev/null");
  return 0;
}

/* Real root gives the zygote an id that owns nothing. */
static int drop_ids(void)
{
  if (geteuid() != 0)
    return 0;
  struct namespace_ids ids = namespace_ids_of_pid(getpid());
  if (setgroups(0, NULL) < 0 ||
      setresgid(ids.root_gid, ids.root_gid, ids.root_gid) < 0 ||
      setresuid(ids.root_uid, ids.root_uid, ids.root_uid) < 0)
    return -1;
  return 0;
}

#define NO_ARROW_THREAD "JE_ARROW_MALLOC_CONF=background_thread:false"

/* Runs in a vforked child: system calls alone. The descriptors go above all
 * that they are to become before they are put in place. */
static void become_zygote(const struct parts *parts)
{
  static const char *const argv[] = {"wafer-zygote", NULL};
  /* None of its libraries may start a thread, since it forks: those that take
   * one a CPU find one CPU, and Arrow's jemalloc does without its own. */
  static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin",
                                            "LANG=C.UTF-8",
                                            "HOME=/tmp",
                                            "OMP_NUM_THREADS=1",
                                            "OPENBLAS_NUM_THREADS=1",
                                            "MKL_NUM_THREADS=1",
                                            NO_ARROW_THREAD,
                                            NULL};
  enum { ABOVE = 64 };
  int program = fcntl(parts->program, F_DUPFD_CLOEXEC, ABOVE);
  int command = fcntl(parts->command, F_DUPFD_CLOEXEC, ABOVE);
  int keeper = fcntl(parts->keeper, F_DUPFD_CLOEXEC, ABOVE);
  int python = fcntl(parts->python, F_DUPFD_CLOEXEC, ABOVE);
  sigset_t none;
  sigemptyset(&none);
  /* Whatever the caller ignores (nohup), a job finds the usual defaults. What
   * a module prints while it is imported goes where errors go. */
  for (int number = 1; number < NSIG; number++)
    signal(number, SIG_DFL);
  if (program < 0 || dup2(parts->null, 0) < 0 || dup2(2, 1) < 0 ||
      dup2(command, ZYGOTE_COMMAND_FD) < 0 ||
      dup2(keeper, ZYGOTE_KEEPER_FD) < 0 ||
      dup2(python, ZYGOTE_PYTHON_FD) < 0 ||
      close_range(ZYGOTE_FD_END, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ||
      setsid() < 0 || drop_ids() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
      sigprocmask(SIG_SETMASK, &none, NULL) < 0)
    _exit(125);
  syscall(SYS_execveat, program, "", argv, environment, AT_EMPTY_PATH);
  _exit(125);
}

int zygote_start(struct zygote *zygote, struct error **err)
{
  int ends[2];
  if (make_pair(ends, err) < 0)
    return -1;
  zygote->command_fd = ends[0];
  __attribute__((cleanup(close_parts))) struct parts parts = {
      .program = -1,
      .command = ends[1],
      .keeper = -1,
      .python = -1,
      .null = -1,
  };
  if (open_parts(&parts, err) < 0)
    return -1;
  pid_t pid = vfork();
  if (pid == 0)
    become_zygote(&parts);
  if (pid < 0)
    return error_errno(err, "start " ZYGOTE_PROGRAM);
  zygote->pid = pid;
  return 0;
}

int zygote_keep(struct zygote *zygote, int fd, struct error **err)
{
  struct message keep = {.kind = MESSAGE_KEEP, .fds = {fd}, .fd_count = 1};
  return message_send(zygote->command_fd, &keep, err);
}

/* Its end takes a while (unmounting), and the host's own is near: a batch
 * process that wakes up waits for whoever runs (sched(7)). */
static void stand_back(pid_t pid)
{
  struct sched_param none = {0};
  if (pid > 0)
    sched_setscheduler(pid, SCHED_BATCH, &none);
}

void zygote_stop(struct zygote *zygote)
{
  stand_back(zygote->pid);
  fd_close(&zygote->command_fd);
  zygote->pid = 0;
}

void zygote_end(struct zygote *zygote)
{
  pid_t pid = zygote->pid;
  zygote_stop(zygote);
  while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
    continue;
}

/* The other ends of a sandbox's sockets and pipes; they are closed here once
 * the zygote has them. */
struct far_ends {
  int fds[FORK_FD_COUNT];
};

static void close_far_ends(struct far_ends *ends)
{
  for (int i = 0; i < FORK_FD_COUNT; i++)
    fd_close(&ends->fds[i]);
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

static int make_ends(struct sandbox *sandbox, struct far_ends *far,
                     struct error **err)
{
  int job[2], keeper[2];
  if (make_pair(job, err) < 0)
    return -1;
  sandbox->job_fd = job[0];
  far->fds[FORK_FD_JOB] = job[1];
  if (make_pair(keeper, err) < 0)
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
  __attribute__((cleanup(close_far_ends))) struct far_ends far = {
      .fds = {-1, -1, -1, -1, -1}};
  if (make_ends(sandbox, &far, err) < 0)
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

int sandbox_await(struct zygote *zygote, struct sandbox *sandbox,
                  struct error **err)
{
  struct message forked, hello;
  if (message_expect(zygote->command_fd, MESSAGE_FORKED, &forked, err) < 0)
    return -1;
  if (forked.fd_count != 1) {
    message_close(&forked);
    return error_make(err, EPROTO, "FORKED came without a pidfd");
  }
  sandbox->keeper_pid = (pid_t)forked.value;
  sandbox->keeper_pidfd = forked.fds[0];
  if (message_expect(sandbox->job_fd, MESSAGE_HELLO, &hello, err) < 0)
    return -1;
  message_close(&hello);
  sandbox->job_pid = hello.peer_pid;
  return 0;
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

int sandbox_hold(struct sandbox *sandbox, const int *fds, size_t fd_count,
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
  stand_back(sandbox->keeper_pid);
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
