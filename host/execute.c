#include "config.h"

#include "host/execute.h"

#include "base/clock.h"
#include "host/format.h"
#include "host/heartbeat.h"
#include "host/options.h"
#include "host/process.h"
#include "host/recover.h"
#include "host/spec.h"
#include "host/usage.h"
#include "host/walls.h"
#include "sandbox/cgroup_scope.h"
#include "sandbox/rootfs.h"
#include "sandbox/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

static const unsigned wall_scratch = 1U << WALL_SCRATCH;
static const unsigned wall_uid = 1U << WALL_UID;
static const unsigned wall_landlock = 1U << WALL_LANDLOCK;

/* Before there is a zygote, which has to stand there, too. Where systemd gives
 * no scope the wall is missing; the run may do without it. */
static void join_scope(void)
{
  cleanup_error struct error *err = NULL;
  if (cgroup_join_scope(&err) < 0)
    fprintf(stderr, "wafer: %s\n", err->text);
}

/* From here on a stop is a thing that the run records: signals wait until the
 * event loop takes them. Writing to a caller that is gone is an error like any
 * other. */
static void hold_signals(void)
{
  sigset_t held;
  sigemptyset(&held);
  sigaddset(&held, SIGINT);
  sigaddset(&held, SIGTERM);
  sigaddset(&held, SIGHUP);
  sigprocmask(SIG_BLOCK, &held, NULL);
  signal(SIGPIPE, SIG_IGN);
}

/* The plain user's own id is used where he may have no other, and where he
 * accepted it to mount a folder for writing. */
static bool uses_own_id(const struct execution *execution, unsigned missing)
{
  if (geteuid() == 0)
    return false;
  if (missing & wall_uid)
    return true;
  for (size_t i = 0; i < execution->request->mount_count; i++)
    if (!execution->request->mounts[i].read_only)
      return true;
  return false;
}

static int check_walls(struct execution *execution, struct error **err)
{
  const struct request *request = execution->request;
  unsigned missing = walls_missing();
  execution->ids.own = uses_own_id(execution, missing);
  if (execution->ids.own && !(missing & wall_uid) &&
      !(request->allowed_missing & wall_uid))
    return error_make(err, EPERM,
                      "--mount …:rw needs an id-mapped mount, which only root "
                      "can make; run as root, or as your own user without the "
                      "uid wall: --allow-missing=%s",
                      walls_text(missing | wall_uid).text);
  if (execution->ids.own)
    missing |= wall_uid;
  if (walls_require(missing, request->allowed_missing, err) < 0)
    return -1;
  execution->missing = missing;
  for (unsigned wall = 0; wall < WALL_COUNT; wall++)
    if (missing & 1U << wall)
      text_list_add(&execution->run.walls_missing, wall_name(wall));
  return 0;
}

/* Beyond that no run could ever have what it pays for. */
static int check_size(const struct size *size, struct error **err)
{
  struct sysinfo info;
  sysinfo(&info);
  int64_t machine_bytes = (int64_t)info.totalram * info.mem_unit;
  if (machine_bytes >= size->memory_bytes)
    return 0;
  char needed[FORMAT_SIZE], there[FORMAT_SIZE];
  return error_make(err, ENOMEM,
                    "--max-capacity %s is %s of memory, and this machine has "
                    "%s; take a smaller one",
                    size->name, format_bytes(size->memory_bytes, needed),
                    format_bytes(machine_bytes, there));
}

static void describe(struct execution *execution)
{
  const struct request *request = execution->request;
  struct run *run = &execution->run;
  const struct size *size = request->size;
  run_set_text(&run->name,
               request->name ? request->name : request->script.name);
  run_set_text(&run->script, request->script_path);
  run_set_text(&run->network, network_mode_name(request->network));
  run_set_text(&run->library_set, request->library_set);
  run_set_text(&run->library_lock, request->libraries.lock_sha256);
  for (size_t i = 0; i < request->modules_lock.count; i++)
    text_list_add(&run->python_modules, request->modules_lock.items[i]);
  run_set_size(run, size);
  run->timeout_ms = request->timeout_ms;
  run->price = *price_current();
  run->state = STATE_STARTING;
  run->created_realtime_ns = clock_realtime_ns();
  run->usage.memory_limit_bytes = size->memory_bytes;
  for (size_t i = 0; i < request->argument_count; i++)
    text_list_add(&run->arguments, request->arguments[i]);
  for (size_t i = 0; i < request->env_count; i++)
    text_list_add(&run->env_names, request->env[i].name);
  for (size_t i = 0; i < request->secret_count; i++)
    text_list_add(&run->secret_names, request->secrets[i].name);
  for (size_t i = 0; i < request->mount_count; i++)
    text_list_add(&run->mounts, request->mounts[i].text);
  for (size_t i = 0; i < request->allowed_network_count; i++) {
    char text[NETWORK_PREFIX_TEXT_SIZE];
    text_list_add(&run->allowed_networks,
                  network_prefix_text(&request->allowed_networks[i], text));
  }
  for (size_t i = 0; i < request->tags.count; i++) {
    cleanup_free char *key = xstrdup(request->tags.items[i]);
    char *value = strchr(key, '=');
    *value = '\0';
    run_set_tag(run, key, value + 1);
  }
  process_identify(getpid(), &run->owner);
}

static int make_mask(struct execution *execution, struct error **err)
{
  const struct request *request = execution->request;
  cleanup_free struct iovec *secrets =
      xcalloc(request->secret_count, sizeof *secrets);
  for (size_t i = 0; i < request->secret_count; i++)
    secrets[i] = (struct iovec){.iov_base = request->secrets[i].bytes,
                                .iov_len = request->secrets[i].count};
  return mask_new(secrets, request->secret_count, &execution->mask, err);
}

static int open_run_files(struct execution *execution, struct error **err)
{
  const struct run *run = &execution->run;
  execution->run_dir = store_run_dir(execution->store, run->id, 0, err);
  if (execution->run_dir < 0)
    return -1;
  int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  execution->result_fd = openat(execution->run_dir, "result", flags, 0600);
  execution->heartbeat_fd =
      openat(execution->run_dir, "heartbeat", flags, 0600);
  if (execution->result_fd < 0 || execution->heartbeat_fd < 0)
    return error_errno(err, "make the run's files in %s",
                       store_dir(execution->store));
  /* The outcome must find room, however full the disk is by then. */
  if (fallocate(execution->result_fd, FALLOC_FL_KEEP_SIZE, 0,
                RESULT_MAX_BYTES) < 0 &&
      errno != EOPNOTSUPP)
    return error_errno(err, "make room for the run's result in %s",
                       store_dir(execution->store));
  return 0;
}

static int open_books(struct execution *execution, struct error **err)
{
  if (store_open(NULL, STORE_WRITE, &execution->store, err) < 0)
    return -1;
  if (recover_dead_runs(execution->store, err) < 0)
    return -1;
  if (run_new_id(&execution->run, err) < 0)
    return -1;
  describe(execution);
  if (open_run_files(execution, err) < 0)
    return -1;
  /* Before anything is made that outlives a killed wafer: whoever finds the
   * record knows what to look for. */
  return store_insert_run(execution->store, &execution->run, err);
}

static int make_cgroup(struct execution *execution, struct error **err)
{
  const struct size *size = execution->request->size;
  struct limits limits = {
      .cpu_milli = (unsigned)size->cpu_milli,
      .memory_bytes = (uint64_t)size->memory_bytes,
      .pids_max = (unsigned)size->pids_max,
      .scratch_bytes = (uint64_t)size->scratch_bytes,
  };
  return cgroup_create(NULL, execution->run.id, &limits, &execution->cgroup,
                       err);
}

/* It leaves nothing behind, however the run ends: so it may come before the
 * record of it. */
static int begin_scratch(struct execution *execution, struct error **err)
{
  if (execution->missing & wall_scratch)
    return 0;
  return scratch_maker_start(&execution->scratch,
                             (uint64_t)execution->request->size->scratch_bytes,
                             err);
}

static int give_scratch(struct execution *execution, struct error **err)
{
  const struct namespace_ids *ids = &execution->ids;
  if (execution->missing & wall_scratch)
    return 0;
  cleanup_fd int mount_fd = scratch_maker_finish(&execution->scratch, err);
  if (mount_fd < 0 ||
      scratch_give(mount_fd, ids->job_uid, ids->job_gid, err) < 0 ||
      zygote_keep(&execution->zygote, mount_fd, err) < 0 ||
      sandbox_give_scratch(&execution->sandbox, mount_fd, err) < 0)
    return -1;
  execution->scratch_fd = steal_fd(&mount_fd);
  return 0;
}

static int place_in_cgroup(struct execution *execution,
                           struct sandbox_place place, struct error **err)
{
  int entry[CGROUP_ENTRY_FDS];
  int count = cgroup_open_entry(execution->cgroup, entry, err);
  if (count < 0)
    return -1;
  place.cgroup_fds = entry;
  place.cgroup_count = (size_t)count;
  int result = sandbox_place(&execution->sandbox, &place, err);
  while (count > 0)
    fd_close(&entry[--count]);
  return result;
}

/* Real root clones what the sandbox mounts, since the sandbox's own ids may not
 * be able to reach it; a plain user's sandbox does it by path. */
static int place_as_root(struct execution *execution,
                         struct sandbox_place *place, struct error **err)
{
  struct namespace_ids *ids = &execution->ids;
  *ids = place->ids = namespace_ids_of_pid(execution->sandbox.keeper_pid);
  cleanup_fd int python_tree = rootfs_clone(launch_python_dir(), true, err);
  if (python_tree < 0)
    return -1;
  place->python_tree = python_tree;
  return place_in_cgroup(execution, *place, err);
}

static int place_as_user(struct execution *execution,
                         struct sandbox_place *place, struct error **err)
{
  if (namespace_ids_of_user(execution->sandbox.keeper_pid, execution->ids.own,
                            &execution->ids, err) < 0)
    return -1;
  cleanup_free char *paths =
      spec_tree_paths(execution->request, &place->tree_paths_count);
  place->ids = execution->ids;
  place->python_tree = -1;
  place->tree_paths = paths;
  return place_in_cgroup(execution, *place, err);
}

static int choose_network(struct execution *execution, struct error **err)
{
  if (execution->request->network != NETWORK_EGRESS)
    return 0;
  return egress_choose(&execution->egress, err);
}

static int make_network(struct execution *execution, struct error **err)
{
  const struct request *request = execution->request;
  if (request->network != NETWORK_EGRESS)
    return 0;
  return egress_make(&execution->egress, &execution->zygote,
                     &execution->sandbox, request->allowed_networks,
                     request->allowed_network_count, err);
}

static int make_sandbox(struct execution *execution, struct error **err)
{
  char version[PYTHON_VERSION_SIZE];
  if (sandbox_record(&execution->sandbox, execution->result_fd, err) < 0 ||
      make_cgroup(execution, err) < 0 ||
      sandbox_await(&execution->zygote, &execution->sandbox, err) < 0)
    return -1;
  struct sandbox_place place = {
      .network = execution->request->network,
      .resolvers = execution->egress.resolv_conf.count,
      .resolv_conf = execution->egress.resolv_conf.text,
      .has_scratch = !(execution->missing & wall_scratch),
      .scratch_bytes = (uint64_t)execution->request->size->scratch_bytes,
  };
  int placed = geteuid() == 0 ? place_as_root(execution, &place, err)
                              : place_as_user(execution, &place, err);
  /* The scratch before the network: a process that pasta is started with would
   * hold what the maker's thread has just closed, a mount that is to go. */
  if (placed < 0 || give_scratch(execution, err) < 0 ||
      make_network(execution, err) < 0)
    return -1;
  process_identify(execution->sandbox.keeper_pid, &execution->run.keeper);
  if (sandbox_await_parked(&execution->sandbox, version, err) < 0)
    return -1;
  run_set_text(&execution->run.python_version, version);
  return 0;
}

static int release_job(struct execution *execution, struct error **err)
{
  struct spec_bundle bundle = {0};
  int result = spec_make(execution->request, &execution->ids,
                         !(execution->missing & wall_landlock),
                         cgroup_limits(execution->cgroup), &bundle, err);
  int64_t released_ns = 0;
  if (result == 0)
    result = sandbox_release(&execution->sandbox, bundle.json, bundle.fds,
                             bundle.fd_count, &released_ns, err);
  spec_bundle_release(&bundle);
  /* A last wall that can't be raised is no start, and isn't billed. */
  if (result < 0)
    return -1;
  execution->released_ns = released_ns;
  execution->run.started_realtime_ns = clock_realtime_ns();
  heartbeat_write(execution->heartbeat_fd, released_ns, -1);
  return 0;
}

static int run_job(struct execution *execution, struct outcome *outcome,
                   struct error **err)
{
  if (make_sandbox(execution, err) < 0 || release_job(execution, err) < 0)
    return error_wrap(err, "set the sandbox up");
  return supervise(execution, outcome, err);
}

/* Ends the sandbox, if it lives, and waits for its keeper, the last to die. */
static void kill_sandbox(struct execution *execution)
{
  struct pollfd keeper = {.fd = execution->sandbox.keeper_pidfd,
                          .events = POLLIN};
  fd_close(&execution->sandbox.keeper_fd);
  while (keeper.fd >= 0 && poll(&keeper, 1, -1) < 0 && errno == EINTR)
    continue;
}

/* Lets go of what is dead, but for the keeper: what it still does (unmounting,
 * 3 ms) nobody need wait for. */
static void release_sandbox(struct execution *execution, bool is_booked)
{
  cleanup_error struct error *ignored = NULL;
  if (is_booked && execution->sandbox.keeper_fd >= 0)
    sandbox_booked(&execution->sandbox, &ignored);
  sandbox_close(&execution->sandbox);
  egress_release(&execution->egress);
  /* Before the zygote does: see zygote_keep. */
  fd_close(&execution->scratch_fd);
  zygote_stop(&execution->zygote);
}

static void remove_cgroup(struct execution *execution)
{
  cleanup_error struct error *err = NULL;
  if (cgroup_destroy(steal_pointer(&execution->cgroup), &err) < 0)
    fprintf(stderr, "wafer: %s\n", err->text);
}

bool execute_look_at_scratch(struct execution *execution)
{
  cleanup_error struct error *ignored = NULL;
  if (execution->scratch_fd >= 0)
    scratch_read_usage(execution->scratch_fd, &execution->scratch_usage,
                       &ignored);
  return execution->scratch_usage.faults == 0;
}

static void read_usage(struct execution *execution)
{
  struct run_usage *usage = &execution->run.usage;
  struct cgroup_usage counted;
  cleanup_error struct error *ignored = NULL;
  if (cgroup_usage(execution->cgroup, &counted, &ignored) == 0)
    usage_set_cgroup(usage, &counted, cgroup_source(execution->cgroup));
  execute_look_at_scratch(execution);
  if (execution->scratch_usage.bytes_total > 0)
    usage->scratch_bytes = execution->scratch_usage.bytes_total -
                           execution->scratch_usage.bytes_free;
}

/* On a disk that its own scratch filled the reserve is gone as soon as it is
 * given back: the kernel still writes the image. So all who hold that go first,
 * and a moment later the kernel has freed it. */
static int end_run_without_scratch(struct execution *execution,
                                   enum run_event event, struct error **err)
{
  enum { WAIT_MS = 10000, PAUSE_MS = 20 };
  static const struct timespec pause = {.tv_nsec = PAUSE_MS * NS_PER_MS};
  int64_t deadline_ns = clock_monotonic_ns() + (int64_t)WAIT_MS * NS_PER_MS;
  kill_sandbox(execution);
  fd_close(&execution->scratch_fd);
  zygote_end(&execution->zygote);
  for (;;) {
    error_clear(err);
    if (store_end_run(execution->store, &execution->run, event, err) == 0)
      return 0;
    if ((*err)->code != ENOSPC || clock_monotonic_ns() > deadline_ns)
      return -1;
    nanosleep(&pause, NULL);
  }
}

static int end_run(struct execution *execution, enum run_event event,
                   struct error **err)
{
  if (store_end_run(execution->store, &execution->run, event, err) == 0)
    return 0;
  if ((*err)->code != ENOSPC || execution->scratch_fd < 0)
    return -1;
  return end_run_without_scratch(execution, event, err);
}

/* Books the run's end. Where it never was released, its failure is its end. */
static int book(struct execution *execution, const struct outcome *outcome,
                const struct error *failure, struct error **err)
{
  struct run *run = &execution->run;
  enum run_event event = EVENT_HOST_FAILED;
  run->completed_realtime_ns = clock_realtime_ns();
  if (failure == NULL) {
    event = explain(execution, outcome);
  } else {
    run->exit_status = EXIT_WAFER;
    run->reason.kind =
        execution->released_ns != 0 ? REASON_HOST_FAILED : REASON_SETUP;
    run_set_text(&run->reason.text, failure->text);
    if (execution->released_ns != 0)
      run->duration_ns = clock_monotonic_ns() - execution->released_ns;
    else
      run->started_realtime_ns = 0;
  }
  return end_run(execution, event, err);
}

static void release_execution(struct execution *execution)
{
  scratch_maker_release(&execution->scratch);
  fd_close(&execution->run_dir);
  fd_close(&execution->result_fd);
  fd_close(&execution->heartbeat_fd);
  store_close(execution->store);
  mask_free(execution->mask);
  run_release(&execution->run);
}

int execute(const struct request *request, struct error **err)
{
  __attribute__((cleanup(release_execution))) struct execution execution = {
      .request = request,
      .zygote = ZYGOTE_INIT,
      .sandbox = SANDBOX_INIT,
      .scratch_fd = -1,
      .egress = EGRESS_INIT,
      .run_dir = -1,
      .result_fd = -1,
      .heartbeat_fd = -1,
  };
  struct outcome outcome = {0};
  run_init(&execution.run);
  if (check_size(request->size, err) < 0)
    return -1;
  hold_signals();
  join_scope();
  if (zygote_start(&execution.zygote, err) < 0)
    return -1;
  if (sandbox_fork(&execution.zygote, &execution.sandbox, err) < 0 ||
      check_walls(&execution, err) < 0 || choose_network(&execution, err) < 0 ||
      make_mask(&execution, err) < 0 || begin_scratch(&execution, err) < 0 ||
      open_books(&execution, err) < 0) {
    kill_sandbox(&execution);
    release_sandbox(&execution, false);
    return -1;
  }
  cleanup_error struct error *failure = NULL;
  run_job(&execution, &outcome, &failure);
  if (!outcome.have_result)
    kill_sandbox(&execution);
  read_usage(&execution);
  /* Before the record is final, after which nobody looks for it. */
  remove_cgroup(&execution);
  int booked = book(&execution, &outcome, failure, err);
  release_sandbox(&execution, booked == 0);
  free(outcome.report);
  if (!request->quiet)
    summary_print(&execution.run, outcome.mid_line);
  if (booked < 0)
    return error_wrap(err,
                      "the run %s ended, but isn't booked yet; the next "
                      "wafer command will try again",
                      execution.run.id);
  if (request->has_report &&
      summary_report(&execution.run, request->report_fd, err) < 0)
    return -1;
  return (int)execution.run.exit_status;
}
