#include "config.h"

#include "host/execute.h"

#include "base/clock.h"
#include "host/format.h"
#include "host/heartbeat.h"
#include "host/lease.h"
#include "host/options.h"
#include "host/process.h"
#include "host/recover.h"
#include "host/spec.h"
#include "host/usage.h"
#include "host/walls.h"
#include "sandbox/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

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
  /* A server looks after what it parks. */
  if (execution->server.fd < 0)
    lease_sweep(store_dir(execution->store));
  if (run_new_id(&execution->run, err) < 0)
    return -1;
  describe(execution);
  if (open_run_files(execution, err) < 0)
    return -1;
  /* Before anything is made that outlives a killed wafer: whoever finds the
   * record knows what to look for. */
  return store_insert_run(execution->store, &execution->run, err);
}

static int release_job(struct execution *execution, struct error **err)
{
  struct spec_bundle bundle = {0};
  int result = spec_make(execution->request, &execution->cell.ids,
                         !(execution->cell.missing & 1U << WALL_LANDLOCK),
                         cgroup_limits(execution->cell.cgroup), &bundle, err);
  int64_t released_ns = 0;
  if (result == 0)
    result = sandbox_release(&execution->cell.sandbox, bundle.json, bundle.fds,
                             bundle.fd_count, &released_ns, err);
  spec_bundle_release(&bundle);
  /* A last wall that can't be raised is no start, and isn't billed. */
  if (result < 0)
    return -1;
  execution->released_ns = released_ns;
  execution->run.start_ns = released_ns - execution->asked_ns;
  execution->run.started_realtime_ns = clock_realtime_ns();
  heartbeat_write(execution->heartbeat_fd, released_ns, -1);
  process_identify(execution->cell.sandbox.keeper_pid, &execution->run.keeper);
  return 0;
}

static int run_job(struct execution *execution, struct outcome *outcome,
                   struct error **err)
{
  if (start_finish(execution, err) < 0 || release_job(execution, err) < 0)
    return error_wrap(err, "set the sandbox up");
  return supervise(execution, outcome, err);
}

/* Lets go of what is dead, but for the keeper: what it still does (unmounting,
 * 3 ms) nobody need wait for. */
static void release_sandbox(struct execution *execution, bool is_booked)
{
  cleanup_error struct error *ignored = NULL;
  if (is_booked && execution->cell.sandbox.keeper_fd >= 0)
    sandbox_booked(&execution->cell.sandbox, &ignored);
  cell_close(&execution->cell);
  egress_release(&execution->egress);
  zygote_stop(&execution->zygote);
}

static void remove_cgroup(struct execution *execution)
{
  cleanup_error struct error *err = NULL;
  if (cgroup_destroy(steal_pointer(&execution->cell.cgroup), &err) < 0)
    fprintf(stderr, "wafer: %s\n", err->text);
}

bool execute_look_at_scratch(struct execution *execution)
{
  cleanup_error struct error *ignored = NULL;
  if (execution->cell.scratch_fd >= 0)
    scratch_read_usage(execution->cell.scratch_fd, &execution->scratch_usage,
                       &ignored);
  return execution->scratch_usage.faults == 0;
}

static void read_usage(struct execution *execution)
{
  struct run_usage *usage = &execution->run.usage;
  struct cgroup_usage counted;
  cleanup_error struct error *ignored = NULL;
  if (cgroup_usage(execution->cell.cgroup, &counted, &ignored) == 0)
    usage_set_cgroup(usage, &counted, cgroup_source(execution->cell.cgroup));
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
  fd_close(&execution->cell.scratch_fd);
  cell_kill(&execution->cell);
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
  if ((*err)->code != ENOSPC || execution->cell.scratch_fd < 0)
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
  pool_hang_up(&execution->server);
  fd_close(&execution->run_dir);
  fd_close(&execution->result_fd);
  fd_close(&execution->heartbeat_fd);
  store_close(execution->store);
  mask_free(execution->mask);
  run_release(&execution->run);
}

int execute(const struct request *request, struct error **err)
{
  __attribute__((cleanup(release_execution))) struct execution execution =
      EXECUTION_INIT;
  struct outcome outcome = {0};
  execution.request = request;
  run_init(&execution.run);
  if (check_size(request->size, err) < 0)
    return -1;
  hold_signals();
  if (start_begin(&execution, err) < 0 || make_mask(&execution, err) < 0 ||
      open_books(&execution, err) < 0) {
    cell_kill(&execution.cell);
    release_sandbox(&execution, false);
    return -1;
  }
  cleanup_error struct error *failure = NULL;
  run_job(&execution, &outcome, &failure);
  if (!outcome.have_result)
    cell_kill(&execution.cell);
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
