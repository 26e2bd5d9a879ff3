/* Control groups: the wall around what a job uses, and the meter beside it.
 *
 *   cgroup_create → cgroup_open_entry → (cgroup_watch_*, cgroup_usage) →
 *   cgroup_destroy
 *
 * There are three backends behind one face: v2 (unified), v1 (hybrid trees
 * too) and none, for where nothing can be had. Which one is found out when it
 * is asked for, from the mounted file systems, never when the program is built
 * (Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/ of the kernel).
 *
 * Where a group goes: v1, below the caller's own group of each controller; v2,
 * for real root below the tree's root, for anybody else below his own group,
 * which must be delegated to him (cgroup_scope.h may get him one). There it is
 * "wafer/NAME"; the folder "wafer" stays. So a group is found again by its name
 * only from where it was made. */
#ifndef WAFER_SANDBOX_CGROUP_H
#define WAFER_SANDBOX_CGROUP_H

#include "base/error.h"
#include "sandbox/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where to look; tests point it at a folder of their own. NULL in place of one
 * means the machine's. */
struct cgroup_env {
  const char *proc_dir; /* "/proc": of it, self/cgroup and self/mountinfo */
  bool real_root;       /* root in the first user namespace */
  /* The texts of the two, once the module has read them; NULL before. Both are
   * looked at for each controller. */
  char *groups;
  char *mounts;
};

struct cgroup;

/* Seen from outside the job; -1 where the backend can't tell. */
struct cgroup_usage {
  int64_t cpu_ns;
  int64_t memory_peak_bytes; /* page cache included */
  int64_t throttled_ns;
  int64_t throttled_periods;
  int64_t oom_kills;
  int64_t pids_refused; /* forks and threads, since the cap was met */
  int64_t read_bytes;
  int64_t write_bytes;
};

/* What a probe found. The struct owns its texts. `detail` is NULL where no tree
 * is in sight; `why` and `fix` where there is a backend that limits. */
struct cgroup_probe {
  const char *source; /* "cgroup-v1", "cgroup-v2" or "none"; static */
  bool limits;
  bool scope_would_do; /* it doesn't, and would in a delegated group: v2 */
  char *detail;        /* "v1: cpu, cpuacct, memory, pids" */
  char *why;
  char *fix;
};

/* Looks; makes and changes nothing. */
void cgroup_probe(const struct cgroup_env *env, struct cgroup_probe *probe);
void cgroup_probe_release(struct cgroup_probe *probe);

/* Makes the group `name` with its limits: CPU (a hard quota), memory without
 * swap, processes. With the backend none it succeeds and limits nothing. A name
 * is a file name, not a path, and doesn't begin with a dot: else EINVAL; EEXIST
 * where the group is there already, which is then left alone. */
int cgroup_create(const struct cgroup_env *env, const char *name,
                  const struct limits *limits, struct cgroup **result,
                  struct error **err);

/* Opens the files by which a single-threaded process enters the group, by
 * writing "0" to each (see runtime/protocol.h for why it does so itself). They
 * are the caller's. Returns how many, at most CGROUP_ENTRY_FDS; or -1. */
enum { CGROUP_ENTRY_FDS = 5 };
int cgroup_open_entry(const struct cgroup *cgroup, int fds[CGROUP_ENTRY_FDS],
                      struct error **err);

/* "cgroup-v1", "cgroup-v2" or "none". Static. */
const char *cgroup_source(const struct cgroup *cgroup);

/* Whether it limits anything: not the backend none. */
bool cgroup_limits(const struct cgroup *cgroup);

/* Reads the counters. ENOTSUP from the backend none. */
int cgroup_usage(struct cgroup *cgroup, struct cgroup_usage *usage,
                 struct error **err);

/* Begins to watch memory. On v1 it waits for a grace period (10 ms), so it
 * belongs after the job's release. */
int cgroup_watch(struct cgroup *cgroup, struct error **err);

/* Descriptors to wait on (readable), at most CGROUP_WATCH_FDS; they are the
 * group's. Returns how many. When one is readable, cgroup_watch_read takes the
 * news and sets bits of *seen. */
enum { CGROUP_WATCH_FDS = 1 };
enum {
  CGROUP_SAW_OOM = 1,      /* the kernel killed for memory */
  CGROUP_SAW_PRESSURE = 2, /* memory that can't be reclaimed passed 95 %: said
                              once */
};
size_t cgroup_watch_fds(const struct cgroup *cgroup, int fds[CGROUP_WATCH_FDS]);
int cgroup_watch_read(struct cgroup *cgroup, unsigned *seen,
                      struct error **err);

/* Kills what is left in the group, removes it and frees the struct, whatever
 * goes wrong; the error names the first that stayed. It waits for the killed to
 * go, up to 5 s. NULL is fine. */
int cgroup_destroy(struct cgroup *cgroup, struct error **err);

/* Frees the struct alone: the group stays, for whoever else holds it. NULL is
 * fine. */
void cgroup_forget(struct cgroup *cgroup);

/* A group on its way to another process of the same user: text, and descriptors
 * beside it. The other may stand in another group, so no path would do. */
enum { CGROUP_NAME_SIZE = 64, CGROUP_SHARE_FDS = 10 };
struct cgroup_share {
  char source[16];
  char name[CGROUP_NAME_SIZE];
  uint64_t memory_bytes;
  uint32_t fds_of; /* bits: which of the group's slots have a descriptor */
};

/* Describes a group that isn't watched yet. The descriptors stay the group's.
 * Returns how many. */
size_t cgroup_share(const struct cgroup *cgroup, struct cgroup_share *share,
                    int fds[CGROUP_SHARE_FDS]);

/* Makes a group of what came, whose descriptors it owns then. NULL (EPROTO)
 * where that doesn't fit together. */
struct cgroup *cgroup_of_share(const struct cgroup_share *share, const int *fds,
                               size_t fd_count, struct error **err);

/* After a crash: the counters of a group that was left behind, and its
 * removal. ENOENT from the first where there is none; the second is then
 * content, and removes also a group that was half made or half removed. */
int cgroup_usage_by_name(const struct cgroup_env *env, const char *name,
                         struct cgroup_usage *usage, const char **source,
                         struct error **err);
int cgroup_remove_by_name(const struct cgroup_env *env, const char *name,
                          struct error **err);

#endif
