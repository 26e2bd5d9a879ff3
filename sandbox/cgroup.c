#include "config.h"

#include "sandbox/cgroup.h"

#include "base/clock.h"
#include "base/fd.h"
#include "sandbox/cgroup_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { REMOVE_WAIT_MS = 5000, REMOVE_PAUSE_MS = 1 };

static void release_env(struct cgroup_env *env)
{
  free(env->groups);
  free(env->mounts);
}

/* An env of our own for one call: `given` or the machine's, and read once. */
#define cleanup_env __attribute__((cleanup(release_env)))
static struct cgroup_env read_env(const struct cgroup_env *given)
{
  struct cgroup_env env = {.proc_dir = "/proc"};
  if (given != NULL)
    env = (struct cgroup_env){.proc_dir = given->proc_dir,
                              .real_root = given->real_root};
  else
    env.real_root = geteuid() == 0 && cgroup_in_first_userns(env.proc_dir);
  env.groups = cgroup_read_proc(env.proc_dir, "cgroup");
  env.mounts = cgroup_read_proc(env.proc_dir, "mountinfo");
  return env;
}

void cgroup_probe_release(struct cgroup_probe *probe)
{
  free(probe->detail);
  free(probe->why);
  free(probe->fix);
  *probe = (struct cgroup_probe){0};
}

/* A controller is in one hierarchy at a time (cgroups(7)): where a v1 tree has
 * one that is needed, the v2 tree beside it lacks it. */
static bool v1_has_controllers(const struct cgroup_env *env)
{
  for (int i = 0; i < CONTROLLER_BLKIO; i++) {
    cleanup_free char *dir = cgroup_own_dir(env, controller_names[i]);
    if (dir != NULL)
      return true;
  }
  return false;
}

static const struct cgroup_backend *pick(const struct cgroup_env *env,
                                         struct cgroup_probe *probe)
{
  const struct cgroup_backend *backend =
      v1_has_controllers(env) ? &cgroup_v1 : &cgroup_v2;
  backend->probe(env, probe);
  if (!probe->limits)
    backend = &cgroup_none;
  probe->source = backend->source;
  return backend;
}

void cgroup_probe(const struct cgroup_env *env, struct cgroup_probe *probe)
{
  cleanup_env struct cgroup_env machine = read_env(env);
  *probe = (struct cgroup_probe){0};
  pick(&machine, probe);
}

bool cgroup_name_is_good(const char *name)
{
  return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

struct cgroup *cgroup_new(const struct cgroup_backend *backend,
                          const char *name)
{
  struct cgroup *cgroup = xcalloc(1, sizeof *cgroup);
  cgroup->backend = backend;
  cgroup->name = xstrdup(name);
  for (int i = 0; i < CONTROLLER_COUNT; i++)
    cgroup->dirs[i] = cgroup->parent_dirs[i] = -1;
  cgroup->watch_fd = -1;
  return cgroup;
}

static struct cgroup *new_cgroup(const struct cgroup_env *env, const char *name,
                                 struct error **err)
{
  if (!cgroup_name_is_good(name)) {
    error_make(err, EINVAL, "\"%s\" can't name a cgroup", name);
    return NULL;
  }
  __attribute__((cleanup(cgroup_probe_release))) struct cgroup_probe probe = {
      0};
  return cgroup_new(pick(env, &probe), name);
}

void cgroup_forget(struct cgroup *cgroup)
{
  if (cgroup == NULL)
    return;
  for (int i = 0; i < CONTROLLER_COUNT; i++) {
    fd_close(&cgroup->dirs[i]);
    fd_close(&cgroup->parent_dirs[i]);
  }
  fd_close(&cgroup->watch_fd);
  free(cgroup->name);
  free(cgroup);
}

int cgroup_create(const struct cgroup_env *env, const char *name,
                  const struct limits *limits, struct cgroup **result,
                  struct error **err)
{
  cleanup_env struct cgroup_env machine = read_env(env);
  struct cgroup *cgroup = new_cgroup(&machine, name, err);
  if (cgroup == NULL)
    return -1;
  const struct cgroup_backend *backend = cgroup->backend;
  cgroup->memory_bytes = limits->memory_bytes;
  if (backend->open(&machine, cgroup, true, err) == 0 &&
      backend->limit(cgroup, limits, err) == 0) {
    *result = cgroup;
    return 0;
  }
  cleanup_error struct error *second = NULL;
  cgroup_destroy(cgroup, &second);
  return error_wrap(err, "%s", backend->source);
}

int cgroup_open_entry(const struct cgroup *cgroup, int fds[CGROUP_ENTRY_FDS],
                      struct error **err)
{
  int count = 0;
  for (int i = 0; i < CONTROLLER_COUNT; i++) {
    if (cgroup->parent_dirs[i] < 0)
      continue;
    fds[count] =
        openat(cgroup->dirs[i], cgroup->backend->entry, O_WRONLY | O_CLOEXEC);
    if (fds[count] < 0) {
      error_errno(err, "open %s of the cgroup", cgroup->backend->entry);
      while (count > 0)
        fd_close(&fds[--count]);
      return -1;
    }
    count++;
  }
  return count;
}

int cgroup_watch(struct cgroup *cgroup, struct error **err)
{
  return cgroup->backend->watch(cgroup, err);
}

const char *cgroup_source(const struct cgroup *cgroup)
{
  return cgroup->backend->source;
}

bool cgroup_limits(const struct cgroup *cgroup)
{
  return cgroup->backend != &cgroup_none;
}

int cgroup_usage(struct cgroup *cgroup, struct cgroup_usage *usage,
                 struct error **err)
{
  return cgroup->backend->usage(cgroup, usage, err);
}

size_t cgroup_watch_fds(const struct cgroup *cgroup, int fds[CGROUP_WATCH_FDS])
{
  if (cgroup->watch_fd < 0)
    return 0;
  fds[0] = cgroup->watch_fd;
  return 1;
}

/* Takes the count out of an eventfd or the events out of an inotify. */
static void drain(int fd)
{
  char events[4096];
  while (read(fd, events, sizeof events) > 0)
    continue;
}

int cgroup_watch_read(struct cgroup *cgroup, unsigned *seen, struct error **err)
{
  *seen = 0;
  if (cgroup->watch_fd >= 0)
    drain(cgroup->watch_fd);
  return cgroup->backend->watch_read(cgroup, seen, err);
}

/* What was killed leaves its group a moment later: until then rmdir says EBUSY,
 * and nothing can be waited on that v1 has too. */
static int remove_dir(struct cgroup *cgroup, int slot, int64_t deadline_ns,
                      struct error **err)
{
  struct timespec pause = {.tv_nsec = REMOVE_PAUSE_MS * NS_PER_MS};
  while (unlinkat(cgroup->parent_dirs[slot], cgroup->name, AT_REMOVEDIR) < 0) {
    if (errno == ENOENT)
      return 0;
    if (errno != EBUSY || clock_monotonic_ns() > deadline_ns)
      return error_errno(err, "remove the cgroup wafer/%s (%s)", cgroup->name,
                         controller_names[slot]);
    cgroup->backend->kill(cgroup);
    nanosleep(&pause, NULL);
  }
  return 0;
}

int cgroup_destroy(struct cgroup *cgroup, struct error **err)
{
  int result = 0;
  if (cgroup == NULL)
    return 0;
  int64_t deadline_ns =
      clock_monotonic_ns() + (int64_t)REMOVE_WAIT_MS * NS_PER_MS;
  for (int i = 0; i < CONTROLLER_COUNT; i++) {
    cleanup_error struct error *later = NULL;
    if (cgroup->parent_dirs[i] >= 0 &&
        remove_dir(cgroup, i, deadline_ns, result == 0 ? err : &later) < 0)
      result = -1;
  }
  cgroup_forget(cgroup);
  return result;
}

static bool is_there(const struct cgroup *cgroup)
{
  for (int i = 0; i < CONTROLLER_COUNT; i++)
    if (cgroup->dirs[i] >= 0)
      return true;
  return false;
}

int cgroup_usage_by_name(const struct cgroup_env *env, const char *name,
                         struct cgroup_usage *usage, const char **source,
                         struct error **err)
{
  cleanup_env struct cgroup_env machine = read_env(env);
  struct cgroup *cgroup = new_cgroup(&machine, name, err);
  if (cgroup == NULL)
    return -1;
  int result = cgroup->backend->open(&machine, cgroup, false, err);
  if (result == 0 && !is_there(cgroup))
    result = error_make(err, ENOENT, "there is no cgroup wafer/%s", name);
  if (result == 0)
    result = cgroup->backend->usage(cgroup, usage, err);
  *source = cgroup->backend->source;
  cgroup_forget(cgroup);
  return result;
}

int cgroup_remove_by_name(const struct cgroup_env *env, const char *name,
                          struct error **err)
{
  cleanup_env struct cgroup_env machine = read_env(env);
  struct cgroup *cgroup = new_cgroup(&machine, name, err);
  if (cgroup == NULL)
    return -1;
  if (cgroup->backend->open(&machine, cgroup, false, err) < 0) {
    cleanup_error struct error *second = NULL;
    cgroup_destroy(cgroup, &second);
    return -1;
  }
  return cgroup_destroy(cgroup, err);
}

/* v1 may have two controllers in one tree ("cpu,cpuacct"). */
static int slot_of_tree(const struct cgroup *cgroup, int parent_dir)
{
  struct stat wanted, other;
  if (fstat(parent_dir, &wanted) < 0)
    return -1;
  for (int i = 0; i < CONTROLLER_COUNT; i++)
    if (cgroup->parent_dirs[i] >= 0 &&
        fstat(cgroup->parent_dirs[i], &other) == 0 &&
        other.st_dev == wanted.st_dev && other.st_ino == wanted.st_ino)
      return i;
  return -1;
}

/* The parent is noted only for a folder that was there to open, or that we have
 * made: what somebody else has is not removed afterwards. */
static int open_below(struct cgroup *cgroup, int slot, int *parent_dir,
                      bool make, struct error **err)
{
  const char *name = cgroup->name;
  int shared = slot_of_tree(cgroup, *parent_dir);
  if (shared >= 0) {
    cgroup->dirs[slot] = fcntl(cgroup->dirs[shared], F_DUPFD_CLOEXEC, 0);
    return cgroup->dirs[slot] < 0 ? error_errno(err, "wafer/%s", name) : 0;
  }
  if (make && mkdirat(*parent_dir, name, 0755) < 0)
    return error_errno(err, "make the cgroup wafer/%s (%s)", name,
                       controller_names[slot]);
  cgroup->dirs[slot] = openat(*parent_dir, name,
                              O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (cgroup->dirs[slot] < 0 && !make && errno == ENOENT)
    return 0;
  cgroup->parent_dirs[slot] = steal_fd(parent_dir);
  if (cgroup->dirs[slot] < 0)
    return error_errno(err, "open the cgroup wafer/%s (%s)", name,
                       controller_names[slot]);
  return 0;
}

int cgroup_open_dir(struct cgroup *cgroup, enum controller slot,
                    const char *parent, bool make, struct error **err)
{
  int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
  cleanup_fd int top = open(parent, flags);
  if (top < 0)
    return error_errno(err, "open %s", parent);
  if (make && mkdirat(top, "wafer", 0755) < 0 && errno != EEXIST)
    return error_errno(err, "make %s/wafer", parent);
  cleanup_fd int ours = openat(top, "wafer", flags);
  if (ours < 0 && !make && errno == ENOENT)
    return 0;
  if (ours < 0)
    return error_errno(err, "open %s/wafer", parent);
  return open_below(cgroup, (int)slot, &ours, make, err);
}

uint64_t cgroup_pressure_bytes(const struct cgroup *cgroup)
{
  return cgroup->memory_bytes / 100 * 95;
}

bool cgroup_sees_pressure(struct cgroup *cgroup, int64_t unreclaimable_bytes)
{
  uint64_t slack = cgroup->memory_bytes / 100;
  if (cgroup->pressure_seen || unreclaimable_bytes < 0 ||
      (uint64_t)unreclaimable_bytes < cgroup_pressure_bytes(cgroup) - slack)
    return false;
  cgroup->pressure_seen = true;
  return true;
}

bool cgroup_sees_oom(struct cgroup *cgroup, int64_t oom_kills)
{
  if (oom_kills <= cgroup->oom_kills_seen)
    return false;
  cgroup->oom_kills_seen = oom_kills;
  return true;
}
