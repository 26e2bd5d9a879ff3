#include "config.h"

#include "sandbox/cgroup.h"

#include "base/clock.h"
#include "base/fd.h"
#include "sandbox/cgroup_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { REMOVE_WAIT_MS = 5000, FILE_MAX_BYTES = 1 << 20 };

static const struct cgroup_env *machine(void)
{
  static struct cgroup_env env = {.proc_dir = "/proc"};
  env.real_root = geteuid() == 0;
  return &env;
}

void cgroup_probe_release(struct cgroup_probe *probe)
{
  free(probe->detail);
  free(probe->why);
  free(probe->fix);
  *probe = (struct cgroup_probe){0};
}

/* v1 is asked first: where it holds the controllers, a v2 tree beside it (a
 * hybrid system) has none. The first that can limit is taken; where none can,
 * the last one's reason is the most useful. */
static const struct cgroup_backend *pick(const struct cgroup_env *env,
                                         struct cgroup_probe *probe)
{
  static const struct cgroup_backend *const backends[] = {&cgroup_v1,
                                                          &cgroup_v2};
  for (size_t i = 0; i < ARRAY_LENGTH(backends); i++) {
    struct cgroup_probe found = {.source = backends[i]->source};
    backends[i]->probe(env, &found);
    bool better = found.limits || probe->why == NULL || found.detail != NULL;
    if (better) {
      cgroup_probe_release(probe);
      *probe = found;
    } else {
      cgroup_probe_release(&found);
    }
    if (probe->limits)
      return backends[i];
  }
  probe->source = cgroup_none.source;
  return &cgroup_none;
}

void cgroup_probe(const struct cgroup_env *env, struct cgroup_probe *probe)
{
  *probe = (struct cgroup_probe){0};
  pick(env != NULL ? env : machine(), probe);
}

static const struct cgroup_backend *backend_of(const struct cgroup_env *env)
{
  struct cgroup_probe probe = {0};
  const struct cgroup_backend *backend = pick(env, &probe);
  cgroup_probe_release(&probe);
  return backend;
}

static struct cgroup *new_cgroup(const struct cgroup_env *env, const char *name)
{
  struct cgroup *cgroup = xcalloc(1, sizeof *cgroup);
  cgroup->backend = backend_of(env);
  cgroup->name = xstrdup(name);
  for (int i = 0; i < CONTROLLER_COUNT; i++)
    cgroup->dirs[i] = cgroup->parent_dirs[i] = -1;
  for (int i = 0; i < CGROUP_WATCH_FDS; i++)
    cgroup->watch_fds[i] = -1;
  return cgroup;
}

static void free_cgroup(struct cgroup *cgroup)
{
  for (int i = 0; i < CONTROLLER_COUNT; i++) {
    fd_close(&cgroup->dirs[i]);
    fd_close(&cgroup->parent_dirs[i]);
  }
  for (int i = 0; i < CGROUP_WATCH_FDS; i++)
    fd_close(&cgroup->watch_fds[i]);
  free(cgroup->name);
  free(cgroup);
}

int cgroup_create(const struct cgroup_env *env, const char *name,
                  const struct limits *limits, struct cgroup **result,
                  struct error **err)
{
  struct cgroup *cgroup = new_cgroup(env != NULL ? env : machine(), name);
  const struct cgroup_backend *backend = cgroup->backend;
  cgroup->memory_bytes = limits->memory_bytes;
  if (backend->open(env != NULL ? env : machine(), cgroup, true, err) == 0 &&
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
    if (cgroup->dirs[i] < 0)
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
  size_t count = 0;
  for (int i = 0; i < CGROUP_WATCH_FDS; i++)
    if (cgroup->watch_fds[i] >= 0)
      fds[count++] = cgroup->watch_fds[i];
  return count;
}

int cgroup_watch_read(struct cgroup *cgroup, unsigned *seen, struct error **err)
{
  *seen = 0;
  for (int i = 0; i < CGROUP_WATCH_FDS; i++)
    if (cgroup->watch_fds[i] >= 0)
      cgroup_drain(cgroup->watch_fds[i]);
  return cgroup->backend->watch_read(cgroup, seen, err);
}

/* A killed process leaves its group a moment later: until then rmdir says
 * EBUSY, and nothing can be waited on that v1 has too. */
static int remove_dir(struct cgroup *cgroup, int slot, struct error **err)
{
  struct timespec pause = {.tv_nsec = NS_PER_MS};
  int64_t deadline_ns =
      clock_monotonic_ns() + (int64_t)REMOVE_WAIT_MS * NS_PER_MS;
  while (unlinkat(cgroup->parent_dirs[slot], cgroup->name, AT_REMOVEDIR) < 0) {
    if (errno == ENOENT)
      return 0;
    if (errno != EBUSY || clock_monotonic_ns() > deadline_ns)
      return error_errno(err, "remove the cgroup wafer/%s (%s)", cgroup->name,
                         controller_names[slot]);
    nanosleep(&pause, NULL);
  }
  return 0;
}

int cgroup_destroy(struct cgroup *cgroup, struct error **err)
{
  int result = 0;
  if (cgroup == NULL)
    return 0;
  cleanup_error struct error *kill_error = NULL;
  cgroup->backend->kill(cgroup, &kill_error);
  for (int i = 0; i < CONTROLLER_COUNT && result == 0; i++)
    if (cgroup->parent_dirs[i] >= 0)
      result = remove_dir(cgroup, i, err);
  free_cgroup(cgroup);
  return result;
}

int cgroup_usage_by_name(const struct cgroup_env *env, const char *name,
                         struct cgroup_usage *usage, const char **source,
                         struct error **err)
{
  if (env == NULL)
    env = machine();
  struct cgroup *cgroup = new_cgroup(env, name);
  int result = cgroup->backend->open(env, cgroup, false, err);
  if (result == 0)
    result = cgroup->backend->usage(cgroup, usage, err);
  *source = cgroup->backend->source;
  free_cgroup(cgroup);
  return result;
}

int cgroup_remove_by_name(const struct cgroup_env *env, const char *name,
                          struct error **err)
{
  if (env == NULL)
    env = machine();
  struct cgroup *cgroup = new_cgroup(env, name);
  cleanup_error struct error *not_there = NULL;
  cgroup->backend->open(env, cgroup, false, &not_there);
  return cgroup_destroy(cgroup, err);
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
  cgroup->parent_dirs[slot] = openat(top, "wafer", flags);
  if (cgroup->parent_dirs[slot] < 0)
    return error_errno(err, "open %s/wafer", parent);
  int dir = cgroup->parent_dirs[slot];
  if (make && mkdirat(dir, cgroup->name, 0755) < 0)
    return error_errno(err, "make %s/wafer/%s", parent, cgroup->name);
  cgroup->dirs[slot] = openat(dir, cgroup->name, flags);
  if (cgroup->dirs[slot] < 0)
    return error_errno(err, "open %s/wafer/%s", parent, cgroup->name);
  return 0;
}

void cgroup_drain(int fd)
{
  char events[4096];
  while (read(fd, events, sizeof events) > 0)
    continue;
}

bool cgroup_sees_pressure(struct cgroup *cgroup, int64_t unreclaimable_bytes)
{
  if (cgroup->pressure_seen || unreclaimable_bytes < 0 ||
      (uint64_t)unreclaimable_bytes < cgroup->memory_bytes / 100 * 95)
    return false;
  cgroup->pressure_seen = true;
  return true;
}
