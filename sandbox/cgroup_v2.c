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
  char *dir = env->real_root ? cgroup_root_dir(env, "") : NULL;
  if (dir == NULL)
    dir = cgroup_own_dir(env, "");
  char *leaf = dir != NULL ? strrchr(dir, '/') : NULL;
  if (leaf != NULL && strcmp(leaf, "/" OWN_LEAF) == 0)
    *leaf = '\0';
  return dir;
}

/* The one line of a file of controllers; NULL where it can't be read. */
static char *read_controllers(const char *dir, const char *file)
{
  enum { MAX_BYTES = 4096 };
  cleanup_free char *path = xasprintf("%s/%s", dir, file);
  cleanup_error struct error *ignored = NULL;
  char *text = NULL;
  size_t count;
  fd_read_file(AT_FDCWD, path, MAX_BYTES, &text, &count, &ignored);
  return text;
}

/* Names the first of the needed controllers that isn't there, or NULL. */
static const char *find_lacking(const char *controllers)
{
  for (size_t i = 0; i < ARRAY_LENGTH(needed); i++)
    if (controllers == NULL || !cgroup_has_word(controllers, needed[i]))
      return needed[i];
  return NULL;
}

static bool is_writable(const char *dir)
{
  cleanup_free char *procs = xasprintf("%s/cgroup.procs", dir);
  cleanup_free char *control = xasprintf("%s/cgroup.subtree_control", dir);
  return access(dir, W_OK) == 0 && access(procs, W_OK) == 0 &&
         access(control, W_OK) == 0;
}

/* See cgroup_scope.h. */
static bool is_asked_for(const char *dir)
{
  const char *name = strrchr(dir, '/');
  const char *dot = strrchr(dir, '.');
  return name != NULL && strncmp(name, "/wafer-", 7) == 0 && dot > name &&
         strcmp(dot, ".scope") == 0;
}

static void probe(const struct cgroup_env *env, struct cgroup_probe *found)
{
  cleanup_free char *dir = parent_dir(env);
  if (dir == NULL) {
    found->why = xstrdup("no cgroup tree is in sight");
    found->fix = xstrdup("as root: mount -t cgroup2 none /sys/fs/cgroup");
    return;
  }
  cleanup_free char *controllers = read_controllers(dir, "cgroup.controllers");
  bool has_io = controllers != NULL && cgroup_has_word(controllers, "io");
  const char *lacking = find_lacking(controllers);
  found->detail =
      xasprintf("v2: cpu, memory, pids%s%s", has_io ? ", io" : "",
                is_asked_for(dir) ? ", in a scope made by systemd" : "");
  found->limits = lacking == NULL && is_writable(dir);
  if (found->limits)
    return;
  if (lacking != NULL)
    found->why = xasprintf("%s hasn't the %s controller", dir, lacking);
  else
    found->why = xasprintf("%s isn't this user's to write", dir);
  if (env->real_root)
    found->fix = xstrdup("a kernel with that controller (cgroup_enable=memory "
                         "at boot), and in a container a writable "
                         "/sys/fs/cgroup");
  else
    found->fix = xstrdup("have a systemd user manager (as root: loginctl "
                         "enable-linger USER), or run wafer as root (sudo)");
  found->scope_would_do = !env->real_root;
}

/* Moves what stands in our own group into a leaf of it, so that the group may
 * have controllers. All of it: whoever is in a group that was delegated to us
 * (the shell that started us) is ours to move, and one that stays would keep
 * the group from having them. */
static int step_aside(const char *parent, struct error **err)
{
  enum { PROCS_MAX_BYTES = 1 << 20 };
  cleanup_free char *procs = NULL;
  size_t count;
  cleanup_fd int dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0 || (mkdirat(dir, OWN_LEAF, 0755) < 0 && errno != EEXIST))
    return error_errno(err, "make %s/" OWN_LEAF, parent);
  if (fd_read_file(dir, "cgroup.procs", PROCS_MAX_BYTES, &procs, &count, err) <
      0)
    return -1;
  char *rest = procs;
  for (char *pid = strsep(&rest, "\n"); pid != NULL && pid[0] != '\0';
       pid = strsep(&rest, "\n")) {
    cleanup_error struct error *failed = NULL;
    if (fd_write_file(dir, OWN_LEAF "/cgroup.procs", pid, &failed) < 0 &&
        failed->code != ESRCH) {
      *err = steal_pointer(&failed);
      return -1;
    }
  }
  return 0;
}

/* Gives the groups below `dir` their controllers. */
static int enable(const char *dir, struct error **err)
{
  cleanup_free char *enabled = read_controllers(dir, "cgroup.subtree_control");
  cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return error_errno(err, "open %s", dir);
  if (find_lacking(enabled) != NULL &&
      fd_write_file(fd, "cgroup.subtree_control", "+cpu +memory +pids", err) <
          0)
    return error_wrap(err, "%s", dir);
  /* For the bytes read and written alone: it may be missing. */
  cleanup_error struct error *ignored = NULL;
  if (enabled == NULL || !cgroup_has_word(enabled, "io"))
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
      return error_wrap(err, "processes stand in %s", parent);
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
    return error_make(err, ENOENT, "no cgroup v2 tree is in sight");
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
  snprintf(cpu, sizeof cpu, "%" PRIu64 " %d",
           (uint64_t)limits->cpu_milli * PERIOD_US / 1000, PERIOD_US);
  snprintf(memory, sizeof memory, "%" PRIu64, limits->memory_bytes);
  snprintf(high, sizeof high, "%" PRIu64, cgroup_pressure_bytes(cgroup));
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

/* The kernel tells of changes of this file by inotify (cgroup-v2.rst,
 * "memory.events"), at most once in 10 ms. */
static int watch(struct cgroup *cgroup, struct error **err)
{
  char path[48];
  snprintf(path, sizeof path, "/proc/self/fd/%d/memory.events",
           cgroup->dirs[CONTROLLER_CPU]);
  cgroup->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (cgroup->watch_fd < 0 ||
      inotify_add_watch(cgroup->watch_fd, path, IN_MODIFY) < 0)
    return error_errno(err, "watch memory.events");
  return 0;
}

/* "kernel" (Linux 5.18) has all of the kernel's, pages of pipes too, which no
 * other key counts; and slab pages that can be reclaimed. */
static int64_t read_unreclaimable(int dir)
{
  static const char *const all[] = {"anon", "shmem", "sock", "kernel", NULL};
  static const char *const parts[] = {
      "anon", "shmem",   "kernel_stack",       "pagetables", "percpu",
      "sock", "vmalloc", "slab_unreclaimable", NULL,
  };
  if (cgroup_read_key(dir, "memory.stat", "kernel") < 0)
    return cgroup_read_keys(dir, "memory.stat", parts);
  int64_t reclaimable = cgroup_read_key(dir, "memory.stat", "slab_reclaimable");
  int64_t held = cgroup_read_keys(dir, "memory.stat", all);
  return reclaimable > 0 && reclaimable < held ? held - reclaimable : held;
}

/* Past memory.high the kernel slows a job down that has nothing to give back;
 * once its stack was asked for, it may go on to its limit. */
static int watch_read(struct cgroup *cgroup, unsigned *seen, struct error **err)
{
  int dir = cgroup->dirs[CONTROLLER_CPU];
  if (cgroup_sees_oom(cgroup,
                      cgroup_read_key(dir, "memory.events", "oom_kill")))
    *seen |= CGROUP_SAW_OOM;
  if (cgroup->pressure_seen ||
      !cgroup_sees_pressure(cgroup, read_unreclaimable(dir)))
    return 0;
  *seen |= CGROUP_SAW_PRESSURE;
  return fd_write_file(dir, "memory.high", "max", err);
}

/* -1 stays -1. */
static int64_t ns_of_us(int64_t us)
{
  int64_t ns;
  return us < 0 || __builtin_mul_overflow(us, 1000, &ns) ? -1 : ns;
}

static int usage(struct cgroup *cgroup, struct cgroup_usage *result,
                 struct error **err)
{
  int dir = cgroup->dirs[CONTROLLER_CPU];
  int64_t cpu_us = cgroup_read_key(dir, "cpu.stat", "usage_usec");
  if (cpu_us < 0)
    return error_make(err, EIO, "cpu.stat can't be read");
  *result = (struct cgroup_usage){
      .cpu_ns = ns_of_us(cpu_us),
      /* memory.peak is of Linux 5.19. */
      .memory_peak_bytes = cgroup_read_number(dir, "memory.peak"),
      .throttled_ns =
          ns_of_us(cgroup_read_key(dir, "cpu.stat", "throttled_usec")),
      .throttled_periods = cgroup_read_key(dir, "cpu.stat", "nr_throttled"),
      .oom_kills = cgroup_read_key(dir, "memory.events", "oom_kill"),
      .pids_refused = cgroup_read_key(dir, "pids.events", "max"),
      .read_bytes = cgroup_read_sum(dir, "io.stat", " rbytes="),
      .write_bytes = cgroup_read_sum(dir, "io.stat", " wbytes="),
  };
  return 0;
}

/* cgroup.kill is of Linux 5.14, like much else that wafer needs. */
static void kill_all(struct cgroup *cgroup)
{
  cleanup_error struct error *ignored = NULL;
  if (cgroup->dirs[CONTROLLER_CPU] >= 0)
    fd_write_file(cgroup->dirs[CONTROLLER_CPU], "cgroup.kill", "1", &ignored);
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
