/* For the tests of cgroups: a folder that looks like the kernel's, without the
 * kernel. A write is kept as the file's text, from its first byte on.
 *
 * mkdirat and unlinkat are its own for the whole program: as in a cgroup tree,
 * a new folder has its files at once, and they go with it. */
#ifndef WAFER_TESTS_UNIT_CGROUP_FOLDER_H
#define WAFER_TESTS_UNIT_CGROUP_FOLDER_H

#include "sandbox/cgroup.h"

/* The machine of the test that runs; all zero but env after folder_begin. */
extern struct cgroup_folder {
  char top[32];
  char proc_dir[48];
  struct cgroup_env env;    /* proc_dir below top; real root */
  const char *const *files; /* of a new cgroup; the last is NULL */
  const char *missing_file; /* but not this one */
  const char *full_file;    /* and no byte goes into this one */
} folder;

/* Those of 0.0625 and of 1 DPU. */
extern const struct limits folder_small_limits;
extern const struct limits folder_large_limits;

/* A test's set-up and tear-down (cmocka). */
int folder_begin(void **state);
int folder_end(void **state);

/* Writes the file top/PATH, and makes the folders that it is in. */
void folder_put(const char *path, const char *text);

/* Asserts what the file top/PATH holds. */
void folder_assert_file(const char *path, const char *expected);

bool folder_has(const char *path);

/* A v1 machine: `trees` (the last is NULL) are folders below top, named as
 * their controllers ("cpu,cpuacct"); our own group is "own" in each. */
void folder_make_v1(const char *const trees[]);

/* A v2 machine, whose tree is the folder "tree"; our own group is `own`, as in
 * /proc/self/cgroup. io is on everywhere, the others nowhere. */
void folder_make_v2(const char *own, const char *controllers);

/* The group "jr_1", made without fail; and removed. */
struct cgroup *folder_create(const struct limits *limits);
void folder_destroy(struct cgroup *cgroup);

/* Says why no group of this name can be made. The caller frees it. */
struct error *folder_refuse(const char *name);

/* Asserts that no group is made where FILE can't be written, and that the error
 * names it. */
void folder_assert_refuses_full(const char *file);

/* Enters the group, through as many files as expected. */
void folder_enter(const struct cgroup *cgroup, int expected_fds);

/* What cgroup_watch_read sees. */
unsigned folder_look(struct cgroup *cgroup);

#endif
