#include "config.h"

#include "host/recover.h"

#include "base/clock.h"
#include "base/fd.h"
#include "host/heartbeat.h"
#include "host/lease.h"
#include "host/options.h"
#include "host/process.h"
#include "host/usage.h"
#include "runtime/result.h"
#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A keeper whose host is gone kills and reaps at once; one that can't in this
 * time is killed. */
enum { KEEPER_WAIT_MS = 5000 };

/* The name is opened beneath the run's folder, and may hold anything. */
static int read_result(int run_dir, struct result *result, struct error **err)
{
  cleanup_fd int fd = fd_open_beneath(run_dir, "result", O_RDONLY, 0, err);
  if (fd < 0)
    return -1;
  char text[RESULT_MAX_BYTES + 1];
  ssize_t count = pread(fd, text, sizeof text, 0);
  if (count < 0)
    return error_errno(err, "read the result record");
  return result_parse(text, (size_t)count, result, err);
}

static int read_heartbeat(int run_dir, struct heartbeat *heartbeat,
                          struct error **err)
{
  cleanup_fd int fd = fd_open_beneath(run_dir, "heartbeat", O_RDONLY, 0, err);
  return fd < 0 ? -1 : heartbeat_read(fd, heartbeat, err);
}

/* A run that was given a sandbox made ahead has that one's cgroup, else one of
 * its own name. */
static const char *name_cgroup(const struct run *run, int run_dir,
                               char lease[LEASE_NAME_SIZE])
{
  return lease_read(run_dir, lease) ? lease : run->id;
}

/* Whatever the cgroup still counts is better than what was noted. */
static void take_cgroup(struct run *run, const char *name)
{
  cleanup_error struct error *ignored = NULL;
  struct cgroup_usage counted;
  const char *source;
  if (cgroup_usage_by_name(NULL, name, &counted, &source, &ignored) == 0)
    usage_set_cgroup(&run->usage, &counted, source);
}

static void remove_cgroup(const char *name)
{
  cleanup_error struct error *err = NULL;
  if (cgroup_remove_by_name(NULL, name, &err) < 0)
    fprintf(stderr, "wafer: %s\n", err->text);
}

/* How long it ran: to the keeper's last line, else to the last heartbeat. The
 * first of those came with its release, so that without any it never ran. */
static void take_duration(struct run *run, int run_dir)
{
  cleanup_error struct error *no_beat = NULL, *no_result = NULL;
  struct heartbeat beat = {0};
  struct result result = {0};
  bool have_beat = read_heartbeat(run_dir, &beat, &no_beat) == 0;
  if (have_beat && run->started_realtime_ns == 0)
    run->started_realtime_ns = run->created_realtime_ns;
  if (read_result(run_dir, &result, &no_result) == 0) {
    usage_add_result(&run->usage, &result);
    run->signal = result.killed ? result.value : 0;
    if (have_beat && result.ended_ns >= beat.released_ns)
      run->duration_ns = result.ended_ns - beat.released_ns;
  } else if (have_beat) {
    run->duration_ns = beat.seen_ns - beat.released_ns;
    if (run->usage.cpu_ns < 0)
      run->usage.cpu_ns = beat.cpu_ns;
  }
}

static int book_dead_run(struct store *store, struct run *run,
                         struct error **err)
{
  char lease[LEASE_NAME_SIZE];
  cleanup_fd int run_dir = store_run_dir(store, run->id, run->attempt, err);
  if (run_dir < 0)
    return -1;
  const char *cgroup = name_cgroup(run, run_dir, lease);
  process_await_end(&run->keeper, KEEPER_WAIT_MS);
  take_cgroup(run, cgroup);
  /* Before the record is final, after which nobody looks for it; it waits until
   * the last process is dead. */
  remove_cgroup(cgroup);
  take_duration(run, run_dir);
  run->completed_realtime_ns = clock_realtime_ns();
  run->exit_status = EXIT_WAFER;
  run->reason.kind = REASON_HOST_LOST;
  run_set_text(&run->reason.text,
               "the wafer process that ran it was killed; its sandbox was "
               "ended with it. Run it again");
  return store_end_run(store, run, EVENT_LOST, err);
}

/* Another wafer may be booking the same: whoever comes second finds it final
 * (EPROTO), and all is well. */
int recover_dead_runs(struct store *store, struct error **err)
{
  cleanup_run_list struct run_list list = {0};
  if (store_list_unfinished(store, &list, err) < 0)
    return -1;
  for (size_t i = 0; i < list.count; i++) {
    cleanup_error struct error *failure = NULL;
    if (process_lives(&list.items[i].owner) ||
        book_dead_run(store, &list.items[i], &failure) == 0 ||
        failure->code == EPROTO)
      continue;
    *err = steal_pointer(&failure);
    return error_wrap(err, "book the run %s", list.items[i].id);
  }
  return 0;
}
