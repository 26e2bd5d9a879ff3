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
  /* Fills in detail, and why and fix where this backend can't limit. */
  void (*probe)(const struct cgroup_env *env, struct cgroup_probe *probe);
  /* Opens the group's folders (dirs), making them where `make`. */
  int (*open)(const struct cgroup_env *env, struct cgroup *cgroup, bool make,
              struct error **err);
  int (*limit)(struct cgroup *cgroup, const struct limits *limits,
               struct error **err);
  int (*watch)(struct cgroup *cgroup, struct error **err);
  int (*watch_read)(struct cgroup *cgroup, unsigned *seen, struct error **err);
  int (*usage)(struct cgroup *cgroup, struct cgroup_usage *usage,
               struct error **err);
  int (*kill)(struct cgroup *cgroup, struct error **err);
};

extern const struct cgroup_backend cgroup_v2;
extern const struct cgroup_backend cgroup_v1;
extern const struct cgroup_backend cgroup_none;

struct cgroup {
  const struct cgroup_backend *backend;
  char *name;
  int parent_dirs[CONTROLLER_COUNT]; /* each holds NAME; -1: none */
  int dirs[CONTROLLER_COUNT];        /* the group itself; -1: none */
  int watch_fds[CGROUP_WATCH_FDS];   /* -1: none */
  uint64_t memory_bytes;
  int64_t oom_kills_seen;
  bool pressure_seen;
};

/* Reading: a file of a group, its number on a line of its own, or after a key
 * ("oom_kill 3"). -1 where it isn't there or isn't a number. */
int64_t cgroup_read_number(int dir, const char *file);
int64_t cgroup_read_key(int dir, const char *file, const char *key);

/* The sum of the numbers that follow each `word` ("rbytes="); -1 where the file
 * isn't there. */
int64_t cgroup_read_sum(int dir, const char *file, const char *word);

/* The same, of a text: for tests and fuzzers. */
int64_t cgroup_parse_key(const char *text, size_t count, const char *key);
int64_t cgroup_parse_sum(const char *text, size_t count, const char *word);

/* Finds, in the text of /proc/self/cgroup, the path of the tree that has
 * `controller` ("" is v2's). Returns a copy or NULL. */
char *cgroup_parse_own(const char *text, size_t count, const char *controller);

/* Finds, in the text of /proc/self/mountinfo, where the cgroup tree of
 * `controller` is mounted ("" is v2's), at its root. Returns a copy or NULL. */
char *cgroup_parse_mount(const char *text, size_t count,
                         const char *controller);

/* The text of proc_dir/self/NAME; the caller frees it. */
int cgroup_read_proc(const struct cgroup_env *env, const char *name,
                     char **text, size_t *count, struct error **err);

/* The folder of the caller's own group in the tree of `controller`; the caller
 * frees it. NULL where that tree isn't mounted. */
char *cgroup_own_dir(const struct cgroup_env *env, const char *controller);

/* Where that tree is mounted, likewise. */
char *cgroup_mount_dir(const struct cgroup_env *env, const char *controller);

/* Opens parent/wafer/NAME into the cgroup's slot; makes it where `make`. */
int cgroup_open_dir(struct cgroup *cgroup, enum controller slot,
                    const char *parent, bool make, struct error **err);

/* Takes the count out of an eventfd or the events out of an inotify. */
void cgroup_drain(int fd);

/* Whether memory that can't be reclaimed is at 95 % of the limit, for the
 * first time. */
bool cgroup_sees_pressure(struct cgroup *cgroup, int64_t unreclaimable_bytes);

#endif
