#include "config.h"

#include "sandbox/cgroup_backend.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* v2: one tree (Documentation/admin-guide/cgroup-v2.rst). A group with
 * controllers for its children may hold no process itself, the root excepted:
 * so where our parent is the group that we stand in, we move into a leaf of it
 * first. */

enum { PERIOD_US = 100000 };

#define OWN_LEAF "wafer-host"

static const char *const needed[] = {"cpu", "memory", "pids"};

/* Real root takes the tree's root, which is exempt from the rule above; anybody
 * else the group that he was given. */
static char *parent_dir(const struct cgroup_env *env)
{
  char *dir =
      env->real_root ? cgroup_mount_dir(env, "") : cgroup_own_dir(env, "");
  char *leaf = dir != NULL ? strrchr(dir, '/') : NULL;
  if (leaf != NULL && strcmp(leaf, "/" OWN_LEAF) == 0)
    *leaf = '\0';
  return dir;
}

static bool has_word(const char *text, const char *word)
{
  size_t length = strlen(word);
  for (const char *at = strstr(text, word); at != NULL;
       at = strstr(at + 1, word))
    if ((at == text || at[-1] == ' ') &&
        strchr(" \n", at[length]) != NULL) /* the text's end as well */
      return true;
  return false;
}

/* Names the first of the needed controllers that `dir` lacks, or NULL. */
static const char *lacks(const char *dir, const char *file)
{
  enum { MAX_BYTES = 4096 };
  cleanup_free char *path = xasprintf("%s/%s", dir, file);
  cleanup_free char *text = NULL;
  cleanup_error struct error *ignored = NULL;
  size_t count;
  if (fd_read_file(AT_FDCWD, path, MAX_BYTES, &text, &count, &ignored) < 0)
    return needed[0];
  for (size_t i = 0; i < ARRAY_LENGTH(needed); i++)
    if (!has_word(text, needed[i]))
      return needed[i];
  return NULL;
}

static bool is_ours(const char *dir)
{
  cleanup_free char *procs = xasprintf("%s/cgroup.procs", dir);
  cleanup_free char *control = xasprintf("%s/cgroup.subtree_control", dir);
  return access(dir, W_OK) == 0 && access(procs, W_OK) == 0 &&
         access(control, W_OK) == 0;
}

static void probe(const struct cgroup_env *env, struct cgroup_probe *found)
{
  cleanup_free char *dir = parent_dir(env);
  if (dir == NULL) {
    found->why = xstrdup("no cgroup tree is mounted");
    found->fix = xstrdup("mount -t cgroup2 none /sys/fs/cgroup");
    return;
  }
  const char *lacking = lacks(dir, "cgroup.controllers");
  if (lacking != NULL) {
    found->why = xasprintf("%s hasn't the %s controller", dir, lacking);
    found->fix = xstrdup("run as root, or in a delegated scope: systemd-run "
                         "--user --scope -p Delegate=yes wafer run …");
    return;
  }
  found->detail = xstrdup("v2: cpu, memory, pids, io");
  if (!is_ours(dir)) {
    found->why = xasprintf("%s isn't delegated to this user", dir);
    found->fix = xstrdup("run as root, or in a delegated scope: systemd-run "
                         "--user --scope -p Delegate=yes wafer run …");
    return;
  }
  found->limits = true;
}

/* Moves the calling process into a leaf of its own group, so that the group may
 * have controllers. Others that stand there keep it from having them: then the
 * next write says EBUSY. */
static int step_aside(const char *parent, struct error **err)
{
  cleanup_fd int dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0 || (mkdirat(dir, OWN_LEAF, 0755) < 0 && errno != EEXIST))
    return error_errno(err, "make %s/" OWN_LEAF, parent);
  char pid[16];
  snprintf(pid, sizeof pid, "%d", getpid());
  return fd_write_file(dir, OWN_LEAF "/cgroup.procs", pid, err);
}

static int enable(const char *dir, struct error **err)
{
  if (lacks(dir, "cgroup.subtree_control") == NULL)
    return 0;
  cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return error_errno(err, "open %s", dir);
  if (fd_write_file(fd, "cgroup.subtree_control", "+cpu +memory +pids", err) <
      0)
    return error_wrap(err, "%s", dir);
  /* For the bytes read and written alone: it may be missing. */
  cleanup_error struct error *ignored = NULL;
  fd_write_file(fd, "cgroup.subtree_control", "+io", &ignored);
  return 0;
}

static int enable_all(const char *parent, struct error **err)
{
  cleanup_error struct error *first = NULL;
  if (enable(parent, &first) < 0) {
    if (first->code != EBUSY) {
      *err = steal_pointer(&first);
      return -1;
    }
    if (step_aside(parent, err) < 0 || enable(parent, err) < 0)
      return -1;
  }
  cleanup_free char *ours = xasprintf("%s/wafer", parent);
  if (mkdir(ours, 0755) < 0 && errno != EEXIST)
    return error_errno(err, "make %s", ours);
  return enable(ours, err);
}

static int open_group(const struct cgroup_env *env, struct cgroup *cgroup,
                      bool make, struct error **err)
{
  cleanup_free char *parent = parent_dir(env);
  if (parent == NULL)
    return error_make(err, ENOENT, "no cgroup v2 tree is mounted");
  if (make && enable_all(parent, err) < 0)
    return -1;
  return cgroup_open_dir(cgroup, CONTROLLER_CPU, parent, make, err);
}

/* No cpu.max.burst: what a job saved up would let its first second pass the
 * share that it pays for. A kernel without swap has no memory.swap.max. */
static int limit(struct cgroup *cgroup, const struct limits *limits,
                 struct error **err)
{
  int dir = cgroup->dirs[CONTROLLER_CPU];
  char cpu[48], memory[24], high[24], pids[24];
  snprintf(cpu, sizeof cpu, "%u %d", limits->cpu_milli * (PERIOD_US / 1000),
           PERIOD_US);
  snprintf(memory, sizeof memory, "%" PRIu64, limits->memory_bytes);
  snprintf(high, sizeof high, "%" PRIu64, limits->memory_bytes / 100 * 95);
  snprintf(pids, sizeof pids, "%u", limits->pids_max);
  if (fd_write_file(dir, "cpu.max", cpu, err) < 0 ||
      fd_write_file(dir, "memory.max", memory, err) < 0 ||
      fd_write_file(dir, "memory.high", high, err) < 0 ||
      fd_write_file(dir, "memory.oom.group", "1", err) < 0 ||
      fd_write_file(dir, "pids.max", pids, err) < 0)
    return -1;
  if (faccessat(dir, "memory.swap.max", F_OK, 0) != 0)
    return 0;
  return fd_write_file(dir, "memory.swap.max", "0", err);
}

static int watch(struct cgroup *cgroup, struct error **err)
{
  char path[48];
  snprintf(path, sizeof path, "/proc/self/fd/%d/memory.events",
           cgroup->dirs[CONTROLLER_CPU]);
  cgroup->watch_fds[0] = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (cgroup->watch_fds[0] < 0 ||
      inotify_add_watch(cgroup->watch_fds[0], path, IN_MODIFY) < 0)
    return error_errno(err, "watch memory.events");
  return 0;
}

/* Past memory.high the kernel slows a job down that has nothing to give back;
 * once its stack was asked for, it may go on to its limit. */
static int watch_read(struct cgroup *cgroup, unsigned *seen, struct error **err)
{
  int dir = cgroup->dirs[CONTROLLER_CPU];
  int64_t kills = cgroup_read_key(dir, "memory.events", "oom_kill");
  if (kills > cgroup->oom_kills_seen) {
    cgroup->oom_kills_seen = kills;
    *seen |= CGROUP_SAW_OOM;
  }
  int64_t anonymous = cgroup_read_key(dir, "memory.stat", "anon");
  int64_t shared = cgroup_read_key(dir, "memory.stat", "shmem");
  int64_t kernel = cgroup_read_key(dir, "memory.stat", "kernel");
  int64_t all =
      anonymous + (shared > 0 ? shared : 0) + (kernel > 0 ? kernel : 0);
  /* The kernel holds a job at memory.high, so it may never quite reach it. */
  int64_t slack = (int64_t)(cgroup->memory_bytes / 100);
  if (!cgroup_sees_pressure(cgroup, all + slack))
    return 0;
  *seen |= CGROUP_SAW_PRESSURE;
  return fd_write_file(dir, "memory.high", "max", err);
}

static int usage(struct cgroup *cgroup, struct cgroup_usage *result,
                 struct error **err)
{
  int dir = cgroup->dirs[CONTROLLER_CPU];
  int64_t cpu_us = cgroup_read_key(dir, "cpu.stat", "usage_usec");
  int64_t throttled_us = cgroup_read_key(dir, "cpu.stat", "throttled_usec");
  if (cpu_us < 0)
    return error_make(err, EIO, "cpu.stat can't be read");
  *result = (struct cgroup_usage){
      .cpu_ns = cpu_us * 1000,
      /* memory.peak is of Linux 5.19. */
      .memory_peak_bytes = cgroup_read_number(dir, "memory.peak"),
      .throttled_ns = throttled_us >= 0 ? throttled_us * 1000 : -1,
      .throttled_periods = cgroup_read_key(dir, "cpu.stat", "nr_throttled"),
      .oom_kills = cgroup_read_key(dir, "memory.events", "oom_kill"),
      .read_bytes = cgroup_read_sum(dir, "io.stat", " rbytes="),
      .write_bytes = cgroup_read_sum(dir, "io.stat", " wbytes="),
  };
  return 0;
}

/* cgroup.kill is of Linux 5.14, like much else that wafer needs. */
static int kill_all(struct cgroup *cgroup, struct error **err)
{
  int dir = cgroup->dirs[CONTROLLER_CPU];
  return dir < 0 ? 0 : fd_write_file(dir, "cgroup.kill", "1", err);
}

const struct cgroup_backend cgroup_v2 = {
    .source = "cgroup-v2",
    .entry = "cgroup.procs",
    .probe = probe,
    .open = open_group,
    .limit = limit,
    .watch = watch,
    .watch_read = watch_read,
    .usage = usage,
    .kill = kill_all,
};
