/* Two lists of steps, and the order is the security document: park, which
 * happens before anybody asks for a run, and enter, which follows the release.
 * No code that a user can choose runs before the last step of enter. */
#include "config.h"

#include "runtime/job.h"

#include "base/fd.h"
#include "runtime/protocol.h"
#include "runtime/python.h"
#include "runtime/spec.h"
#include "runtime/zygote_fds.h"
#include "sandbox/landlock_table.h"
#include "sandbox/namespace.h"
#include "sandbox/network.h"
#include "sandbox/privileges.h"
#include "sandbox/rlimits.h"
#include "sandbox/rootfs.h"
#include "sandbox/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Descriptors that outlive a step get these numbers: the socket to the host
 * below the spec's own, the report pipe where no script's own will come by
 * accident (the soft limit of open files is 1024). */
enum { SOCKET_FD = 3, REPORT_FD = 1023, CGROUP_FILES_MAX = 8 };

struct job {
  struct park park;
  struct spec spec;
  int trees[FD_MESSAGE_MAX]; /* see struct park */
  size_t tree_count;
  int network_fd;                   /* a network namespace to join, or -1 */
  int cgroup_fds[CGROUP_FILES_MAX]; /* files to enter the cgroup by */
  struct error *rooms_error;
};

/* What belongs to the zygote goes first: handlers, the command socket, the
 * keeper's program. The new session leaves no terminal to push input into. */
static int shed_zygote(const int *fds, struct error **err)
{
  struct sigaction ordinary = {.sa_handler = SIG_DFL};
  sigaction(SIGCHLD, &ordinary, NULL);
  int socket_fd = fcntl(fds[FORK_FD_JOB], F_DUPFD, 64);
  int report_fd = fcntl(fds[FORK_FD_REPORT], F_DUPFD, 64);
  if (socket_fd < 0 || report_fd < 0 || dup2(fds[FORK_FD_STDOUT], 1) < 0 ||
      dup2(fds[FORK_FD_STDERR], 2) < 0 || dup2(socket_fd, SOCKET_FD) < 0 ||
      dup3(report_fd, REPORT_FD, O_CLOEXEC) < 0)
    return error_errno(err, "arrange the job's descriptors");
  /* What a cold one still has to load stays until then. */
  if (python_is_started())
    close(ZYGOTE_PYTHON_FD);
  if (close_range(SOCKET_FD + 1, ZYGOTE_PYTHON_FD - 1, 0) < 0 ||
      close_range(ZYGOTE_PYTHON_FD + 1, REPORT_FD - 1, 0) < 0 ||
      close_range(REPORT_FD + 1, ~0U, 0) < 0)
    return error_errno(err, "close the zygote's descriptors");
  if (setsid() < 0)
    return error_errno(err, "start a session");
  prctl(PR_SET_NAME, "wafer-job");
  return 0;
}

/* A plain user's trees, while the process still has his id: see struct park. */
static int clone_trees(struct job *job, const struct message *placed,
                       struct error **err)
{
  size_t at = sizeof job->park;
  while (at < placed->text_count) {
    const char *entry = placed->text + at;
    size_t length = strnlen(entry, placed->text_count - at);
    if (job->tree_count == ARRAY_LENGTH(job->trees))
      return error_make(err, E2BIG, "too many mounts");
    int tree = rootfs_clone(entry + 1, entry[0] == 'r', err);
    if (tree < 0)
      return -1;
    job->trees[job->tree_count++] = tree;
    at += length + 1;
  }
  return 0;
}

static int enter_cgroup(int *fds, size_t count, struct error **err)
{
  for (size_t i = 0; i < count; i++) {
    if (fd_write_all(fds[i], "0", 1, err) < 0)
      return error_wrap(err, "enter the cgroup");
    fd_close(&fds[i]);
  }
  return 0;
}

static int receive_placed(struct job *job, struct error **err)
{
  struct message placed;
  if (message_expect(SOCKET_FD, MESSAGE_PLACED, &placed, err) < 0)
    return -1;
  if (placed.text_count < sizeof job->park)
    return error_make(err, EPROTO, "PLACED came without its text");
  memcpy(&job->park, placed.text, sizeof job->park);
  job->park.resolv_conf[sizeof job->park.resolv_conf - 1] = '\0';
  size_t others = job->park.cgroup_files;
  if (placed.fd_count < others || others > CGROUP_FILES_MAX)
    return error_make(err, EPROTO, "PLACED came without its descriptors");
  size_t trees = placed.fd_count - others;
  memcpy(job->cgroup_fds, placed.fds + trees, others * sizeof *job->cgroup_fds);
  for (size_t i = 0; i < trees; i++)
    job->trees[job->tree_count++] = placed.fds[i];
  return clone_trees(job, &placed, err);
}

/* From the zygote's id, which the namespace doesn't know, to its root. By
 * number, for the calling thread alone: libc would change every thread's. */
static int become_root(const struct park *park, struct error **err)
{
  if (park->own_ids)
    return 0;
  if (syscall(SYS_setresgid, 0, 0, 0) < 0 ||
      syscall(SYS_setresuid, 0, 0, 0) < 0)
    return error_errno(err, "become the sandbox's root");
  return 0;
}

/* With egress the host brings the network, by these: see sandbox/network.h.
 * Nobody waits for it here. */
static int offer_network(const struct job *job, struct error **err)
{
  struct message offer = {.kind = MESSAGE_NETWORK};
  int result = network_open_handles(job->network_fd, job->park.resolvers,
                                    offer.fds, &offer.fd_count, err);
  if (result == 0)
    result = message_send(SOCKET_FD, &offer, err);
  network_close_handles(offer.fds, offer.fd_count);
  return result;
}

/* A network namespace is the calling thread's own until others join it. */
static int make_network(struct job *job, struct error **err)
{
  if (job->park.network == NETWORK_HOST)
    return 0;
  if (unshare(CLONE_NEWNET) < 0)
    return error_errno(err, "make a network namespace");
  job->network_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (job->network_fd < 0)
    return error_errno(err, "open the network namespace");
  if (network_loopback_up(err) < 0)
    return -1;
  return job->park.network == NETWORK_EGRESS ? offer_network(job, err) : 0;
}

/* The sandbox's rooms: what can be made beside the interpreter's start. It
 * allocates nothing where all goes well: a second thread's heap would stay. */
static int make_rooms(struct job *job, struct error **err)
{
  if (receive_placed(job, err) < 0)
    return -1;
  /* After the trees, before any mount: what is made now belongs to an id that
   * the namespace knows. */
  if (become_root(&job->park, err) < 0 || make_network(job, err) < 0)
    return -1;
  struct rootfs_options options = {
      .python_tree = job->tree_count > 0 ? job->trees[0] : -1,
      .has_scratch = job->park.has_scratch,
      .scratch_bytes = job->park.scratch_bytes,
      .network = job->park.network,
      .resolv_conf = job->park.resolv_conf,
  };
  if (rootfs_build(&options, err) < 0 || rootfs_enter(err) < 0)
    return -1;
  fd_close(&job->trees[0]);
  return 0;
}

static void *make_rooms_aside(void *argument)
{
  struct job *job = argument;
  make_rooms(job, &job->rooms_error);
  return NULL;
}

/* The interpreter's start and the rooms take as long as each other's host, and
 * there are two of us: a thread makes the rooms. It is gone before anything
 * else happens, and so before any code but ours. A warm one has no start to
 * wait for. */
static int start_python_and_make_rooms(struct job *job, struct error **err)
{
  enum { STACK_BYTES = 256 << 10 };
  if (python_is_started())
    return make_rooms(job, err);
  pthread_attr_t attributes;
  pthread_t builder;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  int failure = pthread_create(&builder, &attributes, make_rooms_aside, job);
  pthread_attr_destroy(&attributes);
  if (failure != 0)
    return error_make(err, failure, "start a thread: %s", strerror(failure));
  int started = python_start(err);
  pthread_join(builder, NULL);
  if (started < 0 || job->rooms_error == NULL)
    return started;
  *err = steal_pointer(&job->rooms_error);
  return -1;
}

/* It takes the host longest to make, so it comes last. */
static int take_scratch(const struct park *park, struct error **err)
{
  struct message scratch;
  if (!park->has_scratch)
    return 0;
  if (message_expect(SOCKET_FD, MESSAGE_SCRATCH, &scratch, err) < 0)
    return -1;
  int attached = scratch.fd_count == 1
                     ? rootfs_attach(scratch.fds[0], "/tmp", false, err)
                     : error_make(err, EPROTO, "SCRATCH came without a mount");
  message_close(&scratch);
  return attached;
}

static int park(struct job *job, struct error **err)
{
  if (message_send_plain(SOCKET_FD, MESSAGE_HELLO, 0, err) < 0 ||
      python_renew(err) < 0 || start_python_and_make_rooms(job, err) < 0)
    return -1;
  if (job->park.rehearse && python_rehearse(REPORT_FD, err) < 0)
    return -1;
  /* From here on this process's memory and time count as the run's. */
  if (enter_cgroup(job->cgroup_fds, job->park.cgroup_files, err) < 0 ||
      become_root(&job->park, err) < 0 || take_scratch(&job->park, err) < 0)
    return -1;
  /* After the cgroup: its namespace begins where the process stands. */
  if (unshare(CLONE_NEWCGROUP) < 0)
    return error_errno(err, "make a cgroup namespace");
  if (job->network_fd >= 0 && setns(job->network_fd, CLONE_NEWNET) < 0)
    return error_errno(err, "join the network namespace");
  fd_close(&job->network_fd);
  if (sethostname("wafer", 5) < 0)
    return error_errno(err, "set the sandbox's host name");
  struct message parked = {.kind = MESSAGE_PARKED};
  parked.text_count =
      (size_t)snprintf(parked.text, sizeof parked.text, "%s", python_version());
  return message_send(SOCKET_FD, &parked, err);
}

static int receive_spec(struct job *job, struct error **err)
{
  struct message message;
  if (message_expect(SOCKET_FD, MESSAGE_SPEC, &message, err) < 0)
    return -1;
  if (spec_read(&message, &job->spec, err) < 0)
    return -1;
  for (size_t i = 0; i < job->spec.tree_count; i++)
    job->trees[job->tree_count++] = job->spec.trees[i];
  return 0;
}

static int attach_mounts(struct job *job, struct error **err)
{
  for (size_t i = 0; i < job->spec.mount_count; i++) {
    const struct spec_mount *mount = &job->spec.mounts[i];
    if (mount->tree >= job->tree_count)
      return error_make(err, EPROTO, "the spec's mounts are damaged");
    if (rootfs_attach(job->trees[mount->tree], mount->path, mount->is_file,
                      err) < 0)
      return -1;
    fd_close(&job->trees[mount->tree]);
  }
  return 0;
}

static int add_secrets(const struct job *job, struct error **err)
{
  enum { SECRET_MAX_BYTES = 1 << 20 };
  for (size_t i = 0; i < job->spec.secret_count; i++) {
    const struct spec_secret *secret = &job->spec.secrets[i];
    cleanup_free char *bytes = NULL;
    size_t count;
    if (fd_read_all(secret->fd, SECRET_MAX_BYTES, &bytes, &count, err) < 0 ||
        rootfs_add_secret(secret->name, bytes, count, NAMESPACE_JOB_ID,
                          NAMESPACE_JOB_ID, err) < 0)
      return -1;
    explicit_bzero(bytes, count);
    close(secret->fd);
  }
  return 0;
}

static int limit(const struct spec_limits *limits, struct error **err)
{
  struct rlimits wanted = {
      .open_files_max = RLIMITS_OPEN_FILES_DEFAULT,
      .file_bytes_max = limits->scratch_bytes,
      .processes_max = limits->own_ids ? RLIMITS_KEEP : limits->pids_max,
      .has_cgroup = limits->has_cgroup,
      .memory_bytes = limits->memory_bytes,
      .cpu_s = limits->cpu_s,
  };
  return rlimits_apply(&wanted, err);
}

static int restrict_files(const struct spec *spec, struct error **err)
{
  struct landlock_rule rules[LANDLOCK_ROWS_MAX + FD_MESSAGE_MAX];
  if (!spec->landlock)
    return 0;
  size_t count = landlock_rules_of_all(rules);
  for (size_t i = 0; i < spec->mount_count; i++)
    rules[count++] =
        landlock_rule_of_mount(spec->mounts[i].path, spec->mounts[i].read_only);
  return landlock_apply(rules, count, err);
}

/* All that stays open is 0, 1, 2, the socket, the report pipe and the files
 * that the bootstrap reads, which spec_read moved together. */
static int close_others(const struct spec *spec, struct error **err)
{
  if (close_range((unsigned)spec->fd_end, REPORT_FD - 1, 0) < 0 ||
      close_range(REPORT_FD + 1, ~0U, 0) < 0)
    return error_errno(err, "close what the job shouldn't have");
  return 0;
}

static int start_filter(const struct spec *spec, struct error **err)
{
  cleanup_fd int listener = -1;
  if (seccomp_load(spec->seccomp_log ? SECCOMP_LOGGED : SECCOMP_LISTENED,
                   &listener, err) < 0)
    return -1;
  struct message started = {
      .kind = MESSAGE_STARTED, .fds = {listener}, .fd_count = 1};
  return message_send(SOCKET_FD, &started, err);
}

/* A pool's zygote and all that it forks are batch processes: see
 * launch_stand_back. A job is none. */
static int schedule_ordinarily(struct error **err)
{
  struct sched_param none = {0};
  if (sched_setscheduler(0, SCHED_OTHER, &none) < 0)
    return error_errno(err, "leave the batch class");
  return 0;
}

static int enter(struct job *job, struct error **err)
{
  if (receive_spec(job, err) < 0 || schedule_ordinarily(err) < 0)
    return -1;
  /* Mounting needs the namespace's capabilities: so first, and the root is
   * sealed when the last mount point is made. */
  if (attach_mounts(job, err) < 0 || add_secrets(job, err) < 0 ||
      rootfs_seal(err) < 0)
    return -1;
  /* Limits before the ids: some are only lowered with a capability. */
  if (limit(&job->spec.limits, err) < 0)
    return -1;
  if (privileges_drop(NAMESPACE_JOB_ID, NAMESPACE_JOB_ID, err) < 0)
    return -1;
  if (close_others(&job->spec, err) < 0)
    return -1;
  /* Landlock and seccomp ask for no_new_privs where there is no capability. */
  if (privileges_no_new(err) < 0)
    return -1;
  /* After the ids, so that the rules are the job's own. */
  if (restrict_files(&job->spec, err) < 0)
    return -1;
  /* The zygote's memory holds nothing secret; see privileges.h. */
  if (privileges_set_dumpable(err) < 0)
    return -1;
  /* Last, since each step above needs a call that the filter refuses. */
  return start_filter(&job->spec, err);
}

static void report_failure(const struct error *failure)
{
  struct message message = {.kind = MESSAGE_FAILED, .value = failure->code};
  message.text_count = strnlen(failure->text, sizeof message.text - 1);
  memcpy(message.text, failure->text, message.text_count);
  cleanup_error struct error *ignored = NULL;
  message_send(SOCKET_FD, &message, &ignored);
}

void job_main(const int *fds)
{
  struct job job = {.network_fd = -1};
  struct error *err = NULL;
  if (shed_zygote(fds, &err) < 0 || park(&job, &err) < 0 ||
      enter(&job, &err) < 0) {
    report_failure(err);
    _exit(125);
  }
  close(SOCKET_FD);
  exit(python_run(job.spec.python, job.spec.files, REPORT_FD));
}
