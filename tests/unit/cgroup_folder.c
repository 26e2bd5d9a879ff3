#include "config.h"

#include "tests/unit/cgroup_folder.h"

#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const files_of_v1[] = {
    "tasks",
    "cgroup.procs",
    "cpu.cfs_period_us",
    "cpu.cfs_quota_us",
    "cpu.stat",
    "cpuacct.usage",
    "memory.limit_in_bytes",
    "memory.swappiness",
    "memory.memsw.limit_in_bytes",
    "memory.oom_control",
    "memory.stat",
    "memory.usage_in_bytes",
    "memory.max_usage_in_bytes",
    "pids.max",
    "pids.events",
    "blkio.throttle.io_service_bytes",
    NULL,
};

static const char *const files_of_v2[] = {
    "cgroup.procs",  "cgroup.subtree_control",
    "cgroup.kill",   "cpu.max",
    "cpu.stat",      "memory.max",
    "memory.high",   "memory.swap.max",
    "memory.peak",   "memory.oom.group",
    "memory.events", "memory.stat",
    "io.stat",       "pids.max",
    "pids.events",   NULL,
};

const struct limits folder_small_limits = {
    .cpu_milli = 250, .memory_bytes = 1ULL << 30, .pids_max = 128};
const struct limits folder_large_limits = {
    .cpu_milli = 4000, .memory_bytes = 16ULL << 30, .pids_max = 1024};

struct cgroup_folder folder;

/* libc's own parameter names are reserved ones. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int mkdirat(int dir, const char *path, mode_t mode)
{
  if (syscall(SYS_mkdirat, dir, path, mode) < 0)
    return -1;
  cleanup_fd int made = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (size_t i = 0; folder.files[i] != NULL; i++) {
    const char *file = folder.files[i];
    if (folder.missing_file != NULL && strcmp(file, folder.missing_file) == 0)
      continue;
    if (folder.full_file != NULL && strcmp(file, folder.full_file) == 0) {
      assert_int_equal(symlinkat("/dev/full", made, file), 0);
      continue;
    }
    cleanup_fd int fd =
        openat(made, file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
  }
  return 0;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int unlinkat(int dir, const char *path, int flags)
{
  cleanup_fd int gone = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (size_t i = 0; gone >= 0 && folder.files[i] != NULL; i++)
    syscall(SYS_unlinkat, gone, folder.files[i], 0);
  return (int)syscall(SYS_unlinkat, dir, path, flags);
}

static int remove_one(const char *path, const struct stat *status, int kind,
                      struct FTW *level)
{
  (void)status;
  (void)kind;
  (void)level;
  return remove(path);
}

int folder_begin(void **state)
{
  (void)state;
  folder = (struct cgroup_folder){
      .top = "/tmp/wafer-test-cgroup-XXXXXX",
      .env = {.proc_dir = folder.proc_dir, .real_root = true},
  };
  assert_non_null(mkdtemp(folder.top));
  snprintf(folder.proc_dir, sizeof folder.proc_dir, "%s/proc", folder.top);
  return 0;
}

int folder_end(void **state)
{
  (void)state;
  return nftw(folder.top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes the file folder.top/PATH, and makes the folders that it is in. */
void folder_put(const char *path, const char *text)
{
  cleanup_free char *full = xasprintf("%s/%s", folder.top, path);
  for (char *at = strchr(full + strlen(folder.top) + 1, '/'); at != NULL;
       at = strchr(at + 1, '/')) {
    *at = '\0';
    assert_true(mkdir(full, 0755) == 0 || errno == EEXIST);
    *at = '/';
  }
  cleanup_fd int fd =
      open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  struct error *err = NULL;
  assert_true(fd >= 0);
  assert_int_equal(fd_write_all(fd, text, strlen(text), &err), 0);
}

void folder_assert_file(const char *path, const char *expected)
{
  cleanup_free char *full = xasprintf("%s/%s", folder.top, path);
  cleanup_free char *text = NULL;
  struct error *err = NULL;
  size_t count;
  assert_int_equal(fd_read_file(AT_FDCWD, full, 4096, &text, &count, &err), 0);
  assert_string_equal(text, expected);
}

bool folder_has(const char *path)
{
  cleanup_free char *full = xasprintf("%s/%s", folder.top, path);
  return access(full, F_OK) == 0;
}

/* A v1 machine: `trees` are folders below folder.top, named as their
 * controllers; our own group is "own" in each. */
void folder_make_v1(const char *const trees[])
{
  cleanup_free char *mounts = xstrdup("");
  cleanup_free char *groups = xstrdup("0::/\n");
  for (int i = 0; trees[i] != NULL; i++) {
    char *more = xasprintf("%s40 30 0:3%d / %s/%s rw - cgroup cgroup rw,%s\n",
                           mounts, i, folder.top, trees[i], trees[i]);
    free(mounts);
    mounts = more;
    more = xasprintf("%s%d:%s:/own\n", groups, i + 1, trees[i]);
    free(groups);
    groups = more;
    cleanup_free char *tasks = xasprintf("%s/own/tasks", trees[i]);
    folder_put(tasks, "");
  }
  folder_put("proc/self/mountinfo", mounts);
  folder_put("proc/self/cgroup", groups);
  folder.files = files_of_v1;
}

/* A v2 machine, whose tree is the folder "tree"; our own group is `own`. */
void folder_make_v2(const char *own, const char *controllers)
{
  cleanup_free char *mounts =
      xasprintf("40 30 0:30 / %s/tree rw - cgroup2 cgroup2 rw\n", folder.top);
  cleanup_free char *groups = xasprintf("0::%s\n", own);
  folder_put("proc/self/mountinfo", mounts);
  folder_put("proc/self/cgroup", groups);
  static const char *const places[] = {"tree", "tree/own"};
  for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
    cleanup_free char *procs = xasprintf("%s/cgroup.procs", places[i]);
    cleanup_free char *all = xasprintf("%s/cgroup.controllers", places[i]);
    cleanup_free char *on = xasprintf("%s/cgroup.subtree_control", places[i]);
    cleanup_free char *ours =
        xasprintf("%s/wafer/cgroup.subtree_control", places[i]);
    folder_put(procs, "");
    folder_put(all, controllers);
    folder_put(on, "io\n");
    folder_put(ours, "io\n");
  }
  folder.files = files_of_v2;
}

struct cgroup *folder_create(const struct limits *limits)
{
  struct error *err = NULL;
  struct cgroup *cgroup = NULL;
  if (cgroup_create(&folder.env, "jr_1", limits, &cgroup, &err) < 0)
    fail_msg("%s", err->text);
  return cgroup;
}

void folder_destroy(struct cgroup *cgroup)
{
  struct error *err = NULL;
  if (cgroup_destroy(cgroup, &err) < 0)
    fail_msg("%s", err->text);
}

/* Says why no cgroup of this name can be made. */
struct error *folder_refuse(const char *name)
{
  struct error *err = NULL;
  struct cgroup *cgroup = NULL;
  assert_int_equal(
      cgroup_create(&folder.env, name, &folder_small_limits, &cgroup, &err),
      -1);
  assert_null(cgroup);
  assert_non_null(err);
  return err;
}

void folder_assert_refuses_full(const char *file)
{
  folder.full_file = strrchr(file, '/') + 1;
  cleanup_error struct error *err = folder_refuse("jr_1");
  assert_int_equal(err->code, ENOSPC);
  assert_non_null(strstr(err->text, folder.full_file));
  folder.full_file = NULL;
}

void folder_enter(const struct cgroup *cgroup, int expected_fds)
{
  struct error *err = NULL;
  int fds[CGROUP_ENTRY_FDS];
  assert_int_equal(cgroup_open_entry(cgroup, fds, &err), expected_fds);
  for (int i = 0; i < expected_fds; i++) {
    assert_int_equal(fd_write_all(fds[i], "0", 1, &err), 0);
    fd_close(&fds[i]);
  }
}

unsigned folder_look(struct cgroup *cgroup)
{
  struct error *err = NULL;
  unsigned seen = 0;
  assert_int_equal(cgroup_watch_read(cgroup, &seen, &err), 0);
  return seen;
}
