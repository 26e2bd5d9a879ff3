/* Inside the cgroup module: what a backend is, and what they share. */
#ifndef WAFER_SANDBOX_CGROUP_BACKEND_H
#define WAFER_SANDBOX_CGROUP_BACKEND_H

#include "sandbox/cgroup.h"

#include <stdint.h>

/* The controllers that count here. v1 has a tree for each; v2 one for all. */
enum controller {
  CONTROLLER_CPU,
  CONTROLLER_CPUACCT, /* v1 alone */
  CONTROLLER_MEMORY,
  CONTROLLER_PIDS,
  CONTROLLER_BLKIO, /* v2's io; it is done without where it is missing */
  CONTROLLER_COUNT,
};

extern const char *const controller_names[CONTROLLER_COUNT];

struct cgroup_backend {
  const char *source;
  const char *entry; /* the file to enter a group by */
  /* Fills in detail, and why and fix where this backend can't limit. NULL for
   * the backend none. */
  void (*probe)(const struct cgroup_env *env, struct cgroup_probe *probe);
  /* Opens the group's folders (dirs) and makes them where `make`; else what
   * isn't there stays -1, and is no error. */
  int (*open)(const struct cgroup_env *env, struct cgroup *cgroup, bool make,
              struct error **err);
  int (*limit)(struct cgroup *cgroup, const struct limits *limits,
               struct error **err);
  int (*watch)(struct cgroup *cgroup, struct error **err);
  int (*watch_read)(struct cgroup *cgroup, unsigned *seen, struct error **err);
  int (*usage)(struct cgroup *cgroup, struct cgroup_usage *usage,
               struct error **err);
  /* Kills what is in the group, as far as it can. */
  void (*kill)(struct cgroup *cgroup);
};

extern const struct cgroup_backend cgroup_v2;
extern const struct cgroup_backend cgroup_v1;
extern const struct cgroup_backend cgroup_none;

struct cgroup {
  const struct cgroup_backend *backend;
  char *name;
  /* Each holds NAME. -1: none; or the tree is that of an earlier slot. */
  int parent_dirs[CONTROLLER_COUNT];
  int dirs[CONTROLLER_COUNT]; /* the group itself; -1: none */
  int watch_fd;               /* -1: none */
  uint64_t memory_bytes;
  int64_t oom_kills_seen;
  bool pressure_seen;
};

/* An empty one of a name that is known to be good; nothing is opened. */
struct cgroup *cgroup_new(const struct cgroup_backend *backend,
                          const char *name);

/* Whether `name` can be one: see cgroup_create. */
bool cgroup_name_is_good(const char *name);

/* Reading: a file of a group, its number on a line of its own, or after a key
 * ("oom_kill 3"). -1 where it isn't there or isn't a number. */
int64_t cgroup_read_number(int dir, const char *file);
int64_t cgroup_read_key(int dir, const char *file, const char *key);

/* The sum of the numbers that follow each `word` ("rbytes="); -1 where the file
 * isn't there. */
int64_t cgroup_read_sum(int dir, const char *file, const char *word);

/* The sum of the numbers after those of `keys` (the last is NULL) that are
 * there; -1 where the file isn't. */
int64_t cgroup_read_keys(int dir, const char *file, const char *const keys[]);

/* The same, of a text. */
int64_t cgroup_parse_key(const char *text, size_t count, const char *key);
int64_t cgroup_parse_sum(const char *text, size_t count, const char *word);

/* Whether `word` is one of those in a line of them. */
bool cgroup_has_word(const char *line, const char *word);

/* Finds, in the text of /proc/self/cgroup, the path of the tree that has
 * `controller` ("" is v2's). Returns a copy or NULL. */
char *cgroup_parse_own(const char *text, size_t count, const char *controller);

/* Finds, in the text of /proc/self/mountinfo, the folder of `group` in the tree
 * of `controller` ("" is v2's). In a container the mount may show a part of the
 * tree alone. The caller frees it; NULL where that isn't in sight. */
char *cgroup_parse_mount(const char *text, size_t count, const char *controller,
                         const char *group);

/* The text of proc_dir/self/NAME, which the caller frees; NULL where it can't
 * be read. */
char *cgroup_read_proc(const char *proc_dir, const char *name);

/* The folder of the caller's own group in the tree of `controller`; the caller
 * frees it. NULL where that isn't in sight. */
char *cgroup_own_dir(const struct cgroup_env *env, const char *controller);

/* That of the tree's root, likewise. */
char *cgroup_root_dir(const struct cgroup_env *env, const char *controller);

/* Whether the caller's user namespace is the first one (user_namespaces(7)). */
bool cgroup_in_first_userns(const char *proc_dir);

/* Opens parent/wafer/NAME into the cgroup's slot, as cgroup_backend.open. A
 * tree that an earlier slot has is taken from there. */
int cgroup_open_dir(struct cgroup *cgroup, enum controller slot,
                    const char *parent, bool make, struct error **err);

/* How much of its memory a group is under pressure with. */
uint64_t cgroup_pressure_bytes(const struct cgroup *cgroup);

/* Whether memory that can't be reclaimed has come there for the first time, but
 * for one percent: v1 says once that a group is there, and some of that is page
 * cache; v2 holds a group there, so that it may never quite come. */
bool cgroup_sees_pressure(struct cgroup *cgroup, int64_t unreclaimable_bytes);

/* Whether the kernel has killed more often than when this was asked last. */
bool cgroup_sees_oom(struct cgroup *cgroup, int64_t oom_kills);

#endif
