#include "config.h"

#include "sandbox/cgroup_backend.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* v1: a tree for each controller, ours below the caller's own group in each
 * (Documentation/admin-guide/cgroup-v1/). */

enum { PERIOD_US = 100000 };

static bool is_needed(int slot)
{
  return slot != CONTROLLER_BLKIO;
}

static void probe(const struct cgroup_env *env, struct cgroup_probe *found)
{
  found->detail = xstrdup("v1: cpu, cpuacct, memory, pids");
  for (int i = 0; i < CONTROLLER_COUNT; i++) {
    cleanup_free char *dir = cgroup_own_dir(env, controller_names[i]);
    if (!is_needed(i))
      continue;
    if (dir == NULL) {
      found->why = xasprintf("no cgroup v1 tree in sight has the %s controller",
                             controller_names[i]);
      found->fix = xstrdup("boot with systemd.unified_cgroup_hierarchy=1");
      return;
    }
    if (access(dir, W_OK) != 0) {
      found->why = xasprintf("%s isn't this user's to write", dir);
      found->fix = xstrdup("run wafer as root (sudo)");
      return;
    }
  }
  found->limits = true;
}

static int open_group(const struct cgroup_env *env, struct cgroup *cgroup,
                      bool make, struct error **err)
{
  for (int i = 0; i < CONTROLLER_COUNT; i++) {
    cleanup_free char *dir = cgroup_own_dir(env, controller_names[i]);
    if (dir == NULL && !is_needed(i))
      continue;
    if (dir == NULL)
      return error_make(err, ENOENT, "the %s controller isn't in sight",
                        controller_names[i]);
    if (cgroup_open_dir(cgroup, (enum controller)i, dir, make, err) < 0)
      return -1;
  }
  return 0;
}

static int write_number(const struct cgroup *cgroup, enum controller slot,
                        const char *file, uint64_t number, struct error **err)
{
  char text[24];
  snprintf(text, sizeof text, "%" PRIu64, number);
  return fd_write_file(cgroup->dirs[slot], file, text, err);
}

/* Memory before memory and swap together: the second may not be below the
 * first. A kernel without swap accounting hasn't the second, nor then swap that
 * counts; swappiness 0 keeps the group's pages out of it. */
static int limit_memory(const struct cgroup *cgroup, uint64_t bytes,
                        struct error **err)
{
  const char *both = "memory.memsw.limit_in_bytes";
  if (write_number(cgroup, CONTROLLER_MEMORY, "memory.limit_in_bytes", bytes,
                   err) < 0 ||
      write_number(cgroup, CONTROLLER_MEMORY, "memory.swappiness", 0, err) < 0)
    return -1;
  if (faccessat(cgroup->dirs[CONTROLLER_MEMORY], both, F_OK, 0) != 0)
    return 0;
  return write_number(cgroup, CONTROLLER_MEMORY, both, bytes, err);
}

static int limit(struct cgroup *cgroup, const struct limits *limits,
                 struct error **err)
{
  uint64_t quota_us = (uint64_t)limits->cpu_milli * PERIOD_US / 1000;
  if (write_number(cgroup, CONTROLLER_CPU, "cpu.cfs_period_us", PERIOD_US,
                   err) < 0 ||
      write_number(cgroup, CONTROLLER_CPU, "cpu.cfs_quota_us", quota_us, err) <
          0 ||
      limit_memory(cgroup, limits->memory_bytes, err) < 0)
    return -1;
  return write_number(cgroup, CONTROLLER_PIDS, "pids.max", limits->pids_max,
                      err);
}

/* "EVENTFD FILE [ARGUMENT]" to cgroup.event_control has the kernel count up the
 * eventfd (cgroup-v1/memory.rst, sections 9 to 11). */
static int watch_file(struct cgroup *cgroup, const char *file,
                      const char *argument, struct error **err)
{
  int dir = cgroup->dirs[CONTROLLER_MEMORY];
  cleanup_fd int watched = openat(dir, file, O_RDONLY | O_CLOEXEC);
  if (watched < 0)
    return error_errno(err, "open %s", file);
  char text[64];
  snprintf(text, sizeof text, "%d %d %s", cgroup->watch_fd, watched, argument);
  if (fd_write_file(dir, "cgroup.event_control", text, err) < 0)
    return error_wrap(err, "watch %s", file);
  return 0;
}

/* The threshold tells of a job that takes memory quickly, but counts page cache
 * too: a job that read large files is past it before it takes any. From then on
 * the kernel reclaims for each page that the job takes, and tells so, once for
 * 2 MiB. */
static int watch(struct cgroup *cgroup, struct error **err)
{
  char threshold[24];
  snprintf(threshold, sizeof threshold, "%" PRIu64,
           cgroup_pressure_bytes(cgroup));
  cgroup->watch_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (cgroup->watch_fd < 0)
    return error_errno(err, "make an eventfd");
  if (watch_file(cgroup, "memory.oom_control", "", err) < 0 ||
      watch_file(cgroup, "memory.usage_in_bytes", threshold, err) < 0)
    return -1;
  return watch_file(cgroup, "memory.pressure_level", "low,local", err);
}

/* All but page cache: the kernel's own memory is in no other key. */
static int64_t read_unreclaimable(int dir)
{
  static const char *const cache[] = {"total_inactive_file",
                                      "total_active_file", NULL};
  int64_t used = cgroup_read_number(dir, "memory.usage_in_bytes");
  int64_t reclaimable = cgroup_read_keys(dir, "memory.stat", cache);
  return reclaimable >= 0 && reclaimable <= used ? used - reclaimable : -1;
}

/* The kernel tells that memory ran out before it kills. What it counts then, if
 * not here already, is here when the killed one's memory comes back and crosses
 * the threshold. */
static int watch_read(struct cgroup *cgroup, unsigned *seen, struct error **err)
{
  (void)err;
  int dir = cgroup->dirs[CONTROLLER_MEMORY];
  if (cgroup_sees_oom(cgroup,
                      cgroup_read_key(dir, "memory.oom_control", "oom_kill")))
    *seen |= CGROUP_SAW_OOM;
  if (!cgroup->pressure_seen &&
      cgroup_sees_pressure(cgroup, read_unreclaimable(dir)))
    *seen |= CGROUP_SAW_PRESSURE;
  return 0;
}

static int usage(struct cgroup *cgroup, struct cgroup_usage *result,
                 struct error **err)
{
  int cpu = cgroup->dirs[CONTROLLER_CPU];
  int memory = cgroup->dirs[CONTROLLER_MEMORY];
  int block = cgroup->dirs[CONTROLLER_BLKIO];
  const char *bytes = "blkio.throttle.io_service_bytes";
  *result = (struct cgroup_usage){
      .cpu_ns =
          cgroup_read_number(cgroup->dirs[CONTROLLER_CPUACCT], "cpuacct.usage"),
      .memory_peak_bytes =
          cgroup_read_number(memory, "memory.max_usage_in_bytes"),
      .throttled_ns = cgroup_read_key(cpu, "cpu.stat", "throttled_time"),
      .throttled_periods = cgroup_read_key(cpu, "cpu.stat", "nr_throttled"),
      .oom_kills = cgroup_read_key(memory, "memory.oom_control", "oom_kill"),
      .pids_refused =
          cgroup_read_key(cgroup->dirs[CONTROLLER_PIDS], "pids.events", "max"),
      .read_bytes = cgroup_read_sum(block, bytes, " Read "),
      .write_bytes = cgroup_read_sum(block, bytes, " Write "),
  };
  if (result->cpu_ns < 0)
    return error_make(err, EIO, "cpuacct.usage can't be read");
  return 0;
}

static bool has_process(const char *procs, pid_t pid)
{
  cleanup_free char *copy = xstrdup(procs);
  char *rest = copy;
  for (char *line = strsep(&rest, "\n"); line != NULL;
       line = strsep(&rest, "\n"))
    if (strtol(line, NULL, 10) == pid)
      return true;
  return false;
}

static char *read_procs(int dir)
{
  enum { PROCS_MAX_BYTES = 1 << 20 };
  cleanup_error struct error *ignored = NULL;
  char *text = NULL;
  size_t count;
  fd_read_file(dir, "cgroup.procs", PROCS_MAX_BYTES, &text, &count, &ignored);
  return text;
}

/* By pidfd, and only if the process is still in the group once it is held: the
 * number may belong to somebody else by then. */
static void kill_one(int dir, pid_t pid)
{
  cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (pidfd < 0)
    return;
  cleanup_free char *procs = read_procs(dir);
  if (procs != NULL && has_process(procs, pid))
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

/* In each tree, since a process may be on its way in. One that forks meanwhile
 * stays until the next time. */
static void kill_all(struct cgroup *cgroup)
{
  for (int i = 0; i < CONTROLLER_COUNT; i++) {
    cleanup_free char *procs =
        cgroup->parent_dirs[i] >= 0 ? read_procs(cgroup->dirs[i]) : NULL;
    char *rest = procs;
    for (char *line = strsep(&rest, "\n"); line != NULL;
         line = strsep(&rest, "\n")) {
      pid_t pid = (pid_t)strtol(line, NULL, 10);
      if (pid > 0)
        kill_one(cgroup->dirs[i], pid);
    }
  }
}

const struct cgroup_backend cgroup_v1 = {
    .source = "cgroup-v1",
    .entry = "tasks",
    .probe = probe,
    .open = open_group,
    .limit = limit,
    .watch = watch,
    .watch_read = watch_read,
    .usage = usage,
    .kill = kill_all,
};
